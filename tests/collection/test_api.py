"""What the participant's API takes and gives; urls.py documents it."""

import json

import pytest
from django.urls import reverse

from collection.models import ConflictingAnswer, DisplayRecord, Question, Study
from tests.collection.factories import answer_all, make_session, make_study
from variants.models import Rendition

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    return make_session(make_study(n_practice=2, n_main=8, n_checks=4, check_lag=3))


def at(session, name="session-detail"):
    return reverse(f"participant_api:{name}", args=[session.token])


def send(client, session, body, name="answer-record"):
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(at(session, name), data, content_type="application/json")


def answer(question, side="left", response_ms=900, **more):
    return {"question": question.token, "side": side, "response_ms": response_ms, **more}


def test_the_state_tells_where_a_session_stands(client, session):
    state = client.get(at(session)).json()
    assert state["phase"] == "display"
    assert state["progress"] == {"answered": 0, "total": 14, "practice": 2}
    assert [q["index"] for q in state["questions"]] == [0, 1, 2, 3, 4]
    assert [q["practice"] for q in state["questions"]] == [True, True, False, False, False]


def test_a_question_is_two_images_of_one_size(client, session):
    shown = client.get(at(session)).json()["questions"][2]
    question = session.questions.get(index=2)
    assert shown == {
        "token": question.token,
        "index": 2,
        "total": 14,
        "practice": False,
        "width": 96,
        "height": 64,
        "left": reverse("variants:image", args=[question.left.public_id]),
        "right": reverse("variants:image", args=[question.right.public_id]),
    }


def test_the_smaller_image_limits_the_size(client, session):
    Rendition.objects.filter(pk=session.questions.first().left_id).update(width=90, height=60)
    shown = client.get(at(session)).json()["questions"][0]
    assert (shown["width"], shown["height"]) == (90, 60)


def test_nothing_tells_a_check_from_a_main_question(client, session):
    questions = client.get(at(session, "question-list"), {"limit": 20}).json()["questions"]
    kinds = dict(session.questions.values_list("index", "kind"))
    shapes = {
        kind: {
            tuple((name, type(value)) for name, value in q.items())
            for q in questions
            if kinds[q["index"]] == kind
        }
        for kind in ("main", "check")
    }
    assert len(shapes["main"]) == 1
    assert shapes["main"] == shapes["check"]


def test_nothing_tells_a_recipe(client, session):
    replies = client.get(at(session)).content + client.get(at(session, "question-list")).content
    for word in (b"recipe", b"exposure", b"steps", b"policy", b"repeats", b"kind"):
        assert word not in replies


def test_more_questions_are_fetched_after_those_known(client, session):
    questions = client.get(at(session, "question-list"), {"after": 4, "limit": 3}).json()["questions"]
    assert [q["index"] for q in questions] == [5, 6, 7]
    assert client.get(at(session, "question-list"), {"after": 13}).json() == {"questions": []}


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 21}, {"limit": "x"}, {"after": "1" * 5000}, {"after": -2}]
)
def test_a_wrong_limit_is_named(client, session, query):
    reply = client.get(at(session, "question-list"), query)
    assert reply.status_code == 400
    assert next(iter(query)) in reply.json()["detail"]


def test_the_whole_session_by_the_api(client, session):
    send(client, session, {"screen_width": 1440, "pixel_ratio": 2}, "display-store")
    while state := client.get(at(session)).json():
        if state["phase"] == "finished":
            break
        for question in state["questions"]:
            body = {"question": question["token"], "side": "right", "response_ms": 700}
            reply = send(client, session, body).json()
            assert reply["status"] == "stored"
    assert reply == {"status": "stored", "finished": True}
    assert state == {
        "phase": "finished",
        "progress": {"answered": 14, "total": 14, "practice": 2},
        "questions": [],
    }
    session.refresh_from_db()
    assert session.finished_at is not None
    assert session.questions.filter(chosen_side="right", response_ms=700, elapsed_ms__gte=0).count() == 14


def test_a_second_post_gets_the_same_reply(client, session):
    question = session.questions.first()
    assert send(client, session, answer(question)).json() == {"status": "stored", "finished": False}
    again = send(client, session, answer(question))
    assert (again.status_code, again.json()) == (200, {"status": "repeated", "finished": False})


def test_a_different_answer_is_a_conflict(client, session):
    question = session.questions.first()
    send(client, session, answer(question))
    reply = send(client, session, answer(question, "right", client={"input": "touch"}))
    assert (reply.status_code, reply.json()["error"]) == (409, "conflict")
    assert ConflictingAnswer.objects.get().payload["client"] == {"input": "touch"}


