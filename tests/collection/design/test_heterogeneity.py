import numpy as np
import pytest

from collection.design.choices import Choices
from collection.design.heterogeneity import one_taste_test
from tests.collection.design.answered import light_fields, simulated, tone_mapping

LOOKS = [0.0, 0.4, 0.8, 1.2]


@pytest.mark.slow
def test_raters_of_one_taste_are_told_apart_in_one_study_of_twenty():
    """Of 200 simulated studies with ten answers a rater p is at most 0.05 in 5 %, give or take three standard errors."""
    p = [
        one_taste_test(
            simulated(LOOKS, n_raters=20, each=10, seed=seed, n_scenes=2), seed=seed, permutations=59
        ).p
        for seed in range(200)
    ]
    assert np.mean(np.array(p) <= 0.05) < 0.097
    assert 0.4 < np.mean(p) < 0.6


def test_raters_of_many_tastes_are_told_from_one():
    found = one_taste_test(simulated(LOOKS, n_raters=40, each=30, seed=3, own_sd=1), seed=0, permutations=99)
    assert found.p == 0.01
    assert found.statistic > found.by_chance
    assert (found.n_raters, found.permutations) == (40, 99)


def test_a_bad_scale_does_not_pass_for_many_tastes():
    """Everybody turns round what is preferred in the second scene: no scale fits, and all have one taste."""
    answers = simulated([0, 2, 4], n_raters=30, each=40, seed=5, n_scenes=2)
    answers.a_won[answers.scene == 1] = 1 - answers.a_won[answers.scene == 1]
    assert one_taste_test(answers, seed=0, permutations=99).p > 0.05


def test_observers_of_tone_mapping_differ(shared_data):
    found = one_taste_test(tone_mapping(shared_data), seed=0, permutations=99)
    assert found.p == 0.01
    assert found.n_exchangeable > 1000


def test_the_same_seed_gives_the_same_p():
    answers = simulated(LOOKS, n_raters=10, each=10, seed=1)
    one, same = (one_taste_test(answers, seed=4, permutations=19) for _ in range(2))
    assert one == same


def test_answers_that_are_all_alike_tell_nobody_apart():
    same = Choices.from_labels("1122", "xzxz", "ywyw", "abab")
    with pytest.raises(ValueError, match="no question was answered in two ways"):
        one_taste_test(same, seed=0)


def test_too_many_items_are_refused_before_the_memory_is_gone(shared_data, monkeypatch):
    monkeypatch.setattr("collection.design.heterogeneity.MOST_NUMBERS", 10_000)
    with pytest.raises(ValueError, match="items are too many for 29 raters; name items by their recipe"):
        one_taste_test(light_fields(shared_data), seed=0)
