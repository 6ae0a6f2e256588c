"""The heavy verb of adaptations: profiles of many raters, made by all workers together. Called by tasks only.

The task of the whole sends a group of tasks, one a rater, and then takes raters itself: with a
single worker it does them all, with several it ends by waiting for the last. Who does a rater is
decided by the claim of the rater's row, so a message that comes twice does no harm; the row of a
worker that died is free again, and a profile that is there already is not made again.
"""

import time
from functools import lru_cache
from pathlib import Path

from celery import current_app, group
from django.db.models import Q, QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError

from learning.data.dataset import PreferenceDataset
from learning.models import Adaptation, RaterAdaptation, Run
from learning.rater_profiles import has_profile, keep_profile, raters_to_read
from learning.selectors import raters_to_render
from learning.services.adaptations import shares_cancel
from learning.warm import loaded_system
from variants.jobs import STALE_AFTER, Job, JobCancelled, JobError
from variants.progress import Report, silent, throttled

STAGE = "reading raters"
POLL_SECONDS = 1.0
"""How often the one who has nothing left to do looks whether the others are through."""


def raters_adapt(adaptation: Adaptation, watch: Report = silent) -> None:
    """Make the profiles of all raters that the row asks for.

    Args:
        adaptation: its `report` is told of every rater, and may cancel.
        watch: told besides, by one who waits at a terminal.

    Raises:
        JobError: some raters could not be read; the others were.
        JobCancelled: asked to stop; all others who work on it stop too.
    """
    _make_shares(adaptation)
    try:
        _send(adaptation)
        _take_part(adaptation, watch)
    except JobCancelled:
        shares_cancel(adaptation)
        raise
    failed = adaptation.shares.filter(state=Job.State.FAILED)
    if first := failed.first():
        raise JobError(
            f"{failed.count()} of {adaptation.total} raters could not be read. The first, {first.rater_id}: {first.error}"
        )


def rater_adapt(share: RaterAdaptation) -> None:
    """Make one rater's profile; nothing is done where it is there."""
    adaptation = share.adaptation
    run = adaptation.learner
    if _has_profile(run, share.rater_id):
        return
    keep_profile(
        Path(run.folder),
        loaded_system(run),
        _dataset(run.dataset),
        share.rater_id,
        references=adaptation.references,
        report=throttled(share.report),
    )


def _make_shares(adaptation: Adaptation) -> None:
    """A row for each rater who has no profile; those who are there from an earlier attempt stay as they are."""
    run = adaptation.learner
    may_be_read = {rater.id for rater in raters_to_render(run)}  # nobody who has withdrawn since
    raters = raters_to_read(
        PreferenceDataset.load(run.dataset),
        references=adaptation.references,
        only_validation=adaptation.whose == Adaptation.Whose.VALIDATION,
    )
    adaptation.left_out = raters.too_few
    adaptation.save(update_fields=["left_out"])
    RaterAdaptation.objects.bulk_create(
        [
            RaterAdaptation(adaptation=adaptation, rater_id=rater)
            for rater in raters.ready
            if rater in may_be_read and not _has_profile(run, rater)
        ],
        ignore_conflicts=True,
    )
    adaptation.report(0, adaptation.shares.count(), STAGE)


def _send(adaptation: Adaptation) -> None:
    """Tell the other workers; where the broker does not answer, this one does it all."""
    waiting = list(adaptation.shares.filter(state=Job.State.QUEUED))
    if len(waiting) < 2:
        return
    try:
        group(current_app.signature(share.task, args=[share.pk]) for share in waiting).apply_async()
    except (OperationalError, OSError):
        return


def _take_part(adaptation: Adaptation, watch: Report) -> None:
    while True:
        total = adaptation.shares.count()
        done = total - _unfinished(adaptation).count()
        watch(done, total, STAGE)
        adaptation.report(done, total, STAGE)
        share = _free(adaptation).first()
        if share is not None:
            share.run(rater_adapt)  # does nothing where another was quicker
            if share.is_over or not _is_stale(share):
                continue
        if not _unfinished(adaptation).exists():
            return
        time.sleep(POLL_SECONDS)


def _unfinished(adaptation: Adaptation) -> "QuerySet[RaterAdaptation]":
    return adaptation.shares.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING))


def _free(adaptation: Adaptation) -> "QuerySet[RaterAdaptation]":
    """Those that a claim would get: nobody has begun them, or whoever did is dead."""
    is_dead = Q(state=Job.State.RUNNING, heartbeat_at__lt=timezone.now() - STALE_AFTER)
    return adaptation.shares.filter(Q(state=Job.State.QUEUED) | is_dead, cancel_requested=False)


def _is_stale(share: RaterAdaptation) -> bool:
    """Its heart is silent, and its process is seen to live: that is waited for."""
    return share.heartbeat_at is None or share.heartbeat_at < timezone.now() - STALE_AFTER


def _has_profile(run: Run, rater_id: str) -> bool:
    return has_profile(Path(run.folder), rater_id, system=run.system)


@lru_cache(maxsize=1)
def _dataset(folder: str) -> PreferenceDataset:
    return PreferenceDataset.load(folder)
