"""One session in two tabs, on a real PostgreSQL: whatever comes at once, nothing is lost or counted twice."""

import json

import pytest
from django.db.models import Sum
from django.test import Client
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.models import Rater, Session, StudyPair, Verdict
from collection.selectors.sessions import session_phase
from collection.services.answers import answer_record
from collection.services.displays import display_record_store, session_move
from collection.services.phases import phase_record
from collection.services.sessions import session_places_return
from collection.services.undo import UndoRefused, answer_undo
from tests.collection.factories import make_session, make_study
from tests.services.test_races import at_once

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("postgres")]
ROUNDS = 5
SMALL = {"n_scenes": 3, "per_scene": 10, "n_practice": 2, "n_main": 10, "n_checks": 2, "check_lag": 3}


def begin(name="alice", **protocol):
    return make_session(make_study(**SMALL | {"phases": ("main",), "allow_undo": True} | protocol), name)


def answer(session, question, side="left", response_ms=900):
    return answer_record(session.token, question.token, side, response_ms, {}, timezone.now())


def undo(session, question, side="left", response_ms=900):
    try:
        return answer_undo(session.token, question.token, side, response_ms, timezone.now())
    except UndoRefused as refused:
        return refused.code


def test_all_answers_at_once_finish_the_session_once():
    for round_ in range(ROUNDS):
        session = begin(f"person {round_}")
        results = at_once(lambda q, session=session: answer(session, q), list(session.questions.all()))
        assert {result.status for result in results} == {"stored"}
        assert any(result.finished for result in results)
        session.refresh_from_db()
        assert session.finished_at is not None
        assert Verdict.objects.filter(rater=session.rater).count() == 1


def test_one_answer_of_many_is_stored_and_each_other_kept_apart():
    session = begin()
    for question in session.questions.all():
        results = at_once(
            lambda ms, question=question: answer(session, question, "left", ms).status, [900, 901, 902, 901]
        )
        assert sorted(results) in (
            ["refused"] * 3 + ["stored"],
            ["refused"] * 2 + ["repeated", "stored"],
        )
        assert question.conflicts.count() == 2


def test_an_answer_is_taken_back_once():
    session = begin()
    question = session.questions.first()
    for round_ in range(ROUNDS):
        answer(session, question, "left", round_)
        results = at_once(lambda _, ms=round_: undo(session, question, "left", ms), range(4))
        assert sorted(results) == ["repeated"] * 3 + ["undone"]
    question.refresh_from_db()
    assert (question.undone, question.conflicts.count(), question.chosen_side) == (ROUNDS, ROUNDS, "")


def test_no_copy_of_an_answer_slips_in_behind_its_undo():
    session = begin()
    question = session.questions.first()
    for round_ in range(ROUNDS):
        answer(session, question, "left", round_)

        def act(name, ms=round_):
            return (
                undo(session, question, "left", ms)
                if name == "undo"
                else answer(session, question, "left", ms).status
            )

        results = at_once(act, ["copy", "undo", "copy", "copy"])
        assert sorted(results) == ["repeated"] * 3 + ["undone"]
        question.refresh_from_db()
        assert question.chosen_side == ""


def test_a_session_is_not_finished_over_an_answer_that_is_taken_back():
    for round_ in range(ROUNDS):
        session = begin(f"person {round_}")
        *others, before, last = session.questions.all()
        for question in (*others, before):
            answer(session, question)

        def act(name, session=session, before=before, last=last):
            return undo(session, before) if name == "undo" else answer(session, last).finished

        undone, finished = at_once(act, ["undo", "answer"])
        session.refresh_from_db()
        n_open = session.questions.filter(answered_at=None).count()
        assert (undone, finished, n_open, session.finished_at is None) in (
            ("undone", False, 1, True),
            ("not_last", True, 0, False),
            ("not_allowed", True, 0, False),
        )


def test_a_try_at_the_practice_is_judged_once():
    for round_ in range(ROUNDS):
        session = begin(f"person {round_}", phases=("practice", "main"), practice_tries=2)
        questions = list(session.questions.filter(index__in=(0, 1)))
        at_once(lambda q, session=session: answer(session, q, q.instructed_side or "left"), questions * 2)
        assert session.phases.get().outcome == "passed"
        assert session.questions.filter(kind="practice").count() == 2
        assert session_phase(session) == "main"


def test_a_phase_is_recorded_once():
    session = begin(phases=("levels", "main"), turn_away=("levels",))
    at_once(lambda n: phase_record(session, "levels", {"unknown": str(n)}, timezone.now()), range(4))
    assert session.phases.count() == 1


def test_two_clicks_on_another_screen_make_one_rater():
    session = begin()
    display_record_store(session, {"screen_width": 1440, "screen_height": 900})
    display_record_store(session, {"screen_width": 2560, "screen_height": 1440})
    moves = at_once(
        lambda _: session_move(Session.objects.get(pk=session.pk), timezone.now()).session.pk, range(4)
    )
    assert len(set(moves)) == 1
    assert Rater.objects.count() == 2


def test_places_are_taken_again_once_by_answers_that_come_at_once():
    for round_ in range(ROUNDS):
        session = begin(f"person {round_}")
        session_places_return(session, timezone.now())
        results = at_once(lambda q, session=session: answer(session, q), list(session.questions.all())[:4])
        assert {result.status for result in results} == {"stored"}
        pairs = StudyPair.objects.filter(study=session.study)
        assert pairs.aggregate(n=Sum("exposures"))["n"] == Protocol.from_json(session.study.protocol).n_main


def test_a_display_is_recorded_once_by_two_tabs():
    session = begin()
    body = json.dumps({"screen_width": 1440, "screen_height": 900})
    address = f"/api/participant/sessions/{session.token}/display/"

    def send(_):
        return Client().post(address, body, content_type="application/json").json()["status"]

    assert sorted(at_once(send, range(4))) == ["repeated"] * 3 + ["stored"]