def test_an_answer_after_the_end_is_gone(client, session):
    answer_all(session)
    reply = send(client, session, answer(session.questions.first(), "right"))
    assert (reply.status_code, reply.json()["error"]) == (410, "session_over")


def test_a_closed_study_says_so_everywhere(client, session):
    Study.objects.update(status="closed")
    reply = send(client, session, answer(session.questions.first()))
    assert (reply.status_code, reply.json()["error"]) == (410, "study_closed")
    assert client.get(at(session, "question-list")).json()["error"] == "study_closed"
    assert client.get(at(session)).json()["phase"] == "closed"


def test_another_persons_question_is_not_found(client, session):
    theirs = make_session(session.study, "bob").questions.first()
    reply = send(client, session, answer(theirs))
    assert (reply.status_code, reply.json()["error"]) == (404, "not_found")
    assert not Question.objects.exclude(chosen_side="").exists()


@pytest.mark.parametrize("name", ["session-detail", "question-list"])
def test_a_forged_token_is_not_found(client, db, name):
    reply = client.get(reverse(f"participant_api:{name}", args=["f" * 32]))
    assert (reply.status_code, reply.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nonsense",
        "[]",
        "null",
        '"left"',
        b"\xff\xfe",
        "[" * 10_000,
        {},
        {"question": 7, "side": "left", "response_ms": 1},
        {"question": "\0", "side": "left", "response_ms": 1},
        {"question": "\ud800", "side": "left", "response_ms": 1},
    ],
)
def test_garbage_is_a_400_with_a_sentence(client, session, body):
    reply = send(client, session, body)
    assert reply.status_code == 400
    assert reply.json()["error"] == "invalid"
    assert len(reply.json()["detail"]) > 10


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"side": "up"}, "side"),
        ({"side": None}, "side"),
        ({"response_ms": -1}, "response_ms"),
        ({"response_ms": 10**9}, "response_ms"),
        ({"response_ms": "fast"}, "response_ms"),
        ({"response_ms": None}, "missing_time"),
        ({"client": []}, "client"),
        ({"client": None}, "client"),
    ],
)
def test_a_wrong_field_is_named(client, session, change, named):
    question = session.questions.first()
    reply = send(client, session, {**answer(question), **change})
    assert reply.status_code == 400
    assert named in reply.json()["detail"]
    question.refresh_from_db()
    assert question.chosen_side == ""


def test_a_zero_time_is_an_answer(client, session):
    assert send(client, session, answer(session.questions.first(), response_ms=0)).status_code == 200


@pytest.mark.parametrize("name", ["display-store", "answer-record"])
@pytest.mark.parametrize("size", [20_000, 1_200_000])
def test_large_bodies_are_refused(client, session, name, size):
    reply = send(client, session, {"platform": "x" * size}, name)
    assert (reply.status_code, reply.json()["error"]) == (413, "too_large")
    assert not DisplayRecord.objects.exists()


def test_a_display_record_is_stored_once(client, session):
    display = {"screen_width": 1440, "color_gamut": "p3", "refresh_hz": 60}
    assert send(client, session, display, "display-store").json() == {"status": "stored"}
    assert send(client, session, display, "display-store").json() == {"status": "repeated"}
    assert session.displays.get().details == {"refresh_hz": 60}


def test_other_methods_and_types_are_refused_in_json(client, session):
    reply = client.delete(at(session))
    assert (reply.status_code, reply.json()["error"]) == (405, "method_not_allowed")
    reply = client.post(at(session, "answer-record"), {"side": "left"})
    assert (reply.status_code, reply.json()["error"]) == (415, "unsupported_media_type")


def test_replies_are_json_for_a_browser_and_stay_in_no_cache(client, session):
    reply = client.get(at(session), headers={"accept": "text/html"})
    assert reply.headers["Content-Type"] == "application/json"
    assert "no-store" in reply.headers["Cache-Control"]


def test_no_cookie_is_needed_or_set(client, session):
    reply = send(client, session, answer(session.questions.first()))
    assert not reply.cookies


def test_an_answer_costs_few_queries(client, session, django_assert_max_num_queries):
    """Session, session again under its lock, question, claim, whether any is left; two for the savepoint."""
    question = session.questions.first()
    with django_assert_max_num_queries(7):
        send(client, session, answer(question))
