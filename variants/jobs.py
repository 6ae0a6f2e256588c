"""Long work as database rows: claimed once, kept alive, cancelled, taken up again.

The row is the truth about a job, not the broker's message: a message that comes
twice, late or never does no harm. A worker claims the row by a conditional
update and beats its heart while it works; a row whose worker has died is queued
again, and fails once too many have.
"""

import datetime as dt
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from billiard.exceptions import SoftTimeLimitExceeded
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DatabaseError, connection, models, transaction
from django.db.models import F, Q, QuerySet
from django.dispatch import Signal
from django.utils import timezone
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5
"""Between two reports of progress that are stored."""
STALE_AFTER = dt.timedelta(seconds=60)
LOST_AFTER = dt.timedelta(minutes=10)
"""The same where the process that has the job is seen to live: the database may have been away."""
PATIENCE_SECONDS = 600
"""For which the end of a job waits for a database that does not answer."""

COMMAND = "command@"
"""Before the name of a worker that is a command at somebody's terminal: what it began no other process goes on with."""
KILLED = "The command that did it was killed before the end; run it again."

job_over = Signal()
"""Sent with `job` when one is done, failed or cancelled, in the transaction that says so."""


def new_public_id() -> str:
    """128 random bits as hex: opaque, unguessable, safe in file names and addresses."""
    return secrets.token_hex(16)


class JobCancelled(BaseException):
    """Somebody asked the job to stop; what is whole stays.

    As KeyboardInterrupt it is no error, and passes whoever catches those of one photo to go on with the next.
    """


class JobError(Exception):
    """The job cannot be done; the message says what is wrong and what mends it."""


