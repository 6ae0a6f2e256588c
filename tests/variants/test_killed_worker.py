"""A large job whose worker is killed twice, on the embedded set-up, as it is run."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from tests.variants.factories import make_photo

N_PHOTOS = 40
N_RECIPES = 250 if os.environ.get("TONALIST_LARGE") else 50
"""10,000 renditions take minutes; every run of the tests makes 2,000."""
KILL_AT = (12 * N_RECIPES, 26 * N_RECIPES)
"""Renditions that are there when the worker and its children get SIGKILL."""

ORDER = f"""
from variants.models import Scene
from variants.services import renditions_plan
from variants.sources.controlled import designed_recipes
recipes = designed_recipes("sobol", {N_RECIPES - 1}, 1)
renditions_plan(Scene.objects.all(), recipes, long_side=48, encoding="webp_lossless").enqueue()
"""


@pytest.fixture
def site(tmp_path):
    """Environment of a site of its own with an ordered job, and the folder of its data."""
    data = tmp_path / "data"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "TONALIST_DATA": str(data),
        "CELERY_BROKER_URL": "",
    }

    def manage(*arguments):
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )

    for seed in range(N_PHOTOS):
        make_photo(tmp_path / "photos", f"{seed}.png", seed=seed, height=36, width=48)
    manage("migrate", "--verbosity", "0")
    manage("import_scenes", str(tmp_path / "photos"), "--quiet")
    manage("shell", "--verbosity", "0", "-c", ORDER)
    return environment, data


@pytest.mark.slow
@pytest.mark.flaky(reruns=1)
def test_thousands_of_renditions_survive_two_kills(site):
    """Complete, each file under one name and whole, and none rendered again once its row said so."""
    environment, data = site
    log = data / "worker.log"
    total = N_PHOTOS * N_RECIPES
    before: dict[str, str] = {}
    for kill_at in (*KILL_AT, None):
        worker = start_worker(environment, log)
        try:
            wait_for(data, worker, kill_at, log)
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        now = rendered(data)
        assert before.items() <= now.items(), "what was rendered has changed"
        if kill_at:
            assert kill_at <= len(now) < total
            before = now
    assert len(now) == total
    files = {path.stem: path for path in (data / "media" / "renditions").iterdir()}
    assert files.keys() == now.keys()
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == now[name] for name, path in files.items())


def start_worker(environment, log):
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--concurrency", "1"]
    with log.open("a") as output:
        return subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def wait_for(data, worker, count, log):
    """Until so many are rendered, or without a count until the job is done."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        assert worker.poll() is None, log.read_text()[-4000:]
        if count is None and query(data, "SELECT state FROM variants_renderjob") == [("done",)]:
            return
        found = query(data, "SELECT count(*) FROM variants_rendition WHERE state = 'rendered'")
        if count is not None and found[0][0] >= count:
            return
        time.sleep(0.05)
    job = query(data, "SELECT state, worker, heartbeat_at, error FROM variants_renderjob")
    pytest.fail(f"after four minutes {found[0][0]} renditions are there; {job}; {log.read_text()[-4000:]}")


def rendered(data):
    rows = query(data, "SELECT public_id, sha256 FROM variants_rendition WHERE state = 'rendered'")
    return dict(rows)


def query(data, sql):
    with closing(
        sqlite3.connect(f"file:{data / 'tonalist.sqlite3'}?mode=ro", uri=True, timeout=10)
    ) as database:
        return database.execute(sql).fetchall()
