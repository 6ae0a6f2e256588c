"""Answers stored a second and how long each takes, for 1, 16 and 64 participants at once, on PostgreSQL.

The site runs with two workers, as `make serve` runs it; in the same processes, behind the same
middleware, runs a bare Django view that inserts what it is sent and checks nothing. The two are asked
in turn. Each participant has a session of 90 planned questions and a connection that stays open, and
sends the next answer when the one before is confirmed; whoever has finished is followed by another
one. Set DATABASE_URL; the database is made for the measurement and dropped after it.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.scratch import scratch_database
from bench.timing import print_rows, row

PARTICIPANTS = (1, 16, 64)
GOAL = 0.6
QUESTIONS = 90
MOST_A_SECOND = 4000
"""Answers; so many are planned for each second of a round."""
PEERS = {"bare view": "/bare/", "without middleware": "/bare/alone/"}
CLIENT = {
    "input": "touch", "layout": "column", "viewport_width": 390, "viewport_height": 844, "pixel_ratio": 3,
    "shown_width": 390, "shown_height": 260, "shown_at": 1795000000000, "chosen_at": 1795000001200,
    "hidden_count": 0, "hidden_ms": 0, "image_retries": 0,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.answer_loop", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--participants", type=int, nargs="+", default=PARTICIPANTS)
    options = parser.parse_args()
    with scratch_database():
        from bench.bare_site import table_make

        table_make()
        visits = Visits()
        with server() as port:
            rounds = {n: measure(visits, port, n, options) for n in options.participants}
        visits.check()
    print_table(rounds)
    print_rows([row_of(n, by_name) for n, by_name in rounds.items()])


def measure(visits, port, n, options):
    """Contender → its rounds."""
    requests = {"ours": visits.answers} | {
        name: lambda path=path: itertools.repeat(request(path, "0" * 32)) for name, path in PEERS.items()
    }
    rounds = {name: [] for name in requests}
    for k in range(1 + options.rounds):
        for name in requests:
            if name == "ours":
                visits.plan(n + round(options.seconds * MOST_A_SECOND / QUESTIONS))
            load = Load(port, n, requests[name], options.seconds if k else 0.5).run()
            rounds[name] += [load] if k else []  # the first is for warming up
    return rounds


def row_of(n, rounds):
    return row(
        f"answers stored, {n} at once",
        ours=rate(rounds["ours"]),
        peer=rate(rounds["bare view"]),
        peer_name="bare view",
        goal=GOAL,
        better="higher",
        unit="answers/s",
    )


def rate(loads):
    return statistics.median(len(load.milliseconds) / load.seconds for load in loads)


def print_table(rounds):
    print(f"{'at once':>7}  {'':20} answers/s   p50 ms   p95 ms   p99 ms")
    for n, by_name in rounds.items():
        for name, loads in by_name.items():
            times = np.concatenate([load.milliseconds for load in loads])
            p50, p95, p99 = np.percentile(times, [50, 95, 99])
            print(f"{n:7}  {name:20} {rate(loads):9.0f} {p50:8.2f} {p95:8.2f} {p99:8.2f}")
    busy = [load.busy for by_name in rounds.values() for loads in by_name.values() for load in loads]
    print(f"What asks takes {statistics.median(busy):.0%} of a core, {max(busy):.0%} at most.")


class Visits:
    """Planned sessions, each for one participant after the other."""

    def __init__(self):
        self.study = study_make()
        self.waiting = deque()
        self.n_sent = 0

    def plan(self, n):
        """See to it that so many wait."""
        from tests.collection.factories import make_session

        for _ in range(n - len(self.waiting)):
            session = make_session(self.study, name=f"person {time.time_ns()}", seed=None)
            tokens = session.questions.order_by("index").values_list("token", flat=True)
            self.waiting.append((session.token, deque(tokens)))

    def answers(self) -> Iterator[bytes]:
        """One participant's requests; a session that is broken off goes on with another one."""
        while True:
            session, questions = self.waiting.popleft()
            try:
                while questions:
                    self.n_sent += 1
                    yield request(f"/api/participant/sessions/{session}/answers/", questions.popleft())
            finally:
                if questions:
                    self.waiting.appendleft((session, questions))

    def check(self):
        """Every answer was stored once, and every session with all its answers is finished."""
        from collection.models import ConflictingAnswer, Question, Session

        n_stored = Question.objects.exclude(answered_at=None).count()
        under_way = Session.objects.filter(questions__answered_at=None).distinct().count()
        n_finished = Session.objects.exclude(finished_at=None).count()
        assert n_stored == self.n_sent, f"{self.n_sent} answers were sent, {n_stored} are stored"
        assert not ConflictingAnswer.objects.exists()
        assert n_finished + under_way == Session.objects.count()
        print(f"{n_stored} answers stored, {n_finished} sessions finished; none lost, none twice")


def study_make():
    from tests.collection.factories import make_study

    return make_study(n_scenes=100, per_scene=6, phases=("consent", "main"), n_main=80, n_checks=10)


def request(path, question):
    body = {"question": question, "side": "left", "response_ms": 1200, "client": CLIENT}
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


class Load:
    """So many connections at once, each with one request under way, for some seconds."""

    def __init__(self, port, n, requests, seconds):
        self.port, self.seconds = port, seconds
        self.visitors = [Visitor(self, requests()) for _ in range(n)]
        self.milliseconds = []

    def run(self):
        busy, begun = time.process_time(), time.perf_counter()
        self.until = begun + self.seconds
        asyncio.run(self._run())
        self.seconds = time.perf_counter() - begun
        self.busy = (time.process_time() - busy) / self.seconds
        return self

    async def _run(self):
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(visitor.run(loop) for visitor in self.visitors))


class Visitor(asyncio.Protocol):
    def __init__(self, load, requests):
        self.load, self.requests = load, requests

    async def run(self, loop):
        self.done = loop.create_future()
        self.reply = b""
        transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", self.load.port)
        try:
            await self.done
        finally:
            transport.close()
            getattr(self.requests, "close", int)()

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        self.sent = time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data):
        self.reply += data
        if not self.reply.rstrip(b"\r\n0").endswith(b"}"):  # with or without the end of chunks
            return
        now = time.perf_counter()
        self.load.milliseconds.append(1000 * (now - self.sent))
        if b'"stored"' not in self.reply:
            self.done.set_exception(RuntimeError(self.reply.decode()))
        elif now > self.load.until:
            self.done.set_result(None)
        else:
            self.reply = b""
            self.send()

    def connection_lost(self, error):
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server hung up"))


@contextlib.contextmanager
def server():
    """The port of the site with the bare view beside it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
    command += [
        "--port",
        str(port),
        "--workers",
        "2",
        "--blocking-threads",
        "8",
        "--no-log",
        "bench.bare_site:application",
    ]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                if process.poll() is not None:
                    sys.exit(f"the server ended with code {process.returncode}")
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
