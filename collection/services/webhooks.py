"""Webhooks: events written down with what caused them, then signed and sent until they are taken.

The layout is that of Standard Webhooks: https://www.standardwebhooks.com. The row is the truth about a
delivery: it is claimed by a conditional update, each try sends the same bytes under the same id, and a
claim that runs out, because its worker died, lets another try.
"""

import base64
import datetime as dt
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError

from collection.models import Export, Session, Study, Webhook, WebhookDelivery
from collection.services.audit import audit_record, current_actor
from collection.services.outgoing import AddressError, NotDelivered, address_check, post
from variants.jobs import Job

logger = logging.getLogger(__name__)

Event = Webhook.Event
State = WebhookDelivery.State

TASK = "collection.tasks.webhook_task"
MOST_OF_A_STUDY = 10
KEEP = dt.timedelta(days=30)
CLAIM = dt.timedelta(seconds=60)
"""Longer than a try takes at most."""
WAITS = [
    dt.timedelta(seconds=5),
    dt.timedelta(minutes=5),
    dt.timedelta(minutes=30),
    *[dt.timedelta(hours=hours) for hours in (2, 5, 10, 14, 16)],
]
"""Between one try and the next: nine tries in two days."""
STOP_AFTER = dt.timedelta(days=1)
"""Without anything getting through, once a delivery is given up."""
OF_A_TRY = (
    "state", "tries", "next_try_at", "claimed_until", "tried_at",
    "status_code", "reply", "error", "duration_ms",
)  # fmt: skip
LONGEST_MESSAGE = dt.timedelta(minutes=30)
"""A broker holds no message for longer than this; the worker then looks again."""


class WebhookError(ValueError):
    """A webhook cannot be made or changed this way; the message says what mends it."""


def webhook_create(study: Study, address: str, events: Iterable[str]) -> Webhook:
    """Raises WebhookError for an address that nothing would be sent to, and for events that there are not."""
    _require_address(address)
    with transaction.atomic():
        Study.objects.select_for_update(no_key=True).get(pk=study.pk)
        if study.webhooks.count() >= MOST_OF_A_STUDY:
            raise WebhookError(
                f"A study has {MOST_OF_A_STUDY} webhooks at most. Delete one that is not needed."
            )
        actor = current_actor()
        webhook = Webhook(study=study, address=address, events=_clean_events(events))
        webhook.created_by_id = actor.pk if actor else None
        webhook.secret_sha256 = webhook.key_sha256
        webhook.save()
        audit_record("webhook.create", study, what=webhook.place, events=webhook.events)
    return webhook


def webhook_change(
    webhook: Webhook,
    *,
    address: str | None = None,
    events: Iterable[str] | None = None,
    is_active: bool | None = None,
) -> None:
    """Change what is given. What waits for an address that is switched off goes out when it is on again."""
    if address is not None and address != webhook.address:
        _require_address(address)
        webhook.address = address
    if events is not None:
        webhook.events = _clean_events(events)
    with transaction.atomic():
        if is_active is not None:
            webhook.is_active = is_active
        if is_active:
            webhook.failing_since, webhook.stopped_because = None, ""
            webhook.deliveries.filter(state=State.WAITING).update(next_try_at=timezone.now())
            transaction.on_commit(lambda: _tell_workers(webhook.deliveries.all()))
        webhook.save(update_fields=["address", "events", "is_active", "failing_since", "stopped_because"])
        audit_record(
            "webhook.change",
            webhook.study,
            what=webhook.place,
            events=webhook.events,
            is_active=webhook.is_active,
        )


@transaction.atomic
def webhook_renew_secret(webhook: Webhook) -> None:
    """The old secret signs nothing from now on."""
    webhook.secret_number += 1
    webhook.secret_sha256 = webhook.key_sha256
    webhook.save(update_fields=["secret_number", "secret_sha256"])
    audit_record("webhook.secret", webhook.study, what=webhook.place)


@transaction.atomic
def webhook_delete(webhook: Webhook) -> None:
    audit_record("webhook.delete", webhook.study, what=webhook.place)
    webhook.delete()


def webhook_test(webhook: Webhook) -> WebhookDelivery:
    """Send an event that says nothing, whatever the webhook is for."""
    with transaction.atomic():
        return _write_down(
            webhook, WebhookDelivery.TEST, {"study": _study_data(webhook.study)}, timezone.now()
        )


