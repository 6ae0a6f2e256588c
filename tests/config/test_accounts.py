"""Signing in and signing up, as a browser does it."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from collection.models import Membership, Role
from collection.services.members import member_invite
from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db

STUDIES = "/research/studies/"
PASSWORD = "a long pass phrase"
USERS = get_user_model()._default_manager


@pytest.fixture(autouse=True)
def fresh_counts():
    cache.clear()


def sign_in(client, login, password=PASSWORD, **extra):
    return client.post(reverse("login"), {"login": login, "password": password}, **extra)


def confirm(client):
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


def sign_up(client, username="carol", email="carol@example.org"):
    form = {"username": username, "email": email, "password1": PASSWORD, "password2": PASSWORD}
    return client.post(reverse("account_signup"), form)


@pytest.mark.parametrize("login", ["bob", "BOB", "bob@example.org"])
def test_by_name_or_by_address(client, login):
    make_researcher("bob", password=PASSWORD, email="bob@example.org")
    assert sign_in(client, login).headers["Location"] == STUDIES
    assert client.get(STUDIES).status_code == 200


def test_the_second_factor_is_asked_for_and_a_recovery_code_works_once(client):
    bob = make_researcher("bob", password=PASSWORD)
    secret = generate_totp_secret()
    TOTP.activate(bob, secret)
    code = RecoveryCodes.activate(bob).get_unused_codes()[0]
    second = reverse("mfa_authenticate")
    assert sign_in(client, "bob").headers["Location"].startswith(second)
    assert client.get(STUDIES).status_code == 302
    assert client.post(second, {"code": "000000"}).status_code == 200
    counter = next(iter(yield_hotp_counters_from_time()))
    assert client.post(second, {"code": f"{hotp_value(secret, counter):06}"}).headers["Location"] == STUDIES
    assert client.get(STUDIES).status_code == 200

    for expected in (302, 200):
        other = Client()
        sign_in(other, "bob")
        assert other.post(second, {"code": code}).status_code == expected


def test_guessing_ends_for_that_account_from_that_place_only(client):
    make_researcher("bob", password=PASSWORD)
    make_researcher("carol", password=PASSWORD)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        page = sign_in(client, "bob", "wrong")
    assert page.status_code == 429
    assert "Wait a little" in page.text
    assert sign_in(client, "bob").status_code == 429, "the right password no more"
    assert sign_in(client, "carol").status_code == 302, "a colleague in the same office"
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert sign_in(Client(), "bob", **elsewhere).status_code == 302, "bob himself, from home"


def test_guesses_by_name_and_by_address_count_together(client):
    make_researcher("bob", password=PASSWORD, email="bob@example.org")
    for login in ("bob", "BOB@example.org", "Bob"):
        sign_in(client, login, "wrong")
    assert AccessAttempt.objects.get(username="bob").failures_since_start == 3


def test_behind_a_proxy_it_is_the_client_who_is_held_up(client, settings):
    settings.BEHIND_PROXY = True
    make_researcher("bob", password=PASSWORD)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, "bob", "wrong", headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.1"})
    assert sign_in(client, "bob", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 429
    assert sign_in(client, "bob", headers={"X-Forwarded-For": "192.0.2.2"}).status_code == 302


@pytest.mark.parametrize(("policy", "has_users", "is_open"), [
    ("open", True, True), ("invited", True, False), ("invited", False, True), ("closed", False, False),
])  # fmt: skip
def test_who_may_make_an_account(client, settings, policy, has_users, is_open):
    settings.SIGN_UP = policy
    if has_users:
        make_researcher("bob")
    sign_up(client)
    assert USERS.filter(username="carol").exists() == is_open
    carol = USERS.filter(username="carol").first()
    assert not (carol and (carol.is_staff or carol.is_superuser))


@pytest.mark.parametrize("username", ["participant", "Worker", "bob@example.org"])
def test_names_that_would_pass_for_somebody_else_are_refused(client, username):
    assert sign_up(client, username=username).status_code == 200
    assert not USERS.exists()


@pytest.mark.parametrize("username", ["bob@example.org", "bob smith", "a/b"])
def test_what_a_user_name_may_hold_is_said_once(client, username):
    errors = sign_up(client, username=username).context["form"].errors
    assert errors == {"username": ["A user name has only letters, digits and the characters . + - _"]}


def test_letters_of_any_script_make_a_user_name(client):
    assert sign_up(client, username="zoë.김+2_a-b").status_code == 302


def test_an_invitation_makes_one_account_and_a_member(client):
    make_researcher("bob")
    study = make_study()
    _, code = member_invite(study, "carol@example.org", Role.EDITOR)
    page = client.get(reverse("member-join", args=[code]))
    assert study.name in page.text
    assert reverse("account_signup") in page.text
    sign_up(client)
    member = Membership.objects.get(study=study)
    assert (member.user.get_username(), member.role) == ("carol", "editor")
    entry = study.audit_entries.get(action="member.join")
    assert (entry.actor_name, entry.details["invited"]) == ("carol", "carol@example.org")
    assert client.get(reverse("member-join", args=[code])).headers["Location"] == study.get_absolute_url()
    sign_up(Client(), username="dave", email="dave@example.org")
    assert not USERS.filter(username="dave").exists()


def test_a_forgotten_password_is_set_again_by_a_link_that_works_once(client):
    make_researcher("bob", password=PASSWORD, email="bob@example.org")
    client.post(reverse("account_reset_password"), {"email": "bob@example.org"})
    (message,) = mail.outbox
    link = re.search(r"http://testserver(\S+)", message.body)[1]
    form = client.get(link, follow=True)
    address = form.redirect_chain[-1][0]
    other = "another pass phrase"
    assert client.post(address, {"password1": other, "password2": other}).status_code == 302
    assert sign_in(client, "bob", other).headers["Location"] == STUDIES
    assert "This link is over" in Client().get(link, follow=True).text


def test_the_address_is_told_from_one_that_nobody_has_by_no_page(client):
    make_researcher("bob", password=PASSWORD, email="bob@example.org")
    known, unknown = (
        client.post(reverse("account_reset_password"), {"email": f"{name}@example.org"})
        for name in ("bob", "eve")
    )
    assert (known.status_code, known.headers["Location"]) == (
        unknown.status_code,
        unknown.headers["Location"],
    )


def test_a_mail_server_that_is_away_loses_nobody_the_page(client, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    make_researcher("bob", password=PASSWORD, email="bob@example.org")
    page = client.post(reverse("account_reset_password"), {"email": "bob@example.org"}, follow=True)
    assert "could not send its mail" in page.text


def test_a_new_address_counts_once_its_link_is_opened(client):
    bob = make_researcher("bob", password=PASSWORD, email="bob@example.org")
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    sign_in(client, "bob")
    confirm(client)
    client.post(reverse("account_email"), {"email": "robert@example.org", "action_add": ""})
    bob.refresh_from_db()
    assert bob.email == "bob@example.org"
    body = next(m.body for m in mail.outbox if m.to == ["robert@example.org"])
    client.post(re.search(r"http://testserver(\S+)", body)[1])
    bob.refresh_from_db()
    assert bob.email == "robert@example.org"


def test_what_changes_who_can_sign_in_asks_for_the_password_once_more(client):
    make_researcher("bob", password=PASSWORD)
    sign_in(client, "bob")
    for name in ("account_email", "mfa_activate_totp"):
        reply = client.post(reverse(name), {"email": "eve@example.org", "action_add": ""})
        assert reply.headers["Location"].startswith(reverse("account_reauthenticate")), name


def test_the_admin_is_entered_by_the_same_door(client):
    assert client.get(reverse("admin:index"), follow=True).redirect_chain[-1][0].startswith(reverse("login"))
    client.force_login(make_researcher("bob", is_superuser=False))
    assert client.get(reverse("admin:index"), follow=True).status_code == 403


def test_the_pages_bring_no_script_no_style_and_no_other_host(client):
    bob = make_researcher("bob", password=PASSWORD)
    pages = [client.get(reverse(name)).text for name in ("login", "account_reset_password")]
    sign_in(client, "bob")
    confirm(client)
    names = ("account_email", "account_change_password", "mfa_index", "mfa_activate_totp")
    pages += [client.get(reverse(name), follow=True).text for name in names]
    TOTP.activate(bob, generate_totp_secret())
    RecoveryCodes.activate(bob)
    pages.append(client.get(reverse("mfa_view_recovery_codes")).text)
    for page in pages:
        assert "<script" not in page
        assert not re.search(r"<style|\sstyle=|\son\w+=", page)
        assert not re.search(r"(src|href|action)=\"(https?:)?//", page)
        assert "researcher.css" in page


def test_support_takes_a_lost_factor_away_and_sees_no_secret(admin_client):
    bob = make_researcher("bob")
    secret = generate_totp_secret()
    factor = TOTP.activate(bob, secret).instance
    address = reverse("admin:mfa_authenticator_change", args=[factor.pk])
    assert secret not in admin_client.get(address).text
    admin_client.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"})
    assert not bob.authenticator_set.exists()
