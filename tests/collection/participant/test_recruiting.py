"""Panels, invitations, and what people take away."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from collection.models import Invitation, Person, Session, Study
from collection.services.recruiting import invitation_revoke, invitations_create
from tests.collection.factories import answer_all, make_study
from tests.collection.participant.visits import SMALL, address_of, begin, form_of, landing

pytestmark = pytest.mark.django_db
PROLIFIC = "?PROLIFIC_PID=5f1a&STUDY_ID=study1&SESSION_ID=visit1"
MTURK = "?workerId=W1&assignmentId=A1&hitId=H1&turkSubmitTo=https%3A%2F%2Fworkersandbox.mturk.com"
PREVIEW = "?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=H1"
IN_FRAME = {"Sec-Fetch-Dest": "iframe"}


@pytest.fixture
def recruit():
    """`recruit(panel="prolific", …)` makes an open study that recruits so."""

    def make(**recruiting):
        study = make_study(**SMALL)
        Study.objects.filter(pk=study.pk).update(recruiting=recruiting)
        return study

    return make


def declined(study, query=""):
    return reverse("participant:study-declined", args=[study.slug]) + query


def test_prolifics_words_are_kept_with_the_session(client, recruit):
    session = begin(client, recruit(panel="prolific", access="panel"), PROLIFIC)
    assert (session.rater.person.panel, session.rater.person.panel_id) == ("prolific", "5f1a")
    assert session.recruitment == {"study": "study1", "submission": "visit1"}


def test_a_panels_study_refuses_a_link_without_an_id(client, recruit):
    study = recruit(panel="prolific", access="panel")
    for query in ("", "?pid=P1", "?STUDY_ID=study1", "?PROLIFIC_PID="):
        page = client.get(landing(study, query))
        assert (page.status_code, "Your ID is missing from the link" in page.text) == (403, True)
        assert client.post(landing(study, query), {"consent_version": "any"}).status_code == 403
    assert not Person.objects.exists()


def test_an_open_study_with_a_panel_takes_others_too(client, recruit):
    assert begin(client, recruit(panel="prolific")).rater.person.panel_id == ""


def test_an_id_that_cannot_be_one_makes_the_link_wrong(client, recruit):
    study = recruit(panel="prolific")
    for value in ("x" * 201, "a%00b", "{{%25PROLIFIC_PID%25}}", "P1&PROLIFIC_PID=P2"):
        page = client.get(landing(study, f"?PROLIFIC_PID={value}"))
        assert (page.status_code, "This link is not right" in page.text) == (400, True)


def test_who_does_not_agree_gets_the_code_for_it(client, recruit):
    study = recruit(panel="prolific", access="panel", no_consent_code="NO1")
    assert (
        'href="declined/?PROLIFIC_PID=5f1a&amp;STUDY_ID=study1' in client.get(landing(study, PROLIFIC)).text
    )
    page = client.get(declined(study, PROLIFIC))
    assert '<span class="code">NO1</span>' in page.text
    assert 'href="https://app.prolific.com/submissions/complete?cc=NO1"' in page.text
    assert not Person.objects.exists()


def test_where_to_go_without_agreeing_may_hold_the_id(client, recruit):
    study = recruit(panel="pid", no_consent_url="https://panel.example/out?who={pid}")
    assert 'href="https://panel.example/out?who=a%26b"' in client.get(declined(study, "?pid=a%26b")).text
    assert 'href="https://panel.example/out?who="' in client.get(declined(study, "?pid=a&pid=b")).text


def test_simulated_raters_come_by_plain_links_to_any_study(client, recruit):
    study = recruit(panel="prolific", access="panel")
    Study.objects.update(is_simulated=True)
    Person.objects.create(panel="pid", panel_id="robot", is_simulated=True)
    assert begin(client, study, "?pid=robot").rater.person.is_simulated


def test_a_visit_that_comes_again_is_kept_anew(client, recruit):
    """An assignment is returned and taken up again: the later one is what is handed in."""
    study = recruit(panel="mturk", access="panel")
    session = begin(client, study, MTURK)
    again = landing(study, MTURK.replace("A1", "A2"))
    assert client.get(again).status_code == 200
    session.refresh_from_db()
    assert session.recruitment["assignment"] == "A1"
    client.post(again, form_of(client.get(again)))
    session.refresh_from_db()
    assert session.recruitment["assignment"] == "A2"


def test_a_preview_shows_the_page_and_begins_nothing(client, recruit):
    study = recruit(panel="mturk", access="panel")
    page = client.get(landing(study, PREVIEW), headers=IN_FRAME)
    assert "Which one do you like better?" in page.text
    assert "Accept the task first" in page.text
    assert "<form" not in page.text
    form = form_of(Client().get(landing(study, MTURK)))
    assert client.post(landing(study, PREVIEW), form).status_code == 200
    assert not Session.objects.exists()


def test_a_task_opens_in_a_window_of_its_own(client, recruit):
    study = recruit(panel="mturk", access="panel")
    page = client.get(landing(study, MTURK), headers=IN_FRAME)
    assert f'href="{landing(study, MTURK).replace("&", "&amp;")}" target="_blank" rel="noopener"' in page.text
    assert "<form" not in page.text
    assert "I agree, begin" in client.get(landing(study, MTURK)).text


def test_only_mturk_may_frame_and_only_its_own_studies(client, recruit):
    study, other = recruit(panel="mturk"), recruit(panel="prolific")
    framed = client.get(landing(study, MTURK), headers=IN_FRAME)
    assert "frame-ancestors https://*.mturk.com" in framed.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in framed.headers
    for page in (
        client.get(landing(study, MTURK)),
        client.get(landing(other, PROLIFIC), headers=IN_FRAME),
        client.get(address_of(begin(client, study, MTURK)), headers=IN_FRAME),
    ):
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Frame-Options"] == "DENY"


def test_only_an_mturk_session_may_send_a_form_to_mturk(client, recruit):
    mturk = begin(client, recruit(panel="mturk"), MTURK)
    prolific = begin(client, recruit(panel="prolific"), PROLIFIC)
    policies = [client.get(address_of(each)).headers["Content-Security-Policy"] for each in (mturk, prolific)]
    assert ["form-action 'self' https://*.mturk.com;" in policy for policy in policies] == [True, False]
    assert "form-action 'self';" in policies[1]


def test_an_invitation_is_a_person(client, recruit):
    study = recruit(access="invited")
    alice, bob = invitations_create(study, ["Alice", "Bob"])
    first = begin(client, study, f"?invite={alice.code}")
    assert (first.rater.person.panel, first.rater.person.panel_id) == ("invitation", alice.code)
    assert begin(client, study, f"?invite={bob.code}").rater.person != first.rater.person
    assert "Welcome back" in client.get(landing(study, f"?invite={alice.code}")).text


def test_an_invitation_opens_any_study_that_it_is_for(client, recruit):
    for recruiting in ({}, {"access": "panel", "panel": "prolific"}, {"panel": "mturk"}):
        study = recruit(**recruiting)
        (invitation,) = invitations_create(study, [""])
        assert begin(client, study, f"?invite={invitation.code}").rater.person.panel == "invitation"


def test_a_study_by_invitation_refuses_everybody_else(client, recruit):
    study = recruit(access="invited")
    (elsewhere,) = invitations_create(recruit(), [""])
    for query, status, words in (
        ("", 403, "This study is by invitation"),
        ("?pid=P1", 403, "This study is by invitation"),
        ("?invite=guessed", 404, "This invitation is not known"),
        (f"?invite={elsewhere.code}", 404, "This invitation is not known"),
    ):
        page = client.get(landing(study, query))
        assert (page.status_code, words in page.text) == (status, True)
        assert client.post(landing(study, query), {"consent_version": "any"}).status_code == status
    assert not Person.objects.exists()


def test_an_invitation_that_was_taken_back_says_so(client, recruit):
    study = recruit()
    (invitation,) = invitations_create(study, ["Alice"])
    session = begin(client, study, f"?invite={invitation.code}")
    invitation_revoke(invitation, timezone.now())
    page = client.get(landing(study, f"?invite={invitation.code}"))
    assert (page.status_code, "has been taken back" in page.text) == (410, True)
    assert Session.objects.get() == session


def test_codes_of_invitations_cannot_be_guessed(recruit):
    codes = {each.code for each in invitations_create(recruit(), [""] * 100)}
    assert len(codes) == 100
    assert {len(code) for code in codes} == {32}
    assert Invitation.objects.count() == 100


def test_asking_for_the_head_alone_changes_nothing(client, recruit):
    study = recruit(panel="mturk")
    session = begin(client, study, MTURK)
    answer_all(session)
    for address in (landing(study), declined(study), address_of(session), address_of(session) + "withdraw/"):
        reply = client.head(address)
        assert (reply.status_code, reply.content) == (200, b"")
    assert Session.objects.count() == 1
