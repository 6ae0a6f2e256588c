"""What the participant's API takes and gives; urls.py documents it."""

import io
import json

import numpy as np
import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from PIL import Image, ImageCms

from collection.api import views
from collection.design.protocol import PHASES
from collection.design.screening import levels_plates, plate_pixels
from collection.models import ConflictingAnswer, DisplayRecord, PhaseRecord, Question, Session, Study
from collection.services.sessions import session_places_return
from collection.services.withdrawal import rater_withdraw
from tests.collection.factories import answer_all, make_session, make_study
from variants.models import Rendition

pytestmark = pytest.mark.django_db
SMALL = {"n_practice": 2, "n_main": 8, "n_checks": 4, "check_lag": 3}
GETS = ["session-detail", "question-list"]
POSTS = ["answer-store", "answer-undo", "display-store", "display-same", "phase-store"]


@pytest.fixture
def session():
    return make_session(make_study(**SMALL))


@pytest.fixture
def main_session():
    """Without anything before the main questions."""
    return make_session(make_study(**SMALL, phases=("main",)))


def begin(**protocol):
    return make_session(make_study(**SMALL | {"phases": PHASES} | protocol))


def at(session, name="session-detail", *more):
    more = more or (("display",) if name == "phase-store" else ())
    return reverse(f"participant_api:{name}", args=[getattr(session, "token", session), *more])


def send(client, session, body, name="answer-store", *more):
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(at(session, name, *more), data, content_type="application/json")


def told(reply):
    return reply.status_code, reply.json()["error"]


def answer(question, side="left", response_ms=900, **more):
    return {"question": question.token, "side": side, "response_ms": response_ms, **more}


def test_the_state_tells_where_a_session_stands(client, session):
    state = client.get(at(session)).json()
    assert list(state) == ["phase", "progress", "practice", "breaks", "questions"]
    assert state["phase"] == "display"
    assert state["progress"] == {"answered": 0, "total": 12}
    assert state["practice"] == {"attempt": 1, "attempts": 1, "answered": 0, "total": 2}
    assert state["breaks"] == []
    assert [q["index"] for q in state["questions"]] == [0, 1]


def test_a_question_is_two_photos_of_one_size_at_its_own_addresses(client, session):
    shown = client.get(at(session)).json()["questions"][1]
    question = session.questions.get(index=1)
    assert shown == {
        "token": question.token,
        "index": 1,
        "practice": True,
        "instructed": question.instructed_side,
        "number": 2,
        "of": 2,
        "width": 96,
        "height": 64,
        "left": f"/photo/{question.public_id}/left/",
        "right": f"/photo/{question.public_id}/right/",
    }


def test_main_questions_are_counted_by_themselves(client, session):
    session.questions.filter(kind="practice").update(chosen_side="left", answered_at=timezone.now())
    shown = client.get(at(session, "question-list"), {"after": 5}).json()["questions"]
    assert [(q["index"], q["number"], q["of"], q["instructed"]) for q in shown[:2]] == [
        (6, 5, 12, None),
        (7, 6, 12, None),
    ]


def test_the_smaller_image_limits_the_size(client, session):
    Rendition.objects.filter(pk=session.questions.first().left_id).update(width=90, height=60)
    shown = client.get(at(session)).json()["questions"][0]
    assert (shown["width"], shown["height"]) == (90, 60)


def test_nothing_tells_a_check_from_a_main_question(client, main_session):
    questions = client.get(at(main_session, "question-list"), {"limit": 20}).json()["questions"]
    kinds = dict(main_session.questions.values_list("index", "kind"))
    shapes = {
        kind: {
            tuple((name, type(value), isinstance(value, str) and len(value)) for name, value in q.items())
            for q in questions
            if kinds[q["index"]] == kind
        }
        for kind in ("main", "check")
    }
    assert len(shapes["main"]) == 1
    assert shapes["main"] == shapes["check"]


def test_no_address_is_given_twice(client, main_session):
    questions = client.get(at(main_session, "question-list"), {"limit": 20}).json()["questions"]
    addresses = {q[side] for q in questions for side in ("left", "right")}
    assert len(addresses) == 24


def test_nothing_tells_a_recipe(client, main_session):
    replies = client.get(at(main_session)).content + client.get(at(main_session, "question-list")).content
    for word in (b"recipe", b"exposure", b"steps", b"policy", b"propensity", b"repeats", b"kind", b"source"):
        assert word not in replies
    for rendition in Rendition.objects.all():
        assert rendition.public_id.encode() not in replies


