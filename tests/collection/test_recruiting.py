"""What a participant takes away at the end."""

import pytest
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.models import Study, Verdict
from collection.selectors.recruiting import session_end
from collection.services.answers import answer_record
from collection.services.people import device_for, person_for, rater_for
from collection.services.sessions import session_start
from collection.services.texts import consent_version_in
from collection.services.verdicts import verdicts_compute
from tests.collection.factories import answer_all, make_study

pytestmark = pytest.mark.django_db


def session_of_panel(panel, recruitment=None, *, study=None, **recruiting):
    study = study or make_study(n_practice=0, n_main=6, n_checks=4, check_lag=1)
    study.recruiting = {"panel": panel} | recruiting
    study.save()
    rater = rater_for(study, person_for(panel=panel, panel_id="P 1"), device_for("a device's random token"))
    return session_start(
        study,
        rater,
        consent_version=consent_version_in(Protocol.from_json(study.protocol), "en"),
        recruitment=recruitment,
        now=timezone.now(),
    )


def finished(session):
    session.finished_at = timezone.now()
    return session


def test_prolific_gets_its_completion_code():
    session = session_of_panel("prolific", completion_code="C1", screened_out_code="S1")
    assert session_end(finished(session)) == {
        "kind": "completion",
        "code": "C1",
        "address": "https://app.prolific.com/submissions/complete?cc=C1",
        "submit": None,
    }


def test_whoever_was_under_way_when_a_study_closed_has_a_way_back():
    session = session_of_panel("prolific", completion_code="C1", closed_code="O1")
    assert session_end(session) == {
        "kind": "closed",
        "code": "O1",
        "address": "https://app.prolific.com/submissions/complete?cc=O1",
        "submit": None,
    }


def test_being_screened_out_has_a_code_of_its_own():
    session = session_of_panel("prolific", completion_code="C1", screened_out_code="S1")
    session.screened_out_at = timezone.now()
    assert session_end(session) == {
        "kind": "screened_out",
        "code": "S1",
        "address": "https://app.prolific.com/submissions/complete?cc=S1",
        "submit": None,
    }


def test_the_address_holds_the_id_and_the_code():
    session = session_of_panel(
        "pid", completion_code="C&1", completion_url="https://panel.example/done?who={pid}&code={code}"
    )
    assert session_end(finished(session))["address"] == "https://panel.example/done?who=P%201&code=C%261"


def test_an_assignment_is_handed_in_to_mturk():
    submit_to = "https://workersandbox.mturk.com/mturk/externalSubmit"
    session = session_of_panel("mturk", {"assignment": "A1", "hit": "H1", "submit_to": submit_to})
    assert session_end(finished(session)) == {
        "kind": "completion",
        "code": "",
        "address": "",
        "submit": {"address": submit_to, "assignment": "A1"},
    }


def test_a_study_without_a_panel_hands_out_nothing():
    assert session_end(finished(session_of_panel(""))) == {
        "kind": "completion",
        "code": "",
        "address": "",
        "submit": None,
    }


def test_a_failed_consistency_check_costs_neither_code_nor_pay():
    """Whoever always presses left contradicts themselves in every check, whose sides are flipped."""
    recruiting = {"completion_code": "C1", "screened_out_code": "S1"}
    honest, careless = (session_of_panel("prolific", **recruiting) for _ in range(2))
    answer_all(careless, side="left")
    for question in honest.questions.filter(repeats=None):
        answer_record(honest.token, question.token, "left", 900, {}, timezone.now())
    for question in honest.questions.exclude(repeats=None):
        answer_record(honest.token, question.token, "right", 900, {}, timezone.now())
    for session in (honest, careless):
        verdicts_compute(session.study)
    failed, passed = (Verdict.objects.get(rater=session.rater) for session in (careless, honest))
    assert (failed.checks_agreed, passed.checks_agreed) == (0, 4)
    assert (failed.may_be_used, failed.should_be_paid) == (False, True)
    honest.refresh_from_db()
    careless.refresh_from_db()
    assert session_end(careless) == session_end(honest)
    assert session_end(careless)["code"] == "C1"


def test_a_code_may_change_while_people_answer():
    session = session_of_panel("prolific", completion_code="C1")
    Study.objects.update(recruiting={"panel": "prolific", "completion_code": "C2"})
    session.study.refresh_from_db()
    assert session_end(finished(session))["code"] == "C2"
