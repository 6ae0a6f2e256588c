"""Whether long work gets done: what of each kind of job waits, runs, hangs or has failed."""

import datetime as dt
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Count, Min, Q
from django.utils import timezone

from variants.jobs import STALE_AFTER, Job

FAILED_WITHIN = dt.timedelta(hours=24)
PATIENCE = dt.timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class KindHealth:
    kind: str
    queued: int
    running: int
    stalled: int
    """Running by a worker whose heart has stopped."""
    failed: int
    """Within FAILED_WITHIN."""
    oldest_queued_at: dt.datetime | None


def jobs_health() -> list[KindHealth]:
    """Of every kind of job on the site, a query each."""
    now = timezone.now()
    return [_kind_health(model, now) for model in apps.get_models() if issubclass(model, Job)]


def health_is_good(kinds: list[KindHealth]) -> bool:
    """Nothing hangs; and nothing has waited for longer than PATIENCE while nothing runs."""
    waits = [kind.oldest_queued_at for kind in kinds if kind.oldest_queued_at]
    late = bool(waits) and min(waits) < timezone.now() - PATIENCE
    return not any(kind.stalled for kind in kinds) and not (late and not any(kind.running for kind in kinds))


def _kind_health(model: type[Job], now: dt.datetime) -> KindHealth:
    queued, running = Q(state=Job.State.QUEUED), Q(state=Job.State.RUNNING)
    found = model._default_manager.aggregate(
        queued=Count("pk", filter=queued),
        running=Count("pk", filter=running),
        stalled=Count("pk", filter=running & Q(heartbeat_at__lt=now - STALE_AFTER)),
        failed=Count("pk", filter=Q(state=Job.State.FAILED, finished_at__gte=now - FAILED_WITHIN)),
        oldest_queued_at=Min("created_at", filter=queued),
    )
    return KindHealth(kind=str(model._meta.verbose_name), **found)