def test_more_questions_are_fetched_after_those_known(client, main_session):
    questions = client.get(at(main_session, "question-list"), {"after": 4, "limit": 3}).json()["questions"]
    assert [q["index"] for q in questions] == [5, 6, 7]
    assert client.get(at(main_session, "question-list"), {"after": 11}).json() == {"questions": []}


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 21}, {"limit": "x"}, {"after": "1" * 5000}, {"after": -2}, {"after": "٣x"}],
)
def test_a_wrong_limit_is_named(client, session, query):
    reply = client.get(at(session, "question-list"), query)
    assert told(reply) == (400, "invalid")
    assert next(iter(query)) in reply.json()["detail"]


def test_the_whole_session_by_the_api(client):
    session = begin(phases=("display", "levels", "instructions", "practice", "main", "questionnaire"))
    bodies = {
        "display": {},
        "levels": {"answers": [plate.truth for plate in levels_plates(session.seed)]},
        "instructions": {},
        "questionnaire": {"room_light": "dim"},
    }
    state = client.get(at(session)).json()
    seen = [state["phase"]]
    while state["phase"] != "finished":
        for question in state["questions"] if state["phase"] in ("practice", "main") else []:
            body = {"question": question["token"], "side": question["instructed"] or "right"}
            reply = send(client, session, body | {"response_ms": 700}).json()
            assert reply["status"] == "stored"
        if state["phase"] in bodies:
            state = send(client, session, bodies[state["phase"]], "phase-store", state["phase"]).json()
        else:
            state = client.get(at(session)).json()
        if state["phase"] != seen[-1]:
            seen.append(state["phase"])
    assert seen == ["display", "levels", "instructions", "practice", "main", "questionnaire", "finished"]
    assert reply == {"status": "stored", "finished": True}
    assert state["progress"] == {"answered": 12, "total": 12}
    assert state["questions"] == []
    assert state["end"] == {"kind": "completion", "code": "", "address": "", "submit": None, "look": ""}
    session.refresh_from_db()
    assert session.finished_at is not None
    assert session.questions.filter(response_ms=700, elapsed_ms__gte=0).count() == 14


def test_the_end_has_the_panels_code(client):
    session = begin(phases=("main",))
    Study.objects.update(recruiting={"panel": "prolific", "completion_code": "C1"})
    answer_all(session)
    end = client.get(at(session)).json()["end"]
    assert (end["kind"], end["code"]) == ("completion", "C1")
    assert end["address"] == "https://app.prolific.com/submissions/complete?cc=C1"


def test_who_is_screened_out_is_told_so_and_asked_nothing(client):
    session = begin(phases=("color_vision", "main"), turn_away=("color_vision",))
    Study.objects.update(recruiting={"screened_out_code": "S1"})
    session.screened_out_at = timezone.now()
    session.save()
    state = client.get(at(session)).json()
    assert (state["phase"], state["questions"]) == ("screened_out", [])
    assert (state["end"]["kind"], state["end"]["code"]) == ("screened_out", "S1")
    assert client.get(at(session, "question-list")).json() == {"questions": []}
    assert told(send(client, session, answer(session.questions.first()))) == (410, "session_over")


def test_a_session_whose_end_was_missed_is_finished_by_a_look_at_it(client, main_session):
    """The server ended between the last answer and its look for open questions."""
    main_session.questions.update(chosen_side="left", answered_at=timezone.now())
    assert client.get(at(main_session)).json()["phase"] == "finished"
    main_session.refresh_from_db()
    assert main_session.finished_at is not None


def test_plates_are_listed_in_their_phase_and_nowhere_else(client):
    session = begin(phases=("levels", "main"))
    plates = client.get(at(session)).json()["plates"]
    assert plates == [
        {"index": k, "image": f"/api/participant/sessions/{session.token}/plates/levels/{k}/"}
        for k in range(2)
    ]
    state = send(client, session, {"unknown": "no picture"}, "phase-store", "levels").json()
    assert state["phase"] == "main"
    assert "plates" not in state


