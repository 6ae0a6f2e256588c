"""Kill workers and the clock at random moments while jobs are done, and see that each ends whole or with its reason.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m bench.faults --rounds 50 --seed 1

Two workers and beat run as they are deployed, on a database of their own and a broker of their own (--broker; a
database of Redis is emptied at times, as a broker that lost everything). Each round orders jobs, waits for a random
moment and sends SIGKILL to one process, which is started again. In the end every job must be done, or have failed
with its reason; every file that a row names must be whole, and after `manage.py gc --delete` there is no other.
"""

import argparse
import contextlib
import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from bench.scratch import scratch_database

WORKERS = ("a", "b")
BUSY_WITHIN = 60
"""Seconds that a round waits for somebody to be at a job: a worker that only starts loses nothing."""
PAUSE = (0.0, 3.0)
"""Seconds before a kill, drawn between."""
MOST_UNDER_WAY = 6
OVER_WITHIN = 480
"""Seconds after the last kill, in which everything must have ended."""
N_PHOTOS, N_RATERS = 4, 6


class Fleet:
    """Two workers and the clock, each with its children in a session of its own."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", "celery", "-A", "config"]
        if name == "beat":
            command += ["beat", "--schedule", str(self.logs / "beat-schedule")]
        else:
            command += ["worker", "--hostname", f"{name}@%h", "--concurrency", "1", "--loglevel", "INFO"]
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def kill(self, name: str) -> None:
        """Without a word of warning, with all its children."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def end(self) -> None:
        for name in self.processes:
            if self.processes[name].poll() is None:
                self.kill(name)


