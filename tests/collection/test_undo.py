import datetime as dt

import pytest
from django.utils import timezone

from collection.models import ConflictingAnswer, Study
from collection.services.answers import MAX_CONFLICTS, answer_record
from collection.services.fields import FieldError
from collection.services.undo import UndoRefused, answer_undo
from tests.collection.factories import answer_all, make_session, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    return make_session(make_study(n_practice=0, n_main=4, n_checks=1, check_lag=2, allow_undo=True))


def answer(session, question, side="left", response_ms=900, **client):
    return answer_record(session.token, question.token, side, response_ms, client, timezone.now())


def undo(session, question, side="left", response_ms=900):
    return answer_undo(session.token, question.token, side, response_ms, timezone.now())


def refused(session, question, *args):
    with pytest.raises(UndoRefused) as error:
        undo(session, question, *args)
    return error.value.code


def test_the_last_answer_is_taken_back_and_kept_apart(session):
    question = session.questions.first()
    answer(session, question, "right", 700, input="key")
    assert undo(session, question, "right", 700) == "undone"
    question.refresh_from_db()
    assert (question.chosen_side, question.response_ms, question.answered_at) == ("", None, None)
    assert (question.client, question.elapsed_ms, question.undone) == ({}, None, 1)
    kept = question.conflicts.get()
    assert kept.reason == ConflictingAnswer.Reason.UNDONE
    assert kept.payload["chosen_side"] == "right"
    assert (kept.payload["response_ms"], kept.payload["client"]) == (700, {"input": "key"})


def test_another_answer_follows(session):
    question = session.questions.first()
    answer(session, question, "left")
    undo(session, question)
    assert answer(session, question, "right").status == "stored"
    question.refresh_from_db()
    assert question.chosen_side == "right"


def test_the_same_side_may_be_chosen_again(session):
    question = session.questions.first()
    answer(session, question, "left", 900, shown_at=1000)
    undo(session, question)
    assert answer(session, question, "left", 950, shown_at=5000).status == "stored"


def test_time_runs_from_the_undo(session):
    question = session.questions.first()
    answer(session, question)
    undo(session, question)
    answer_record(session.token, question.token, "right", 800, {}, timezone.now() + dt.timedelta(seconds=2))
    question.refresh_from_db()
    assert 2000 <= question.elapsed_ms < 3000


def test_a_late_copy_of_what_was_taken_back_claims_nothing(session):
    question = session.questions.first()
    answer(session, question, "left", 900, shown_at=1000)
    undo(session, question)
    assert answer(session, question, "left", 900, shown_at=1000).status == "repeated"
    question.refresh_from_db()
    assert question.chosen_side == ""
    answer(session, question, "right")
    assert answer(session, question, "left", 900, shown_at=1000).status == "repeated"
    question.refresh_from_db()
    assert (question.chosen_side, question.conflicts.count()) == ("right", 1)


def test_a_late_copy_of_the_undo_takes_back_nothing_new(session):
    question = session.questions.first()
    answer(session, question, "left")
    assert undo(session, question) == "undone"
    assert undo(session, question) == "repeated"
    answer(session, question, "right", 650)
    assert undo(session, question) == "repeated"
    question.refresh_from_db()
    assert (question.chosen_side, question.undone) == ("right", 1)


def test_only_the_last_answer_can_be_taken_back(session):
    first, second = session.questions.all()[:2]
    answer(session, first)
    answer(session, second)
    assert refused(session, first) == "not_last"
    assert undo(session, second) == "undone"
    assert undo(session, first) == "undone"


@pytest.mark.parametrize("named", [("right", 900), ("left", 901)])
def test_what_is_taken_back_must_be_the_answer(session, named):
    question = session.questions.first()
    answer(session, question)
    assert refused(session, question, *named) == "not_last"


def test_there_is_nothing_to_take_back_of_an_open_question(session):
    assert refused(session, session.questions.first()) == "not_last"


@pytest.mark.parametrize("named", [("up", 900), ("left", -1), ("left", 1.5), ([], 900), ("left", {})])
def test_nonsense_is_named(session, named):
    with pytest.raises(FieldError):
        undo(session, session.questions.first(), *named)


def test_a_study_without_undo_has_none():
    session = make_session(make_study(n_practice=0, n_main=4, n_checks=0))
    question = session.questions.first()
    answer(session, question)
    assert refused(session, question) == "not_allowed"


def test_a_finished_session_stays_finished(session):
    answer_all(session)
    assert refused(session, session.questions.last()) == "not_allowed"


@pytest.mark.parametrize(("status", "code"), [("paused", "study_paused"), ("closed", "study_closed")])
def test_a_study_that_takes_no_answers_gives_none_back(status, code):
    study = make_study(n_practice=0, n_main=4, n_checks=0, allow_undo=True, finish_begun="open")
    session = make_session(study)
    question = session.questions.first()
    answer(session, question)
    Study.objects.update(status=status)
    assert refused(session, question) == code


def test_a_try_at_the_practice_that_was_judged_stays_as_it_is():
    study = make_study(n_practice=2, practice_tries=2, n_main=4, n_checks=0, allow_undo=True)
    session = make_session(study)
    first, last = session.questions.all()[:2]
    answer(session, first)
    assert undo(session, first) == "undone"
    answer(session, first, "right")
    answer(session, last, last.instructed_side)
    assert session.phases.get().outcome == "passed"
    assert refused(session, last, last.instructed_side) == "not_last"


def test_somebody_who_cannot_decide_is_stopped_at_some_point(session):
    question = session.questions.first()
    for response_ms in range(MAX_CONFLICTS):
        answer(session, question, "left", response_ms)
        undo(session, question, "left", response_ms)
    answer(session, question, "left", 5000)
    assert refused(session, question, "left", 5000) == "not_allowed"
    assert question.conflicts.count() == MAX_CONFLICTS


def test_the_last_question_can_be_undone_before_the_others_are_answered(session):
    """Undo opens it; the session is finished only when it has an answer again."""
    *others, last = session.questions.all()
    answer(session, last)
    undo(session, last)
    results = [answer(session, question) for question in others]
    assert not any(result.finished for result in results)
    assert answer(session, last, "right").finished
