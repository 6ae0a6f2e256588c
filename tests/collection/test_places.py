"""Places: an abandoned session gives its unanswered pairs back, once, and takes them when its person returns."""

import datetime as dt
from collections import Counter

import pytest
from django.utils import timezone

from collection.models import Question, StudyPair
from collection.services.answers import answer_record
from collection.services.sessions import ABANDONED_AT_ONCE, session_places_return, session_places_take
from tests.collection.factories import answer_all, make_session, make_study

pytestmark = pytest.mark.django_db
NOW = timezone.now()
LONG_AGO = NOW - dt.timedelta(hours=25)


@pytest.fixture
def study():
    return make_study(n_scenes=4, per_scene=10, n_practice=0, n_main=10, n_checks=2, check_lag=4)


def answer(session, n, now):
    """The next `n` questions."""
    for token in session.questions.filter(answered_at=None).values_list("token", flat=True)[:n]:
        answer_record(session.token, token, "left", 900, {}, now)
    session.refresh_from_db()


def exposures(study):
    return Counter(dict(StudyPair.objects.filter(study=study).values_list("pair", "exposures")))


def main_pairs(session, **filters):
    return Counter(session.questions.filter(kind="main", **filters).values_list("pair", flat=True))


def test_an_abandoned_session_gives_back_what_it_has_not_answered(study):
    alice = make_session(study, "alice", now=LONG_AGO)
    answer(alice, 4, LONG_AGO)
    bob = make_session(study, "bob", now=NOW)
    alice.refresh_from_db()
    assert alice.places_returned_at == NOW
    assert exposures(study) == main_pairs(alice, answered_at__isnull=False) + main_pairs(bob)


def test_what_was_given_back_is_asked_again():
    """40 pairs and four sessions of ten: the fifth is asked the ten that the first gave back."""
    study = make_study(n_scenes=4, per_scene=10, n_practice=0, n_main=10, n_checks=0)
    first = make_session(study, "first", now=LONG_AGO)
    for name in ("second", "third", "fourth"):
        make_session(study, name, now=LONG_AGO + dt.timedelta(hours=1))
    fifth = make_session(study, "fifth", now=NOW - dt.timedelta(minutes=30))
    assert main_pairs(fifth) == main_pairs(first)


def test_the_last_answer_counts_and_not_the_beginning(study):
    alice = make_session(study, "alice", now=LONG_AGO)
    answer(alice, 1, NOW - dt.timedelta(hours=23))
    make_session(study, "bob", now=NOW)
    alice.refresh_from_db()
    assert alice.places_returned_at is None


def test_the_study_says_how_long_is_abandoned():
    study = make_study(n_main=10, n_checks=2, abandon_after_hours=1)
    alice = make_session(study, "alice", now=NOW - dt.timedelta(minutes=61))
    bob = make_session(study, "bob", now=NOW - dt.timedelta(minutes=59))
    make_session(study, "carol", now=NOW)
    alice.refresh_from_db()
    bob.refresh_from_db()
    assert (alice.places_returned_at, bob.places_returned_at) == (NOW, None)


def test_places_are_given_back_once(study):
    alice = make_session(study, "alice", now=LONG_AGO)
    bob = make_session(study, "bob", now=NOW)
    carol = make_session(study, "carol", now=NOW)
    session_places_return(alice, NOW)
    assert exposures(study) == main_pairs(bob) + main_pairs(carol)


def test_a_finished_session_keeps_its_places(study):
    alice = make_session(study, "alice", now=LONG_AGO)
    answer_all(alice)
    before = exposures(study)
    session_places_return(alice, NOW)
    assert exposures(study) == before == main_pairs(alice)
    assert alice.places_returned_at is None


def test_who_is_screened_out_gives_back_once_and_takes_nothing_again(study):
    alice = make_session(study, "alice", now=LONG_AGO)
    alice.screened_out_at = LONG_AGO
    alice.save()
    session_places_return(alice, LONG_AGO)
    assert not exposures(study).total()
    bob = make_session(study, "bob", now=NOW)
    session_places_take(alice)
    assert exposures(study) == main_pairs(bob)
    alice.refresh_from_db()
    assert alice.places_returned_at == LONG_AGO


def test_who_returns_takes_the_places_again_once(study):
    alice = make_session(study, "alice", now=LONG_AGO)
    answer(alice, 4, LONG_AGO)
    bob = make_session(study, "bob", now=NOW)
    alice.refresh_from_db()
    session_places_take(alice)
    session_places_take(alice)
    assert exposures(study) == main_pairs(alice) + main_pairs(bob)
    alice.refresh_from_db()
    assert alice.places_returned_at is None


def test_an_answer_takes_the_places_again_its_own_among_them(study):
    alice = make_session(study, "alice", now=LONG_AGO)
    answer(alice, 4, LONG_AGO)
    bob = make_session(study, "bob", now=NOW)
    answer(alice, 1, NOW + dt.timedelta(minutes=1))
    assert alice.places_returned_at is None
    assert exposures(study) == main_pairs(alice) + main_pairs(bob)


def test_exposures_never_fall_below_zero(study):
    alice = make_session(study, "alice")
    StudyPair.objects.update(exposures=0)
    session_places_return(alice, NOW)
    assert set(exposures(study).values()) == {0}


def test_one_planning_gives_back_a_bounded_number_and_the_next_the_rest(study):
    for n in range(ABANDONED_AT_ONCE + 2):
        make_session(study, f"gone {n}", now=LONG_AGO)
    make_session(study, "alice", now=NOW)
    assert study.sessions.filter(places_returned_at=NOW).count() == ABANDONED_AT_ONCE
    make_session(study, "bob", now=NOW)
    assert study.sessions.filter(places_returned_at=NOW).count() == ABANDONED_AT_ONCE + 2
    assert exposures(study).total() == 20


def test_exposures_stay_even_over_sessions_some_of_them_abandoned(study):
    """100 sessions of ten among 40 pairs, every third abandoned and some of those taken up again: two apart at most."""
    for n in range(100):
        now = LONG_AGO + n * dt.timedelta(hours=3)
        session = make_session(study, f"rater {n}", seed=n, now=now)
        if n % 3:
            answer(session, 12, now)
        elif n % 9 == 0:
            answer(session, 5, now)
            earlier = study.sessions.exclude(places_returned_at=None).first()
            if earlier:
                answer(earlier, 1, now)
    found = exposures(study)
    holding = Question.objects.filter(session__study=study, kind="main", session__places_returned_at=None)
    answered = Question.objects.filter(
        session__study=study,
        kind="main",
        session__places_returned_at__isnull=False,
        answered_at__isnull=False,
    )
    assert found == Counter(holding.values_list("pair", flat=True)) + Counter(
        answered.values_list("pair", flat=True)
    )
    assert max(found.values()) - min(found.values()) <= 2
