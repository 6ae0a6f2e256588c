"""What a killed export leaves is deleted, and what a living one writes is left alone."""

import signal
import socket
import subprocess
import sys

import pytest
from django.urls import reverse
from django.utils import timezone

from collection.export.partial import partial_beside, partials_sweep
from collection.models import Export
from collection.services.exports import export_create, exports_end_dead
from collection.services.withdrawal import person_withdraw
from tests.collection import factories
from variants.jobs import COMMAND, Job, jobs_take_up_again

DEAD = f"{COMMAND}{socket.gethostname()}:{2**22 + 1}"
KILLED = """
import os, sys
from pathlib import Path
from collection.export.partial import partial_beside
with partial_beside(Path(sys.argv[1])) as folder:
    (folder / "judgments.parquet").write_text("alice")
    os.kill(os.getpid(), 9)
"""


def kill_half_way(target):
    done = subprocess.run([sys.executable, "-c", KILLED, target], check=False)
    assert done.returncode == -signal.SIGKILL
    [left] = target.parent.glob(f".{target.name}.partial-*")
    return left


def test_the_next_export_into_the_same_folder_deletes_what_a_killed_one_left(tmp_path):
    left = kill_half_way(tmp_path / "study")
    with partial_beside(tmp_path / "another") as folder:
        assert folder.exists()
        assert not left.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_is_being_written_is_not_swept(tmp_path):
    with partial_beside(tmp_path / "study") as folder:
        assert partials_sweep(tmp_path) == []
        assert folder.exists()


def test_nothing_else_is_swept(tmp_path):
    (tmp_path / ".study.partial-notours").mkdir()
    (tmp_path / ".study.partial-0123abcd").write_text("a file")
    assert partials_sweep(tmp_path) == []
    assert partials_sweep(tmp_path / "is not there") == []


@pytest.fixture
def killed(tmp_path):
    """An export whose command was killed: its row says running, and its folder stands half-written."""
    study = factories.make_study(n_practice=1, n_main=6, n_checks=2, check_lag=1)
    factories.answer_all(factories.make_session(study, "alice"))
    export = export_create(study, tmp_path / "study")
    Export.objects.update(state=Job.State.RUNNING, heartbeat_at=timezone.now(), worker=DEAD)
    (tmp_path / ".study.partial-0123abcd").mkdir()
    return export


def failed_and_gone(export, tmp_path):
    export.refresh_from_db()
    assert (export.state, export.is_over) == (Job.State.FAILED, True)
    assert "killed" in export.error
    return list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_a_killed_export_is_over_when_the_next_is_ordered(killed, tmp_path):
    export_create(killed.study, tmp_path / "elsewhere" / "study")
    assert failed_and_gone(killed, tmp_path)


@pytest.mark.django_db
def test_a_killed_export_is_over_when_a_worker_starts(killed, tmp_path, monkeypatch):
    monkeypatch.setattr(Job, "enqueue", lambda job: pytest.fail("is not for a worker"))
    assert jobs_take_up_again() == 0
    assert failed_and_gone(killed, tmp_path)


@pytest.mark.django_db
def test_who_withdraws_is_in_nothing_half_written(killed, tmp_path):
    rater = killed.study.raters.get()
    person_withdraw(killed.study, rater.person, timezone.now())
    assert failed_and_gone(killed, tmp_path)


@pytest.mark.django_db
def test_the_answers_go_also_where_a_worker_was_killed(killed, tmp_path):
    """The job is left for a worker that starts; the half of it is not."""
    Export.objects.update(worker=DEAD.removeprefix(COMMAND))
    person_withdraw(killed.study, killed.study.raters.get().person, timezone.now())
    killed.refresh_from_db()
    assert killed.state == Job.State.RUNNING
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_researchers_see_that_it_is_over(killed, tmp_path, admin_client):
    reply = admin_client.get(reverse("researcher:export-progress", args=[killed.public_id]))
    assert reply.json()["is_over"]
    assert failed_and_gone(killed, tmp_path)


@pytest.mark.django_db
def test_a_living_command_is_left_alone(killed):
    Export.objects.update(worker="", state=Job.State.QUEUED)
    killed.refresh_from_db()
    assert killed.claim()
    assert killed.worker.startswith(COMMAND)
    exports_end_dead(killed.study)
    killed.refresh_from_db()
    assert killed.state == Job.State.RUNNING
