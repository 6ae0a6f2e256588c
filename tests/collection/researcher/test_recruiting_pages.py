import csv
import io

import pytest
from django.urls import reverse

from collection.models import AuditEntry, Invitation, Membership, Role, Study
from collection.services.recruiting import invitations_create
from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    study = make_study(n_scenes=1)
    user = make_researcher("ed", is_superuser=False)
    Membership.objects.create(study=study, user=user, role=Role.EDITOR)
    return study


@pytest.fixture
def ed(client, study):
    client.force_login(study.memberships.get().user)
    return client


def at(study, name="study-recruiting", *more):
    return reverse(f"researcher:{name}", args=[study.slug, *more])


def fields(page, **typed):
    """What a browser would post of the page's first form."""
    form = page.context["form"]
    data = {name: form[name].value() or "" for name in form.fields}
    return data | {"begun_from": page.context["begun_from"]} | typed


def test_every_setting_is_saved_and_stands_in_the_trail(ed, study):
    typed = {
        "access": "panel", "panel": "prolific", "completion_code": "C1", "screened_out_code": "S1",
        "no_consent_code": "N1", "closed_code": "O1", "completion_url": "https://panel.example/done?id={pid}",
        "screened_out_url": "https://panel.example/s", "no_consent_url": "https://panel.example/n",
        "closed_url": "https://panel.example/c",
    }  # fmt: skip
    page = ed.post(at(study), fields(ed.get(at(study)), **typed), follow=True)
    study.refresh_from_db()
    assert study.recruiting == typed
    assert AuditEntry.objects.filter(action="study.recruiting", study=study).count() == 1
    link = f"http://testserver/s/{study.public_id}/?PROLIFIC_PID={{{{%PROLIFIC_PID%}}}}&amp;STUDY_ID="
    assert link in page.content.decode()


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_lost(ed, study):
    typed = {
        "access": "panel",
        "panel": "",
        "closed_url": "http://panel.example",
        "completion_code": "x" * 61,
    }
    page = ed.post(at(study), fields(ed.get(at(study)), **typed))
    assert page.status_code == 422
    assert set(page.context["form"].errors) == {"panel", "closed_url", "completion_code"}
    text = page.content.decode()
    assert "it must be named for access by panel" in text
    assert "http://panel.example" in text
    study.refresh_from_db()
    assert study.recruiting == {}


def test_the_second_of_two_is_told_and_loses_nothing(ed, study):
    mine = fields(ed.get(at(study)), completion_code="MINE")
    ed.post(at(study), fields(ed.get(at(study)), completion_code="THEIRS"))
    told = ed.post(at(study), mine)
    assert told.status_code == 409
    assert "THEIRS" in told.content.decode()
    assert Study.objects.get(pk=study.pk).recruiting["completion_code"] == "THEIRS"
    assert ed.post(at(study), fields(told)).status_code == 302
    assert Study.objects.get(pk=study.pk).recruiting["completion_code"] == "MINE"


def test_links_are_made_by_number_or_one_for_each_line(ed, study):
    ed.post(at(study, "invitations-make"), {"count": "2", "labels": ""})
    page = ed.post(at(study, "invitations-make"), {"labels": " Alice\r\n\r\n=Åse\r\n"}, follow=True)
    assert list(Invitation.objects.values_list("label", flat=True)) == ["", "", "Alice", "=Åse"]
    assert list(AuditEntry.objects.filter(action="invitation.create").values_list("details", flat=True)) == [
        {"n": 2},
        {"n": 2},
    ]
    for invitation in Invitation.objects.all():
        assert f"http://testserver/s/{study.public_id}/?invite={invitation.code}" in page.content.decode()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"count": "", "labels": " \n"}, "one of the two"),
        ({"count": "1", "labels": "Alice"}, "one of the two"),
        ({"count": "0"}, "greater than or equal to 1"),
        ({"count": "1001"}, "less than or equal to 1000"),
        ({"labels": "x\n" * 1001}, "1,000 links at once"),
        ({"labels": "x" * 201}, "at most 200 characters"),
        ({"labels": "a\0b"}, "Null characters"),
    ],
)
def test_links_that_cannot_be_made_are_not(ed, study, typed, says):
    page = ed.post(at(study, "invitations-make"), typed)
    assert page.status_code == 422
    assert says in page.content.decode()
    assert not Invitation.objects.exists()


def test_a_link_is_taken_back_once(ed, study):
    invitation, _ = invitations_create(study, ["Alice", "Bob"])
    for _ in range(2):
        page = ed.post(at(study, "invitation-revoke", invitation.pk), follow=True)
    assert invitation.code not in page.content.decode()
    assert Invitation.objects.get(revoked_at=None).label == "Bob"
    (entry,) = AuditEntry.objects.filter(action="invitation.revoke")
    assert "Alice" not in entry.what
    (elsewhere,) = invitations_create(make_study(n_scenes=1), ["Cyd"])
    assert ed.post(at(study, "invitation-revoke", elsewhere.pk)).status_code == 404


def test_links_come_as_csv_without_formulas(ed, study):
    invitations_create(study, ["=cmd()", "Bob"])
    reply = ed.get(at(study, "links-download"))
    header, first, second = csv.reader(io.StringIO(reply.content.decode("utf-8-sig"), newline=""))
    assert header == ["label", "link", "made", "begun", "taken_back"]
    assert (first[0], second[0], second[3]) == ("'=cmd()", "Bob", "no")
    assert second[1].endswith(Invitation.objects.get(label="Bob").code)
    assert AuditEntry.objects.filter(action="invitation.download").count() == 1


def test_a_draft_says_that_nobody_can_come_by_links_that_are_not_there(ed, study):
    Study.objects.filter(pk=study.pk).update(status="draft", recruiting={"access": "invited"})
    page = ed.get(reverse("researcher:study-detail", args=[study.slug]))
    assert not page.context["steps"][-1].is_done
    assert at(study) in page.content.decode()
    invitations_create(study, [""])
    page = ed.get(reverse("researcher:study-detail", args=[study.slug]))
    assert page.context["steps"][-1].is_done
    assert at(study) in ed.get(at(study, "study-protocol")).content.decode()


def test_the_page_takes_the_same_few_queries_however_many_links(ed, study, django_assert_max_num_queries):
    invitations_create(study, [""] * 40)
    with django_assert_max_num_queries(9):
        ed.get(at(study))