def test_a_plate_is_a_picture_without_a_word(client):
    session = begin(phases=("levels", "main"))
    reply = client.get(at(session, "plate-image", "levels", 1))
    assert (reply.headers["Content-Type"], reply.headers["Cache-Control"]) == ("image/png", "no-store")
    image = Image.open(io.BytesIO(reply.content))
    assert set(image.info) == {"icc_profile"}
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert np.array_equal(np.asarray(image), plate_pixels(levels_plates(session.seed)[1]))


@pytest.mark.parametrize(
    ("phase", "index"), [("color_vision", 0), ("levels", 2), ("practice", 0), ("dots", 0)]
)
def test_there_are_no_other_plates(client, phase, index):
    session = begin(phases=("levels", "main"))
    assert told(client.get(at(session, "plate-image", phase, index))) == (404, "not_found")


def test_a_phase_before_its_turn_is_out_of_order(client, session):
    assert told(send(client, session, {}, "phase-store", "instructions")) == (409, "out_of_order")


def test_a_phase_sent_again_gets_the_state(client):
    session = begin()
    first = send(client, session, {}, "phase-store", "display")
    again = send(client, session, {}, "phase-store", "display")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.json()["phase"] == "color_vision"


@pytest.mark.parametrize("phase", ["main", "consent", "finished", "nonsense"])
def test_an_unknown_phase_is_not_found(client, session, phase):
    reply = send(client, session, {}, "phase-store", phase)
    assert told(reply) == (404, "not_found")


def test_a_second_post_gets_the_same_reply(client, session):
    question = session.questions.first()
    assert send(client, session, answer(question)).json() == {"status": "stored", "finished": False}
    again = send(client, session, answer(question))
    assert (again.status_code, again.json()) == (200, {"status": "repeated", "finished": False})


def test_a_different_answer_is_a_conflict(client, session):
    question = session.questions.first()
    send(client, session, answer(question))
    assert told(send(client, session, answer(question, "right", client={"input": "touch"}))) == (
        409,
        "conflict",
    )
    assert ConflictingAnswer.objects.get().payload["client"] == {"input": "touch"}


def test_an_answer_after_the_end_is_gone(client, session):
    answer_all(session)
    assert told(send(client, session, answer(session.questions.last(), "right"))) == (410, "session_over")


def test_answers_come_in_any_order(client, main_session):
    for question in main_session.questions.order_by("-index"):
        reply = send(client, main_session, answer(question))
    assert reply.json() == {"status": "stored", "finished": True}


def test_a_tie_is_taken_where_it_is_allowed(client, main_session):
    question = main_session.questions.first()
    assert told(send(client, main_session, answer(question, "tie"))) == (400, "invalid")
    session = begin(allow_tie=True)
    assert send(client, session, answer(session.questions.last(), "tie")).json()["status"] == "stored"


def test_the_last_answer_can_be_taken_back_where_the_study_allows_it(client):
    session = begin(phases=("main",), allow_undo=True)
    question = session.questions.first()
    send(client, session, answer(question))
    assert send(client, session, answer(question), "answer-undo").json() == {"status": "undone"}
    assert send(client, session, answer(question), "answer-undo").json() == {"status": "repeated"}
    assert told(send(client, session, answer(question, "right"), "answer-undo")) == (409, "conflict")
    assert client.get(at(session)).json()["questions"][0]["token"] == question.token
    answer_all(session, "right")
    assert told(send(client, session, answer(question, "right"), "answer-undo")) == (403, "not_allowed")


def test_a_closed_study_says_so_everywhere(client, session):
    Study.objects.update(status="closed")
    assert told(send(client, session, answer(session.questions.last()))) == (410, "study_closed")
    assert told(send(client, session, {}, "phase-store", "display")) == (410, "study_closed")
    assert told(client.get(at(session, "question-list"))) == (410, "study_closed")
    state = client.get(at(session)).json()
    assert (state["phase"], state["questions"]) == ("closed", [])


def test_a_paused_study_holds_up_what_was_begun_if_it_says_so(client):
    session = begin(finish_begun="open")
    Study.objects.update(status="paused")
    assert told(send(client, session, answer(session.questions.last()))) == (503, "study_paused")
    assert told(send(client, session, {}, "phase-store", "display")) == (503, "study_paused")
    assert told(client.get(at(session, "question-list"))) == (503, "study_paused")
    assert client.get(at(session)).json()["phase"] == "paused"
    Study.objects.update(status="open")
    assert send(client, session, answer(session.questions.last())).json()["status"] == "stored"


