"""Who asks: tokens and sessions, what they may, how often."""

import datetime as dt

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from collection.api.v1 import identity
from collection.models import ApiToken, AuditEntry, Membership, Role
from collection.services.tokens import TokenError, token_create, token_revoke
from collection.throttling import Limit
from tests.collection.api.v1.visits import Program
from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db


def test_a_token_is_kept_as_its_hash_alone(client):
    program = Program(client)
    assert program.get("me/").json()["token"]["prefix"] == program.secret[:12]
    stored = ApiToken.objects.values().get()
    assert program.secret not in str(stored)
    assert len(stored["sha256"]) == 64


def test_a_token_does_no_more_than_its_scopes(client):
    study = make_study()
    reader = Program(client, scopes=["read"])
    assert reader.get(f"studies/{study.slug}/").status_code == 200
    reply = reader.post(f"studies/{study.slug}/close/")
    assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed")
    assert "no scope write" in reply.json()["detail"]


def test_a_token_does_no_more_than_its_owner(client):
    study, hidden = make_study(), make_study()
    viewer = make_researcher("vera", is_superuser=False)
    Membership.objects.create(study=study, user=viewer, role=Role.VIEWER)
    program = Program(client, viewer)
    assert [row["slug"] for row in program.get("studies/").json()["results"]] == [study.slug]
    assert program.post(f"studies/{study.slug}/pause/").status_code == 403
    assert program.get(f"studies/{hidden.slug}/").status_code == 404


@pytest.mark.parametrize("end", ["revoked", "expired", "account", "unknown"])
def test_a_token_that_works_no_longer_says_why(client, end):
    program = Program(client)
    if end == "revoked":
        token_revoke(program.token)
    elif end == "expired":
        ApiToken.objects.update(expires_at=timezone.now() - dt.timedelta(days=1))
    elif end == "account":
        program.user.is_active = False
        program.user.save()
    else:
        program.secret += "x"
    reply = program.get("me/")
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert reply.headers["Content-Type"] == "application/problem+json"
    words = {"revoked": "revoked", "expired": "expired", "account": "not active", "unknown": "no such token"}
    assert words[end] in reply.json()["detail"]


def test_the_trail_names_the_user_and_the_token(client):
    study = make_study(status="open")
    program = Program(client)
    assert program.post(f"studies/{study.slug}/pause/").status_code == 200
    entry = AuditEntry.objects.get(action="study.pause")
    assert entry.actor == program.user
    assert entry.actor_name == f"alice (token {program.secret[:12]})"


def test_a_session_needs_its_csrf_token():
    make_study(slug="ours", status="open")
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_researcher())
    assert client.get("/api/v1/studies/").status_code == 200
    reply = client.post("/api/v1/studies/ours/pause/", "", content_type="application/json")
    assert (reply.status_code, reply.headers["Content-Type"]) == (403, "application/problem+json")


def test_who_asks_too_often_is_told_to_wait(client, monkeypatch):
    cache.clear()
    monkeypatch.setattr(identity, "CALLS", Limit(name="few", requests=2, seconds=60))
    program = Program(client)
    replies = [program.get("me/") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert 1 <= int(replies[2].headers["Retry-After"]) == replies[2].json()["retry_after"] <= 60


@pytest.mark.parametrize(
    ("name", "scopes", "days"), [(" ", ["read"], 1), ("x", [], 1), ("x", ["fly"], 1), ("x", ["read"], -1)]
)
def test_tokens_that_cannot_be(name, scopes, days):
    with pytest.raises(TokenError):
        token_create(make_researcher(), name, scopes, expires_at=timezone.now() + dt.timedelta(days=days))


def test_the_page_shows_a_token_once_and_revokes_it(client):
    user = make_researcher()
    client.force_login(user)
    made = client.post("/research/tokens/", {"name": "nightly", "scopes": ["read", "export"], "days": "30"})
    assert made.status_code == 201
    secret = made.context["secret"]
    assert secret in made.content.decode()
    token = ApiToken.objects.get(user=user)
    assert secret not in client.get("/research/tokens/").content.decode()
    assert 29 <= (token.expires_at - timezone.now()).days <= 30
    other = Client()
    other.force_login(make_researcher("bob"))
    assert other.post(f"/research/tokens/{token.public_id}/revoke/").status_code == 404
    client.post(f"/research/tokens/{token.public_id}/revoke/")
    assert Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/v1/me/").status_code == 401


def test_one_revokes_only_ones_own_by_the_api(client):
    program, other = Program(client), token_create(make_researcher("bob"), "his", ["read"])[0]
    assert program("delete", f"me/tokens/{other.public_id}/").status_code == 404
    assert program("delete", f"me/tokens/{program.token.public_id}/").status_code == 204
    assert program.get("me/").status_code == 401
    assert ApiToken.objects.get(pk=other.pk).works