def delivery_resend(delivery: WebhookDelivery) -> None:
    """Begin to try anew, under the same id: a receiver that has it already sees that."""
    with transaction.atomic():
        delivery.state, delivery.tries, delivery.next_try_at = State.WAITING, 0, timezone.now()
        delivery.save(update_fields=["state", "tries", "next_try_at"])
        audit_record("webhook.resend", delivery.webhook.study, what=delivery.message_id)
        transaction.on_commit(partial(_tell_a_worker, delivery.pk))


def event_record(study_key: int, event: str, data: Callable[[Study], dict[str, Any]]) -> None:
    """Write down an event for the study's webhooks that want it, in the transaction of what caused it.

    One query where there are none. `data` is asked for only where there are; no personal data is in it.
    """
    wanted = Webhook.objects.filter(study=study_key, is_active=True).select_related("study")
    now = timezone.now()
    for webhook in wanted:
        if event in webhook.events:
            study = webhook.study
            _write_down(webhook, event, {"study": _study_data(study), **data(study)}, now)


def session_event(session: Session) -> None:
    """A session is finished."""
    event_record(
        session.study_id,
        Event.SESSION_FINISHED,
        lambda study: {
            "session": session.public_id,
            "sessions_finished": study.sessions.filter(finished_at__isnull=False).count(),
        },
    )


def export_event(sender: type[Job], job: Job, **_: Any) -> None:
    """A dataset is exported: a receiver of `job_over`."""
    if isinstance(job, Export) and job.state == Job.State.DONE:
        export = job
        event_record(
            export.study_id,
            Event.EXPORT_READY,
            lambda study: {
                "export": export.public_id,
                "counts": export.counts,
                "sha256": export.sha256,
                "path": f"/research/datasets/{export.public_id}/",
            },
        )


def delivery_send(key: int) -> None:
    """One try of a delivery, if it is due and nobody else is at it. What it came to stands in the row."""
    now = timezone.now()
    until = now + CLAIM
    if not _due(now).filter(pk=key).update(claimed_until=until):
        _look_again_later(key, now)
        return
    delivery = WebhookDelivery.objects.select_related("webhook__study").get(pk=key)
    webhook = delivery.webhook
    delivery.status_code, delivery.reply, delivery.error, delivery.duration_ms = None, "", "", None
    try:
        if webhook.is_key_lost:
            raise NotDelivered("SECRET_KEY has changed since the secret was shown. Make a new secret.")
        body = delivery.payload.encode()
        reply = post(webhook.address, body, _headers(delivery, body, now))
    except (AddressError, NotDelivered) as error:
        delivery.error = str(error)
    else:
        delivery.status_code, delivery.reply, delivery.duration_ms = reply.status, reply.text, reply.ms
        delivery.error = _why_not(reply.status)
    _settle(delivery, until)


def deliveries_take_up() -> int:
    """Tell workers of all that waits, as messages may have been lost; how many."""
    deliveries_forget()
    return _tell_workers(WebhookDelivery.objects.filter(webhook__is_active=True))


def deliveries_send_due() -> int:
    """Try all that is due, in this process; how many."""
    keys = list(_due(timezone.now()).order_by("pk").values_list("pk", flat=True))
    for key in keys:
        delivery_send(key)
    return len(keys)


def deliveries_forget() -> None:
    """The log is kept for so long, and no longer."""
    WebhookDelivery.objects.filter(created_at__lt=timezone.now() - KEEP).delete()


def deliveries_overdue() -> int:
    """How many should have been tried ten minutes ago: no worker is at them."""
    return _due(timezone.now() - dt.timedelta(minutes=10)).count()


def _due(now: dt.datetime) -> QuerySet[WebhookDelivery]:
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    # No join: an update through one looks at rows as they were before another claimed them, on PostgreSQL.
    active = Webhook.objects.filter(is_active=True)
    return WebhookDelivery.objects.filter(free, state=State.WAITING, next_try_at__lte=now, webhook__in=active)


def _require_address(address: str) -> None:
    try:
        address_check(address)
    except AddressError as error:
        raise WebhookError(str(error)) from error


def _clean_events(events: Iterable[str]) -> list[str]:
    chosen = set(events)
    if unknown := chosen - set(Event.values):
        raise WebhookError(f"There is no event {min(unknown)!r}; there are {', '.join(Event.values)}.")
    if not chosen:
        raise WebhookError("Choose at least one event.")
    return [event for event in Event.values if event in chosen]


