"""Who is who: a person, a device, and together a rater. docs/identity.md says each rule."""

import pytest
from django.test import Client
from django.utils import timezone

from collection.cookies import DEVICE_COOKIE, PERSON_COOKIE
from collection.models import Device, Person, Rater, Session, Study
from collection.services.displays import display_record_store, session_move
from tests.collection.factories import answer_all, make_study
from tests.collection.participant.visits import SMALL, address_of, agree, begin, form_of, landing

pytestmark = pytest.mark.django_db
ASKED = "Is this the device that you began on?"


@pytest.fixture
def study():
    return make_study(**SMALL)


def say(client, address, device):
    """Answer the page that asks for the device."""
    page = client.get(address)
    assert ASKED in page.text
    return client.post(address, form_of(page) | {"device": device})


def counts():
    return Person.objects.count(), Device.objects.count(), Rater.objects.count(), Session.objects.count()


def test_a_cookie_makes_the_person(client, study):
    begin(client, study)
    assert "Welcome back" in client.get(landing(study)).text
    assert counts() == (1, 1, 1, 1)


def test_a_panels_id_makes_the_person(client, study):
    first = begin(client, study, "?pid=P1")
    assert PERSON_COOKIE not in client.cookies
    assert Person.objects.get().panel_id == "P1"
    assert "Welcome back" in client.get(landing(study, "?pid=P1")).text
    second = begin(client, study, "?pid=P2")
    assert first.rater.device == second.rater.device
    assert counts() == (2, 1, 2, 2)


def test_the_same_id_of_two_panels_is_two_people(client, study):
    begin(client, study, "?pid=P1")
    Study.objects.update(recruiting={"panel": "prolific"})
    begin(client, study, "?PROLIFIC_PID=P1")
    assert counts() == (2, 1, 2, 2)


def test_cleared_cookies_make_another_person_on_another_device(client, study):
    begin(client, study)
    client.cookies.clear()
    begin(client, study)
    assert counts() == (2, 2, 2, 2)


def test_two_browsers_with_the_same_display_are_two_devices(study):
    """A display record is a fingerprint: it is stored, and finds nobody."""
    look = {"screen_width": 1920, "screen_height": 1080, "pixel_ratio": 2, "platform": "macOS"}
    sessions = [begin(Client(HTTP_USER_AGENT="the same", REMOTE_ADDR="192.0.2.1"), study) for _ in range(2)]
    for session in sessions:
        display_record_store(session, look)
    assert counts() == (2, 2, 2, 2)
    assert "Welcome back" not in Client(HTTP_USER_AGENT="the same").get(landing(study)).text


def test_someone_else_on_the_device_is_a_new_person(client, study):
    first = begin(client, study)
    page = client.get(landing(study))
    assert 'href="?someone_else=1"' in page.text
    second = begin(client, study, "?someone_else=1")
    assert first.rater.person != second.rater.person
    assert first.rater.device == second.rater.device
    assert counts() == (2, 1, 2, 2)
    assert "Welcome back" in client.get(landing(study)).text  # the second one's


def test_someone_else_is_asked_for_consent(client, study):
    begin(client, study)
    assert "I agree, begin" in client.get(landing(study, "?someone_else=1")).text


def test_someone_else_who_sends_the_form_twice_is_one_person(client, study):
    begin(client, study)
    cookies = client.cookies.copy()
    form = form_of(client.get(landing(study, "?someone_else=1")))
    for _ in range(2):
        client.cookies = cookies.copy()
        client.post(landing(study, "?someone_else=1"), form)
    assert counts() == (2, 1, 2, 2)


def test_someone_else_may_come_when_the_first_has_finished(client, study):
    answer_all(begin(client, study))
    page = client.get(landing(study))
    assert "You have answered this study" in page.text
    assert 'href="?someone_else=1"' in page.text


def test_with_a_panels_link_the_link_decides_who_it_is(client, study):
    begin(client, study, "?pid=P1")
    page = client.get(landing(study, "?pid=P1&someone_else=1"))
    assert "Welcome back" in page.text
    assert "someone_else=1" not in page.text.split("<main")[1].split("</main>")[0]
    assert "The link says who you are" in page.text


def test_a_lost_person_cookie_is_made_up_for_by_the_device(client, study):
    session = begin(client, study)
    del client.cookies[PERSON_COOKIE]
    page = client.get(landing(study))
    assert "Welcome back" in page.text
    assert client.post(landing(study), form_of(page))["Location"] == address_of(session)
    assert counts() == (1, 1, 1, 1)


def test_the_device_alone_does_not_open_a_panel_persons_session(client, study):
    begin(client, study, "?pid=P1")
    assert "I agree, begin" in client.get(landing(study)).text


def test_an_unknown_device_of_a_known_person_is_asked_for(client, study):
    begin(client, study, "?pid=P1")
    page = Client().get(landing(study, "?pid=P1"))
    assert ASKED in page.text
    assert counts() == (1, 1, 1, 1)


