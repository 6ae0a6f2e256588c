import itertools
import json
from collections import defaultdict

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from collection.design.choices import Choices
from collection.design.scales import (
    JOD,
    LINKS,
    NoScale,
    comparison_components,
    fit_scale,
    fit_scales,
    fit_utilities,
    scale_intervals,
)
from tests.collection.design.answered import OPERATORS, light_fields, of_matrix, simulated, tone_mapping

MODELS = ["bradley_terry", "thurstone"]
PWCMP_README = [[0, 25, 0], [75, 0, 25], [0, 75, 0]]


@st.composite
def win_matrices(draw):
    """Every item won once or more against every other, so that there is a scale."""
    n = draw(st.integers(2, 6))
    count = st.integers(1, 20)
    return [[0 if i == j else draw(count) for j in range(n)] for i in range(n)]


def test_three_quarters_of_the_answers_are_one_jod():
    """The matrix of the pwcmp README: -1, 0 and +1 JOD."""
    scale = fit_scale(of_matrix(PWCMP_README), model="thurstone")
    assert scale.utility == pytest.approx([-1, 0, 1], abs=1e-9)
    assert pytest.approx(1.4826, abs=1e-4) == JOD


def test_two_items_have_the_log_odds_of_their_share():
    scale = fit_scale(of_matrix([[0, 30], [10, 0]]), model="bradley_terry")
    assert scale.utility[0] - scale.utility[1] == pytest.approx(np.log(3))
    # Of log odds of k of n the variance is 1 / (n p (1 - p)); mean 0 leaves a quarter of it to each.
    assert scale.covariance == pytest.approx(np.array([[1, -1], [-1, 1]]) / (4 * 40 * 0.75 * 0.25))
    assert (scale.fit.df, scale.fit.p) == (0, None)
    assert scale.fit.chi2 == pytest.approx(0, abs=1e-9)


def test_a_tie_is_half_a_win():
    ties = Choices.from_labels("1234", "xxxx", "yyyy", ["a", "a", "tie", "tie"])
    scale = fit_scale(ties, model="bradley_terry")
    assert scale.utility[0] - scale.utility[1] == pytest.approx(np.log(3))
    assert (scale.n_ties, scale.n_answers, scale.n_raters) == (2, 4, 4)


@pytest.mark.parametrize("case", ["testcase-pairwise-1.json", "testcase-pairwise-2.json"])
def test_the_expected_estimates_of_choix(shared_data, case):
    found = json.loads((shared_data / "preferences" / "choix" / case).read_text())
    wins = np.zeros((found["n_items"],) * 2, dtype=int)
    for winner, loser in found["data"]:
        wins[winner, loser] += 1
    assert fit_scale(of_matrix(wins), model="bradley_terry").utility == pytest.approx(
        found["ml_est"], abs=1e-8
    )


@settings(max_examples=30)
@given(win_matrices())
def test_choix_finds_the_same_scale(wins):
    theirs = choix.ilsr_pairwise_dense(np.array(wins, dtype=float), tol=1e-12, max_iter=10_000)
    ours = fit_scale(of_matrix(wins), model="bradley_terry").utility
    assert ours == pytest.approx(theirs - theirs.mean(), abs=1e-6)


@settings(max_examples=30)
@given(win_matrices(), st.floats(0.3, 5))
def test_choix_finds_the_same_scale_with_a_prior(wins, sd):
    """Its penalty α |u|² is a normal prior with variance 1 / (2 α)."""
    pairs = [(i, j) for i, row in enumerate(wins) for j, n in enumerate(row) for _ in range(n)]
    theirs = choix.opt_pairwise(len(wins), pairs, alpha=1 / (2 * sd**2), tol=1e-9)
    ours = fit_scale(of_matrix(wins), model="bradley_terry", prior_sd=sd).utility
    assert ours == pytest.approx(theirs, abs=1e-4)


