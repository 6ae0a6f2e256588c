"""What stands in the queues, and who takes it: asked of the broker and of the workers' rows."""

import datetime as dt
import time
from typing import Any

from django.utils import timezone
from kombu.exceptions import OperationalError

from config.celery import ALIVE_SECONDS, app
from config.models import Worker
from config.queues import QUEUES

SEEN_WITHIN = dt.timedelta(seconds=4 * ALIVE_SECONDS)
"""A worker that has not said for so long that it lives is dead, or cut off."""
KEPT_SECONDS = 5

_kept: tuple[float, dict[str, int] | None] = (float("-inf"), None)
"""When this process asked last, and what it was told."""


def messages_waiting() -> dict[str, int]:
    """Queue → messages that no worker has taken. Raises what a broker raises that does not answer."""
    waiting = {}
    with app.connection_for_read() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
        for queue in app.amqp.queues.values():
            declared: Any = queue(broker.default_channel).queue_declare()
            waiting[queue.name] = int(declared.message_count)
    return waiting


def messages_waiting_lately() -> dict[str, int] | None:
    """The same for pages that many have open: asked once in a few seconds; None where the broker does not answer."""
    global _kept
    asked_at, found = _kept
    if time.monotonic() - asked_at > KEPT_SECONDS:
        try:
            found = messages_waiting()
        except (OperationalError, OSError):
            found = None
        _kept = time.monotonic(), found
    return found


def workers_alive() -> list[Worker]:
    return list(Worker.objects.filter(seen_at__gte=timezone.now() - SEEN_WITHIN))


def queues_untaken() -> list[str]:
    """Queues that no living worker takes."""
    taken = {queue for worker in workers_alive() for queue in worker.queues}
    return [name for name in QUEUES if name not in taken]
