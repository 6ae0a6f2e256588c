"""What the documentation shows of TasteLUT, run as it stands; and answers that are no answers."""

import re
from pathlib import Path

import numpy as np
import pytest

from learning.systems.interface import ModeEditor
from learning.tastes import reference_pairs
from tests.learning.systems.test_tastelut import dataset, system  # noqa: F401
from variants.tone.cube import read_cube
from variants.tone.images import ImageError, encode_image

DOCUMENT = Path(__file__).parents[3] / "docs/tastelut.md"


def picture(seed, size=(20, 30)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_four_lines_from_photos_to_a_lut(system, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    system.save(Path("runs/taste"))
    for number, name in enumerate(("liked.jpg", "other.jpg", "mine.jpg")):
        Path(name).write_bytes(encode_image(picture(number), "jpeg_444"))
    lines, imports = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(lines.splitlines()) == 4
    exec(imports + lines, {})
    assert read_cube("mine.cube").size == 33


def test_arrays_of_either_kind_are_the_same_answer():
    levels = picture(0, (40, 60)), picture(1, (40, 60))
    (one,) = reference_pairs([levels], long_side=30)
    (other,) = reference_pairs([tuple(x / 255 for x in levels)], long_side=30)
    assert one.preferred.shape == (20, 30, 3)
    np.testing.assert_allclose(one.rejected, other.rejected, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "match"),
    [
        (np.zeros((8, 8)), r"answer 1: an image is an array \(H, W, 3\)"),
        (np.zeros((8, 8, 3), np.int64), "uint8 or floating-point, not int64"),
        (np.full((8, 8, 3), 4.0), r"in \[0, 1\]; divide it by its white"),
        (np.full((8, 8, 3), np.nan), r"in \[0, 1\]"),
    ],
)
def test_what_is_no_image_is_named(side, match):
    with pytest.raises(ValueError, match=match):
        reference_pairs([(side, picture(0))], long_side=64)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ImageError, match=r"no\.jpg"):
        reference_pairs([("no.jpg", picture(0))], long_side=64)


@pytest.mark.parametrize("answers", ["none", "contradictory", "one scene", "grey"])
def test_answers_that_say_little_still_give_a_table(system, answers):  # noqa: F811
    one, other = picture(2), picture(3)
    grey = np.full((20, 30, 3), 128, np.uint8)
    given = {
        "none": [],
        "contradictory": [(one, other), (other, one)] * 4,
        "one scene": [(one, other)] * 16,
        "grey": [(grey, grey)] * 3,
    }[answers]
    assert isinstance(system, ModeEditor)
    profile = system.with_mode(system.adapt(reference_pairs(given, long_side=64)), "taste")
    for photo in (np.zeros((20, 30, 3), np.float32), one.astype(np.float32) / 255):
        table = system.bake(photo, profile, size=17, strength=1.5)
        assert table.shape == (17, 17, 17, 3)
        assert np.isfinite(table).all()
        assert 0 <= table.min() <= table.max() <= 1
