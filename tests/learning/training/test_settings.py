import pytest

from learning.data.crops import ColorJitter, CropConfig
from learning.training.loop import LoopConfig
from learning.training.settings import from_json, to_json


@pytest.mark.parametrize(
    "config",
    [
        CropConfig(size=32, short_side=(64, 128)),
        CropConfig(jitter=ColorJitter(hue=0.0), four_inputs=True),
        LoopConfig(precision="bf16", ema=0.99),
    ],
)
def test_what_was_stored_comes_back(config):
    assert from_json(type(config), to_json(config)) == config


def test_settings_of_an_older_run_get_the_defaults_of_newer_ones():
    stored = to_json(LoopConfig(steps=9))
    del stored["precision"], stored["ema"]
    assert from_json(LoopConfig, stored) == LoopConfig(steps=9)


def test_a_setting_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="there is no setting 'stepps'"):
        from_json(LoopConfig, {"stepps": 3})
