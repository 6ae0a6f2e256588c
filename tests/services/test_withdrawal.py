"""Withdrawal while answers come in and others begin, on a real PostgreSQL."""

import pytest
from django.test import Client
from django.utils import timezone

from collection.models import DisplayRecord, Question, Rater, Session, StudyPair, Verdict
from collection.services.answers import answer_record
from collection.services.verdicts import verdicts_compute
from collection.services.withdrawal import rater_withdraw
from tests.collection.factories import answer_all, make_session, make_study
from tests.services.test_races import at_once

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("postgres")]


@pytest.fixture
def study():
    return make_study(n_scenes=3, per_scene=10, n_practice=0, n_main=10, n_checks=2, check_lag=3)


def exposures(study):
    return sum(StudyPair.objects.filter(study=study).values_list("exposures", flat=True))


def test_no_answer_survives_a_withdrawal(study):
    session = make_session(study)
    tokens = list(session.questions.values_list("token", flat=True))

    def act(token):
        if token is None:
            rater_withdraw(session, timezone.now())
            return None
        return answer_record(session.token, token, "left", 900, {}, timezone.now())

    replies = at_once(act, [*tokens, None])
    assert {reply.status for reply in replies if reply} <= {"stored", "refused"}
    for model in (Session, Question, Verdict):
        assert not model.objects.exists()
    assert exposures(study) == 0


def test_no_display_survives_a_withdrawal(study):
    session = make_session(study)

    def act(body):
        if body is None:
            rater_withdraw(session, timezone.now())
            return None
        address = f"/api/participant/sessions/{session.token}/display/{'same/' if 'same' in body else ''}"
        return Client().post(address, body, content_type="application/json").status_code

    bodies = [{"screen_width": width} for width in range(1000, 1004)]
    assert set(at_once(act, [*bodies, {"same": True}, None])) <= {None, 200, 404}
    for model in (Session, DisplayRecord):
        assert not model.objects.exists()


def test_withdrawals_at_once_give_places_back_once(study):
    bob = make_session(study, "bob")
    session = make_session(study)

    def withdraw(_):
        return rater_withdraw(Session(pk=session.pk, study=study, rater=session.rater), timezone.now())

    at_once(withdraw, range(4))
    assert list(Session.objects.all()) == [bob]
    assert exposures(study) == 10


def test_others_begin_and_withdraw_at_once(study):
    leaving = [make_session(study, f"leaving {n}") for n in range(4)]
    coming = [f"coming {n}" for n in range(4)]

    def act(who):
        return make_session(study, who) if isinstance(who, str) else rater_withdraw(who, timezone.now())

    at_once(act, [*leaving, *coming])
    assert Session.objects.count() == 4
    assert Rater.objects.filter(withdrawn_at=None).count() == 4
    assert exposures(study) == 4 * 10


def test_no_verdict_survives_a_withdrawal(study):
    sessions = [make_session(study, f"rater {n}") for n in range(4)]
    for session in sessions:
        answer_all(session)

    def act(session):
        if session is None:
            return verdicts_compute(study)
        return rater_withdraw(session, timezone.now())

    at_once(act, [None, *sessions, None])
    assert not Verdict.objects.exists()
