"""A job goes through each kind of broker to a real worker process and comes back as a finished row."""

import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

BROKERS = [
    pytest.param("", id="embedded"),
    pytest.param("redis://127.0.0.1:6379/9", id="redis", marks=pytest.mark.service),
    pytest.param("amqp://guest:guest@127.0.0.1:5672//", id="rabbitmq", marks=pytest.mark.service),
]


ORDER = """
call_command("import_scenes", "{photos}", "--quiet")
call_command("create_study", "Brokers", "--quiet")
call_command("generate_variants", "brokers", "--quiet")
"""


@pytest.fixture(params=BROKERS)
def site(request, new_site, needs_service):
    kind = request.node.callspec.id
    if kind != "embedded":
        needs_service(kind)
    return new_site(request.param)


def test_a_worker_renders_what_was_ordered(site, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photos / "noise.png")
    site.run(ORDER.format(photos=photos))
    assert jobs(site) == ["queued"]

    log = tmp_path / "worker.log"
    worker = site.start_worker(log)
    try:
        until = time.monotonic() + 60
        while jobs(site) != ["done"]:
            assert worker.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < until, log.read_text()[-4000:]
            time.sleep(0.05)
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    states = [state for (state,) in site.query("SELECT state FROM variants_rendition")]
    assert len(states) > 1
    assert set(states) == {"rendered"}


def jobs(site):
    return [state for (state,) in site.query("SELECT state FROM variants_renderjob")]