def test_another_persons_question_is_not_found(client, session):
    theirs = make_session(session.study, "bob").questions.last()
    assert told(send(client, session, answer(theirs))) == (404, "not_found")
    assert told(send(client, session, answer(theirs), "answer-undo")) == (404, "not_found")
    assert not Question.objects.exclude(chosen_side="").exists()


@pytest.mark.parametrize("token", ["f" * 32, "x", "-", "a" * 1000])
def test_a_forged_token_is_not_found(client, db, token):
    replies = [client.get(at(token, name)) for name in GETS]
    replies += [
        send(client, token, {"question": "a", "side": "left", "response_ms": 900, "same": True}, name)
        for name in POSTS
    ]
    replies.append(client.get(at(token, "plate-image", "levels", 0)))
    assert [told(reply) for reply in replies] == [(404, "not_found")] * len(replies)


def test_a_deleted_study_leaves_no_session(client, session):
    token, question = session.token, session.questions.last()
    session.delete()
    session.study.delete()
    assert told(client.get(at(token))) == (404, "not_found")
    assert told(send(client, token, answer(question))) == (404, "not_found")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("display-store", {"screen_width": 1440}),
        ("display-same", {"same": True}),
        ("display-same", {"same": False}),
        ("phase-store", {}),
    ],
)
def test_a_session_that_is_withdrawn_at_that_moment_is_not_found(client, monkeypatch, name, body):
    """After the request has found it, and before anything is stored."""
    session = begin()
    send(client, session, {"screen_width": 1920, "screen_height": 1080}, "display-store")
    found = views.session_with

    def withdrawn_meanwhile(token):
        session = found(token)
        rater_withdraw(session, timezone.now())
        return session

    monkeypatch.setattr(views, "session_with", withdrawn_meanwhile)
    assert told(send(client, session, body, name)) == (404, "not_found")
    for model in (Session, DisplayRecord, PhaseRecord):
        assert not model.objects.exists()


@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize(
    "body",
    [
        "{",
        "nonsense",
        "[]",
        "null",
        '"left"',
        b"\xff\xfe",
        "[" * 10_000,
        '{"a": NaN}',
        '{"a": ' + "9" * 5000 + "}",
    ],
)
def test_garbage_is_a_400_with_a_sentence(client, session, name, body):
    reply = send(client, session, body, name)
    assert told(reply) == (400, "invalid")
    assert len(reply.json()["detail"]) > 10
    for word in ("dict", "NoneType", "str", "int"):
        assert word not in reply.json()["detail"].split()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"question": 7}, "question"),
        ({"question": "\0"}, "question"),
        ({"question": "\ud800"}, "question"),
        ({"question": "٣" * 32}, "question"),
        ({"question": None}, "question"),
        ({"side": "up"}, "side"),
        ({"side": None}, "side"),
        ({"response_ms": -1}, "response_ms"),
        ({"response_ms": 10**9}, "response_ms"),
        ({"response_ms": 1e400}, "body"),
        ({"response_ms": True}, "response_ms is true"),
        ({"response_ms": "fast"}, "response_ms"),
        ({"response_ms": None}, "missing_time"),
        ({"client": []}, "client is a list"),
        ({"client": None}, "client is null"),
        ({"client": "touch"}, "client is a text"),
    ],
)
def test_a_wrong_field_is_named(client, session, change, named):
    question = session.questions.first()
    reply = send(client, session, {**answer(question), **change})
    assert told(reply) == (400, "invalid")
    assert named in reply.json()["detail"]
    question.refresh_from_db()
    assert question.chosen_side == ""


def test_a_zero_time_is_an_answer(client, session):
    assert send(client, session, answer(session.questions.first(), response_ms=0)).status_code == 200


def test_nested_nonsense_costs_no_answer(client, session):
    deep = json.loads("[" * 200 + "]" * 200)
    question = session.questions.first()
    body = answer(question, client={"input": deep, "viewport_width": 10**400, "pixel_ratio": 2})
    assert send(client, session, body).status_code == 200
    question.refresh_from_db()
    assert question.client == {"pixel_ratio": 2, "dropped": ["input", "viewport_width"]}


@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize("size", [20_000, 1_200_000])
def test_large_bodies_are_refused(client, session, name, size):
    assert told(send(client, session, {"platform": "x" * size}, name)) == (413, "too_large")
    assert not DisplayRecord.objects.exists()


