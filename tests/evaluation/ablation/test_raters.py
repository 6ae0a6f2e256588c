import pytest

from evaluation.ablation.raters import nested_raters, with_training_raters
from learning.data.dataset import PreferenceDataset
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
