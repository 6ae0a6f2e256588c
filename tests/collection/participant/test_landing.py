"""The page on the way in."""

import pytest
from django.test import Client
from django.urls import reverse

from collection.cookies import DEVICE_COOKIE, PERSON_COOKIE
from collection.design.protocol import Protocol
from collection.models import Device, Person, Session, Study
from collection.participant.words import duration, text_on
from collection.services.people import person_for
from tests.collection.factories import answer_all, make_study
from tests.collection.participant.visits import SMALL, agree, begin, form_of, landing
from variants.models import Rendition

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return make_study(**SMALL)


def test_the_landing_page_shows_the_text_and_what_it_takes(client, study):
    page = client.get(landing(study))
    assert page.status_code == 200
    assert "There are no right answers." in page.text
    assert "5 questions, about 1 minute" in page.text
    assert not Session.objects.exists()
    assert DEVICE_COOKIE not in page.cookies


def test_the_time_counts_every_phase():
    """93 questions of 8 s make 12.4 minutes; checks, instructions and the questions at the end add 1.7."""
    assert duration(Protocol(n_practice=3, n_main=80, n_checks=10)) == "about 14 minutes"
    assert (
        duration(Protocol(n_practice=3, n_main=80, n_checks=10, phases=("practice", "main")))
        == "about 12 minutes"
    )


def test_without_a_consent_phase_the_page_just_begins(client):
    study = make_study(**SMALL, phases=("main",))
    page = client.get(landing(study))
    assert "I agree" not in page.text
    assert "do not agree" not in page.text
    assert "There are no right answers." not in page.text
    session = begin(client, study)
    assert (session.consent_version, session.consented_at) == ("", None)


def test_nothing_can_be_sent_before_a_script_has_run(client, study):
    page = client.get(landing(study)).text
    assert '<button class="act" type="submit" disabled>I agree, begin</button>' in page
    assert "This study needs JavaScript" in page


def test_not_agreeing_stores_nothing(client, study):
    page = client.get(reverse("participant:study-declined", args=[study.slug]))
    assert "Nothing was stored" in page.text
    assert not page.cookies
    assert not Person.objects.exists()


def test_tags_in_the_text_are_shown_not_obeyed(client):
    study = make_study(**SMALL, consent="**Bold** <script>alert(1)</script> [x](javascript:alert(1))")
    page = client.get(landing(study)).text
    assert "<strong>Bold</strong> &lt;script&gt;" in page
    assert "<script>alert" not in page
    assert 'href="javascript' not in page


def test_agreeing_begins_a_session(client, study):
    reply = agree(client, study)
    session = Session.objects.get()
    assert reply.status_code == 302
    assert reply["Location"] == reverse("participant:session-detail", args=[session.token])
    assert session.consent_version == Protocol.from_json(study.protocol).consent_version
    assert client.get(reply["Location"]).status_code == 200


def test_a_form_without_its_csrf_token_begins_nothing(study):
    client = Client(enforce_csrf_checks=True)
    form = form_of(client.get(landing(study)))
    without = {name: value for name, value in form.items() if name != "csrfmiddlewaretoken"}
    reply = client.post(landing(study), without)
    assert (reply.status_code, "open for too long" in reply.text) == (403, True)
    assert not Session.objects.exists()
    assert client.post(landing(study), form).status_code == 302


def test_a_form_without_cookies_says_what_they_are_for(study):
    client = Client(enforce_csrf_checks=True)
    form = form_of(client.get(landing(study)))
    client.cookies.clear()
    reply = client.post(landing(study), form, headers={"Accept-Language": "en"})
    assert (reply.status_code, "Cookies are off" in reply.text) == (403, True)
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert not Session.objects.exists()


def test_cookies_are_long_lived_and_out_of_reach_of_scripts(client, study):
    agree(client, study)
    for name in (PERSON_COOKIE, DEVICE_COOKIE):
        cookie = client.cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert cookie["max-age"] == 400 * 24 * 3600
        assert len(cookie.value) >= 40


def test_the_same_form_sent_twice_is_from_one_person(study):
    """As by a double click, or when the first reply was lost: neither has the cookies of the other's reply."""
    form = form_of(Client().get(landing(study)))
    replies = [Client().post(landing(study), form) for _ in range(2)]
    assert replies[0]["Location"] == replies[1]["Location"]
    assert (Person.objects.count(), Device.objects.count(), Session.objects.count()) == (1, 1, 1)
    cookies = [
        {name: reply.cookies[name].value for name in (PERSON_COOKIE, DEVICE_COOKIE)} for reply in replies
    ]
    assert cookies[0] == cookies[1]


