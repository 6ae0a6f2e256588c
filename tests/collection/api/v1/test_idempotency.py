"""A POST with a key is done once."""

import datetime as dt

import pytest
from django.utils import timezone

from collection.models import AuditEntry, Export, KeptReply, RuleVersion
from collection.services.idempotency import KeyReused, Reply, done_once
from config.api import document
from tests.collection.api.v1.visits import Program
from tests.collection.api.v1.world import make_world
from tests.factories import make_researcher, make_study
from variants.jobs import Job

pytestmark = pytest.mark.django_db
RULES = {"rules": {"min_consistency": 0.9}}


@pytest.fixture
def program(client, monkeypatch):
    monkeypatch.setattr(Job, "enqueue", lambda job: None)
    return Program(client)


def test_the_same_request_gets_the_same_reply_and_is_done_once(program):
    study = make_world()
    first, again = (
        program.post(f"studies/{study.slug}/exports/", {}, **{"Idempotency-Key": "one"}) for _ in range(2)
    )
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.headers["Location"] == again.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Export.objects.filter(study=study).count() == 2  # the world's, and one more
    assert AuditEntry.objects.filter(action="export.create").count() == 1


def test_a_key_of_another_request_is_refused(program):
    study = make_study()
    key = {"Idempotency-Key": "one"}
    assert program.post(f"studies/{study.slug}/rule-sets/", RULES, **key).status_code == 201
    other = program.post(f"studies/{study.slug}/rule-sets/", {"rules": {"min_consistency": 0.8}}, **key)
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert RuleVersion.objects.count() == 1


def test_what_failed_leaves_nothing_and_may_be_tried_again(program):
    study = make_study()  # nobody has answered it: there is nothing to export
    key = {"Idempotency-Key": "one"}
    assert program.post(f"studies/{study.slug}/exports/", {}, **key).status_code == 409
    assert not KeptReply.objects.exists()


def test_a_key_is_known_for_a_day_and_to_one_person(program):
    user, other = program.user, make_researcher("bob")
    made = []

    def do():
        made.append(1)
        return Reply(status=201, body=str(len(made)), headers={})

    assert done_once(user.pk, "k", "a", do).body == done_once(user.pk, "k", "a", do).body == "1"
    assert done_once(other.pk, "k", "a", do).body == "2"
    with pytest.raises(KeyReused):
        done_once(user.pk, "k", "b", do)
    KeptReply.objects.update(created_at=timezone.now() - dt.timedelta(hours=25))
    assert done_once(user.pk, "k", "b", do).body == "3"


@pytest.mark.parametrize("key", ["", "x" * 201, "a b", "ä"])
def test_impossible_keys(program, key):
    study = make_study()
    reply = program.post(f"studies/{study.slug}/rule-sets/compare/", RULES, **{"Idempotency-Key": key})
    assert reply.status_code == 400


def test_no_key_where_the_reply_tells_a_secret(program):
    study = make_study()
    body = {"address": "https://93.184.216.34/hook", "events": ["export.ready"]}
    refused = program.post(f"studies/{study.slug}/webhooks/", body, **{"Idempotency-Key": "k"})
    assert refused.status_code == 400
    assert "secret" in refused.json()["detail"]
    assert not study.webhooks.exists()
    assert program.post(f"studies/{study.slug}/webhooks/", body).json()["secret"].startswith("whsec_")
    posts = {path: item["post"] for path, item in document()["paths"].items() if "post" in item}
    keyless = {
        path
        for path, operation in posts.items()
        if "Idempotency-Key" not in {each["name"] for each in operation["parameters"]}
    }
    assert {path.removeprefix("/api/v1/") for path in keyless} == {
        "studies/{slug}/webhooks/",
        "webhooks/{public_id}/secret/",
    }
