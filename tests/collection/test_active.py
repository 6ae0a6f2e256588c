"""A session whose questions are chosen as it goes on: by HTTP, with workers that work at once, late or never."""

import json

import numpy as np
import pytest
from celery import current_app
from django.db.models import Count, F
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from collection.design.active import BY_CHANCE, BY_INFORMATION
from collection.models import Question, RaterModel, RenditionTone, StudyPair
from collection.services import active, taste
from collection.services.active import questions_choose
from collection.services.answers import answer_record
from collection.services.taste import taste_learn
from collection.services.withdrawal import rater_withdraw
from collection.tasks import questions_task, taste_task
from tests.collection.factories import make_session, make_study

pytestmark = pytest.mark.django_db
TASKS = {"collection.tasks.questions_task": questions_task, "collection.tasks.taste_task": taste_task}
CHOSEN = (BY_CHANCE, BY_INFORMATION)


@pytest.fixture
def few(monkeypatch):
    """A model is learnt from a few raters already."""
    monkeypatch.setattr(taste, "FEWEST_RATERS", 3)
    monkeypatch.setattr(taste, "FEWEST_ANSWERS", 24)
    monkeypatch.setattr(taste, "GROWTH", 4.0 / 3)  # and not again in the middle of a session


@pytest.fixture
def workers(monkeypatch):
    """Workers that do at once what they are sent; the names of it."""
    sent = []

    def send(name, args, **options):
        sent.append(name)
        TASKS[name](*args)

    monkeypatch.setattr(current_app, "send_task", send)
    return sent


def begin(**protocol):
    small = {
        "n_main": 12,
        "n_checks": 2,
        "check_lag": 3,
        "phases": ("main",),
        "selection": "active",
        "scene_gap": 1,
    }
    return make_study(files=True, n_scenes=5, per_scene=10, **small | protocol)


def taught(study, raters=range(3)):
    """After some raters who like it light."""
    for k in raters:
        session = make_session(study, name=f"rater {k}", device=f"phone {k}", seed=k)
        for question in session.questions.select_related("left", "right"):
            lighter = "left" if step(question.left) > step(question.right) else "right"
            answer_record(session.token, question.token, lighter, 900, {}, timezone.now())
    assert taste_learn(study.pk)
    return study


def step(rendition):
    return rendition.recipe["steps"][0][1] if rendition.recipe["steps"] else 0


def holds(study):
    """What must be true of a study's exposures and questions, whatever was chosen."""
    asked = Question.objects.filter(session__study=study, kind="main").values("pair").annotate(n=Count("pk"))
    assert dict(
        StudyPair.objects.filter(study=study, exposures__gt=0).values_list("pair", "exposures")
    ) == dict(asked.values_list("pair", "n"))
    checks = Question.objects.filter(session__study=study, kind="check")
    flipped = checks.filter(pair=F("repeats__pair"), left=F("repeats__right"), right=F("repeats__left"))
    assert flipped.count() == checks.count()
    for session in study.sessions.all():
        main = session.questions.filter(kind="main")
        assert main.values("pair").distinct().count() == main.count()
        assert abs(2 * main.filter(left=F("pair__image_a")).count() - main.count()) <= 1
    assert not Question.objects.filter(session__study=study, policy__in=CHOSEN, propensity=None).exists()


def at(session, name):
    return reverse(f"participant_api:{name}", args=[session.token])


@pytest.mark.usefixtures("few")
def test_a_whole_session_by_http(client, workers, django_capture_on_commit_callbacks):
    study = taught(begin())
    session = make_session(study)
    state = client.get(at(session, "session-detail")).json()
    assert state["ahead"] == len(state["questions"]) == 3
    seen, known = [], state["questions"]
    while known:
        shown = known.pop(0)
        seen.append((shown["token"], session.questions.get(token=shown["token"]).pair_id))
        with django_capture_on_commit_callbacks(execute=True):
            reply = client.post(
                at(session, "answer-store"),
                json.dumps({"question": shown["token"], "side": "left", "response_ms": 900}),
                content_type="application/json",
            )
        assert reply.status_code == 200
        last = known[-1]["index"] if known else shown["index"]
        known += client.get(at(session, "question-list"), {"after": last, "limit": 1}).json()["questions"]
    assert reply.json()["finished"]
    # What was shown is what stands there now.
    assert seen == list(session.questions.order_by("index").values_list("token", "pair"))
    main = session.questions.filter(kind="main")
    assert main.filter(index__lt=3, policy="fewest_exposures").count() == 3  # handed out at once
    chosen = main.filter(policy__in=CHOSEN)
    assert chosen.count() == main.count() - 3
    assert all(0 < p <= 1 for p in chosen.values_list("propensity", flat=True))
    assert workers.count("collection.tasks.questions_task") == 13
    holds(study)


