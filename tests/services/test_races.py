"""Two that come at once, on a real PostgreSQL: exactly one gets it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import close_old_connections, connections
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.models import Question, Session, StudyPair
from collection.services.answers import answer_record
from collection.services.people import device_for, person_for, rater_for
from collection.services.sessions import session_start
from tests.collection.factories import make_study
from variants.models import RenderJob

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("postgres")]
ROUNDS = 10


def at_once(function, arguments):
    """Call `function` with each of the arguments, each in a thread and a connection of its own, together."""
    barrier = threading.Barrier(len(arguments))

    def call(argument):
        close_old_connections()
        barrier.wait()
        try:
            return function(argument)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(call, arguments))


@pytest.fixture
def study():
    return make_study(n_scenes=3, per_scene=10, n_practice=0, n_main=10, n_checks=2, check_lag=3)


def start(study, name):
    rater = rater_for(study, person_for(token=name), device_for(name))
    return session_start(
        study, rater, consent_version=Protocol.from_json(study.protocol).consent_version, now=timezone.now()
    )


def test_one_of_two_answers_is_stored_and_the_other_kept_apart(study):
    session = start(study, "alice")
    for question in session.questions.all()[:ROUNDS]:

        def answer(side, question=question):
            now = timezone.now()
            return answer_record(
                Session.objects.get(pk=session.pk), question.token, side, 900, {}, now
            ).status

        assert sorted(at_once(answer, ["left", "right"])) == ["conflict", "stored"]
        assert question.conflicts.count() == 1


def test_the_same_answer_from_two_tabs_is_counted_once(study):
    session = start(study, "alice")
    question = session.questions.first()

    def answer(_):
        now = timezone.now()
        return answer_record(Session.objects.get(pk=session.pk), question.token, "left", 900, {}, now).status

    assert sorted(at_once(answer, range(6))) == ["repeated"] * 5 + ["stored"]


def test_two_last_answers_at_once_finish_the_session(study):
    session = start(study, "alice")
    questions = list(session.questions.all())
    for question in questions[:-2]:
        answer_record(session, question.token, "left", 900, {}, timezone.now())

    def answer(question):
        now = timezone.now()
        return answer_record(
            Session.objects.get(pk=session.pk), question.token, "left", 900, {}, now
        ).finished

    assert any(at_once(answer, questions[-2:]))
    session.refresh_from_db()
    assert session.finished_at is not None
    assert not Question.objects.filter(session=session, answered_at=None).exists()


def test_two_clicks_on_begin_make_one_session(study):
    sessions = at_once(lambda name: start(study, name).pk, ["alice"] * 4)
    assert len(set(sessions)) == 1


def test_sessions_planned_at_once_see_each_others_exposures(study):
    at_once(lambda name: start(study, name).pk, [f"person {n}" for n in range(6)])
    exposures = StudyPair.objects.filter(study=study).values_list("exposures", flat=True)
    assert sum(exposures) == 6 * 10
    assert max(exposures) - min(exposures) <= 1


def test_a_job_is_claimed_by_one_worker(study):
    for _ in range(ROUNDS):
        job = RenderJob.objects.create()
        assert sum(at_once(lambda _, job=job: RenderJob.objects.get(pk=job.pk).claim(), range(4))) == 1
