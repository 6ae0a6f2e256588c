"""Webhooks: written down with their cause, signed, sent until they are taken, by one at a time."""

import base64
import datetime as dt
import hashlib
import hmac
import io
import json
import re
import threading
import time

import pytest
from django.conf import settings as site
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from collection.models import AuditEntry, Webhook, WebhookDelivery
from collection.services import webhooks
from collection.services.outgoing import NotDelivered, Reply
from collection.services.webhooks import (
    WAITS,
    WebhookError,
    deliveries_send_due,
    deliveries_take_up,
    delivery_resend,
    delivery_send,
    webhook_change,
    webhook_create,
    webhook_delete,
    webhook_renew_secret,
    webhook_test,
)
from tests.collection.factories import answer_all, make_session, make_study
from tests.collection.receiver import Receiver
from tests.factories import make_export, make_report, make_run
from variants.jobs import Job

pytestmark = pytest.mark.django_db

EVENTS = list(Webhook.Event.values)


@pytest.fixture
def receiver(settings):
    with Receiver() as receiver:
        settings.WEBHOOK_ALLOW = [receiver.authority]
        yield receiver


@pytest.fixture
def messages(monkeypatch):
    """Keys that workers were told of, and after how many seconds."""
    sent = []
    monkeypatch.setattr(
        webhooks.current_app,
        "send_task",
        lambda name, args, countdown=None, retry=True: sent.append((*args, countdown)),
    )
    return sent


@pytest.fixture
def study():
    return make_study(n_scenes=1, per_scene=3, phases=("consent", "main"), n_main=2, n_checks=0)


@pytest.fixture
def webhook(study, receiver, messages):
    return webhook_create(study, receiver.address, EVENTS)


def later(delivery, **fields):
    """The delivery as if its next try were due."""
    WebhookDelivery.objects.filter(pk=delivery.pk).update(next_try_at=timezone.now(), **fields)


def test_a_receiver_that_checks_as_the_document_says_finds_the_signature_right(webhook, receiver):
    """The secret as it is shown, the headers and the body as they come: HMAC-SHA256 of id.timestamp.body."""
    delivery_send(webhook_test(webhook).pk)
    _, headers, body = receiver.got[0]
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["type"] == "webhook.test"


def test_the_document_s_receiver_believes_the_site_and_nobody_else(webhook, receiver):
    code = re.search(r"```python\n(.*?)```", (site.BASE_DIR / "docs/webhooks.md").read_text(), re.DOTALL)[1]
    assert len(code.strip().splitlines()) <= 12
    exec(code, document := {})
    delivery_send(webhook_test(webhook).pk)
    _, headers, body = receiver.got[0]
    assert document["verify"](webhook.secret, headers, body)
    assert not document["verify"](webhook.secret, headers, body + b" ")
    stale = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}
    assert not document["verify"](webhook.secret, stale, body)
    webhook_renew_secret(webhook)
    assert not document["verify"](webhook.secret, headers, body)


