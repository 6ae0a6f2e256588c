import datetime as dt

import pytest
from django.utils import timezone

from collection.models import ConflictingAnswer, Study
from collection.services.answers import MAX_CONFLICTS, answer_record
from collection.services.fields import FieldError
from collection.services.sessions import questions_upcoming
from tests.collection.factories import answer_all, make_session, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    return make_session(make_study(n_practice=1, n_main=4, n_checks=1, check_lag=2))


def record(session, question, side="left", response_ms=900, client=None, now=None):
    return answer_record(session, question.token, side, response_ms, client or {}, now or timezone.now())


def test_an_answer_claims_its_question(session):
    now = timezone.now()
    questions_upcoming(session, 1, now=now)
    question = session.questions.first()
    client = {"input": "key", "viewport_width": 1440, "hidden_count": 0}
    result = record(session, question, "right", 812, client, now + dt.timedelta(seconds=2.5))
    assert (result.status, result.finished) == ("stored", False)
    question.refresh_from_db()
    assert (question.chosen_side, question.response_ms, question.elapsed_ms) == ("right", 812, 2500)
    assert question.client == client
    assert question.preferred == question.right


def test_the_same_answer_again_gets_the_same_reply(session):
    question = session.questions.first()
    first = record(session, question)
    question.refresh_from_db()
    answered_at = question.answered_at
    again = record(session, question)
    question.refresh_from_db()
    assert (first.status, again.status) == ("stored", "repeated")
    assert question.answered_at == answered_at
    assert not ConflictingAnswer.objects.exists()


@pytest.mark.parametrize(("side", "response_ms"), [("right", 900), ("left", 901)])
def test_a_different_answer_is_kept_apart(session, side, response_ms):
    question = session.questions.first()
    record(session, question)
    assert record(session, question, side, response_ms).reason == "already_answered"
    question.refresh_from_db()
    assert (question.chosen_side, question.response_ms) == ("left", 900)
    assert question.conflicts.get().payload == {
        "chosen_side": side,
        "response_ms": response_ms,
        "client": {},
    }


def test_conflicts_are_kept_once_each_and_bounded(session):
    question = session.questions.first()
    record(session, question)
    for _ in range(3):
        record(session, question, "right")
    assert question.conflicts.count() == 1
    for response_ms in range(MAX_CONFLICTS + 5):
        assert record(session, question, "right", response_ms).status == "conflict"
    assert question.conflicts.count() == MAX_CONFLICTS


def test_another_sessions_question_is_rejected(session):
    theirs = make_session(session.study, "bob").questions.first()
    result = record(session, theirs)
    assert (result.status, result.reason) == ("rejected", "not_found")
    theirs.refresh_from_db()
    assert theirs.chosen_side == ""


def test_answers_come_in_any_order_and_the_last_one_finishes(session):
    now = timezone.now()
    questions = list(session.questions.order_by("-index"))
    results = [record(session, q, now=now) for q in questions]
    assert [r.finished for r in results] == [False] * 5 + [True]
    session.refresh_from_db()
    assert session.finished_at == now


def test_the_last_answer_again_still_says_finished(session):
    answer_all(session)
    result = record(session, session.questions.last())
    assert (result.status, result.finished) == ("repeated", True)


def test_an_answer_after_the_end_is_kept_apart(session):
    answer_all(session)
    result = record(session, session.questions.last(), "right")
    assert (result.status, result.reason) == ("conflict", "session_over")
    assert ConflictingAnswer.objects.get().reason == "session_over"


def test_a_closed_study_keeps_answers_apart(session):
    Study.objects.update(status="closed")
    question = session.questions.first()
    assert record(session, question).reason == "study_closed"
    question.refresh_from_db()
    assert question.chosen_side == ""
    assert question.conflicts.count() == 1


def test_a_paused_study_takes_the_answers_of_sessions_under_way(session):
    Study.objects.update(status="paused")
    assert record(session, session.questions.first()).status == "stored"


@pytest.mark.parametrize("response_ms", [0, 3_600_000])
def test_response_times_within_the_hour_are_taken(session, response_ms):
    assert record(session, session.questions.first(), response_ms=response_ms).status == "stored"


@pytest.mark.parametrize("response_ms", [-1, 3_600_001, 10**9, 1.5, True, "900", [900]])
def test_impossible_response_times_store_nothing(session, response_ms):
    question = session.questions.first()
    with pytest.raises(FieldError, match="response_ms is"):
        record(session, question, response_ms=response_ms)
    question.refresh_from_db()
    assert question.chosen_side == ""


def test_a_missing_time_needs_a_reason(session):
    question = session.questions.first()
    with pytest.raises(FieldError, match="missing_time"):
        record(session, question, response_ms=None)
    assert record(session, question, response_ms=None, client={"missing_time": "clock"}).status == "stored"


@pytest.mark.parametrize("side", ["", "LEFT", "top", None, 1, ["left"]])
def test_there_are_two_sides(session, side):
    with pytest.raises(FieldError, match="must be 'left' or 'right'"):
        record(session, session.questions.first(), side)


def test_the_client_record_is_limited_to_what_is_known(session):
    question = session.questions.first()
    record(session, question, client={"pixel_ratio": 2, "input": "telepathy", "cookie": "x" * 9999})
    question.refresh_from_db()
    assert question.client == {"pixel_ratio": 2, "dropped": ["cookie", "input"]}


def test_a_clock_set_back_gives_no_negative_time(session):
    now = timezone.now()
    questions_upcoming(session, 1, now=now)
    question = session.questions.first()
    record(session, question, now=now - dt.timedelta(hours=1))
    question.refresh_from_db()
    assert question.elapsed_ms == 0