def test_another_device_makes_another_rater(client, study):
    first = begin(client, study, "?pid=P1&lang=de")
    other = Client()
    reply = say(other, landing(study, "?pid=P1&lang=en"), "another")
    second = Session.objects.last()
    assert reply["Location"] == address_of(second)
    assert counts() == (1, 2, 2, 2)
    # The same person agreed to the same text: consent is carried over, in its language.
    assert (second.consent_version, second.language) == (first.consent_version, "de")
    # Neither is asked again.
    assert "Welcome back" in other.get(landing(study, "?pid=P1")).text
    assert "Welcome back" in client.get(landing(study, "?pid=P1&lang=en")).text
    assert ASKED not in other.get(address_of(second)).text


def test_the_same_device_with_cleared_cookies_goes_on(client, study):
    session = begin(client, study, "?pid=P1")
    client.cookies.clear()
    reply = say(client, landing(study, "?pid=P1&lang=en"), "same")
    assert reply["Location"] == address_of(session)
    assert counts() == (1, 1, 1, 1)
    assert "Welcome back" in client.get(landing(study, "?pid=P1")).text
    assert ASKED not in client.get(address_of(session)).text


def test_the_same_device_under_somebody_elses_cookie_goes_on(client, study):
    """Cookies were cleared, and somebody else came by before the first person was back."""
    session = begin(client, study, "?pid=P1")
    client.cookies.clear()
    begin(client, study, "?pid=P2")
    assert say(client, landing(study, "?pid=P1"), "same")["Location"] == address_of(session)
    raters = Rater.objects.all()
    assert len({rater.device_id for rater in raters}) == 1
    for who in ("P1", "P2"):
        assert "Welcome back" in client.get(landing(study, f"?pid={who}")).text


def test_a_sessions_own_link_on_another_device_asks(client, study):
    session = begin(client, study)
    other = Client()
    assert ASKED in other.get(address_of(session)).text
    reply = say(other, address_of(session), "another")
    assert reply["Location"] == address_of(Session.objects.last()) != address_of(session)
    assert counts() == (1, 2, 2, 2)


def test_the_other_device_of_a_cookies_person_is_known_without_the_cookie(client, study):
    """Only the first browser has the person's cookie; the second is known as a device."""
    session = begin(client, study)
    other = Client()
    say(other, address_of(session), "another")
    assert PERSON_COOKIE not in other.cookies
    assert "Welcome back" in other.get(landing(study)).text
    assert ASKED not in client.get(address_of(session)).text


def test_a_sessions_own_link_leads_to_the_one_on_this_device(client, study):
    first = begin(client, study)
    other = Client()
    say(other, address_of(first), "another")
    assert other.get(address_of(first))["Location"] == address_of(Session.objects.last())


def test_somebody_else_with_a_sessions_link_gets_to_the_studys_page(client, study):
    session = begin(client, study)
    assert f'href="/s/{study.public_id}/"' in Client().get(address_of(session)).text


def test_an_answer_that_is_none_asks_again(client, study):
    session = begin(client, study)
    page = Client().post(address_of(session), {"device": "x" * 10_000})
    assert (page.status_code, ASKED in page.text) == (200, True)
    assert counts() == (1, 1, 1, 1)


def test_another_device_begins_nothing_in_a_study_that_is_not_open(client, study):
    session = begin(client, study)
    Study.objects.update(status="paused")
    reply = say(Client(), address_of(session), "another")
    assert (reply.status_code, "taking a break" in reply.text) == (503, True)
    assert counts() == (1, 1, 1, 1)


def test_the_end_of_a_session_can_be_read_on_any_device(client, study):
    session = begin(client, study)
    answer_all(session)
    assert ASKED not in Client().get(address_of(session)).text


def test_who_was_screened_out_does_not_begin_anew_on_another_device(client, study):
    session = begin(client, study, "?pid=P1")
    Session.objects.update(screened_out_at=timezone.now())
    assert Client().get(landing(study, "?pid=P1"))["Location"] == address_of(session)
    assert counts() == (1, 1, 1, 1)


def test_a_new_monitor_makes_a_new_rater_who_comes_back_to_their_own_session(client, study):
    first = begin(client, study)
    display_record_store(first, {"screen_width": 1920, "screen_height": 1080})
    display_record_store(first, {"screen_width": 2560, "screen_height": 1440})
    move = session_move(first, timezone.now())
    client.cookies[DEVICE_COOKIE] = move.device_token
    assert move.session.rater.device.replaces == first.rater.device
    page = client.get(landing(study))
    assert client.post(landing(study), form_of(page))["Location"] == address_of(move.session)
    assert client.get(address_of(first))["Location"] == address_of(move.session)
    assert counts() == (1, 2, 2, 2)


@pytest.mark.parametrize("token", ["1", "x" * 19, "x" * 201, "x" * 100_000])
def test_a_cookie_that_is_not_ours_is_passed_over(client, study, token):
    client.cookies[PERSON_COOKIE] = client.cookies[DEVICE_COOKIE] = token
    agree(client, study)
    assert len(client.cookies[PERSON_COOKIE].value) >= 40
    assert len(client.cookies[DEVICE_COOKIE].value) >= 40


def test_only_hashes_of_cookies_are_stored(client, study):
    session = begin(client, study)
    stored = {session.rater.person.cookie_sha256, session.rater.device.cookie_sha256}
    assert not stored & {client.cookies[name].value for name in (PERSON_COOKIE, DEVICE_COOKIE)}
    assert {len(value) for value in stored} == {64}