@pytest.mark.usefixtures("few")
def test_what_was_handed_out_stays_and_what_is_chosen_again_is_the_same():
    study = taught(begin())
    session = make_session(study)
    session.questions.filter(index__lt=4).update(served_at=timezone.now())
    before = dict(session.questions.values_list("index", "pair"))
    assert questions_choose(session.pk) == 2
    after = dict(session.questions.values_list("index", "pair"))
    assert [after[k] for k in range(4)] == [before[k] for k in range(4)]
    holds(study)


@pytest.mark.usefixtures("few")
def test_the_same_seed_and_answers_choose_the_same():
    study = taught(begin())
    chosen = []
    for name in ("bob", "charlie"):
        session = make_session(study, name=name, device=name, seed=5)
        StudyPair.objects.filter(study=study).update(exposures=F("exposures") + 1)
        rows = active._rows(session)
        tastes = active.study_tastes(study)
        found = active._chosen(session, active.session_protocol(session), tastes, rows)
        again = active._chosen(session, active.session_protocol(session), tastes, rows)
        chosen.append([(row.number, draw) for row, draw, _ in found])
        assert chosen[-1] == [(row.number, draw) for row, draw, _ in again]
    assert chosen[0]


@pytest.mark.usefixtures("few")
def test_a_question_that_is_handed_out_meanwhile_is_not_changed(monkeypatch):
    study = taught(begin())
    session = make_session(study)
    before = list(session.questions.order_by("index").values_list("pair", flat=True))
    choose = active._chosen

    def slow(*given):
        session.questions.update(served_at=timezone.now())
        return choose(*given)

    monkeypatch.setattr(active, "_chosen", slow)
    assert questions_choose(session.pk) == 0
    assert list(session.questions.order_by("index").values_list("pair", flat=True)) == before
    holds(study)


def test_before_enough_answers_questions_stay_as_planned(workers, django_capture_on_commit_callbacks):
    session = make_session(begin())
    question = session.questions.first()
    with django_capture_on_commit_callbacks(execute=True):
        answer_record(session.token, question.token, "left", 900, {}, timezone.now())
    assert workers == ["collection.tasks.questions_task"]
    assert set(session.questions.filter(kind="main").values_list("policy", flat=True)) == {"fewest_exposures"}


def test_without_a_broker_answers_are_stored(monkeypatch, django_capture_on_commit_callbacks, caplog):
    def down(*_, **__):
        raise OperationalError("nobody there")

    monkeypatch.setattr(current_app, "send_task", down)
    session = make_session(begin())
    with django_capture_on_commit_callbacks(execute=True):
        result = answer_record(
            session.token, session.questions.first().token, "left", 900, {}, timezone.now()
        )
    assert result.status == "stored"
    assert "questions stay as planned" in caplog.text


def test_random_studies_send_nothing(workers, client, django_capture_on_commit_callbacks):
    session = make_session(begin(selection="random"))
    with django_capture_on_commit_callbacks(execute=True):
        answer_record(session.token, session.questions.first().token, "left", 900, {}, timezone.now())
    assert workers == []
    assert questions_choose(session.pk) == 0
    assert "ahead" not in client.get(at(session, "session-detail")).json()


@pytest.mark.usefixtures("few")
def test_tones_are_measured_once_and_the_model_is_learnt_again_as_answers_grow():
    study = taught(begin())
    n = RenditionTone.objects.count()
    assert n == 25
    model = RaterModel.objects.get(study=study)
    assert (model.n_raters, model.n_answers, model.claimed_at) == (3, 36, None)
    assert not taste.taste_is_due(study)
    assert taste.tones_measure(study) == 0
    taught(study, raters=[3])
    model.refresh_from_db()
    assert (model.n_raters, model.n_answers) == (4, 48)
    assert RenditionTone.objects.count() == n


@pytest.mark.usefixtures("few")
def test_whoever_withdraws_is_in_no_model():
    study = taught(begin(), raters=range(4))
    rater_withdraw(study.sessions.first(), timezone.now())
    assert not RaterModel.objects.exists()
    session = make_session(study)
    assert questions_choose(session.pk) == 0  # as planned, until it is learnt again
    assert taste.taste_is_due(study)
    assert taste_learn(study.pk)
    assert RaterModel.objects.get().n_raters == 3


@pytest.mark.usefixtures("few")
def test_raters_who_like_it_light_are_expected_to():
    study = taught(begin())
    tastes = active.study_tastes(study)
    pair = study.pairs.select_related("image_a", "image_b").order_by("-delta_e").first()
    light, dark = sorted((pair.image_a, pair.image_b), key=step, reverse=True)
    chance = tastes.model.nobody().predict(tastes.answers(np.array([light.pk]), np.array([dark.pk])))
    assert chance[0] > 0.6
