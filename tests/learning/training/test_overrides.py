import re

import pytest

from learning.systems import make_config
from learning.training.overrides import parse_switch, with_settings


def test_settings_are_switched_by_dotted_names():
    config = make_config("upe", "tiny")
    changed = with_settings(config, parse_switch("gate=false, reader.layers=1"))
    assert (changed.gate, changed.reader.layers) == (False, 1)
    assert with_settings(config, {}) == config
    assert with_settings(config, {"loop.schedule": "constant"}).loop.schedule == "constant"
    assert with_settings(config, {"loop.learning_rate": "1"}).loop.learning_rate == 1


@pytest.mark.parametrize(
    ("switch", "message"),
    [
        ("gatee=false", "there is no setting 'gatee'; there are: preset, "),
        ("reader.layer=1", "there is no setting 'layer'; there are: reader.token, "),
        ("reader=1", "reader: it is a group of settings: reader.token, "),
        ("gate.open=1", "gate is one value, no group"),
        ("gate=1", "'1' is not true or false"),
        ("reader.layers=1.5", "'1.5' is not a whole number"),
        ("loop.learning_rate=fast", "'fast' is not a number"),
        ("loop.steps=0", "steps is 0; it must be 1 or more"),
        ("gate", "'gate' is not NAME=VALUE"),
    ],
)
def test_a_switch_that_cannot_be_says_what_can(switch, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        with_settings(make_config("upe", "tiny"), parse_switch(switch))
