"""`manage.py worker`: the two workers of one machine, as `make worker` starts them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.queues import QUEUES

QUICK = ("interactive", "upkeep")
LONG = tuple(name for name in QUEUES if name not in QUICK)


class Command(BaseCommand):
    help = (
        "Start two workers that take all jobs: one what somebody waits for and what is done by the clock, one what "
        "takes long, so that nobody waits behind a training. Ctrl-C lets them end what they are at; a second one "
        "breaks it off, and the next worker takes it up."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        workers = {"quick": _start("quick", QUICK, "--beat"), "long": _start("long", LONG)}
        n_asked, died = 0, ""

        def ask(*_: object) -> None:
            nonlocal n_asked
            n_asked += 1
            for worker in workers.values():
                if worker.poll() is None and n_asked == 1:
                    worker.terminate()
                elif worker.poll() is None:
                    os.killpg(worker.pid, signal.SIGKILL)

        signal.signal(signal.SIGINT, ask)
        signal.signal(signal.SIGTERM, ask)
        while any(worker.poll() is None for worker in workers.values()):
            over = [name for name, worker in workers.items() if worker.poll() is not None]
            if over and not n_asked:
                died = (
                    f"The worker {over[0]} ended with code {workers[over[0]].returncode}; it said why above."
                )
                ask()
            time.sleep(0.2)
        if died:
            raise CommandError(died)


def _start(name: str, queues: Sequence[str], *more: str) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C reaches this command alone, which then asks them to end."""
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--hostname", f"{name}@%h"]
    options = ["--queues", ",".join(queues), "--concurrency", "2", "--loglevel", "INFO", *more]
    return subprocess.Popen([*command, *options], start_new_session=True)
