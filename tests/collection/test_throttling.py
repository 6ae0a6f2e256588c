"""One client's requests are bounded; nobody else is held up, and no answer is lost by it."""

import json
import time

import pytest
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.urls import reverse
from redis.exceptions import ConnectionError as RedisConnectionError

from collection import throttling
from collection.api import views
from collection.models import Session
from collection.participant import pages
from collection.throttling import SESSION, Limit, address_of, seconds_to_wait
from tests.collection.factories import make_session, make_study
from tests.collection.participant.visits import form_of, landing

THREE = Limit(name="test", requests=3, seconds=10)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that stand still until they are set."""

    class Clock:
        now = 1_795_000_004.0  # 4 s into a stretch of 10

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(throttling, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()
    yield
    cache.clear()


def test_so_many_requests_may_be_made_in_a_stretch(clock):
    assert [seconds_to_wait(THREE, "alice") for _ in range(5)] == [0, 0, 0, 7, 7]
    assert seconds_to_wait(THREE, "bob") == 0


def test_after_the_wait_it_goes_on(clock):
    for _ in range(4):
        wait = seconds_to_wait(THREE, "alice")
    clock.now += wait
    assert seconds_to_wait(THREE, "alice") == 0


def test_limits_are_counted_apart(clock):
    other = Limit(name="other", requests=1, seconds=10)
    assert [seconds_to_wait(limit, "alice") for limit in (THREE, other)] == [0, 0]


def test_a_cache_that_does_not_answer_turns_nobody_away(monkeypatch, caplog):
    class Broken(BaseCache):
        def incr(self, *args, **kwargs):
            raise RedisConnectionError("refused")

    monkeypatch.setattr(throttling, "cache", Broken({}))
    assert [seconds_to_wait(THREE, "alice") for _ in range(5)] == [0] * 5
    assert "none is turned away" in caplog.text


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "address"),
    [
        (False, None, "192.0.2.7"),
        (False, "203.0.113.9", "192.0.2.7"),  # anybody can say so
        (True, "203.0.113.9", "203.0.113.9"),
        (True, "10.0.0.1, 203.0.113.9", "203.0.113.9"),  # what our own proxy added stands last
        (True, None, "192.0.2.7"),
        (True, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (True, "nonsense", "nonsense"),
    ],
)
def test_an_address_is_the_clients(rf, settings, behind_proxy, forwarded, address):
    settings.BEHIND_PROXY = behind_proxy
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert address_of(rf.get("/", headers=headers, REMOTE_ADDR="192.0.2.7")) == address


@pytest.mark.django_db
def test_a_flood_is_answered_with_when_to_go_on_and_loses_no_answer(client, clock):
    study = make_study(n_practice=0, n_main=4, n_checks=0)
    session, other = make_session(study), make_session(study, "bob")

    def at(session):
        return reverse("participant_api:answer-store", args=[session.token])

    def send(session):
        question = session.questions.first()
        body = json.dumps({"question": question.token, "side": "left", "response_ms": 900})
        return client.post(at(session), body, content_type="application/json")

    for _ in range(SESSION.requests):
        assert client.get(at(session)).status_code == 405  # whatever it is, it is counted
    refused = send(session)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert refused.json() == {
        "error": "throttled",
        "detail": "too many requests; go on in 7 s",
        "retry_after": 7,
    }
    assert send(other).json()["status"] == "stored"
    clock.now += 7
    assert send(session).json()["status"] == "stored"


@pytest.mark.django_db
def test_ten_thousand_requests_of_one_session_are_turned_away_with_a_sentence(client):
    session = make_session(make_study(n_practice=0, n_main=4, n_checks=0))
    address = reverse("participant_api:answer-store", args=[session.token])
    begun = time.time()
    replies = [client.get(address) for _ in range(10_000)]
    n_stretches = (time.time() - begun) // SESSION.seconds + 2
    refused = [reply for reply in replies if reply.status_code == 429]
    assert len(refused) >= len(replies) - SESSION.requests * n_stretches
    assert {reply.status_code for reply in replies} == {405, 429}
    for reply in refused:
        wait = int(reply.headers["Retry-After"])
        assert 1 <= wait <= SESSION.seconds
        assert reply.json()["detail"] == f"too many requests; go on in {wait} s"


@pytest.mark.django_db
def test_whoever_goes_through_tokens_is_turned_away(client, monkeypatch, clock):
    monkeypatch.setattr(views, "UNKNOWN", THREE)
    addresses = [reverse("participant_api:session-detail", args=[f"{n:032x}"]) for n in range(5)]
    assert [client.get(address).status_code for address in addresses] == [404, 404, 404, 429, 429]
    session = make_session(make_study(n_practice=0, n_main=4, n_checks=0))
    known = reverse("participant_api:session-detail", args=[session.token])
    assert client.get(known).status_code == 200


@pytest.mark.django_db
def test_pages_for_one_address_are_bounded_and_begin_nothing_beyond(client, monkeypatch, clock):
    monkeypatch.setattr(pages, "PAGES", THREE)
    study = make_study(n_practice=0, n_main=4, n_checks=0)
    form = form_of(client.get(landing(study)))
    assert [client.get(landing(study)).status_code for _ in range(3)] == [200, 200, 429]
    refused = client.post(landing(study), form, headers={"Accept-Language": "de"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert "Zu viele Besuche auf einmal" in refused.text
    assert not Session.objects.exists()
    assert client.get(landing(study), REMOTE_ADDR="192.0.2.7").status_code == 200
    clock.now += 7
    assert client.post(landing(study), form).status_code == 302