def test_the_signature_is_the_one_that_standard_webhooks_publishes():
    """The example of its reference libraries: standardwebhooks/libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = webhooks.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_finished_session_is_told_of_in_its_own_transaction(
    webhook, study, receiver, messages, django_capture_on_commit_callbacks
):
    session = make_session(study)
    with django_capture_on_commit_callbacks(execute=True):
        answer_all(session)
    delivery = WebhookDelivery.objects.get()
    assert messages == [(delivery.pk, None)]
    delivery_send(delivery.pk)
    said = json.loads(receiver.got[0][2])
    assert said["type"] == "session.finished"
    assert said["data"] == {
        "study": {"id": study.public_id, "slug": study.slug, "is_simulated": False},
        "session": session.public_id,
        "sessions_finished": 1,
    }
    for private in (session.token, session.rater.public_id, session.rater.person.public_id):
        assert private.encode() not in receiver.got[0][2]


def test_what_is_rolled_back_is_not_told(webhook, study):
    with transaction.atomic():
        webhook_test(webhook)
        transaction.set_rollback(True)
    assert not WebhookDelivery.objects.exists()


def test_a_study_without_webhooks_pays_one_query(study, django_assert_num_queries):
    session = make_session(study)
    with django_assert_num_queries(1):
        webhooks.session_event(session)


def test_each_event_goes_where_it_is_wanted(study, receiver, messages):
    settings_of = {event: webhook_create(study, receiver.address, [event]) for event in EVENTS}
    off = webhook_create(study, receiver.address, EVENTS)
    webhook_change(off, is_active=False)
    export = make_export(study, state=Job.State.QUEUED, sha256="ab", counts={"judgments": 4})
    run = make_run(export, state=Job.State.QUEUED)
    report = make_report(run, run, state=Job.State.QUEUED)
    elsewhere = make_run(state=Job.State.QUEUED)
    for job in (export, run, report, elsewhere):
        job.run(lambda job: None)
    make_export(study, state=Job.State.QUEUED).run(lambda job: 1 / 0)  # no dataset, no event
    make_run(export, state=Job.State.QUEUED).run(lambda job: 1 / 0)
    make_run(export, state=Job.State.QUEUED).cancel()
    answer_all(make_session(study))
    found = {
        event: [json.loads(delivery.payload)["data"] for delivery in webhook.deliveries.order_by("pk")]
        for event, webhook in settings_of.items()
    }
    assert [len(found[event]) for event in EVENTS] == [1, 1, 3, 1]
    assert found["export.ready"][0]["counts"] == {"judgments": 4}
    assert found["export.ready"][0]["export"] == export.public_id
    assert [told["state"] for told in found["run.finished"]] == ["done", "failed", "cancelled"]
    assert found["report.finished"][0]["report"] == report.public_id
    assert not off.deliveries.exists()


def test_a_receiver_in_trouble_is_asked_again_later_with_the_same_message(webhook, receiver, messages):
    receiver.replies = [(500, {}, b"out of order"), 302, 200]
    delivery = webhook_test(webhook)
    for tries, wait in enumerate(WAITS[:2], start=1):
        begun = timezone.now()
        delivery_send(delivery.pk)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.tries) == ("waiting", tries)
        assert 0.89 * wait < delivery.next_try_at - begun < 1.11 * wait + dt.timedelta(seconds=5)
        if tries == 1:
            assert (delivery.status_code, delivery.reply) == (500, "out of order")
        else:
            assert "redirects are not followed" in delivery.error
        delivery_send(delivery.pk)  # too early
        later(delivery)
    webhook.refresh_from_db()
    assert webhook.failing_since is not None
    delivery_send(delivery.pk)
    delivery.refresh_from_db()
    webhook.refresh_from_db()
    assert (delivery.state, delivery.status_code, delivery.error) == ("delivered", 200, "")
    assert webhook.failing_since is None
    delivery_send(delivery.pk)  # a message that comes twice
    assert len(receiver.got) == 3
    assert len({(headers["webhook-id"], body) for _, headers, body in receiver.got}) == 1


def test_after_two_days_it_is_given_up_and_the_webhook_switched_off_with_the_reason(
    webhook, messages, monkeypatch
):
    def nobody(address, body, headers):
        raise NotDelivered("The connection failed: nobody there.")

    monkeypatch.setattr(webhooks, "post", nobody)
    assert dt.timedelta(days=1.9) < sum(WAITS, dt.timedelta()) < dt.timedelta(days=2)
    delivery, other = webhook_test(webhook), webhook_test(webhook)
    for _ in range(len(WAITS)):
        delivery_send(delivery.pk)
        later(delivery)
    Webhook.objects.update(failing_since=timezone.now() - dt.timedelta(days=2))
    delivery_send(delivery.pk)
    delivery.refresh_from_db()
    webhook.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("failed", len(WAITS) + 1)
    assert not webhook.is_active
    assert "nobody there" in webhook.stopped_because
    assert AuditEntry.objects.filter(action="webhook.stop").count() == 1

    delivery_send(other.pk)  # waits until somebody switches it on
    other.refresh_from_db()
    assert (other.state, other.tries) == ("waiting", 0)
    monkeypatch.setattr(webhooks, "post", lambda *args: Reply(200, "", 1))
    webhook_change(webhook, is_active=True)
    delivery_resend(delivery)
    assert deliveries_send_due() == 2
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    webhook.refresh_from_db()
    assert (webhook.stopped_because, webhook.failing_since) == ("", None)


def test_a_message_that_one_receiver_does_not_take_stops_no_others(webhook, receiver):
    """Something else got through within the day."""
    delivery = webhook_test(webhook)
    later(delivery, tries=len(WAITS))
    receiver.replies = [400]
    delivery_send(delivery.pk)
    delivery.refresh_from_db()
    webhook.refresh_from_db()
    assert (delivery.state, webhook.is_active) == ("failed", True)


def test_a_receiver_that_wants_no_more_gets_no_more(webhook, receiver):
    receiver.replies = [410]
    delivery_send(webhook_test(webhook).pk)
    webhook.refresh_from_db()
    assert not webhook.is_active
    assert "410" in webhook.stopped_because


def test_the_address_is_checked_again_when_it_is_sent_to(webhook, receiver, settings):
    settings.WEBHOOK_ALLOW = []
    delivery = webhook_test(webhook)
    delivery_send(delivery.pk)
    delivery.refresh_from_db()
    assert "must begin with https" in delivery.error
    assert receiver.got == []


def test_a_worker_that_is_killed_half_way_leaves_it_to_the_next(webhook, receiver, messages, monkeypatch):
    """Its claim runs out; until then nobody else tries, and whoever was told looks again."""
    delivery = webhook_test(webhook)

    def killed(address, body, headers):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "post", killed)
        with pytest.raises(KeyboardInterrupt):
            delivery_send(delivery.pk)
    messages.clear()
    delivery_send(delivery.pk)
    assert receiver.got == []
    ((key, wait),) = messages
    assert key == delivery.pk
    assert 50 < wait <= 60
    assert deliveries_send_due() == 0
    later(delivery, claimed_until=timezone.now() - dt.timedelta(seconds=1))
    assert deliveries_send_due() == 1
    assert len(receiver.got) == 1


def test_a_try_that_outlived_its_claim_changes_nothing(webhook, messages, monkeypatch):
    delivery = webhook_test(webhook)

    def slowly(address, body, headers):
        WebhookDelivery.objects.update(claimed_until=timezone.now() + dt.timedelta(seconds=99))
        raise NotDelivered("late")

    monkeypatch.setattr(webhooks, "post", slowly)
    delivery_send(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.tries, delivery.error) == (0, "")


def test_workers_that_start_are_told_what_waits_and_the_log_is_cut(webhook, messages):
    old, due, far = (webhook_test(webhook) for _ in range(3))
    WebhookDelivery.objects.filter(pk=old.pk).update(created_at=timezone.now() - dt.timedelta(days=31))
    WebhookDelivery.objects.filter(pk=far.pk).update(next_try_at=timezone.now() + dt.timedelta(hours=9))
    messages.clear()
    assert deliveries_take_up() == 2
    assert not WebhookDelivery.objects.filter(pk=old.pk).exists()
    assert messages == [(due.pk, None), (far.pk, 1800.0)]


def test_a_broker_that_does_not_answer_loses_nothing(
    webhook, receiver, monkeypatch, caplog, django_capture_on_commit_callbacks
):
    def down(*args, **options):
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(webhooks.current_app, "send_task", down)
    with django_capture_on_commit_callbacks(execute=True):
        webhook_test(webhook)
    assert "send_webhooks" in caplog.text
    out = io.StringIO()
    call_command("send_webhooks", "--once", stdout=out)
    assert out.getvalue() == "1 delivery tried\n"
    assert len(receiver.got) == 1


def test_a_new_secret_signs_from_then_on_and_a_changed_secret_key_signs_nothing(webhook, receiver, settings):
    before = webhook.secret
    webhook_renew_secret(webhook)
    assert webhook.secret != before
    settings.SECRET_KEY = "another"
    delivery = webhook_test(webhook)
    delivery_send(delivery.pk)
    delivery.refresh_from_db()
    assert "SECRET_KEY has changed" in delivery.error
    assert receiver.got == []


def test_what_cannot_be_a_webhook_is_refused_with_the_reason(study, receiver):
    for address, events, words in [
        ("https://127.0.0.1/", EVENTS, "inside a network"),
        (receiver.address, [], "at least one event"),
        (receiver.address, ["session.begun"], "no event 'session.begun'"),
    ]:
        with pytest.raises(WebhookError, match=words):
            webhook_create(study, address, events)
    made = [webhook_create(study, receiver.address, EVENTS) for _ in range(webhooks.MOST_OF_A_STUDY)]
    with pytest.raises(WebhookError, match="10 webhooks at most"):
        webhook_create(study, receiver.address, EVENTS)
    webhook_delete(made[0])
    webhook_create(study, receiver.address, EVENTS)


@pytest.mark.flaky(reruns=1)  # four writers at once: SQLite may keep one waiting for too long
@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_sends_it(study, messages, settings):
    with Receiver(slow=0.2) as receiver:
        settings.WEBHOOK_ALLOW = [receiver.authority]
        delivery = webhook_test(webhook_create(study, receiver.address, EVENTS))

        def work():
            try:
                delivery_send(delivery.pk)
            finally:
                connection.close()

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(receiver.got) == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("delivered", 1)
