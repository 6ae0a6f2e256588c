import datetime as dt
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.utils import timezone
from kombu.exceptions import OperationalError

from variants import job_guard, jobs
from variants.jobs import STALE_AFTER, Job, JobError, jobs_take_over, jobs_take_up_again, this_process
from variants.models import RenderJob

pytestmark = pytest.mark.django_db
HERE = socket.gethostname()


@pytest.fixture
def sent(monkeypatch):
    """Names and keys of the tasks that were sent."""
    messages = []
    monkeypatch.setattr(
        jobs.current_app, "send_task", lambda name, args, queue: messages.append((name, args[0]))
    )
    return messages


def test_a_job_is_claimed_once():
    job = RenderJob.objects.create()
    other = RenderJob.objects.get(pk=job.pk)
    assert job.claim()
    assert not other.claim()
    assert other.state == Job.State.RUNNING


def test_a_job_whose_heart_stopped_is_claimed_again():
    job = RenderJob.objects.create(state=Job.State.RUNNING, heartbeat_at=timezone.now() - 2 * STALE_AFTER)
    assert job.claim()


def test_a_finished_job_is_not_claimed_again():
    job = RenderJob.objects.create()
    job.run(lambda job: None)
    job.run(lambda job: pytest.fail("done twice"))
    assert job.state == Job.State.DONE
    assert job.fraction == 1


def test_a_failure_is_stored_with_its_reason():
    def work(job):
        raise JobError("the photo is gone")

    job = RenderJob.objects.create()
    job.run(work)
    job.refresh_from_db()
    assert (job.state, job.error) == (Job.State.FAILED, "the photo is gone")
    assert job.finished_at is not None


def test_progress_is_stored_and_beats_the_heart():
    seen = []

    def work(job):
        job.report(3, 12, "rendering")
        seen.append(RenderJob.objects.get(pk=job.pk))

    RenderJob.objects.create().run(work)
    assert (seen[0].done, seen[0].total, seen[0].stage) == (3, 12, "rendering")
    assert seen[0].fraction == 0.25
    assert timezone.now() - seen[0].heartbeat_at < dt.timedelta(seconds=5)


def test_a_cancelled_job_stops_at_its_next_report():
    steps = []

    def work(job):
        for step in range(5):
            if step == 2:
                RenderJob.objects.filter(pk=job.pk).update(cancel_requested=True)
            job.report(step, 5, "")
            steps.append(step)

    job = RenderJob.objects.create()
    job.run(work)
    assert steps == [0, 1]
    assert job.state == Job.State.CANCELLED


def test_a_waiting_job_that_is_cancelled_is_never_begun():
    job = RenderJob.objects.create(cancel_requested=True)
    job.run(lambda job: pytest.fail("was begun"))


@pytest.mark.django_db(transaction=True)
def test_a_job_is_sent_after_the_commit(sent):
    job = RenderJob.objects.create()
    job.enqueue()
    assert sent == [("variants.tasks.render_task", job.pk)]


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_the_job_fails_and_says_what_to_do(monkeypatch):
    def refuse(name, args, queue):
        raise OperationalError("Connection refused")

    monkeypatch.setattr(jobs.current_app, "send_task", refuse)
    job = RenderJob.objects.create()
    job.enqueue()
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "The broker does not answer (Connection refused)" in job.error
    assert "CELERY_BROKER_URL" in job.error


@pytest.mark.django_db(transaction=True)
def test_jobs_of_dead_workers_and_waiting_ones_are_sent_again(sent):
    now = timezone.now()
    waiting = RenderJob.objects.create()
    running = {"state": Job.State.RUNNING, "heartbeat_at": now}
    orphan = RenderJob.objects.create(**running, worker=f"{HERE}:{2**22 + 1}")
    RenderJob.objects.create(**running, worker=f"{HERE}:{os.getpid()}")
    RenderJob.objects.create(**running, worker="elsewhere:1")
    stale = RenderJob.objects.create(
        state=Job.State.RUNNING, heartbeat_at=now - 2 * STALE_AFTER, worker="elsewhere:1"
    )
    RenderJob.objects.create(state=Job.State.DONE)
    assert jobs_take_up_again() == 3
    assert {key for _, key in sent} == {waiting.pk, orphan.pk, stale.pk}
    orphan.refresh_from_db()
    assert orphan.claim()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="without /proc the heart alone is known")
@pytest.mark.django_db(transaction=True)
def test_a_number_that_went_to_another_process_and_a_dead_one_nobody_looked_at_are_dead(sent):
    running = {"state": Job.State.RUNNING, "heartbeat_at": timezone.now()}
    RenderJob.objects.create(**running, worker=this_process())
    again = RenderJob.objects.create(**running, worker=f"{HERE}:{os.getpid()}:1")
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and kept by the system
    unseen = RenderJob.objects.create(**running, worker=f"{HERE}:{child.pid}")
    assert jobs_take_over() == 2
    assert {key for _, key in sent} == {again.pk, unseen.pk}
    child.wait()


