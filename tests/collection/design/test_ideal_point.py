import numpy as np
import pytest

from collection.design.ideal_point import TasteModel, learn_model

K, C = 3, 2


@pytest.fixture
def model():
    return TasteModel(
        metric=np.array([1.0, 0.5, 2.0]), mean=np.linspace(-0.5, 0.5, K * C), covariance=0.6 * np.eye(K * C)
    )


def questions(rng, n, scale=1.0):
    content = rng.dirichlet([0.5] * C, n)
    return rng.normal(0, scale, (n, K)), rng.normal(0, scale, (n, K)), content


def answered(model, ideal, rng, n, scale=1.0):
    """Preferred, rejected, content of a rater with these ideal points (C, K), who answers by the model."""
    a, b, content = questions(rng, n, scale)
    utility = [-(model.metric * (x - content @ ideal) ** 2).sum(1) for x in (a, b)]
    first = rng.random(n) < 1 / (1 + np.exp(utility[1] - utility[0]))
    return np.where(first[:, None], a, b), np.where(first[:, None], b, a), content


def test_without_answers_a_taste_is_the_prior(model):
    nothing = model.answers(np.empty((0, K)), np.empty((0, K)), np.empty((0, C)))
    taste = model.taste(nothing)
    np.testing.assert_allclose(taste.mean, model.mean)
    np.testing.assert_allclose(taste.covariance, model.covariance, atol=1e-6)


def test_the_design_is_the_difference_of_utilities(model):
    """U = -sum w (ψ - t)²: with w 1, 0.5, 2 and t (1, 0, -1), tones (0, 0, 0) and (1, 1, 1) have -3 and -8.5."""
    ideal = np.array([[1.0, 0, -1], [5, 5, 5]])
    question = model.answers(np.zeros((1, K)), np.ones((1, K)), np.array([[1.0, 0.0]]))
    assert question.design @ ideal.ravel() + question.offset == pytest.approx([-3 + 8.5])


def test_one_unknown_against_the_posterior_on_a_grid():
    model = TasteModel(metric=np.ones(1), mean=np.zeros(1), covariance=np.ones((1, 1)), lapse=0.05)
    p, n = np.array([[0.9], [0.4], [1.2]]), np.array([[-0.3], [-1.0], [2.5]])
    answers = model.answers(p, n, np.ones((3, 1)))
    grid = np.linspace(-6, 6, 120_001)
    logit = answers.design * grid + answers.offset[:, None]
    log_posterior = -(grid**2) / 2 + np.log(0.95 / (1 + np.exp(-logit)) + 0.025).sum(0)
    density = np.exp(log_posterior - log_posterior.max())
    density /= density.sum()
    deviation = np.sqrt(density @ (grid - density @ grid) ** 2)
    taste = model.taste(answers)
    assert taste.mean[0] == pytest.approx(density @ grid, abs=0.15 * deviation)
    assert np.sqrt(taste.covariance[0, 0]) == pytest.approx(
        deviation, rel=0.2
    )  # the bound is a little too sure


def test_answers_make_surer_and_come_to_the_truth(model):
    rng = np.random.default_rng(0)
    ideal = rng.normal(0, 0.8, (C, K))
    triple = answered(model, ideal, rng, 1000)
    traces, errors = [], []
    for n in (0, 16, 128, 1000):
        taste = model.taste(model.answers(*(part[:n] for part in triple)))
        traces.append(np.trace(taste.covariance))
        errors.append(np.abs(taste.mean - ideal.ravel()).mean())
    assert traces == sorted(traces, reverse=True)
    assert errors[-1] < 0.15 < errors[0]


def test_the_order_of_answers_and_the_start_do_not_matter(model):
    rng = np.random.default_rng(1)
    triple = answered(model, rng.normal(0, 1, (C, K)), rng, 20)
    all_at_once = model.taste(model.answers(*triple))
    turned = model.taste(model.answers(*(part[::-1] for part in triple)))
    first = model.answers(*(part[:15] for part in triple))
    later = model.answers(*(part[15:] for part in triple))
    one_by_one = model.taste(first).told(later, history=first)
    for other in (turned, one_by_one):
        np.testing.assert_allclose(other.mean, all_at_once.mean, atol=1e-5)
        np.testing.assert_allclose(other.covariance, all_at_once.covariance, atol=1e-5)
    assert one_by_one.n_answers == 20
    without_history = model.taste(first).told(later)
    assert np.abs(without_history.mean - all_at_once.mean).max() < 0.25


