"""A study's webhooks on their pages, and by the API."""

import re

import pytest
from django.urls import reverse

from collection.models import Membership, Role, Webhook, WebhookDelivery
from collection.services.webhooks import delivery_send, webhook_create
from tests.collection.api.v1.visits import Program
from tests.collection.receiver import Receiver
from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings):
    with Receiver() as receiver:
        settings.WEBHOOK_ALLOW = [receiver.authority]
        yield receiver


@pytest.fixture
def study():
    return make_study(n_scenes=0, name="Autumn")


@pytest.fixture
def editor(client, study):
    user = make_researcher("bob", is_superuser=False)
    Membership.objects.create(study=study, user=user, role=Role.EDITOR)
    client.force_login(user)
    return client


def text_of(reply):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", reply.content.decode()))


def test_an_editor_makes_one_sees_its_secret_once_and_sends_a_test(editor, study, receiver):
    page = reverse("researcher:study-webhooks", args=[study.slug])
    assert "Add a webhook" in text_of(editor.get(page))
    made = editor.post(f"{page}add/", {"address": receiver.address, "events": ["export.ready"]}, follow=True)
    webhook = Webhook.objects.get()
    assert webhook.created_by.username == "bob"
    assert webhook.secret in made.content.decode()
    assert made.headers["Cache-Control"] == "no-store"
    assert "whsec_" not in editor.get(webhook.get_absolute_url()).content.decode()

    receiver.replies = [(500, {}, b"<script>alert(1)</script>")]
    editor.post(reverse("researcher:webhook-test", args=[webhook.public_id]))
    delivery = WebhookDelivery.objects.get()
    delivery_send(delivery.pk)
    log = text_of(editor.get(webhook.get_absolute_url()))
    assert "It answered 500." in log
    assert "failing since" in log
    address = reverse("researcher:webhook-delivery", args=[webhook.public_id, delivery.message_id])
    shown = editor.get(address).content.decode()
    assert "&lt;script&gt;alert(1)" in shown
    assert "&quot;type&quot;: &quot;webhook.test&quot;" in shown
    editor.post(f"{address}resend/")
    delivery_send(delivery.pk)
    assert "delivered" in text_of(editor.get(address))
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"address": "https://127.0.0.1/", "events": ["export.ready"]}, "inside a network"),
        ({"address": "https://example.org:22/", "events": ["export.ready"]}, "Port 22"),
        ({"address": "", "events": ["export.ready"]}, "required"),
        ({"address": "https://127.0.0.1/"}, "at least one event"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_lost(editor, study, fields, words):
    reply = editor.post(reverse("researcher:webhook-create", args=[study.slug]), fields)
    assert reply.status_code == 422
    assert words in text_of(reply)
    assert f'value="{fields["address"]}"' in reply.content.decode()
    assert not Webhook.objects.exists()


def test_it_is_changed_switched_off_given_a_new_secret_and_deleted(editor, study, receiver):
    webhook = webhook_create(study, receiver.address, ["export.ready"])
    before = webhook.secret
    page = webhook.get_absolute_url()
    editor.post(f"{page}change/", {"address": f"{receiver.address}2", "events": ["run.finished"]})
    editor.post(f"{page}switch/", {"is_active": "no"})
    webhook.refresh_from_db()
    assert (webhook.address[-1], webhook.events, webhook.is_active) == ("2", ["run.finished"], False)
    renewed = editor.post(f"{page}secret/", follow=True).content.decode()
    webhook.refresh_from_db()
    assert webhook.secret in renewed
    assert webhook.secret != before
    editor.post(f"{page}delete/")
    assert not Webhook.objects.exists()


def test_a_viewer_sees_the_log_and_changes_nothing(editor, study, receiver):
    webhook = webhook_create(study, receiver.address, ["export.ready"])
    Membership.objects.update(role=Role.VIEWER)
    session = editor.session
    session["webhook_with_new_secret"] = webhook.public_id
    session.save()
    shown = editor.get(webhook.get_absolute_url()).content.decode()
    assert receiver.address not in shown, "what follows the host may be a secret"
    assert Webhook.objects.get().place in shown
    assert "whsec_" not in shown
    assert "<form" not in shown.partition("<main")[2]


def test_the_list_costs_the_same_for_one_and_for_many(editor, study, receiver, django_assert_max_num_queries):
    for _ in range(6):
        webhook_create(study, receiver.address, ["export.ready"])
    with django_assert_max_num_queries(8):
        editor.get(reverse("researcher:study-webhooks", args=[study.slug]))


def test_a_program_makes_one_and_follows_what_it_sends(client, study, receiver):
    program = Program(client)
    made = program.post(
        f"studies/{study.slug}/webhooks/", {"address": receiver.address, "events": ["export.ready"]}
    )
    assert (made.status_code, made.json()["stopped_because"]) == (201, "")
    webhook = Webhook.objects.get()
    here = made.headers["Location"].removeprefix("/api/v1/")
    assert here == f"webhooks/{webhook.public_id}/"
    secret = program.post(f"{here}secret/")
    webhook.refresh_from_db()
    assert secret.json() == {"secret": webhook.secret}
    assert program.post(f"{here}secret/", **{"Idempotency-Key": "one"}).status_code == 400
    sent = program.post(f"{here}test/").json()
    delivery_send(WebhookDelivery.objects.get().pk)
    (told,) = program.get(f"{here}deliveries/").json()["results"]
    assert (told["id"], told["state"], told["payload"]["type"]) == (sent["id"], "delivered", "webhook.test")
    assert receiver.got[0][1]["webhook-id"] == f"msg_{told['id']}"
    assert program.post(f"webhook-deliveries/{told['id']}/resend/").json()["state"] == "waiting"
    assert program.patch(here, {"is_active": False}).json()["is_active"] is False
    wrong = program.patch(here, {"address": "https://10.0.0.1/"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "address")
    assert program("delete", here).status_code == 204
    assert program.get(f"studies/{study.slug}/webhooks/").json()["results"] == []
