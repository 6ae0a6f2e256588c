"""What strangers try at the door, and an office or a lecture hall behind one address."""

import json

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session as SignIn
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from collection.models import Question
from tests.collection.factories import make_study
from tests.collection.participant.visits import form_of, landing
from tests.factories import make_researcher

pytestmark = pytest.mark.django_db
PASSWORD = "a long pass phrase"
STUDIES = "/research/studies/"
COOKIE = django_settings.SESSION_COOKIE_NAME


@pytest.fixture(autouse=True)
def fresh_counts():
    cache.clear()
    yield
    cache.clear()


def sign_in(client, login="bob", password=PASSWORD, **fields):
    return client.post(reverse("login"), {"login": login, "password": password, **fields})


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "http://testserver@evil.example/",
        "\thttps://evil.example/",
    ],
)
def test_signing_in_and_out_leads_nowhere_else(client, elsewhere):
    make_researcher("bob", password=PASSWORD)
    assert sign_in(client, next=elsewhere).headers["Location"] == STUDIES
    assert "evil" not in client.post(reverse("logout"), {"next": elsewhere}).headers["Location"]


def test_a_sign_in_has_a_new_session_and_its_end_ends_it(client):
    make_researcher("bob", password=PASSWORD)
    planted = client.session
    planted["of"] = "an attacker"
    planted.save()
    client.cookies[COOKIE] = planted.session_key
    reply = sign_in(client)
    taken = client.cookies[COOKIE].value
    assert taken != planted.session_key
    assert not SignIn.objects.filter(session_key=planted.session_key).exists()
    assert (reply.cookies[COOKIE]["httponly"], reply.cookies[COOKIE]["samesite"]) == (True, "Lax")
    client.post(reverse("logout"))
    thief = Client()
    thief.cookies[COOKIE] = taken
    assert thief.get(STUDIES).status_code == 302


def test_cookies_are_for_https_alone_where_the_site_says_so(client, settings):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    make_researcher("bob", password=PASSWORD)
    client.get(reverse("login"), secure=True)
    reply = client.post(reverse("login"), {"login": "bob", "password": PASSWORD}, secure=True)
    assert all(reply.cookies[name]["secure"] for name in (COOKIE, "csrftoken"))


def test_a_link_in_a_mail_names_no_host_that_somebody_else_chose(client):
    make_researcher("bob", password=PASSWORD, email="bob@example.org")
    form = {"email": "bob@example.org"}
    address = reverse("account_reset_password")
    assert client.post(address, form, headers={"host": "evil.example"}).status_code == 400
    client.post(address, form, headers={"x-forwarded-host": "evil.example"})
    (message,) = mail.outbox
    assert "evil" not in message.body


def test_thirty_people_behind_one_address_all_play():
    study = make_study(n_practice=0, n_main=4, n_checks=0)
    for _ in range(30):
        client = Client(REMOTE_ADDR="192.0.2.7")
        client.post(landing(study), form_of(client.get(landing(study))))
    sessions = list(study.sessions.all())
    assert len(sessions) == 30
    for session in sessions:
        address = reverse("participant_api:answer-store", args=[session.token])
        for question in session.questions.all():
            body = json.dumps({"question": question.token, "side": "left", "response_ms": 900})
            reply = client.post(address, body, content_type="application/json")
            assert reply.json()["status"] == "stored"
    assert not Question.objects.filter(session__study=study, answered_at=None).exists()


def test_thirty_colleagues_behind_one_address_all_sign_in_while_one_is_attacked():
    names = [f"colleague{n}" for n in range(30)]
    for name in names:
        make_researcher(name, password=PASSWORD)
    for _ in range(12):
        sign_in(Client(), names[0], "wrong")
    for name in names[1:]:
        client = Client()
        sign_in(client, name, "a slip")
        assert sign_in(client, name).headers["Location"] == STUDIES
