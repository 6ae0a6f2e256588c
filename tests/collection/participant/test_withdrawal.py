"""The page that takes everything back, and what the old links say afterwards."""

import pytest
from django.test import Client
from django.urls import reverse

from collection.cookies import DEVICE_COOKIE, PERSON_COOKIE
from collection.models import Person, Rater, Session
from tests.collection.factories import answer_all, make_study
from tests.collection.participant.visits import SMALL, address_of, begin, form_of, landing

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return make_study(**SMALL)


def withdrawal(session):
    return reverse("participant:session-withdraw", args=[session.token])


def withdraw(client, session):
    return client.post(withdrawal(session), form_of(client.get(withdrawal(session))))


def test_the_page_says_what_will_be_gone_and_changes_nothing(client, study):
    session = begin(client, study)
    answer_all(session)
    page = client.get(withdrawal(session))
    assert "Take back everything you gave?" in page.text
    assert "your answers: 5 on this device" in page.text
    assert "cannot be undone" in page.text
    assert Session.objects.get() == session


def test_the_session_page_knows_the_way(client, study):
    session = begin(client, study)
    page = client.get(address_of(session))
    assert page.context["withdraw_address"] == withdrawal(session)
    assert withdrawal(session) in client.get(landing(study)).text


def test_withdrawing_confirms_and_forgets(client, study):
    reply = withdraw(client, begin(client, study))
    assert (reply.status_code, "Your answers are deleted" in reply.text) == (200, True)
    assert not Session.objects.exists()
    assert [reply.cookies[name].value for name in (PERSON_COOKIE, DEVICE_COOKIE)] == ["", ""]


def test_old_links_say_what_happened(client, study):
    session = begin(client, study)
    withdraw(client, session)
    for address in (address_of(session), withdrawal(session)):
        page = client.get(address)
        assert (page.status_code, "What belonged to it was withdrawn" in page.text) == (404, True)


def test_sending_it_again_changes_nothing(client, study):
    session = begin(client, study)
    form = form_of(client.get(withdrawal(session)))
    client.post(withdrawal(session), form)
    assert client.post(withdrawal(session), form).status_code == 404
    assert Rater.objects.get().withdrawn_at is not None


def test_a_form_without_its_csrf_token_deletes_nothing(study):
    client = Client(enforce_csrf_checks=True)
    form = form_of(client.get(landing(study)))
    client.post(landing(study), form)
    session = Session.objects.get()
    assert client.post(withdrawal(session)).status_code == 403
    assert Session.objects.get() == session


def test_any_device_can_withdraw(client, study):
    session = begin(client, study)
    assert withdraw(Client(), session).status_code == 200
    assert not Session.objects.exists()


def test_who_withdrew_may_come_as_a_new_person(client, study):
    withdraw(client, begin(client, study))
    begin(client, study)
    assert Person.objects.count() == 2


def test_who_is_still_known_from_another_study_does_not_answer_again(client, study):
    begin(client, make_study(**SMALL), "?pid=P1")
    withdraw(client, begin(client, study, "?pid=P1"))
    page = client.get(landing(study, "?pid=P1"))
    assert (page.status_code, "You have withdrawn from this study" in page.text) == (410, True)
    assert client.post(landing(study, "?pid=P1"), {"consent_version": "any"}).status_code == 410
    assert not Session.objects.filter(study=study).exists()