def test_a_display_record_is_stored_once(client, session):
    display = {"screen_width": 1440, "color_gamut": "p3", "refresh_hz": 60}
    assert send(client, session, display, "display-store").json() == {"status": "stored", "ask": False}
    assert send(client, session, display, "display-store").json() == {"status": "repeated", "ask": False}
    assert session.displays.get().details == {"refresh_hz": 60}


def test_another_screen_is_asked_about_and_the_answer_kept(client, session):
    send(client, session, {"screen_width": 1440, "screen_height": 900}, "display-store")
    other = {"screen_width": 2560, "screen_height": 1440}
    assert send(client, session, other, "display-store").json() == {"status": "stored", "ask": True}
    assert send(client, session, {"same": True}, "display-same").json() == {"status": "stored"}
    assert send(client, session, other, "display-store").json() == {"status": "repeated", "ask": False}


def test_whoever_moved_to_another_screen_goes_on_as_another_rater(client, session):
    send(client, session, {"screen_width": 1440, "screen_height": 900}, "display-store")
    send(client, session, {"screen_width": 2560, "screen_height": 1440}, "display-store")
    reply = send(client, session, {"same": False}, "display-same")
    new = Session.objects.last()
    assert reply.json() == {"session": f"/session/{new.token}/"}
    assert reply.cookies["tonalist_device"]["httponly"]
    assert new.rater.person == session.rater.person
    assert new.rater.device.replaces == session.rater.device


@pytest.mark.parametrize("same", [None, "yes", 1, []])
def test_same_is_true_or_false(client, session, same):
    assert told(send(client, session, {"same": same}, "display-same")) == (400, "invalid")


def test_nobody_moves_within_a_study_that_is_closed(client, session):
    for status, refusal in (("closed", (410, "study_closed")), ("paused", (503, "study_paused"))):
        Study.objects.update(status=status)
        assert told(send(client, session, {"same": False}, "display-same")) == refusal
    assert Session.objects.count() == 1


def test_other_methods_and_types_are_refused_in_json(client, session):
    reply = client.delete(at(session))
    assert told(reply) == (405, "method_not_allowed")
    assert reply.headers["Allow"] == "GET"
    assert told(client.get(at(session, "answer-store"))) == (405, "method_not_allowed")
    assert told(client.post(at(session, "answer-store"), {"side": "left"})) == (415, "unsupported_media_type")


def test_a_slash_forgotten_costs_no_answer(client, session):
    address = at(session, "answer-store").removesuffix("/")
    body = json.dumps(answer(session.questions.first()))
    assert client.post(address, body, content_type="application/json; charset=utf-8").status_code == 200


def test_replies_are_json_for_a_browser_and_stay_in_no_cache(client, session):
    reply = client.get(at(session), headers={"accept": "text/html"})
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "no-store"
    assert "no-store" in client.get(at("f" * 32)).headers["Cache-Control"]


def test_no_cookie_is_needed_or_set(client, session):
    reply = send(client, session, answer(session.questions.first()))
    assert not reply.cookies


def test_whoever_comes_back_takes_their_places_again(client, main_session):
    session_places_return(main_session, timezone.now())
    assert send(client, main_session, answer(main_session.questions.first())).json()["status"] == "stored"
    main_session.refresh_from_db()
    assert main_session.places_returned_at is None


def test_an_answer_costs_few_queries(client, main_session, django_assert_num_queries):
    """PostgreSQL: the answer, and whether any is left. Elsewhere the question is looked at before."""
    question = main_session.questions.first()
    with django_assert_num_queries(2 if connection.vendor == "postgresql" else 3):
        send(client, main_session, answer(question))


def test_the_state_costs_few_queries(client, main_session, django_assert_num_queries):
    """Session, phases, progress, questions; the first time they are stamped as handed out."""
    with django_assert_num_queries(5):
        client.get(at(main_session))
    with django_assert_num_queries(4):
        client.get(at(main_session))


def test_more_questions_cost_few_queries_however_many(client, main_session, django_assert_num_queries):
    client.get(at(main_session, "question-list"), {"limit": 12})
    for limit in (1, 12):
        with django_assert_num_queries(2):
            client.get(at(main_session, "question-list"), {"limit": limit})
