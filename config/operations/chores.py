"""What is done by the clock. Celery's beat sends it to the workers; who uses no beat lets cron call the commands."""

import datetime as dt
import logging
from collections.abc import Callable

from axes.models import AccessAttempt, AccessFailureLog
from django.conf import settings
from django.core.management import call_command
from django.db.models import Q
from django.utils import timezone

from collection.export.partial import partials_sweep
from collection.models import KeptReply
from collection.services.audit import acting
from collection.services.idempotency import KEPT_FOR
from collection.services.retention import retention_due, retention_erase
from collection.services.webhooks import deliveries_forget, deliveries_send_due
from config.models import Chore, Worker
from config.operations.garbage import GarbageRefused, garbage_remove
from config.operations.schedule import SECONDS
from learning.services import looks_expire, photos_expire
from variants.jobs import jobs_take_over, jobs_take_up_again

logger = logging.getLogger(__name__)

KEEP_FAILED_SIGN_INS = dt.timedelta(days=30)
KEEP_WORKERS = dt.timedelta(days=1)
"""Since one that did not end in order was seen."""
KEEP_ORPHANS = dt.timedelta(days=7)
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def studies_erase() -> None:
    """As `manage.py retention`."""
    for study in retention_due(timezone.localdate()):
        with acting("retention"):
            retention_erase(study, timezone.now())


def uploads_expire() -> None:
    """As `manage.py expire_photos`."""
    photos_expire()
    looks_expire()


def webhooks_send() -> None:
    """As `manage.py send_webhooks --once`."""
    deliveries_forget()
    deliveries_send_due()


def leftovers_sweep() -> None:
    """Sessions and replies whose time is over, old failed sign-ins, halves of exports, workers long gone."""
    now = timezone.now()
    call_command("clearsessions")
    KeptReply.objects.filter(created_at__lt=now - KEPT_FOR).delete()
    for model in (AccessAttempt, AccessFailureLog):
        model.objects.filter(attempt_time__lt=now - KEEP_FAILED_SIGN_INS).delete()
    Worker.objects.filter(seen_at__lt=now - KEEP_WORKERS).delete()
    partials_sweep(settings.TONALIST_DATA / "exports")


def orphans_remove() -> None:
    """As `manage.py gc --delete`, of files that have lain about for long; where most of a place is unknown, nothing."""
    try:
        garbage_remove(KEEP_ORPHANS)
    except GarbageRefused as refused:
        logger.error("%s", refused)


CHORES: dict[str, Callable[[], object]] = {
    "take-over": jobs_take_over,
    "webhooks": webhooks_send,
    "photos": uploads_expire,
    "retention": studies_erase,
    "lost-messages": jobs_take_up_again,
    "leftovers": leftovers_sweep,
    "orphans": orphans_remove,
}
"""By the names in SECONDS."""


def chore_do(name: str) -> bool:
    """Do a chore if it is due; whether it was. However many clocks strike, it is begun once in its time."""
    if not _claim(name, dt.timedelta(seconds=SECONDS[name])):
        logger.info("%s was begun already", name)
        return False
    with acting("worker"):
        CHORES[name]()
    return True


def _claim(name: str, every: dt.timedelta) -> bool:
    now = timezone.now()
    Chore.objects.get_or_create(name=name, defaults={"begun_at": LONG_AGO})
    # A tenth early is in time. A time far ahead was written before the clock was set back.
    due = Q(begun_at__lte=now - 0.9 * every) | Q(begun_at__gt=now + every)
    return Chore.objects.filter(due, name=name).update(begun_at=now) == 1
