import numpy as np
import pytest

from collection.design.choices import Choices
from collection.design.observers import score_outliers
from tests.collection.design.answered import simulated, tone_mapping


def test_the_two_published_outliers_and_no_other(shared_data):
    """pwcmp: exactly bab and M02 exceed 1.5. Its own prior gives 4.47, 3.45 and 0.88 for the next, M06."""
    found = score_outliers(tone_mapping(shared_data))
    assert sorted(found.outliers) == ["M02", "bab"]
    score = dict(zip(found.raters, found.score, strict=True))
    assert score["bab"] == pytest.approx(4.47, abs=0.3)
    assert score["M02"] == pytest.approx(3.45, abs=0.3)
    assert score["M06"] == pytest.approx(0.88, abs=0.1)


@pytest.mark.parametrize("prior_sd", [1, 3, 10])
def test_the_prior_decides_nothing(shared_data, prior_sd):
    assert sorted(score_outliers(tone_mapping(shared_data), prior_sd=prior_sd).outliers) == ["M02", "bab"]


def with_a_contrary(seed):
    """20 simulated raters who see the same clear differences, and the first of them turns every answer round."""
    answers = simulated([0, 1, 2, 3], n_raters=20, each=60, seed=seed, n_scenes=2)
    answers.a_won[answers.rater == 0] = 1 - answers.a_won[answers.rater == 0]
    return answers


@pytest.mark.parametrize("seed", range(3))
def test_who_says_the_contrary_is_an_outlier(seed):
    found = score_outliers(with_a_contrary(seed))
    assert found.outliers[:1] == ("0000",)
    assert found.score.argmax() == 0
    assert found.log10_likelihood.argmin() == 0


def test_scores_are_zero_above_the_first_quartile():
    found = score_outliers(with_a_contrary(0))
    assert np.count_nonzero(found.score > 0) == 5  # of 20
    assert (found.score >= 0).all()
    assert found.n_pairs.max() == 12  # six pairs in each of two scenes


def test_who_has_no_pair_in_common_is_unknown():
    answers = with_a_contrary(0)
    alone = Choices.from_labels(["zoe"], ["p"], ["q"], ["a"], ["elsewhere"])
    joined = Choices(
        rater=np.append(answers.rater, 20),
        a=np.append(answers.a, 4),
        b=np.append(answers.b, 5),
        a_won=np.append(answers.a_won, 1.0),
        scene=np.append(answers.scene, 2),
        raters=(*answers.raters, *alone.raters),
        items=(*answers.items, *alone.items),
        scenes=(*answers.scenes, *alone.scenes),
    )
    found = score_outliers(joined)
    assert np.isnan(found.score[-1])
    assert np.isnan(found.log10_likelihood[-1])
    assert found.score[:-1] == pytest.approx(score_outliers(answers).score)


def test_four_raters_have_no_quartiles_to_speak_of():
    with pytest.raises(ValueError, match="needs 5 raters with pairs that others answered too; there are 4"):
        score_outliers(simulated([0, 1], n_raters=4, each=5, seed=0))


def test_raters_who_all_say_the_same_cannot_be_told_apart():
    same = Choices.from_labels("123456", "xxxxxx", "yyyyyy", "aaaaaa")
    with pytest.raises(ValueError, match="raters who differ"):
        score_outliers(same)
