import pytest

from learning.systems import (
    PHOTO_READERS,
    PRESETS,
    SYSTEMS,
    TAKE_BACKBONE,
    TITLES,
    UNTRAINED,
    backbones_offered,
    check_names,
    make_config,
    system_module,
)
from learning.training.settings import from_json, to_json


def test_what_is_said_of_every_system_without_importing_it_is_true():
    assert SYSTEMS.keys() == PRESETS.keys() == TITLES.keys()
    for name in SYSTEMS:
        module = system_module(name)
        assert (name, TITLES[name]) == (module.NAME, module.TITLE)
        assert set(module.PRESETS) == set(PRESETS[name])
        assert hasattr(module, "untrained") == (name in UNTRAINED)
        for preset in PRESETS[name]:
            config = make_config(name, preset, seed=3)
            assert (config.preset, config.seed) == (preset, 3)
            assert hasattr(config, "backbone") == (name in TAKE_BACKBONE)
            for backbone in backbones_offered(name, preset):
                assert make_config(name, preset, backbone=backbone).backbone == backbone
            assert from_json(module.Config, to_json(config)) == config
    assert set(UNTRAINED) <= set(PHOTO_READERS) <= set(SYSTEMS)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("oracle", "tiny"), "there is no system 'oracle'"),
        (("upe", "huge"), "upe has no preset 'huge'; it has: tiny"),
        (("user_decoder", "tiny", "dinov2_small"), "takes no backbone"),
    ],
)
def test_names_that_do_not_go_are_told(names, message):
    with pytest.raises(ValueError, match=message):
        check_names(*names)