def _study_data(study: Study) -> dict[str, Any]:
    return {"id": study.public_id, "slug": study.slug, "is_simulated": study.is_simulated}


def _write_down(webhook: Webhook, event: str, data: dict[str, Any], now: dt.datetime) -> WebhookDelivery:
    payload = {"type": event, "timestamp": now.isoformat(), "data": data}
    delivery = WebhookDelivery.objects.create(
        webhook=webhook, event=event, payload=json.dumps(payload), next_try_at=now
    )
    transaction.on_commit(partial(_tell_a_worker, delivery.pk))
    return delivery


def _tell_a_worker(key: int, wait: dt.timedelta = dt.timedelta(0)) -> None:
    """By a message that may be lost: a worker that starts and `manage.py send_webhooks` look at the rows."""
    try:
        # Without more tries: a participant may be waiting.
        current_app.send_task(TASK, [key], countdown=max(0.0, wait.total_seconds()) or None, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("the broker does not answer (%s); manage.py send_webhooks sends what waits", error)


def _tell_workers(deliveries: QuerySet[WebhookDelivery]) -> int:
    """Of each that waits; how many."""
    keys = list(deliveries.filter(state=State.WAITING).order_by("pk").values_list("pk", flat=True))
    for key in keys:
        _look_again_later(key, timezone.now())
    return len(keys)


def _look_again_later(key: int, now: dt.datetime) -> None:
    """Where it still waits: when its next try is due, or the claim of whoever is at it has run out."""
    waiting = WebhookDelivery.objects.filter(pk=key, state=State.WAITING, webhook__is_active=True)
    found = waiting.values_list("next_try_at", "claimed_until").first()
    if found:
        at = max(moment for moment in found if moment is not None)
        _tell_a_worker(key, min(at - now, LONGEST_MESSAGE))


def _headers(delivery: WebhookDelivery, body: bytes, now: dt.datetime) -> dict[str, str]:
    stamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "Tonalist webhooks",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(delivery.webhook.key, delivery.message_id, stamp, body),
    }


def signature(key: bytes, message_id: str, stamp: str, body: bytes) -> str:
    signed = b".".join((message_id.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _why_not(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"It answered {status}: redirects are not followed. Enter the address that it leads to."
    return f"It answered {status}."


@transaction.atomic
def _settle(delivery: WebhookDelivery, claim: dt.datetime) -> None:
    """Write down what a try came to, unless its claim ran out meanwhile and another has begun."""
    webhook = Webhook.objects.select_for_update().filter(pk=delivery.webhook_id).first()
    if webhook is None:  # deleted this moment, and the delivery with it
        return
    now = timezone.now()
    delivery.webhook, delivery.claimed_until, delivery.tried_at = webhook, None, now
    delivery.tries += 1
    if not delivery.error:
        delivery.state = State.DELIVERED
        webhook.failing_since = None
    else:
        webhook.failing_since = webhook.failing_since or now
        _settle_failure(delivery, now)
    values = {name: getattr(delivery, name) for name in OF_A_TRY}
    if WebhookDelivery.objects.filter(pk=delivery.pk, claimed_until=claim).update(**values):
        webhook.save(update_fields=["failing_since", "is_active", "stopped_because"])
        if delivery.state == State.WAITING:
            transaction.on_commit(partial(_look_again_later, delivery.pk, now))


def _settle_failure(delivery: WebhookDelivery, now: dt.datetime) -> None:
    webhook = delivery.webhook
    is_gone = delivery.status_code == 410
    if delivery.tries <= len(WAITS) and not is_gone:
        delivery.next_try_at = now + WAITS[delivery.tries - 1] * _jitter(delivery)
        return
    delivery.state = State.FAILED
    if is_gone:
        reason = "The receiver answered 410, which says that it wants no more."
    elif webhook.failing_since and now - webhook.failing_since >= STOP_AFTER:
        reason = f"Nothing got through since {webhook.failing_since:%Y-%m-%d %H:%M} UTC. {delivery.error}"
    else:
        return  # others got through: it is this one that the receiver does not take
    if webhook.is_active:
        webhook.is_active, webhook.stopped_because = False, reason
        audit_record("webhook.stop", webhook.study, what=webhook.place, reason=reason)


def _jitter(delivery: WebhookDelivery) -> float:
    """0.9 to 1.1, so that what failed together does not come back together; the delivery's own."""
    return 0.9 + 0.2 * int(delivery.message_id[-8:], 16) / 0xFFFFFFFF
