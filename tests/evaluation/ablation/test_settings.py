import re

import pytest

from evaluation.ablation.settings import nested_raters, parse_switch, with_settings, with_training_raters
from learning.data.dataset import PreferenceDataset
from learning.systems import make_config
from tests.learning.factories import make_dataset


@pytest.fixture
def dataset(tmp_path):
    return PreferenceDataset.load(
        make_dataset(tmp_path / "data", n_scenes=2, n_raters=8, n_answers=2, invalid_raters=1)
    )


def test_fewer_raters_are_some_of_more(dataset):
    chosen = [nested_raters(dataset, n, seed=0) for n in (1, 3, 5)]
    assert chosen[0] == chosen[1][:1]
    assert chosen[1] == chosen[2][:3]
    assert set(chosen[2]) == set(dataset.training_raters())
    assert nested_raters(dataset, 5, seed=1) != chosen[2]


def test_more_raters_than_there_are_is_an_error_with_their_number(dataset):
    with pytest.raises(ValueError, match="--raters 6: data has 5 training raters; name 1 to that many"):
        nested_raters(dataset, 6, seed=0)


def test_a_dataset_of_fewer_raters_keeps_those_who_are_evaluated(dataset):
    kept = with_training_raters(dataset, ["rater3", "rater4"])
    assert kept.training_raters() == ["rater3", "rater4"]
    assert kept.validation_raters() == dataset.validation_raters()
    assert len(dataset.training_raters()) == 5
    assert kept.judgments_of("rater3") == dataset.judgments_of("rater3")


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
