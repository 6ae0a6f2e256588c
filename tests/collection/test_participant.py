"""The pages on the way in and out."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from collection.design.protocol import Protocol
from collection.models import Device, Person, Rater, Session, Study
from collection.participant.visitors import DEVICE_COOKIE, PERSON_COOKIE
from collection.participant.words import text_on
from collection.services.people import person_for
from tests.collection.factories import answer_all, make_study
from variants.models import Rendition

pytestmark = pytest.mark.django_db
SMALL = {"n_practice": 1, "n_main": 4, "n_checks": 1}


@pytest.fixture
def study():
    return make_study(**SMALL)


def landing(study, query=""):
    return reverse("participant:study-landing", args=[study.slug]) + query


def agree(client, study, query=""):
    version = re.search(r'name="consent_version" value="(\w+)"', client.get(landing(study, query)).text)[1]
    return client.post(landing(study, query), {"consent_version": version})


def test_the_landing_page_shows_the_text_and_what_it_takes(client, study):
    page = client.get(landing(study))
    assert page.status_code == 200
    assert "There are no right answers." in page.text
    assert "5 questions, about 1 minute" in page.text
    assert not Session.objects.exists()
    assert DEVICE_COOKIE not in page.cookies


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
    assert agree(client, study).status_code == 403
    assert not Session.objects.exists()
    token = client.cookies["csrftoken"].value
    version = Protocol.from_json(study.protocol).consent_version
    reply = client.post(landing(study), {"consent_version": version, "csrfmiddlewaretoken": token})
    assert reply.status_code == 302


def test_cookies_are_long_lived_and_out_of_reach_of_scripts(client, study):
    agree(client, study)
    for name in (PERSON_COOKIE, DEVICE_COOKIE):
        cookie = client.cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert cookie["max-age"] == 400 * 24 * 3600
        assert len(cookie.value) >= 40


def test_coming_back_offers_to_go_on(client, study):
    address = agree(client, study)["Location"]
    page = client.get(landing(study))
    assert "0 of 5 questions are answered" in page.text
    assert address in page.text
    assert client.post(landing(study), {"consent_version": "x"})["Location"] == address
    assert Session.objects.count() == 1


def test_a_session_under_way_goes_on_in_a_paused_study(client, study):
    address = agree(client, study)["Location"]
    Study.objects.update(status="paused")
    assert address in client.get(landing(study)).text
    assert "taking a break" in Client().get(landing(study)).text


def test_who_has_answered_is_told_so(client, study):
    agree(client, study)
    answer_all(Session.objects.get())
    page = client.get(landing(study))
    assert (page.status_code, "You have answered this study" in page.text) == (200, True)


def test_cleared_cookies_make_another_person(client, study):
    agree(client, study)
    client.cookies.clear()
    agree(client, study)
    assert Rater.objects.count() == Person.objects.count() == 2


def test_a_panel_id_makes_the_person(client, study):
    first = agree(client, study, "?pid=P1")["Location"]
    assert PERSON_COOKIE not in client.cookies
    assert Person.objects.get().panel_id == "P1"
    assert agree(client, study, "?pid=P2")["Location"] != first
    assert first in client.get(landing(study, "?pid=P1")).text
    assert Device.objects.count() == 1


def test_a_panel_person_on_another_device_is_another_rater(client, study):
    agree(client, study, "?pid=P1")
    agree(Client(), study, "?pid=P1")
    assert (Person.objects.count(), Device.objects.count(), Rater.objects.count()) == (1, 2, 2)


@pytest.mark.parametrize("pid", ["x" * 201, "a%00b", "a%0Ab"])
def test_an_impossible_panel_id_is_a_wrong_link(client, study, pid):
    page = client.get(landing(study, f"?pid={pid}"))
    assert (page.status_code, "This link is not right" in page.text) == (400, True)


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


def test_what_is_not_there_says_so(client):
    for address in ("/s/nothing/", "/session/nothing/"):
        page = client.get(address)
        assert (page.status_code, "There is no study here" in page.text) == (404, True)


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
