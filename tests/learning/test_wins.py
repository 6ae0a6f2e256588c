import pytest

from collection.design.intervals import proportion_interval
from learning.blind_test_tables import side_words, win_line
from learning.wins import Answer, sides_of, win_rate


def answer(person, won, *, ours_left=True, own=False):
    left_won = None if won is None else won == ours_left
    return Answer(person=person, is_own=own, ours_won=won, ours_left=ours_left, left_won=left_won)


def test_wins_are_of_the_answers_that_prefer_anything():
    rate = win_rate([answer("a", True), answer("a", True), answer("a", False), answer("b", None)])
    assert (rate.n, rate.wins, rate.losses, rate.ties) == (4, 2, 1, 1)
    assert rate.share == pytest.approx(2 / 3)
    assert rate.interval == proportion_interval(2, 3)


def test_a_person_counts_once_however_many_answers_they_gave():
    many = [answer("a", True)] * 9 + [answer("b", False)] + [answer("c", True), answer("c", False)]
    rate = win_rate(many)
    # c leans to neither.
    assert (rate.people, rate.people_for, rate.people_against) == (3, 1, 1)
    assert rate.people_interval == proportion_interval(1, 2)


def test_sides_tell_a_leaning_to_the_left_from_a_preference():
    left = [answer("a", True, ours_left=True), answer("a", False, ours_left=False), answer("a", None)]
    sides = sides_of(left)
    assert (sides.n, sides.ours_left, sides.decided, sides.left_won) == (3, 2, 2, 2)
    assert "the left was chosen in 2 of 2" in side_words(left)


def test_nothing_is_said_of_no_answers():
    line = win_line("x", [])
    assert (line.share, line.counts, line.interval, line.people) == ("–", "–", "–", "–")
    assert win_rate([]).interval == (0.0, 1.0)