def test_coming_back_offers_to_go_on(client, study):
    address = agree(client, study)["Location"]
    page = client.get(landing(study))
    assert "0 of 5 questions are answered" in page.text
    assert client.post(landing(study), form_of(page))["Location"] == address
    assert Session.objects.count() == 1


@pytest.mark.parametrize(
    ("finish_begun", "status", "words"),
    [
        ("paused", "paused", "Welcome back"),
        ("open", "paused", "taking a break"),
        ("closed", "closed", "Welcome back"),
        ("paused", "closed", "is over"),
    ],
)
def test_what_was_begun_goes_on_where_the_study_allows(client, finish_begun, status, words):
    study = make_study(**SMALL, finish_begun=finish_begun)
    agree(client, study)
    Study.objects.update(status=status)
    assert words in client.get(landing(study)).text
    assert "Welcome back" not in Client().get(landing(study)).text


def test_who_has_answered_is_told_so(client, study):
    agree(client, study)
    answer_all(Session.objects.get())
    page = client.get(landing(study))
    assert (page.status_code, "You have answered this study" in page.text) == (200, True)


def test_a_short_cookie_is_not_taken_for_ours(client, study):
    client.cookies[PERSON_COOKIE] = client.cookies[DEVICE_COOKIE] = "1"
    agree(client, study)
    assert len(client.cookies[PERSON_COOKIE].value) >= 40


def test_a_text_that_changed_meanwhile_is_read_again(client, study):
    reply = client.post(landing(study), {"consent_version": "of the old text"})
    assert "has changed since you opened the page" in reply.text
    assert not Person.objects.exists()
    assert not Device.objects.exists()


def test_a_study_without_enough_pairs_takes_a_break(client, study, caplog):
    Rendition.objects.update(state="rejected")
    reply = agree(client, study)
    assert "taking a break" in reply.text
    assert "4 different pairs (n_main) and the study has 0" in caplog.text
    assert not Person.objects.exists()


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [("draft", 404, "has not begun"), ("paused", 503, "taking a break"), ("closed", 410, "is over")],
)
def test_a_study_that_is_not_open_says_so(client, study, status, code, words):
    Study.objects.update(status=status)
    page = client.get(landing(study))
    assert (page.status_code, words in page.text) == (code, True)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/s/nothing/", "There is no study here"),
        ("/s/nothing/declined/", "There is no study here"),
        ("/session/nothing/", "Nothing is stored under this link"),
        ("/session/nothing/withdraw/", "Nothing is stored under this link"),
    ],
)
def test_what_is_not_there_says_so(client, address, words):
    page = client.get(address)
    assert (page.status_code, words in page.text) == (404, True)


def test_a_deleted_study_leaves_notices_behind(client, study):
    session = begin(client, study)
    address = landing(study)
    study.delete()
    for link in (address, f"/session/{session.token}/", f"/session/{session.token}/withdraw/"):
        assert client.get(link).status_code == 404


def test_pages_forbid_everything_from_elsewhere(client, study):
    policy = client.get(landing(study)).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_simulated_study_says_so_on_every_page(client):
    study = make_study(**SMALL, is_simulated=True)
    person_for(panel="pid", panel_id="robot", is_simulated=True)
    first = client.get(landing(study, "?pid=robot")).text
    address = agree(client, study, "?pid=robot")["Location"]
    for page in (first, client.get(address).text, client.get(landing(study, "?pid=robot")).text):
        assert "Simulated study" in page


def test_people_are_turned_away_from_a_simulated_study(client):
    study = make_study(**SMALL, is_simulated=True)
    for reply in (client.get(landing(study)), client.post(landing(study), {"consent_version": "any"})):
        assert reply.status_code == 403
        assert "Programs answer this study" in reply.text
    assert not Session.objects.exists()
    assert not Person.objects.exists()


def test_a_study_of_people_does_not_say_simulated(client, study):
    assert "imulated" not in client.get(landing(study)).text


def test_text_on_every_grey_can_be_read():
    """WCAG 2.2 asks 4.5 to 1; #777777 has 4.69 to 1 with black and 4.48 to 1 with white."""
    assert text_on("#777777") == "#000000"
    assert text_on("#757575") == "#ffffff"
    assert (text_on("#000000"), text_on("#ffffff")) == ("#ffffff", "#000000")
