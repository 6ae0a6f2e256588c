"""The Celery application; workers start with `celery -A config worker`."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_ready, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

logger = logging.getLogger(__name__)

app = Celery("tonalist")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


TAKE_OVER_SECONDS = 20
ALIVE_SECONDS = 15


@worker_ready.connect
def take_up_jobs_again(sender: Any, **_: Any) -> None:
    """Messages can be lost and workers die; the rows know what is still to do."""
    from collection.services.audit import acting
    from collection.services.webhooks import deliveries_take_up
    from variants.jobs import jobs_take_over, jobs_take_up_again

    def look_again() -> None:
        with acting("worker"):
            jobs_take_over()

    # First, so that it comes again even where the database does not answer just now.
    sender.timer.call_repeatedly(TAKE_OVER_SECONDS, _keeping_on(look_again))
    sender.timer.call_repeatedly(ALIVE_SECONDS, _keeping_on(lambda: say_alive(sender)))
    _keeping_on(lambda: say_alive(sender))()
    with acting("worker"):
        jobs_take_up_again()
        deliveries_take_up()


def say_alive(worker: Any) -> None:
    """For metrics, in its row; for a probe that may start no Python, by the age of a file."""
    from django.conf import settings
    from django.utils import timezone

    from config.models import Worker

    if settings.WORKER_ALIVE_FILE:
        Path(settings.WORKER_ALIVE_FILE).touch()
    queues = sorted(queue.name for queue in worker.task_consumer.queues)
    Worker.objects.update_or_create(
        name=worker.hostname, defaults={"queues": queues, "seen_at": timezone.now()}
    )


@worker_shutdown.connect
def say_goodbye(sender: Any, **_: Any) -> None:
    from config.models import Worker

    _keeping_on(lambda: Worker.objects.filter(name=sender.hostname).delete())()


def _keeping_on(work: Callable[[], object]) -> Callable[[], None]:
    """The work without its errors of the database, which are logged: the next turn may do better."""

    def attempt() -> None:
        from django.db import DatabaseError, close_old_connections

        close_old_connections()
        try:
            work()
        except DatabaseError as error:
            logger.warning("the database does not answer; the next turn may do better: %s", error)

    return attempt