class Job(models.Model):
    class State(models.TextChoices):
        QUEUED = "queued", "waiting for a worker"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    task: str
    """Name of the Celery task that takes the job's key and does it; a class's or a row's own."""

    most_deaths = 5
    """Workers that may die while they do it: after the last, the job itself is held to be the reason."""

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED, db_index=True)
    stage = models.CharField(max_length=200, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    worker = models.CharField(max_length=200, blank=True)
    deaths = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Workers that died while they did it."
    )
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED, self.State.CANCELLED)

    @property
    def fraction(self) -> float:
        """Part done, 0 to 1."""
        if self.state == self.State.DONE:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def queue(self) -> str:
        """Name of the queue that takes it."""
        return settings.JOB_QUEUES[self.task]

    @property
    def orderer(self) -> AbstractBaseUser | None:
        """Who ordered it, where the row knows."""
        people = (getattr(self, name, None) for name in ("started_by", "owner", "uploaded_by"))
        return next((user for user in people if user is not None), None)

    @classmethod
    def do(cls, key: int, work: Callable[[Self], None]) -> None:
        """What a task does with the key it was sent; a job whose row was deleted meanwhile needs nothing."""
        try:
            cls._default_manager.get(pk=key).run(work)
        except cls.DoesNotExist:
            logger.info("%s %s was deleted before it was done", cls._meta.verbose_name, key)

    def enqueue(self) -> None:
        """Tell the workers, once the transaction is committed; without a broker the job fails and says so."""
        transaction.on_commit(self._send)

    def _send(self) -> None:
        try:
            current_app.send_task(self.task, [self.pk], queue=self.queue)
        except (OperationalError, OSError) as error:
            self._finish(
                self.State.FAILED,
                error=f"The broker does not answer ({error}). Start it, or unset CELERY_BROKER_URL "
                "for the embedded one, and start the job again.",
            )

    def cancel(self) -> None:
        """Ask the job to stop; one that no worker has, or only a dead one, is over at once."""
        now = timezone.now()
        rows = type(self)._default_manager.filter(pk=self.pk)
        jobs_of_dead_commands_end(rows)
        rows.filter(state__in=UNDER_WAY).update(cancel_requested=True)
        idle = Q(state=self.State.QUEUED) | Q(state=self.State.RUNNING, heartbeat_at__lt=now - STALE_AFTER)
        with transaction.atomic():
            is_over = rows.filter(idle).update(state=self.State.CANCELLED, finished_at=now)
            self.refresh_from_db()
            if is_over:
                job_over.send(type(self), job=self)

    def retry(self) -> bool:
        """Queue one that has failed or was cancelled once more; false where it is neither. `enqueue()` sends it."""
        queued = (
            type(self)
            ._default_manager.filter(pk=self.pk, state__in=(self.State.FAILED, self.State.CANCELLED))
            .update(
                state=self.State.QUEUED,
                cancel_requested=False,
                error="",
                deaths=0,
                created_at=timezone.now(),
                finished_at=None,
            )
        )
        self.refresh_from_db()
        return queued == 1

    def claim(self) -> bool:
        """Take the job for this process: true for exactly one of those who try."""
        rows = type(self)._default_manager.filter(pk=self.pk)
        _left_by_the_dead(rows)
        now = timezone.now()
        claimed = rows.filter(state=self.State.QUEUED, cancel_requested=False).update(
            state=self.State.RUNNING,
            worker=f"{COMMAND if current_app.current_task is None else ''}{this_process()}",
            started_at=now,
            heartbeat_at=now,
            error="",
        )
        self.refresh_from_db()
        return claimed == 1

    def report(self, done: int, total: int, stage: str = "") -> None:
        """Store progress and beat the heart.

        Raises:
            JobCancelled: asked to stop; or the row was deleted, or another worker has it by now.
        """
        self.done, self.total, self.stage = done, total, stage or self.stage
        self.heartbeat_at = timezone.now()
        rows = type(self)._default_manager.filter(pk=self.pk, worker=self.worker)
        beats = {name: getattr(self, name) for name in ("done", "total", "stage", "heartbeat_at")}
        if not rows.update(**beats) or rows.filter(cancel_requested=True).exists():
            raise JobCancelled

    def run(self, work: Callable[[Self], None]) -> None:
        """Claim the job and do `work(job)`; store how it ended. Does nothing when another has it."""
        from variants.job_guard import guarded

        if not self.claim():
            logger.info("job %s is %s, not taken", self.public_id, self.state)
            return
        try:
            with guarded(self):
                work(self)
        except JobCancelled:
            self._end(self.State.CANCELLED)
        except SoftTimeLimitExceeded:
            self._end(self.State.FAILED, error=self._too_long())
        except MemoryError as error:
            self._end(self.State.FAILED, error=self._too_large(error))
        except Exception as error:  # whatever went wrong belongs into the row
            # An error of the project's own says what to do; any other needs its trace.
            unforeseen = type(error).__module__ == "builtins"
            if unforeseen or not self.worker.startswith(COMMAND):  # a command tells the others itself
                logger.error("job %s failed: %s", self.public_id, error, exc_info=unforeseen)
            self._end(self.State.FAILED, error=str(error) or type(error).__name__)
        else:
            self._end(self.State.DONE)

    def _too_long(self) -> str:
        hours = settings.JOB_HOURS[self.queue]
        return (
            f"It took longer than {hours:g} h, the limit of the queue {self.queue}. "
            f"JOB_HOURS={self.queue}=… gives it more; then start it again."
        )

    def _too_large(self, error: MemoryError) -> str:
        return (
            f"It needed more memory than there was ({str(error) or 'no more could be had'}); a job of the queue "
            f"{self.queue} may hold {settings.JOB_GB[self.queue]:g} GB, where that is not 0. "
            f"JOB_GB={self.queue}=… gives it more."
        )

    def _end(self, state: State, error: str = "") -> None:
        """Store how the work ended, however long the database is away; nothing where another has the job by now."""
        until = time.monotonic() + PATIENCE_SECONDS
        wait = 0.5
        while True:
            try:
                if state != self.State.DONE and not connection.in_atomic_block:
                    connection.close()  # it may have been left in the middle of a query
                return self._finish(state, error, mine=self.worker)
            except DatabaseError as refused:
                if connection.in_atomic_block or time.monotonic() > until:
                    raise
                logger.warning(
                    "job %s is %s; the database does not take it: %s", self.public_id, state, refused
                )
                connection.close()
            time.sleep(wait)
            wait = min(2 * wait, 15)

    def _finish(self, state: State, error: str = "", mine: str | None = None) -> None:
        """`mine`: only where this is still the worker that has it."""
        rows = type(self)._default_manager.filter(pk=self.pk)
        if mine is not None:
            rows = rows.filter(state=self.State.RUNNING, worker=mine)
        self.state, self.error, self.finished_at = state, error, timezone.now()
        with transaction.atomic():
            if rows.update(state=state, error=error, finished_at=self.finished_at):
                job_over.send(type(self), job=self)
            else:
                logger.info("job %s was taken over or was deleted before it was done", self.public_id)


