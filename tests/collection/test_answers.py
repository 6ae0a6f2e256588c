import datetime as dt

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from collection.models import ConflictingAnswer, Study, StudyPair
from collection.services.answers import MAX_CONFLICTS, answer_record
from collection.services.fields import FieldError
from collection.services.questions import questions_upcoming
from collection.services.sessions import session_places_return
from tests.collection.factories import answer_all, make_session, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    return make_session(make_study(n_practice=1, n_main=4, n_checks=1, check_lag=2))


def record(session, question, side="left", response_ms=900, client=None, now=None):
    return answer_record(
        session.token, question.token, side, response_ms, client or {}, now or timezone.now()
    )


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
    assert record(session, question, side, response_ms).refusal == "already_answered"
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
        assert record(session, question, "right", response_ms).status == "refused"
    assert question.conflicts.count() == MAX_CONFLICTS


def test_another_sessions_question_is_rejected(session):
    theirs = make_session(session.study, "bob").questions.first()
    result = record(session, theirs)
    assert (result.status, result.refusal) == ("refused", "not_found")
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
    assert (result.status, result.refusal) == ("refused", "session_over")
    assert ConflictingAnswer.objects.get().reason == "session_over"


def test_a_closed_study_keeps_answers_apart(session):
    Study.objects.update(status="closed")
    question = session.questions.first()
    assert record(session, question).refusal == "study_closed"
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


@pytest.mark.parametrize(
    ("side", "told"),
    [
        ("", '""'),
        ("LEFT", '"LEFT"'),
        ("x" * 100, '"xxxx'),
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (["left"], "a list"),
    ],
)
def test_a_side_that_is_none_is_named_in_plain_words(session, side, told):
    with pytest.raises(FieldError, match=f"^side is {told}.*; it must be left or right"):
        record(session, session.questions.first(), side)


def test_the_client_record_is_limited_to_what_is_known(session):
    question = session.questions.first()
    record(session, question, client={"pixel_ratio": 2, "input": "telepathy", "cookie": "x" * 9999})
    question.refresh_from_db()
    assert question.client == {"pixel_ratio": 2, "dropped": ["cookie", "input"]}


def test_a_servers_clock_that_was_set_back_tells_no_time(session):
    now = timezone.now()
    questions_upcoming(session, 1, now=now)
    question = session.questions.first()
    record(session, question, now=now - dt.timedelta(hours=1))
    question.refresh_from_db()
    assert question.elapsed_ms is None


def test_a_question_that_nobody_handed_out_has_no_elapsed_time(session):
    question = session.questions.last()
    record(session, question)
    question.refresh_from_db()
    assert question.elapsed_ms is None


def test_a_clients_clock_that_goes_backwards_is_stored_as_said(session):
    question = session.questions.last()
    client = {"shown_at": 1_795_000_001_000, "chosen_at": 1_795_000_000_000}
    assert record(session, question, client=client).status == "stored"
    question.refresh_from_db()
    assert question.client == client


def test_a_tie_is_an_answer_where_the_study_allows_it():
    session = make_session(make_study(n_practice=0, n_main=4, n_checks=1, check_lag=2, allow_tie=True))
    question = session.questions.first()
    assert record(session, question, "tie").status == "stored"
    assert record(session, question, "tie").status == "repeated"
    question.refresh_from_db()
    assert (question.chosen_side, question.preferred, question.rejected) == ("tie", None, None)


def test_a_tie_is_refused_where_the_study_does_not_allow_it(session):
    question = session.questions.last()
    with pytest.raises(FieldError, match="this study does not allow"):
        record(session, question, "tie")
    question.refresh_from_db()
    assert question.chosen_side == ""
    assert not ConflictingAnswer.objects.exists()


@pytest.mark.parametrize(
    ("finish_begun", "status", "result"),
    [
        ("open", "open", ("stored", "")),
        ("open", "paused", ("refused", "study_paused")),
        ("open", "closed", ("refused", "study_closed")),
        ("paused", "paused", ("stored", "")),
        ("paused", "closed", ("refused", "study_closed")),
        ("closed", "paused", ("stored", "")),
        ("closed", "closed", ("stored", "")),
    ],
)
def test_a_session_under_way_goes_on_for_as_long_as_the_study_says(finish_begun, status, result):
    session = make_session(make_study(n_practice=0, n_main=4, n_checks=0, finish_begun=finish_begun))
    Study.objects.update(status=status)
    told = record(session, session.questions.first())
    assert (told.status, told.refusal) == result
    # What a pause holds up comes again and is not kept apart; what a closed study refuses is.
    assert ConflictingAnswer.objects.count() == (result[1] == "study_closed")


def test_an_answer_of_somebody_screened_out_is_kept_apart(session):
    session.screened_out_at = timezone.now()
    session.save()
    question = session.questions.last()
    assert record(session, question).refusal == "session_over"
    question.refresh_from_db()
    assert (question.chosen_side, question.conflicts.count()) == ("", 1)


def test_an_answer_takes_the_places_of_an_abandoned_session_again():
    study = make_study(n_practice=0, n_main=4, n_checks=0)
    session = make_session(study)
    session_places_return(session, timezone.now())
    assert exposures(study) == 0
    assert record(session, session.questions.first()).status == "stored"
    assert exposures(study) == 4
    session.refresh_from_db()
    assert session.places_returned_at is None


def exposures(study):
    return StudyPair.objects.filter(study=study).aggregate(n=Sum("exposures"))["n"]


def test_a_session_whose_last_answer_was_stored_without_a_look_is_finished_by_its_copy(session):
    """The server ended between the two; the browser has no reply and sends the answer again."""
    questions = list(session.questions.all())
    for question in questions[:-1]:
        record(session, question)
    last = questions[-1]
    session.questions.filter(pk=last.pk).update(
        chosen_side="left", response_ms=900, answered_at=timezone.now()
    )
    result = record(session, last)
    assert (result.status, result.finished) == ("repeated", True)
    session.refresh_from_db()
    assert session.finished_at is not None


def test_a_main_answer_takes_few_queries(session, django_assert_num_queries):
    """PostgreSQL: the answer, and whether any is left. Elsewhere the question is looked at before."""
    question = session.questions.filter(kind="main").first()
    with django_assert_num_queries(2 if connection.vendor == "postgresql" else 3):
        record(session, question)