def study_make(folder):
    """A study that simulated raters have answered, so that there is something to export and to learn."""
    from django.core.management import call_command

    from collection.export.write import export_run
    from collection.models import Study
    from collection.services.exports import export_create

    rng = np.random.default_rng(5)
    for number in range(N_PHOTOS):
        ramp = np.linspace(20, 200, 120)[None, :, None] * rng.uniform(0.6, 1.2, 3)
        pixels = np.clip(ramp + rng.normal(0, 6, (80, 120, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"photo-{number}.png")
    call_command("import_scenes", str(folder), quiet=True)
    call_command("create_study", "Faults", simulated=True, set=["n_main=20", "n_checks=4"], quiet=True)
    call_command("generate_variants", "faults", wait=True, quiet=True)
    call_command("open_study", "faults", quiet=True)
    call_command("simulate_raters", "faults", raters=N_RATERS, quiet=True)
    export_create(Study.objects.get(slug="faults")).run(export_run)  # to train on from the first round


def order(kind, study, rng):
    """One more job of the kind, sent to the workers."""
    from collection.design.statistics import Settings
    from collection.models import Export
    from collection.services.exports import export_create
    from collection.services.statistics import statistics_create
    from collection.services.studies import StudyError
    from learning.services.runs import run_create
    from variants.models import Scene
    from variants.services import renditions_plan
    from variants.sources.controlled import designed_recipes

    seed = rng.randrange(2**31)
    if kind == "render":
        job = renditions_plan(
            Scene.objects.all(), designed_recipes("sobol", 150, seed), long_side=96, encoding="webp_lossless"
        )
    elif kind == "export":
        job = export_create(study)
    elif kind == "statistics":
        try:
            job = statistics_create(study, Settings(seed=seed % 1000))
        except StudyError:  # those of the last round are under way
            return
    else:
        done = Export.objects.filter(study=study, state="done").first()
        if done is None:
            return
        job = run_create(done, system="upe", preset="tiny", backbone="tone_statistics", steps=30, seed=seed)
    job.enqueue()


def disturb(fleet, broker, rng):
    """Kill one of them, or empty the broker; what was done, in a word."""
    victims = ["worker", "worker", *["process at a job"] * 4, "beat"]
    if broker.startswith("redis"):
        victims.append("broker emptied")
    victim = rng.choice(victims)
    if victim == "process at a job":
        if busy := pids_at_work():
            with contextlib.suppress(ProcessLookupError):  # it ended this moment
                os.kill(rng.choice(busy), signal.SIGKILL)
            return victim
        victim = "worker"
    if victim == "broker emptied":
        import redis

        redis.Redis.from_url(broker).flushdb()  # a worker that starts sends again what waits
    name = "beat" if victim == "beat" else rng.choice(WORKERS)
    fleet.kill(name)
    fleet.start(name)
    return victim


def jobs_all():
    from variants.jobs import job_models

    return [job for model in job_models() for job in model._default_manager.all()]


def pids_at_work():
    """Processes that live and are at a job; rows of the dead say so too until they are taken over."""
    pids = {int(job.worker.split(":")[1]) for job in jobs_all() if job.state == "running"}
    return sorted(pid for pid in pids if Path(f"/proc/{pid}").is_dir())


def wait_until_busy():
    until = time.monotonic() + BUSY_WITHIN
    while time.monotonic() < until and not pids_at_work():
        time.sleep(0.2)


def wait_until_over(fleet):
    """Seconds until nothing was under way; None where something still is."""
    begun = time.monotonic()
    for name in WORKERS:
        if fleet.processes[name].poll() is not None:
            fleet.start(name)
    while time.monotonic() - begun < OVER_WITHIN:
        if all(job.is_over for job in jobs_all()):
            return time.monotonic() - begun
        time.sleep(1)
    return None


def faults_found(data):
    """What is not as it was promised, in words."""
    from django.core.files.storage import default_storage
    from django.core.management import call_command
    from safetensors import safe_open

    from collection.export.check import check_folder
    from collection.models import Export, StatisticsJob
    from config.operations.backup import storage_names
    from learning.models import Run
    from variants.models import Rendition, Scene

    def faults():
        for job in jobs_all():
            if not job.is_over:
                yield f"{job._meta.verbose_name} {job.pk} is {job.state}"
            if job.state == "failed" and not job.error:
                yield f"{job._meta.verbose_name} {job.pk} failed without a reason"
        call_command("gc", delete=True, older_than=0.0, stdout=io.StringIO())
        named = set()
        for row in Rendition.objects.exclude(image=""):
            named.add(row.image.name)
            with row.image.open("rb") as file:
                if hashlib.sha256(file.read()).hexdigest() != row.sha256:
                    yield f"rendition {row.pk} is not what its row says"
        if n := Rendition.objects.filter(state="rendered", image="").count():
            yield f"{n} renditions are rendered and have no file"
        for scene in Scene.objects.all():
            named |= {scene.original.name, scene.thumbnail.name}
        stored = set(storage_names(default_storage))
        if stored ^ named - {""}:
            yield f"storage and rows differ in {sorted(stored ^ named)[:5]}"
        whole = {Path(export.folder) for export in Export.objects.filter(state="done")}
        there = set((data / "exports").iterdir())
        if there != whole:
            yield f"datasets and rows differ in {sorted(map(str, there ^ whole))}"
        for folder in whole & there:
            if found := check_folder(folder):
                yield f"{folder.name}: {found[0]}"
        for run in Run.objects.filter(state="done"):
            with safe_open(Path(run.folder) / "weights.safetensors", "np") as weights:
                if not list(weights.keys()):
                    yield f"run {run.pk} has no weights"
        yield from (f"half a file: {path}" for path in data.rglob(".*.partial*"))
        if n := StatisticsJob.objects.filter(state="done", result=None).count():
            yield f"{n} statistics are done and say nothing"

    return list(faults())


def measure(rounds, seed, broker, seconds):
    from django.conf import settings

    from collection.models import Study

    rng = random.Random(seed)
    data = settings.TONALIST_DATA
    (data / "photos").mkdir()
    study_make(data / "photos")
    study = Study.objects.get(slug="faults")
    logs = data / "logs"
    logs.mkdir()
    fleet = Fleet(logs)
    done: Counter[str] = Counter()
    begun = time.monotonic()
    try:
        for name in (*WORKERS, "beat"):
            fleet.start(name)
        for number in range(rounds):
            if time.monotonic() - begun > seconds:
                break
            kind = rng.choice(["render", "export", "statistics", "train"])
            if sum(not job.is_over for job in jobs_all()) < MOST_UNDER_WAY:
                order(kind, study, rng)
            wait_until_busy()
            time.sleep(rng.uniform(*PAUSE))
            done[disturb(fleet, broker, rng)] += 1
            print(f"round {number + 1}", file=sys.stderr)
        waited = wait_until_over(fleet)
    finally:
        fleet.end()
    return done, waited, faults_found(data), time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=360, help="after which no round is begun")
    parser.add_argument("--broker", default="", help="such as redis://127.0.0.1:6379/8; files by default")
    options = parser.parse_args()
    os.environ["CELERY_BROKER_URL"] = options.broker
    os.environ["LOG_LEVEL"] = "INFO"
    with scratch_database():
        done, waited, faults, took = measure(options.rounds, options.seed, options.broker, options.seconds)
        states = Counter((str(job._meta.verbose_name), str(job.state)) for job in jobs_all())
        deaths = sum(job.deaths for job in jobs_all())
        errors = Counter(job.error for job in jobs_all() if job.error)
    print(f"{sum(done.values())} rounds in {took:.0f} s, seed {options.seed}: {dict(done)}")
    print(
        f"{deaths} jobs lost their worker and were taken up again or ended; the last was over after {waited} s"
    )
    for (kind, state), n in sorted(states.items()):
        print(f"  {kind}: {n} {state}")
    for error, n in errors.items():
        print(f"  {n} × {error[:200]}")
    for fault in faults:
        print(f"  FAULT {fault}")
    return 1 if faults or waited is None else 0


if __name__ == "__main__":
    sys.exit(main())
