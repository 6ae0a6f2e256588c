"""Two that come at once, on a real PostgreSQL: exactly one gets it."""

import datetime as dt
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import close_old_connections, connection, connections, transaction
from django.db.models import Q
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.models import Question, Session, StudyPair
from collection.services.answers import answer_record
from collection.services.people import device_for, person_for, rater_for
from collection.services.sessions import session_places_return, session_start
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
            return answer_record(session.token, question.token, side, 900, {}, now).status

        assert sorted(at_once(answer, ["left", "right"])) == ["refused", "stored"]
        assert question.conflicts.count() == 1


def test_the_same_answer_from_two_tabs_is_counted_once(study):
    session = start(study, "alice")
    question = session.questions.first()

    def answer(_):
        now = timezone.now()
        return answer_record(session.token, question.token, "left", 900, {}, now).status

    assert sorted(at_once(answer, range(6))) == ["repeated"] * 5 + ["stored"]


def test_two_last_answers_at_once_finish_the_session(study):
    session = start(study, "alice")
    questions = list(session.questions.all())
    for question in questions[:-2]:
        answer_record(session.token, question.token, "left", 900, {}, timezone.now())

    def answer(question):
        now = timezone.now()
        return answer_record(session.token, question.token, "left", 900, {}, now).finished

    assert any(at_once(answer, questions[-2:]))
    session.refresh_from_db()
    assert session.finished_at is not None
    assert not Question.objects.filter(session=session, answered_at=None).exists()


def test_two_clicks_on_begin_make_one_session(study):
    sessions = at_once(lambda name: start(study, name).pk, ["alice"] * 4)
    assert len(set(sessions)) == 1


def exposures(study):
    return Counter(
        dict(StudyPair.objects.filter(study=study, exposures__gt=0).values_list("pair", "exposures"))
    )


def places(study):
    """Pair → main questions that ask it: all those of sessions that hold their places, the others' answered ones."""
    held = Q(session__places_returned_at=None) | Q(answered_at__isnull=False)
    main = Question.objects.filter(held, session__study=study, kind="main")
    return Counter(main.values_list("pair", flat=True))


def abandon(study, names):
    """Sessions of these people with three answers, a long time ago."""
    sessions = [start(study, name) for name in names]
    long_ago = timezone.now() - dt.timedelta(days=2)
    for session in sessions:
        for question in session.questions.all()[:3]:
            answer_record(session.token, question.token, "left", 900, {}, timezone.now())
    Session.objects.update(started_at=long_ago)
    Question.objects.filter(answered_at__isnull=False).update(answered_at=long_ago)
    return sessions


def test_sessions_planned_at_once_see_each_others_exposures(study):
    at_once(lambda name: start(study, name).pk, [f"person {n}" for n in range(6)])
    found = exposures(study)
    assert found == places(study)
    assert len(found) == 30
    assert (min(found.values()), max(found.values())) == (2, 2)


def test_abandoned_places_are_given_back_once_by_sessions_that_begin_at_once(study):
    abandoned = abandon(study, ["alice", "bob", "charlie"])
    at_once(lambda name: start(study, name).pk, [f"person {n}" for n in range(6)])
    assert Session.objects.exclude(places_returned_at=None).count() == len(abandoned)
    assert exposures(study) == places(study)


def test_places_are_counted_right_when_people_return_while_others_begin(study):
    """Nobody waits for each other in a circle, and each place is counted where it is held."""
    for round_ in range(ROUNDS):
        returning = abandon(study, [f"away {round_} {n}" for n in range(3)])
        for session in returning:
            session_places_return(session, timezone.now())

        def act(who, round_=round_):
            if isinstance(who, Session):
                token = who.questions.filter(answered_at=None).first().token
                answer_record(who.token, token, "left", 900, {}, timezone.now())
            else:
                start(study, f"person {round_} {who}")

        at_once(act, [*returning, 1, 2, 3])
        assert exposures(study) == places(study)


def test_a_planning_passes_by_a_session_that_somebody_holds(study):
    """Who holds it may be waiting for the study, as a screening does that gives its places back."""
    (held,) = abandon(study, ["alice"])

    def begin(name):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        start(study, name)

    with transaction.atomic():
        Session.objects.select_for_update(no_key=True).get(pk=held.pk)
        at_once(begin, ["bob"])
        session_places_return(held, timezone.now())
    assert exposures(study) == places(study)


def test_a_job_is_claimed_by_one_worker(study):
    for _ in range(ROUNDS):
        job = RenderJob.objects.create()
        assert sum(at_once(lambda _, job=job: RenderJob.objects.get(pk=job.pk).claim(), range(4))) == 1
