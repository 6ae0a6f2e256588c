"""Which task stands in which queue, and who takes it on a laptop."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from config.celery import app
from config.environment import job_limits
from config.management.commands import worker
from config.queues import FIRST, QUEUE_OF, QUEUES, USUAL, broker_priority


def test_every_task_of_the_site_stands_in_one_queue():
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith(("celery.", "tests."))}
    assert ours == set(QUEUE_OF)
    assert sum(len(kind.tasks) for kind in QUEUES.values()) == len(ours)


def test_nobody_who_waits_stands_behind_a_training():
    """On a laptop two workers take each queue once, and what takes long is the other's."""
    assert sorted(worker.QUICK + worker.LONG) == sorted(QUEUES)
    assert QUEUE_OF["learning.tasks.look_task"] in worker.QUICK
    assert QUEUE_OF["collection.tasks.questions_task"] in worker.QUICK
    assert QUEUE_OF["learning.tasks.train_task"] in worker.LONG


@pytest.mark.parametrize(("broker", "sign"), [("redis://x", -1), ("amqps://x", 1)])
def test_what_is_urgent_has_the_number_that_its_broker_takes_first(broker, sign):
    first, usual = broker_priority(broker, FIRST), broker_priority(broker, USUAL)
    assert (first - usual) * sign > 0
    assert 0 <= min(first, usual) <= max(first, usual) <= 9


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("JOB_HOURS", "train=480, export=0.5")
    assert job_limits("JOB_HOURS") == {"train": 480, "export": 0.5}
    for wrong in ("trains=4", "train", "train=-1", "train=long"):
        monkeypatch.setenv("JOB_HOURS", wrong)
        with pytest.raises(ImproperlyConfigured, match="JOB_HOURS has"):
            job_limits("JOB_HOURS")


@pytest.fixture
def started(monkeypatch):
    """What the command starts in place of workers; its handlers of signals go with the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    codes = {"quick": "import time; time.sleep(60)", "long": "import time; time.sleep(60)"}
    processes = {}

    def start(name, queues, *more):
        command = [sys.executable, "-S", "-c", codes[name]]
        processes[name] = subprocess.Popen(command, start_new_session=True)
        return processes[name]

    monkeypatch.setattr(worker, "_start", start)
    yield codes, processes
    for number, handler in before.items():
        signal.signal(number, handler)


def test_one_signal_ends_both_workers(started):
    _, processes = started
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    call_command("worker")
    assert [process.returncode for process in processes.values()] == [-signal.SIGTERM] * 2


def test_where_one_worker_ends_by_itself_the_other_does_not_stay_alone(started):
    codes, processes = started
    codes["long"] = "raise SystemExit(3)"
    with pytest.raises(CommandError, match="long ended with code 3"):
        call_command("worker")
    assert processes["quick"].returncode == -signal.SIGTERM
