"""A large job whose worker is killed twice, on the embedded set-up, as it is run."""

import hashlib
import os
import signal
import time

import pytest

from tests.variants.factories import make_photo

N_PHOTOS = 20
N_RECIPES = 500 if os.environ.get("TONALIST_LARGE") else 50
"""10,000 renditions take minutes; every run of the tests makes 1,000."""
KILL_AT = (6 * N_RECIPES, 13 * N_RECIPES)
"""Renditions that are there when the worker and its children get SIGKILL."""

ORDER = """
from variants.models import Scene
from variants.services import renditions_plan
from variants.sources.controlled import designed_recipes
call_command("import_scenes", "{photos}", "--quiet")
recipes = designed_recipes("sobol", {n}, 1)
renditions_plan(Scene.objects.all(), recipes, long_side=48, encoding="webp_lossless").enqueue()
"""


@pytest.fixture
def site(new_site, tmp_path):
    """A site with an ordered job."""
    for seed in range(N_PHOTOS):
        make_photo(tmp_path / "photos", f"{seed}.png", seed=seed, height=36, width=48)
    site = new_site()
    site.run(ORDER.format(photos=tmp_path / "photos", n=N_RECIPES - 1))
    return site


@pytest.mark.slow
@pytest.mark.flaky(reruns=1)
def test_a_thousand_renditions_survive_two_kills(site):
    """Complete, each file under one name and whole, and none rendered again once its row said so."""
    log = site.data / "worker.log"
    total = N_PHOTOS * N_RECIPES
    before: dict[str, str] = {}
    for kill_at in (*KILL_AT, None):
        worker = site.start_worker(log)
        try:
            wait_for(site, worker, kill_at, log)
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        now = rendered(site)
        assert before.items() <= now.items(), "what was rendered has changed"
        if kill_at:
            assert kill_at <= len(now) < total
            before = now
    assert len(now) == total
    files = {path.stem: path for path in (site.data / "media" / "renditions").iterdir()}
    assert files.keys() == now.keys()
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == now[name] for name, path in files.items())


def wait_for(site, worker, count, log):
    """Until so many are rendered, or without a count until the job is done."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        assert worker.poll() is None, log.read_text()[-4000:]
        if count is None and site.query("SELECT state FROM variants_renderjob") == [("done",)]:
            return
        found = site.query("SELECT count(*) FROM variants_rendition WHERE state = 'rendered'")
        if count is not None and found[0][0] >= count:
            return
        time.sleep(0.05)
    job = site.query("SELECT state, worker, heartbeat_at, error FROM variants_renderjob")
    pytest.fail(f"after four minutes {found[0][0]} renditions are there; {job}; {log.read_text()[-4000:]}")


def rendered(site):
    rows = site.query("SELECT public_id, sha256 FROM variants_rendition WHERE state = 'rendered'")
    return dict(rows)