@pytest.mark.parametrize("moment", ["before", "meanwhile", "at the end"])
def test_a_job_whose_row_is_deleted_is_a_quiet_line(moment, caplog):
    caplog.set_level("INFO", "variants.jobs")
    job = RenderJob.objects.create()

    def work(job):
        if moment != "before":
            RenderJob.objects.all().delete()
        if moment == "meanwhile":
            job.report(1, 2, "rendering")
            pytest.fail("went on")

    if moment == "before":
        RenderJob.objects.all().delete()
    RenderJob.do(job.pk, work)
    assert not RenderJob.objects.exists()
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("INFO", None)]
    assert caplog.text.rstrip().endswith("was deleted before it was done")


@pytest.mark.parametrize("app", ["collection", "evaluation", "learning", "variants"])
def test_every_task_outlives_its_row(app, caplog):
    tasks = import_module(f"{app}.tasks")
    own = [task for name, task in vars(tasks).items() if name.endswith("_task") and name != "shared_task"]
    assert own
    for task in own:
        task(10**9)
    assert "ERROR" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_heart_beats_while_one_long_step_reports_nothing(monkeypatch):
    monkeypatch.setattr(job_guard, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(job_guard, "LISTEN_SECONDS", 0.02)
    seen = []

    def work(job):
        job.refresh_from_db()
        first = job.heartbeat_at
        deadline = time.monotonic() + 20
        while job.heartbeat_at == first and time.monotonic() < deadline:
            time.sleep(0.02)
            job.refresh_from_db()
        seen.append(job.heartbeat_at > first)

    job = RenderJob.objects.create()
    job.run(work)
    assert seen == [True]
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("heart of")]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_cancelled_in_one_long_step_ends_in_seconds(monkeypatch):
    """Whoever catches the errors of its parts does not catch that."""
    monkeypatch.setattr(job_guard, "LISTEN_SECONDS", 0.02)
    monkeypatch.setattr(job_guard, "STEP_SECONDS", 0.1)

    def work(job):
        Job.cancel(RenderJob.objects.get(pk=job.pk))
        try:
            time.sleep(30)
        except Exception:  # noqa: BLE001
            pytest.fail("taken for an error of a part")

    job = RenderJob.objects.create()
    begun = time.monotonic()
    job.run(work)
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED
    assert time.monotonic() - begun < 10


def test_a_job_that_kills_its_workers_fails_after_some_of_them(sent):
    """Each death is counted, and the last one says what to do."""
    job = RenderJob.objects.create()
    for death in range(1, RenderJob.most_deaths + 1):
        assert job.claim()
        RenderJob.objects.filter(pk=job.pk).update(worker=f"{HERE}:{2**22 + 1}")
        assert jobs_take_over() == (death < RenderJob.most_deaths)
        job.refresh_from_db()
        assert job.deaths == death
    assert job.state == Job.State.FAILED
    assert "5 workers died" in job.error
    assert job.retry()
    assert (job.state, job.deaths, job.error) == (Job.State.QUEUED, 0, "")
    assert not job.retry()


def test_a_job_that_was_killed_at_its_limit_is_not_begun_again(settings):
    job = RenderJob.objects.create(
        state=Job.State.RUNNING,
        worker="elsewhere:1",
        started_at=timezone.now() - dt.timedelta(hours=settings.JOB_HOURS["render"], minutes=1),
        heartbeat_at=timezone.now() - 2 * STALE_AFTER,
    )
    assert jobs_take_over() == 0
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "longer than 48 h" in job.error
    assert "JOB_HOURS=render=" in job.error


def test_limits_of_time_and_memory_are_reasons(settings):
    def late(job):
        raise SoftTimeLimitExceeded

    def large(job):
        raise MemoryError("Unable to allocate 9 GiB")

    for work, reason in ((late, "JOB_HOURS=render="), (large, "Unable to allocate 9 GiB")):
        job = RenderJob.objects.create()
        job.run(work)
        assert job.state == Job.State.FAILED
        assert reason in job.error


def test_whoever_lost_a_job_to_another_worker_ends_and_changes_nothing():
    def work(job):
        RenderJob.objects.filter(pk=job.pk).update(worker="elsewhere:1")
        job.report(1, 2)
        pytest.fail("went on")

    job = RenderJob.objects.create()
    job.run(work)
    job.refresh_from_db()
    assert (job.state, job.worker, job.done) == (Job.State.RUNNING, "elsewhere:1", 0)


@pytest.mark.skipif(sys.platform != "linux", reason="the system bounds no process's memory")
def test_more_memory_than_a_kind_may_have_is_refused_to_the_job_alone(settings, monkeypatch):
    monkeypatch.setattr(job_guard, "current_app", SimpleNamespace(current_task=True))
    monkeypatch.setattr(job_guard, "_has_card", lambda: False)
    (held,) = re.findall(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text())
    settings.JOB_GB = {"render": int(held) / 1e6 + 0.5}
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with job_guard._bounded_memory(RenderJob()), pytest.raises(MemoryError):
        bytearray(2_000_000_000)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert len(bytearray(2_000_000_000)) == 2_000_000_000