@settings(max_examples=30)
@given(win_matrices(), st.sampled_from(MODELS))
def test_turning_all_answers_round_turns_the_scale(wins, model):
    there = fit_scale(of_matrix(wins), model=model).utility
    back = fit_scale(of_matrix(np.array(wins).T), model=model).utility
    assert back == pytest.approx(-there, abs=1e-7)
    assert there.sum() == pytest.approx(0, abs=1e-9)


@settings(max_examples=20)
@given(win_matrices(), st.sampled_from(MODELS), st.integers(2, 5))
def test_more_of_the_same_answers_narrow_the_scale_and_move_nothing(wins, model, times):
    one, many = (fit_scale(of_matrix(np.array(wins) * n), model=model) for n in (1, times))
    assert many.utility == pytest.approx(one.utility, abs=1e-7)
    assert many.covariance == pytest.approx(one.covariance / times, abs=1e-9)
    assert many.fit.chi2 == pytest.approx(times * one.fit.chi2, abs=1e-6)


@settings(max_examples=20)
@given(win_matrices(), st.sampled_from(MODELS))
def test_no_other_utilities_are_likelier(wins, model):
    wins = np.array(wins)
    best = fit_scale(of_matrix(wins), model=model).utility

    def log_likelihood(u):
        return (wins * np.log(LINKS[model].probability(u[:, None] - u))).sum()

    nearby = np.random.default_rng(0).normal(0, 0.01, (20, len(best)))
    assert all(log_likelihood(best + d) < log_likelihood(best) for d in nearby)


