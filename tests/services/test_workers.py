"""Two workers and a real broker: work that is shared, a worker that is killed, urgent work before the rest."""

import contextlib
import os
import signal
import time

import pytest
from kombu import Connection

from config.queues import QUEUES, celery_queues
from learning import train
from tests.learning.factories import make_dataset

BROKERS = [
    pytest.param("redis://127.0.0.1:6379/9", id="redis"),
    pytest.param("amqp://guest:guest@127.0.0.1:5672//", id="rabbitmq"),
]
ORDER = """
from learning.models import Adaptation, Run
run = Run.objects.create(dataset={dataset!r}, system="upe", preset="tiny", folder={folder!r}, state="done")
Adaptation.objects.create(learner=run, whose="all", references=4).enqueue()
"""


@pytest.fixture(params=BROKERS)
def broker(request, needs_service):
    needs_service(request.node.callspec.id)
    return request.param


@pytest.fixture
def workers():
    """Whoever is put into it is dead at the end."""
    started = []
    yield started
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.service
def test_raters_are_shared_by_two_workers_of_which_one_is_killed_at_one(
    new_site, needs_service, workers, tmp_path
):
    """Every rater has one profile in the end, and the killed worker is counted."""
    needs_service("redis")
    dataset = make_dataset(tmp_path / "dataset")
    asked = ["--system", "upe", "--preset", "tiny", "--steps", "3", "--quiet"]
    assert train.main(["--dataset", str(dataset), "--out", str(tmp_path / "run"), *asked]) == 0
    site = new_site(BROKERS[0].values[0])
    site.run(ORDER.format(dataset=str(dataset), folder=str(tmp_path / "run")))
    log = tmp_path / "log"
    for name in ("a", "b"):
        workers.append(site.start_worker(log, "--hostname", f"{name}@%h", "--queues", "train"))
    _kill_at_a_rater(site)
    until = time.monotonic() + 120
    while (found := site.query("SELECT state FROM learning_adaptation")) != [("done",)]:
        assert time.monotonic() < until, (found, log.read_text()[-3000:])
        time.sleep(0.2)
    shares = site.query("SELECT state, deaths FROM learning_rateradaptation")
    assert {state for state, _ in shares} == {"done"}
    assert sum(deaths for _, deaths in shares) == 1
    profiles = [path for path in (tmp_path / "run" / "raters").iterdir() if path.suffix == ".safetensors"]
    assert len(profiles) == len(shares) > 4


def _kill_at_a_rater(site):
    """SIGKILL for the worker, with its children, whose process is at a rater: it is stopped there first."""
    until = time.monotonic() + 90
    at_work = "SELECT worker FROM learning_rateradaptation WHERE state = 'running'"
    while time.monotonic() < until:
        for (worker,) in site.query(at_work):
            pid = int(worker.split(":")[1])
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.2)
                if (worker,) in site.query(at_work):
                    os.killpg(os.getpgid(pid), signal.SIGKILL)
                    return
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.005)
    pytest.fail("no worker was ever at a rater")


@pytest.mark.service
def test_what_is_urgent_comes_first_from_a_real_broker(broker):
    """The broker's own order, with the queues and priorities of the settings."""
    said = celery_queues(broker, {name: kind.hours for name, kind in QUEUES.items()})
    (queue,) = [each for each in said["CELERY_TASK_QUEUES"] if each.name == "render"]
    queue.name = queue.routing_key = "tonalist-test-priorities"
    urgent = said["CELERY_TASK_ROUTES"]["variants.tasks.photos_task"]["priority"]
    usual = said["CELERY_TASK_ROUTES"]["variants.tasks.render_task"]["priority"]
    with Connection(broker) as connection:
        bound = queue(connection.channel())
        bound.declare()
        bound.purge()
        try:
            sender = connection.Producer()
            for word, priority in (("usual", usual), ("urgent", urgent)):
                sender.publish(
                    {"word": word},
                    exchange=queue.exchange,
                    routing_key=queue.routing_key,
                    priority=priority,
                    serializer="json",
                )
            time.sleep(0.2)
            came = [bound.get(no_ack=True).payload for _ in range(2)]
        finally:
            bound.delete()
    assert came == [{"word": "urgent"}, {"word": "usual"}]