def test_contradictory_answers_leave_a_taste_in_the_middle_and_finite(model):
    tone, other = np.full((50, K), 0.7), np.full((50, K), -0.7)
    content = np.tile([1.0, 0.0], (50, 1))
    both = model.answers(
        np.concatenate([tone, other]), np.concatenate([other, tone]), np.tile(content, (2, 1))
    )
    ideal, covariance = model.taste(both).ideal(np.array([1.0, 0.0]))
    assert np.isfinite(ideal).all()
    assert abs(ideal @ (model.metric * 1.4)) < 0.05  # neither side is preferred
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_a_thousand_answers_for_one_side_stay_finite(model):
    answers = model.answers(np.full((1000, K), 3.0), np.full((1000, K), -3.0), np.tile([0.0, 1.0], (1000, 1)))
    taste = model.taste(answers)
    assert np.isfinite(taste.mean).all()
    assert taste.predict(answers).min() > 0.9


def test_a_model_learnt_from_raters_predicts_new_ones_better_than_the_population(model):
    rng = np.random.default_rng(2)
    center = rng.normal(0, 0.5, (C, K))
    truth = TasteModel(metric=np.array([2.0, 1.0, 0.3]), mean=center.ravel(), covariance=np.eye(C * K))
    ideals = [center + rng.normal(0, 0.8, (C, K)) for _ in range(60)]
    raters = [answered(truth, ideal, rng, 40) for ideal in ideals[:40]]
    learnt = learn_model(raters, n_tones=K, n_contents=C)
    assert learnt.metric[0] > learnt.metric[2]
    own, population = [], []
    for ideal in ideals[40:]:
        triple = answered(truth, ideal, rng, 116)
        held_out = learnt.answers(*(part[16:] for part in triple))
        taste = learnt.taste(learnt.answers(*(part[:16] for part in triple)))
        own.append((taste.predict(held_out) > 0.5).mean())
        population.append((learnt.nobody().predict(held_out) > 0.5).mean())
    assert np.mean(own) > np.mean(population) + 0.04


def test_information_is_of_what_is_not_known(model):
    rng = np.random.default_rng(3)
    triple = answered(model, rng.normal(0, 1, (C, K)), rng, 200)
    sure = model.taste(model.answers(*triple))
    asked = model.answers(*questions(rng, 50))
    alike = model.answers(np.ones((1, K)), np.ones((1, K)), np.array([[0.5, 0.5]]))
    assert (model.nobody().information(asked) > sure.information(asked)).mean() > 0.9
    assert model.nobody().information(alike) == pytest.approx([0], abs=1e-3)
    assert (model.nobody().information(asked) <= 1).all()


def test_information_agrees_with_sampling(model):
    rng = np.random.default_rng(4)
    asked = model.answers(*questions(rng, 8))
    taste = model.nobody()
    drawn = rng.multivariate_normal(taste.mean, taste.covariance, 20_000)
    p = (1 - model.lapse) / (1 + np.exp(-(drawn @ asked.design.T + asked.offset))) + model.lapse / 2

    def entropy(p):
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    np.testing.assert_allclose(taste.information(asked), entropy(p.mean(0)) - entropy(p).mean(0), atol=0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": np.array([1.0, 0, 1])}, "not above 0"),
        ({"mean": np.zeros(4)}, "once for each content"),
        ({"covariance": np.eye(2)}, "covariance has the shape"),
        ({"lapse": 1.0}, "lapse is 1.0"),
    ],
)
def test_a_model_that_cannot_be_is_refused(model, change, message):
    whole = {"metric": model.metric, "mean": model.mean, "covariance": model.covariance}
    with pytest.raises(ValueError, match=message):
        TasteModel(**{**whole, **change})


def test_answers_that_are_no_numbers_are_refused(model):
    with pytest.raises(ValueError, match="preferred holds numbers that are NaN"):
        model.answers(np.full((1, K), np.nan), np.zeros((1, K)), np.ones((1, C)) / C)
    with pytest.raises(ValueError, match="content has the shape"):
        model.answers(np.zeros((1, K)), np.zeros((1, K)), np.ones((1, 5)))
    with pytest.raises(ValueError, match="there are no answers"):
        learn_model([], n_tones=K, n_contents=C)