@pytest.mark.parametrize("model", MODELS)
def test_the_slope_is_the_derivative_of_the_log_odds(model):
    at, h = np.linspace(-6, 6, 25), 1e-5
    log_odds = [np.log(LINKS[model].probability(x) / LINKS[model].probability(-x)) for x in (at - h, at + h)]
    assert LINKS[model].slope(at) == pytest.approx((log_odds[1] - log_odds[0]) / (2 * h), rel=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_the_bend_is_the_derivative_of_the_slope(model):
    at, h = np.linspace(-6, 6, 25), 1e-5
    link = LINKS[model]
    assert link.bend(at) == pytest.approx((link.slope(at + h) - link.slope(at - h)) / (2 * h), abs=1e-6)


def test_counts_on_which_fisher_scoring_goes_to_and_fro():
    """A tree with one loop, and few answers that disagree."""
    i, j = np.array([[0, 0, 0, 1, 2, 2, 2], [1, 3, 5, 4, 3, 4, 5]])
    wins, n = np.array([[[1.0, 9, 9, 2, 0, 1, 5]], [[2.0, 9, 9, 15, 11, 4, 12]]])
    u = fit_utilities(i, j, wins, n, 6, model="thurstone")[0]
    p = LINKS["thurstone"].probability(u[i] - u[j])
    score = ((wins - n * p) * LINKS["thurstone"].slope(u[i] - u[j]))[0]
    balance = np.bincount(i, score, minlength=6) - np.bincount(j, score, minlength=6)
    assert balance == pytest.approx(np.zeros(6), abs=1e-6)


def test_more_items_than_one_scale_takes_are_refused_at_once():
    ring = [f"{k:03}" for k in range(501)]
    there, back = (
        Choices.from_labels("1" * 501, ring, ring[1:] + ring[:1], ["tie"] * 501),
        "name items by kind",
    )
    assert back in fit_scales(there, model="thurstone", prior_sd=1).unscaled[0].why_no_scale(1)
    with pytest.raises(NoScale, match=back):
        fit_scale(there, model="thurstone")


def test_seven_tone_mapping_operators(shared_data):
    """Published for all scenes and observers: log scale with mean 0, and χ² 22.6 on 15 degrees of freedom."""
    scale = fit_scale(tone_mapping(shared_data), model="bradley_terry")
    assert scale.items == OPERATORS
    published = [-0.118, -1.590, 1.187, 0.678, -0.628, 0.046, 0.425]
    assert scale.utility == pytest.approx(published, abs=6e-4)
    assert scale.fit.chi2 == pytest.approx(22.6, abs=0.05)
    assert scale.fit.df == 15
    assert scale.fit.p == pytest.approx(0.092, abs=1e-3)


def test_a_stronger_distortion_of_a_light_field_is_lower_on_the_scale(shared_data):
    """14 scenes with 25 conditions: four kinds of distortion in six strengths, and the reference."""
    for _, answers in light_fields(shared_data).by_scene():
        [scale] = fit_scales(answers, model="thurstone").scales
        by_kind = defaultdict(list)
        for item, utility in zip(scale.items, scale.utility, strict=True):
            kind, strength = item.split("_")
            by_kind[kind].append((int(strength), utility))
        [(_, reference)] = by_kind.pop("Reference")
        assert reference > max(scale.utility) - 0.25
        assert [len(strengths) for strengths in by_kind.values()] == [6] * 4
        assert all(
            spearmanr(*zip(*strengths, strict=True)).statistic < -0.9 for strengths in by_kind.values()
        )


def test_items_without_a_comparison_between_them_have_no_common_scale():
    apart = Choices.from_labels("1234", "xxpp", "yyqq", "abab")
    assert [part.items for part in comparison_components(apart)] == [("p", "q"), ("x", "y")]
    with pytest.raises(NoScale, match=r"fall apart into 2 groups .* p, q; x, y"):
        fit_scale(apart, model="thurstone")
    # No prior mends it: the two groups would both be put around 0.
    with pytest.raises(NoScale, match="fall apart into 2 groups"):
        fit_scale(apart, model="thurstone", prior_sd=1)
    found = fit_scales(apart, model="thurstone")
    assert [scale.items for scale in found.scales] == [("p", "q"), ("x", "y")]
    assert found.unscaled == ()


def test_an_item_that_always_won_has_no_finite_utility():
    answers = Choices.from_labels("12345", "xxyyz", "yzzzy", "aaaaa")  # y and z have won once each or more
    [part] = comparison_components(answers)
    assert part.groups == (("x",), ("y", "z"))
    with pytest.raises(NoScale, match="x never lost against y, z, so the distance between them is infinite"):
        fit_scale(answers, model="bradley_terry")
    found = fit_scales(answers, model="bradley_terry")
    assert (found.scales, found.unscaled) == ((), (part,))


def test_groups_come_best_first_down_a_chain():
    chain = Choices.from_labels("123", "cbd", "bae", "aaa")
    assert [part.groups for part in comparison_components(chain)] == [
        (("c",), ("b",), ("a",)),
        (("d",), ("e",)),
    ]


def test_a_single_tie_joins_two_items():
    answers = Choices.from_labels("12", "xx", "yy", ["a", "tie"])
    assert [part.groups for part in comparison_components(answers)] == [(("x", "y"),)]


def test_a_prior_is_told_and_gives_an_item_that_always_won_a_place():
    answers = Choices.from_labels("123", "xxx", "yyy", "aaa")
    narrow, wide = (fit_scale(answers, model="thurstone", prior_sd=sd) for sd in (0.5, 2))
    assert (narrow.prior_sd, wide.prior_sd) == (0.5, 2)
    assert 0 < narrow.utility[0] < wide.utility[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("others_wins", [[], [2.0]])
def test_counts_without_a_scale_are_an_error_and_not_a_number(model, others_wins):
    """One of the sets is 3 of 3."""
    wins = np.array([[3.0], *([k] for k in others_wins)])
    with pytest.raises(NoScale, match="without end"):
        fit_utilities(np.array([0]), np.array([1]), wins, np.full_like(wins, 3), 2, model=model)


@pytest.mark.parametrize("sd", [0, -1, float("nan")])
def test_a_prior_without_width_is_refused(sd):
    with pytest.raises(ValueError, match="prior_sd is"):
        fit_scale(of_matrix(PWCMP_README), model="thurstone", prior_sd=sd)


def test_no_answers_make_no_scale():
    nothing = Choices.from_labels([], [], [], [])
    with pytest.raises(NoScale, match="no answers"):
        fit_scale(nothing, model="thurstone")
    assert fit_scales(nothing, model="thurstone").scales == ()


def test_one_rater_cannot_be_drawn_again():
    one = Choices.from_labels(["ann"] * 4, "xxxx", "yyyy", "aaab")
    scale = fit_scale(one, model="thurstone")
    assert scale_intervals(one, scale, seed=0) is None
    assert scale_intervals(one, scale, seed=0, method="information") is not None


def test_too_many_resamples_without_a_scale_leave_no_interval():
    """One rater of five is the only one who ever preferred y: a third of the resamples miss them."""
    answers = Choices.from_labels("12345", "xxxxx", "yyyyy", "aaaab")
    assert scale_intervals(answers, fit_scale(answers, model="thurstone"), seed=0) is None


def test_intervals_are_of_the_scale_that_they_are_given():
    with pytest.raises(ValueError, match="other items"):
        scale_intervals(
            of_matrix(PWCMP_README), fit_scale(of_matrix([[0, 1], [1, 0]]), model="thurstone"), seed=0
        )


@pytest.mark.parametrize("method", ["raters", "information"])
def test_the_same_seed_gives_the_same_intervals(method):
    answers = simulated([0, 0.5, 1], n_raters=30, each=20, seed=1)
    scale = fit_scale(answers, model="bradley_terry")
    one, same, other = (
        scale_intervals(answers, scale, seed=seed, method=method, resamples=200) for seed in (1, 1, 2)
    )
    assert one.low.tolist() == same.low.tolist()
    assert one.low.tolist() != other.low.tolist()


def coverage(method, own_sd, n_studies=100):
    """Part of the intervals and rank sets that hold the truth, over simulated studies."""
    truth = np.array([-0.6, -0.5, 0.0, 0.3, 0.8])
    ranks = np.argsort(np.argsort(-truth)) + 1
    held, held_ranks = [], []
    for seed in range(n_studies):
        answers = simulated(truth, n_raters=40, each=25, seed=seed, own_sd=own_sd)
        scale = fit_scale(answers, model="bradley_terry")
        # The mean of many own tastes is flatter than the common one; the target is what endless raters give.
        found = scale_intervals(answers, scale, seed=seed, method=method, resamples=200)
        target = flattened(truth, own_sd) - flattened(truth, own_sd).mean()
        held.append((found.low <= target) & (target <= found.high))
        held_ranks.append((found.rank_low <= ranks) & (ranks <= found.rank_high))
    return np.mean(held), np.mean(held_ranks)


def flattened(truth, own_sd):
    """The Bradley-Terry scale of endless raters: each pair's share averaged over their own tastes."""
    if not own_sd:
        return truth
    i, j = np.array(list(itertools.combinations(range(len(truth)), 2))).T
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    d = (truth[i] - truth[j])[:, None] + np.sqrt(2) * own_sd * nodes
    share = (LINKS["bradley_terry"].probability(d) * weights).sum(axis=1) / weights.sum()
    return fit_utilities(i, j, share[None], np.ones((1, len(i))), len(truth), model="bradley_terry")[0]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "own_sd"), [("raters", 0.0), ("raters", 1.0), ("information", 0.0)])
def test_intervals_and_rank_sets_hold_the_truth_as_often_as_they_say(method, own_sd):
    """500 intervals of simulated raters, 40 in each study, and as many rank sets."""
    utilities, ranks = coverage(method, own_sd)
    assert 0.91 < utilities < 0.985
    assert ranks > 0.94


@pytest.mark.slow
def test_as_if_independent_is_too_narrow_where_tastes_differ():
    """The reason why raters are what is drawn again by default."""
    utilities, _ = coverage("information", 1.0)
    assert utilities < 0.85
