from pathlib import Path

import pytest

from learning.backbones import BackboneChoice


def test_a_name_may_come_with_a_local_folder():
    assert BackboneChoice.parse("dinov2_small") == BackboneChoice(name="dinov2_small")
    assert BackboneChoice.parse("dinov2_base_reg=/w/x=y") == BackboneChoice(
        name="dinov2_base_reg", path=Path("/w/x=y")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dinov2_smal", "there is no backbone 'dinov2_smal'; did you mean dinov2_small"),
        ("resnet", "there is no backbone 'resnet'; there are tone_statistics, dinov2_small"),
        ("dinov2_small=", "has nothing after the equals sign"),
        ("tone_statistics=/w", "tone_statistics has no weights"),
    ],
)
def test_other_names_are_refused_with_what_there_is(text, message):
    with pytest.raises(ValueError, match=message):
        BackboneChoice.parse(text)
