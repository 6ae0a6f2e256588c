import datetime as dt

import pytest
from django.utils import timezone

from collection.services.questions import questions_upcoming
from tests.collection.factories import make_session, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    return make_session(make_study(n_practice=2, n_main=10, n_checks=3, check_lag=4))


def upcoming(session, limit=20, after=-1, now=None):
    return [q.index for q in questions_upcoming(session, limit, now=now or timezone.now(), after=after)]


def answer(session, *indices):
    session.questions.filter(index__in=indices).update(chosen_side="left", answered_at=timezone.now())


def test_questions_are_handed_out_in_order_with_the_time_of_the_first_time(session):
    first, later = timezone.now(), timezone.now() + dt.timedelta(hours=1)
    answer(session, 0, 1)
    assert upcoming(session, 3, now=first) == [2, 3, 4]
    assert upcoming(session, 3, after=3, now=later) == [4, 5, 6]
    served = session.questions.order_by("index").values_list("served_at", flat=True)
    assert list(served[2:8]) == [first, first, first, later, later, None]


def test_answered_questions_are_not_handed_out_again(session):
    answer(session, 0, 1, 3, 5)
    assert upcoming(session, 3) == [2, 4, 6]


def test_one_part_is_handed_out_at_a_time():
    session = make_session(make_study(n_practice=2, practice_tries=3, n_main=4, n_checks=1, check_lag=2))
    assert upcoming(session) == [0, 1]
    assert upcoming(session, after=0) == [1]
    assert upcoming(session, after=1) == []
    answer(session, 0, 1)
    assert upcoming(session) == [2, 3]
    session.questions.filter(index__in=(2, 3, 4, 5)).delete()
    assert upcoming(session) == [6, 7, 8, 9, 10]
