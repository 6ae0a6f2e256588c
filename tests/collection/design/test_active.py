import numpy as np
import pytest

from collection.design.active import BY_CHANCE, BY_INFORMATION, Place, _chances, draw_pair, due, eligible
from collection.design.ideal_point import TasteModel
from tests.collection.design.plans import askable

ALL = np.ones(6, bool)
NONE = np.zeros(6, bool)
BITS = np.array([0.0, 0.1, 0.4, 0.39, 0.2, 0.05])


def test_chances_make_one_and_none_of_what_may_be_asked_is_zero():
    for may in (ALL, np.array([True, False, True, True, False, True])):
        for is_due in (NONE, np.array([True, True, False, False, False, True])):
            chances, by_information = _chances(BITS, may, is_due, 0.15)
            assert chances.sum() == pytest.approx(1)
            assert by_information.sum() == pytest.approx(1)
            assert (chances[may] >= 0.15 / may.sum() - 1e-12).all()
            assert (chances[~may] == 0).all()


def test_the_more_bits_the_likelier():
    chances, _ = _chances(BITS, ALL, NONE, 0.15)
    assert np.argsort(chances).tolist() == np.argsort(BITS).tolist()
    assert chances[2] / chances[4] > 20


def test_propensities_are_how_often_pairs_are_drawn():
    rng = np.random.default_rng(0)
    draws = [draw_pair(BITS, ALL, NONE, uniform=0.15, rng=rng) for _ in range(4000)]
    chances, _ = _chances(BITS, ALL, NONE, 0.15)
    assert {(d.position, d.propensity) for d in draws} <= {(k, p) for k, p in enumerate(chances.tolist())}
    drawn = np.bincount([d.position for d in draws], minlength=6) / 4000
    np.testing.assert_allclose(drawn, chances, atol=4 * np.sqrt(0.25 / 4000))
    by_chance = np.mean([d.policy == BY_CHANCE for d in draws])
    assert by_chance == pytest.approx(0.15, abs=0.025)
    assert {d.policy for d in draws} == {BY_CHANCE, BY_INFORMATION}


def test_the_same_seed_draws_the_same_pairs():
    def drawn():
        rng = np.random.default_rng(7)
        return [draw_pair(BITS, ALL, NONE, uniform=0.15, rng=rng) for _ in range(20)]

    assert drawn() == drawn()


def test_where_nothing_tells_anything_all_are_alike():
    chances, _ = _chances(np.zeros(6), ALL, NONE, 0.15)
    np.testing.assert_allclose(chances, 1 / 6)


def test_nothing_to_ask_is_an_error():
    with pytest.raises(ValueError, match="no pair that may be asked"):
        draw_pair(BITS, NONE, NONE, uniform=0.15, rng=np.random.default_rng(0))


def test_pairs_below_their_part_of_the_mean_are_due():
    """The mean of 0, 1, 3, 12 is 4; a quarter of it is 1, so only what was never asked is due."""
    exposures = np.array([0, 1, 3, 12])
    assert due(exposures, 0.25).tolist() == [True, False, False, False]
    assert not due(exposures, 0.2).any()


def test_the_floor_holds_over_many_draws():
    rng = np.random.default_rng(1)
    exposures = np.zeros(20, int)
    bits = np.linspace(0.01, 0.5, 20)
    for _ in range(2000):
        drawn = draw_pair(bits, np.ones(20, bool), due(exposures, 0.5), uniform=0.1, rng=rng)
        exposures[drawn.position] += 1
    assert exposures.min() >= int(0.5 * exposures.mean()) - 1
    assert exposures.max() > 2 * exposures.mean()  # and all else goes by information


def places(*scenes, pairs=None, repeats=None):
    repeats = repeats or {}
    return [
        Place(k, (pairs or range(100, 200))[k], scene, repeats.get(k), k >= 1)
        for k, scene in enumerate(scenes)
    ]


def test_no_pair_twice_and_no_scene_within_its_gap():
    pairs = askable([2, 2, 2, 2, 2])  # pairs 0 and 1 are of scene 0, …
    session = places(0, 1, 2, 3, pairs=[0, 2, 4, 6])
    may = eligible(pairs, session, session[2], 1, False)
    # Not beside 2 and 3's scenes 1 and 3, and not pair 0 again.
    assert np.flatnonzero(may).tolist() == [1, 4, 5, 8, 9]


def test_the_check_of_a_question_keeps_the_gap_too():
    pairs = askable([2, 2, 2, 2, 2])
    session = places(0, 1, 2, 3, 1, pairs=[0, 2, 4, 6, 2], repeats={4: 1})
    may = eligible(pairs, session, session[1], 1, False)
    # At place 1 between scenes 0 and 2; its check at place 4 comes after scene 3. Pair 2 may stay.
    assert np.flatnonzero(may).tolist() == [2, 3, 8, 9]


def test_a_gap_that_no_pair_keeps_gives_way():
    pairs = askable([3])
    session = places(0, 0, pairs=[0, 1])
    assert np.flatnonzero(eligible(pairs, session, session[1], 2, False)).tolist() == [1, 2]


def test_parts_of_the_source_types_stay():
    pairs = askable([1] * 6, source_types="AD")
    session = places(0, 1, pairs=[0, 1])
    assert np.flatnonzero(eligible(pairs, session, session[1], 1, True)).tolist() == [1, 3, 5]


def test_what_is_expected_is_asked_about_no_more():
    model = TasteModel(metric=np.ones(2), mean=np.zeros(2), covariance=np.eye(2))
    questions = model.answers(
        np.array([[1.0, 0], [0, 1.0]]), np.array([[-1.0, 0], [0, -1.0]]), np.ones((2, 1))
    )
    before = model.nobody()
    after = before.expecting(questions[np.array([0])])
    np.testing.assert_array_equal(after.mean, before.mean)
    assert after.information(questions)[0] < 0.7 * before.information(questions)[0]
    assert after.information(questions)[1] == pytest.approx(before.information(questions)[1])
