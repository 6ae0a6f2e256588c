"""The Celery application; workers start with `celery -A config worker`."""

import logging
import os
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

logger = logging.getLogger(__name__)

app = Celery("tonalist")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


TAKE_OVER_SECONDS = 20


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
    with acting("worker"):
        jobs_take_up_again()
        deliveries_take_up()


def _keeping_on(work: Callable[[], None]) -> Callable[[], None]:
    """The work without its errors of the database, which are logged: the next turn may do better."""

    def attempt() -> None:
        from django.db import DatabaseError, close_old_connections

        close_old_connections()
        try:
            work()
        except DatabaseError as error:
            logger.warning("jobs of dead workers could not be looked for: %s", error)

    return attempt
