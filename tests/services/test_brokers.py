"""A job goes through each kind of broker to a real worker process and comes back as a finished row."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

BROKERS = [
    pytest.param("", id="embedded"),
    pytest.param("redis://127.0.0.1:6379/9", id="redis", marks=pytest.mark.service),
    pytest.param("amqp://guest:guest@127.0.0.1:5672//", id="rabbitmq", marks=pytest.mark.service),
]


@pytest.fixture(params=BROKERS)
def site(request, tmp_path, needs_service):
    """A function that runs a management command on a site of its own, and the site's environment."""
    kind = request.node.callspec.id
    if kind != "embedded":
        needs_service(kind)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "TONALIST_DATA": str(tmp_path / "data"),
        "CELERY_BROKER_URL": request.param,
    }

    def manage(*arguments):
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    manage("migrate", "--verbosity", "0")
    return manage, environment


def states(manage):
    code = (
        "import json; from variants.models import *; "
        "print(json.dumps([list(RenderJob.objects.values_list('state', flat=True)), "
        "Rendition.objects.filter(state='rendered').count(), Rendition.objects.count()]))"
    )
    return json.loads(manage("shell", "--verbosity", "0", "-c", code).splitlines()[-1])


def test_a_worker_renders_what_was_ordered(site, tmp_path):
    manage, environment = site
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photos / "noise.png")
    manage("import_scenes", str(photos), "--quiet")
    manage("create_study", "Brokers", "--quiet")
    manage("generate_variants", "brokers", "--quiet")
    assert states(manage)[0] == ["queued"]

    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--concurrency", "1"]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as worker:
        try:
            until = time.monotonic() + 60
            while (found := states(manage))[0] != ["done"] and time.monotonic() < until:
                assert worker.poll() is None, "the worker ended"
                time.sleep(0.5)
        finally:
            worker.terminate()
    assert found[0] == ["done"]
    assert found[1] == found[2] > 1
