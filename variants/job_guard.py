"""What watches over a job while its work is done: its heart beats, a cancelling is heard, its memory has a bound."""

import logging
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from variants.jobs import Job, JobCancelled

logger = logging.getLogger(__name__)

BEAT_SECONDS = 15
"""Between two beats of a job that has nothing to report: one long step is no death."""
LISTEN_SECONDS = 2
"""Between two looks whether somebody has cancelled it."""
STEP_SECONDS = 5
"""That the work has, once it is cancelled, to come to the end of its step by itself."""


@contextmanager
def guarded(job: Job) -> Iterator[None]:
    """Watch over the job, which this process has claimed.

    Raises:
        JobCancelled: somebody cancelled it, and its step did not end in a few seconds. It comes at any place, as
            a kill would: what stands that is killed, stands it.
    """
    if connection.in_atomic_block:  # a row that is not committed is seen by nobody else
        yield
        return
    is_over = threading.Event()
    with _interruptible(is_over) as interrupt, _bounded_memory(job):
        thread = threading.Thread(
            target=_watch, args=(job, is_over, interrupt), name=f"heart of {job.public_id}", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def _watch(job: Job, is_over: threading.Event, interrupt: threading.Event) -> None:
    mine = type(job)._default_manager.filter(pk=job.pk, state=Job.State.RUNNING, worker=job.worker)
    beat_at, heard_at = time.monotonic(), None
    try:
        while not is_over.wait(LISTEN_SECONDS):
            now = time.monotonic()
            try:
                if now - beat_at >= BEAT_SECONDS:
                    mine.update(heartbeat_at=timezone.now())
                    beat_at = now
                if heard_at is None and not mine.filter(cancel_requested=False).exists():
                    heard_at = now
            except DatabaseError as error:
                logger.warning("job %s could not beat its heart: %s", job.public_id, error)
                connection.close()
            if heard_at is not None and now - heard_at >= STEP_SECONDS and not interrupt.is_set():
                interrupt.set()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
    finally:
        connection.close()


@contextmanager
def _interruptible(is_over: threading.Event) -> Iterator[threading.Event]:
    """Where the work is done in the main thread, which alone gets signals; others hear of it at their next report."""
    interrupt = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        interrupt.set()
        yield interrupt
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        if interrupt.is_set() and not is_over.is_set():
            raise JobCancelled

    before = signal.signal(signal.SIGUSR2, stop)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGUSR2, before)


@contextmanager
def _bounded_memory(job: Job) -> Iterator[None]:
    """On workers under Linux without a card: more than JOB_GB is a MemoryError of the job, and no death of the worker."""
    limit = round(settings.JOB_GB[job.queue] * 1e9)
    if not limit or sys.platform != "linux" or current_app.current_task is None or _has_card():
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    hard = before[1]
    resource.setrlimit(
        resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _has_card() -> bool:
    """Drivers of cards map far more than they use."""
    return any(Path("/dev").glob("nvidia[0-9]*"))
