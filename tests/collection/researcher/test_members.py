"""Members of a study, invitations, and the trail, on their pages."""

import csv
import datetime as dt
import io
import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from collection.models import AuditEntry, MemberInvitation, Membership, Role
from collection.researcher.audit import hashes_short
from collection.selectors.members import code_sha256
from collection.services.audit import audit_record
from collection.services.members import MemberError, member_invite, member_join, member_remove, member_set
from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return make_study(n_scenes=0, name="Autumn")


@pytest.fixture
def alice(client, study):
    """The owner, signed in."""
    user = make_researcher("alice", is_superuser=False, email="alice@example.org")
    member_set(study, user, Role.OWNER)
    client.force_login(user)
    return client


def make_member(study, role, name="bob"):
    user = make_researcher(name, is_superuser=False)
    return member_set(study, user, role)


def invite(client, study, email="carol@example.org", role="viewer"):
    """The page after it."""
    address = reverse("researcher:member-invite", args=[study.slug])
    return client.post(address, {"email": email, "role": role}, follow=True)


def test_an_invitation_is_sent_and_its_link_shown_once(alice, study):
    page = invite(alice, study).text
    link = re.search(r'value="(http://testserver/accounts/invited/[\w-]+/)"', page)[1]
    (message,) = mail.outbox
    assert message.to == ["carol@example.org"]
    assert 'alice invites you to work on the study "Autumn" as viewer' in message.body
    assert link in message.body
    assert link not in alice.get(reverse("researcher:study-members", args=[study.slug])).text
    invitation = MemberInvitation.objects.get()
    code = link.split("/")[-2]
    assert invitation.code_sha256 == code_sha256(code)
    assert code not in str(MemberInvitation.objects.values())


def test_one_joins_by_it_in_its_role_and_nobody_after(alice, study):
    _, code = member_invite(study, "carol@example.org", Role.VIEWER)
    address = reverse("member-join", args=[code])
    carol, dave = Client(), Client()
    carol.force_login(make_researcher("carol", is_superuser=False))
    dave.force_login(make_researcher("dave", is_superuser=False))
    assert carol.get(address).status_code == 200
    assert carol.post(address).headers["Location"] == study.get_absolute_url()
    assert Membership.objects.get(user__username="carol").role == "viewer"
    for reply in (dave.get(address), dave.post(address), Client().get(address)):
        assert reply.status_code == 410
        assert study.name not in reply.text
    assert not Membership.objects.filter(user__username="dave").exists()


@pytest.mark.parametrize("over", ["expired", "revoked", "unknown", "replaced"])
def test_an_invitation_that_is_over_lets_nobody_in(alice, study, over):
    invitation, code = member_invite(study, "carol@example.org", Role.OWNER)
    if over == "expired":
        invitation.expires_at = timezone.now() - dt.timedelta(seconds=1)
        invitation.save()
    elif over == "revoked":
        alice.post(reverse("researcher:member-uninvite", args=[study.slug, invitation.pk]))
    elif over == "replaced":
        member_invite(study, "Carol@example.org", Role.VIEWER)
    else:
        code = code[::-1]
    carol = Client()
    carol.force_login(make_researcher("carol", is_superuser=False))
    assert carol.post(reverse("member-join", args=[code])).status_code == 410
    assert Membership.objects.count() == 1


def test_of_two_who_come_with_one_link_at_once_one_is_told(study):
    invitation, _ = member_invite(study, "carol@example.org", Role.VIEWER)
    member_join(invitation, make_researcher("carol"))
    with pytest.raises(MemberError, match="used or taken back"):
        member_join(invitation, make_researcher("dave"))


def test_an_invitation_takes_no_role_away(study):
    bob = make_member(study, Role.EDITOR).user
    invitation, _ = member_invite(study, "carol@example.org", Role.VIEWER)
    with pytest.raises(MemberError, match="You are editor of Autumn already"):
        member_join(invitation, bob)
    assert MemberInvitation.objects.get().accepted_at is None


@pytest.mark.parametrize(
    "email", ["", "carol", "a@b@c", "x" * 300 + "@example.org", "carol@example.org\nBcc: e@e.org"]
)
def test_what_is_no_address_is_said_on_the_form(alice, study, email):
    page = invite(alice, study, email=email)
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text
    assert not mail.outbox
    assert not MemberInvitation.objects.exists()


