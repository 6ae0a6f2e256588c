"""The demo's two child processes, the worker and the web server, and their clean end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GRACE_SECONDS = 15


class ChildDied(Exception):
    """A child process ended by itself; the message holds the end of its log."""


class Child:
    """A process of our own, with its output in a log file."""

    def __init__(
        self, name: str, command: list[str], log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            # A session of its own: Ctrl-C reaches this process alone, which then ends the children in order.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise ChildDied when the process is gone."""
        code = self.process.poll()
        if code is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise ChildDied(f"The {self.name} ended with code {code}. The end of {self.log}:\n{tail}")

    def end(self) -> None:
        """Ask the process to end, and kill it with its own children when it does not."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


@contextmanager
def worker(logs: Path) -> Iterator[Child]:
    """A Celery worker with two processes, ended with the context."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "config",
        "worker",
        "--concurrency",
        "2",
        "--loglevel",
        "INFO",
    ]
    child = Child("worker", command, logs / "worker.log")
    try:
        yield child
    finally:
        child.end()


@contextmanager
def server(logs: Path, port: int, secret_key: str) -> Iterator[Child]:
    """The site on 127.0.0.1, ended with the context; returns once it answers."""
    # As a real site is served, error pages included; only the cookies go over plain HTTP here.
    environment = {**os.environ, "DEBUG": "off", "SECRET_KEY": secret_key, "SECURE_COOKIES": "off"}
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    child = Child(
        "web server",
        [*command, "--workers", "2", "--blocking-threads", "16", "config.wsgi:application"],
        logs / "server.log",
        environment,
    )
    try:
        _wait_until_it_answers(child, port)
        yield child
    finally:
        child.end()


def free_port(wanted: int) -> int:
    """`wanted`, or the next free one of the hundred after it."""
    for port in range(wanted, wanted + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise ChildDied(
        f"No port from {wanted} to {wanted + 99} is free on 127.0.0.1; choose another with --port."
    )


def _wait_until_it_answers(child: Child, port: int, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        child.check()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise ChildDied(f"The web server did not answer on port {port} within {seconds:.0f} s; see {child.log}.")