UNDER_WAY = (Job.State.QUEUED, Job.State.RUNNING)


def jobs_take_up_again() -> int:
    """Send every job that waits, or that a dead worker left, to the workers again; return how many.

    Jobs that are sent twice are still done once: the claim decides. What a dead command left has failed.
    """
    jobs_take_over()
    waiting = [
        job
        for model in job_models()
        for job in model._default_manager.filter(state=Job.State.QUEUED, cancel_requested=False).order_by(
            "pk"
        )  # whoever waits longest is first
    ]
    for job in waiting:
        job.enqueue()
    return len(waiting)


def jobs_take_over() -> int:
    """Queue and send again what workers left when they died; return how many."""
    left = [job for model in job_models() for job in _left_by_the_dead(model._default_manager.all())]
    for job in left:
        job.enqueue()
    return len(left)


def jobs_of_dead_commands_end(jobs: QuerySet[Any]) -> None:
    """Those of the jobs whose command was killed have failed, and say so."""
    for job in jobs.filter(state=Job.State.RUNNING, worker__startswith=COMMAND):
        if _worker_lives(job):
            continue
        still = type(job)._default_manager.filter(pk=job.pk, state=Job.State.RUNNING, worker=job.worker)
        with transaction.atomic():
            if still.update(state=Job.State.FAILED, error=KILLED, finished_at=timezone.now()):
                job.refresh_from_db()
                job_over.send(type(job), job=job)


def this_process() -> str:
    """This process's name in a job's row: host, number, and where the system tells it, when it began."""
    return f"{socket.gethostname()}:{os.getpid()}:{_birth(os.getpid()) or ''}"


def job_models() -> list[type[Job]]:
    """Every kind of job on the site."""
    return [model for model in apps.get_models() if issubclass(model, Job)]


def _left_by_the_dead(jobs: QuerySet[Any]) -> list[Job]:
    """Running jobs whose worker is dead, queued again; those that were never to end, or killed too many, have failed."""
    jobs_of_dead_commands_end(jobs)
    left = []
    for job in jobs.filter(state=Job.State.RUNNING):
        if _worker_lives(job):
            continue
        still = type(job)._default_manager.filter(pk=job.pk, state=Job.State.RUNNING, worker=job.worker)
        error = _why_it_ends(job)
        if not error:
            if still.update(state=Job.State.QUEUED, deaths=F("deaths") + 1):
                left.append(job)
            continue
        with transaction.atomic():
            if still.update(
                state=Job.State.FAILED, error=error, deaths=F("deaths") + 1, finished_at=timezone.now()
            ):
                job.refresh_from_db()
                job_over.send(type(job), job=job)
    return left


def _why_it_ends(job: Job) -> str:
    """Of a job whose worker has died: why it is not begun again; empty where it is."""
    if job.started_at and timezone.now() - job.started_at > dt.timedelta(hours=settings.JOB_HOURS[job.queue]):
        return job._too_long()
    if job.deaths + 1 >= job.most_deaths:
        return (
            f"{job.deaths + 1} workers died while they did it, so it is not begun again by itself. Memory is the "
            "usual reason: look into the worker's log, then start it again."
        )
    return ""


def _worker_lives(job: Job) -> bool:
    """By its process where it ran on this machine, else by its heart alone.

    A process's number is given again to others, and a dead process keeps it until its parent has
    looked: the one that is meant began when the row says.
    """
    host, pid, birth = (*job.worker.removeprefix(COMMAND).split(":"), "", "")[:3]
    if host == socket.gethostname() and pid.isdecimal() and Path("/proc").is_dir():
        found = _birth(int(pid))
        return found is not None and found == (birth or found) and _beats(job, LOST_AFTER)
    return _beats(job, STALE_AFTER)


def _beats(job: Job, within: dt.timedelta) -> bool:
    return job.heartbeat_at is not None and job.heartbeat_at > timezone.now() - within


def _birth(pid: int) -> str | None:
    """When a living process began, in the system's ticks; None for one that is dead, or without /proc."""
    try:
        # The name, in brackets, may hold anything; after it come the state and, as the 20th, the start.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