def test_a_name_with_line_ends_breaks_no_mail(alice, study):
    study.name = "Autumn\r\nBcc: eve@example.org"
    study.save()
    invite(alice, study)
    assert mail.outbox[0].subject == "Autumn Bcc: eve@example.org: an invitation on Tonalist"


def test_without_mail_the_page_gives_the_link_and_says_so(alice, study, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    page = invite(alice, study).text
    assert "could not be sent" in page
    assert "/accounts/invited/" in page


def test_roles_change_and_members_go(alice, study):
    bob = make_member(study, Role.VIEWER)
    alice.post(reverse("researcher:member-role", args=[study.slug, bob.pk]), {"role": "editor"})
    bob.refresh_from_db()
    assert bob.role == "editor"
    alice.post(reverse("researcher:member-remove", args=[study.slug, bob.pk]))
    assert not Membership.objects.filter(pk=bob.pk).exists()
    trail = list(study.audit_entries.filter(actor_name="alice").values_list("action", "what"))
    assert trail == [("member.remove", "bob"), ("member.role", "bob")]


def test_the_last_owner_stays(alice, study):
    owner = Membership.objects.get(study=study)
    page = alice.post(reverse("researcher:member-remove", args=[study.slug, owner.pk]), follow=True)
    assert "a study keeps one owner" in page.text
    with pytest.raises(MemberError, match="keeps one owner"):
        member_set(study, owner.user, Role.VIEWER)
    gone = make_member(study, Role.OWNER, "gone").user
    gone.is_active = False
    gone.save()
    with pytest.raises(MemberError):
        member_remove(study, owner.user)
    make_member(study, Role.OWNER, "dora")
    member_remove(study, owner.user)


def test_everybody_may_leave(study):
    make_member(study, Role.OWNER, "dora")
    bob = make_member(study, Role.VIEWER)
    client = Client()
    client.force_login(bob.user)
    left = client.post(reverse("researcher:member-remove", args=[study.slug, bob.pk]))
    assert left.headers["Location"] == reverse("researcher:study-list")
    assert client.get(study.get_absolute_url()).status_code == 404


def test_a_member_of_another_study_is_out_of_reach(alice):
    other = make_member(make_study(n_scenes=0), Role.VIEWER)
    mine = Membership.objects.get(user__username="alice").study
    for name in ("member-role", "member-remove"):
        assert alice.post(reverse(f"researcher:{name}", args=[mine.slug, other.pk])).status_code == 404
    assert Membership.objects.filter(pk=other.pk).exists()


def test_a_viewer_sees_who_is_there_and_can_change_nothing(study):
    make_member(study, Role.OWNER, "dora")
    client = Client()
    client.force_login(make_member(study, Role.VIEWER).user)
    page = client.get(reverse("researcher:study-members", args=[study.slug])).text
    assert "dora" in page
    assert "Invite somebody" not in page
    assert page.count("<button") == 2, "sign out, and leave the study"


def test_the_trail_is_filtered_and_downloaded_without_formulas(alice, study):
    audit_record("study.open", study)
    audit_record("rater.erase", study, what='=HYPERLINK("x")', note="+1")
    audit_record("study.open", make_study(n_scenes=0), what="of others")
    address = reverse("researcher:study-audit", args=[study.slug])
    page = alice.get(address).text
    assert "study.open" in page
    assert "note +1" in page
    assert "of others" not in page
    only = alice.get(address, {"action": "rater.erase"}).text
    assert '<td class="nowrap">study.open' not in only
    reply = alice.get(reverse("researcher:audit-download", args=[study.slug]))
    rows = list(csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"))))
    assert [row["action"] for row in rows] == ["rater.erase", "study.open", "member.add"]
    assert rows[0]["what"] == '\'=HYPERLINK("x")'


def test_the_trail_comes_in_pages_of_few_queries(alice, study, django_assert_max_num_queries):
    AuditEntry.objects.bulk_create(
        AuditEntry(actor_name="worker", study=study, study_slug=study.slug, action="study.render")
        for _ in range(120)
    )
    with django_assert_max_num_queries(10):
        page = alice.get(reverse("researcher:study-audit", args=[study.slug])).text
    assert page.count("study.render</td>") == 50
    assert "1 to 50 of 121" in page


def test_hashes_in_the_trail_are_short():
    assert hashes_short(f"sha256 {'0a' * 32}, role viewer") == "sha256 0a0a0a0a0a0a…, role viewer"
