import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from learning.models import Run
from learning.services import run_cancel, run_create, run_resume
from learning.tasks import train_task
from learning.work import run_train
from tests.factories import make_export, make_study
from tests.learning.factories import image_id, make_dataset
from variants.jobs import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    return make_dataset(tmp_path / "dataset")


def make_job(folder, steps=4):
    return run_create(dataset=folder, system="upe", preset="tiny", steps=steps)


def test_the_task_trains_into_the_runs_folder(folder):
    run = make_job(folder)
    train_task(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == (Job.State.DONE, "")
    assert (run.done, run.total, run.stage) == (4, 4, "training")
    assert (Path(run.folder) / "weights.safetensors").is_file()


def test_a_cancelled_run_keeps_its_checkpoint(folder):
    run = make_job(folder, steps=500)

    def cancel(done, total, stage):
        if stage == "training" and done == 3:
            Run.objects.filter(pk=run.pk).update(cancel_requested=True)

    run.run(lambda row: run_train(row, watch=cancel))
    assert run.state == Job.State.CANCELLED
    assert not (Path(run.folder) / "weights.safetensors").exists()
    assert len(list((Path(run.folder) / "checkpoint").iterdir())) == 1


def test_another_worker_goes_on_from_the_checkpoint(folder):
    class WorkerDies(BaseException):
        pass

    def die(done, total, stage):
        if stage == "training" and done == 3:
            raise WorkerDies

    run = make_job(folder, steps=6)
    with pytest.raises(WorkerDies):
        run.run(lambda row: run_train(row, watch=die))
    Run.objects.filter(pk=run.pk).update(state=Job.State.QUEUED)
    train_task(run.pk)
    run.refresh_from_db()
    assert run.state == Job.State.DONE
    assert "resumed from step 3" in (Path(run.folder) / "log.txt").read_text()


def test_a_cancelled_run_goes_on_from_its_checkpoint_when_it_is_resumed(folder):
    run = make_job(folder, steps=6)

    def cancel(done, total, stage):
        if stage == "training" and done == 3:
            run_cancel(Run.objects.get(pk=run.pk))
            run.report(done, total, stage)

    run.run(lambda row: run_train(row, watch=cancel))
    assert run.state == Job.State.CANCELLED
    run_resume(run)
    train_task(run.pk)
    run.refresh_from_db()
    assert (run.state, run.done) == (Job.State.DONE, 6)
    assert "resumed from step 3" in (Path(run.folder) / "log.txt").read_text()


def test_what_is_wrong_with_the_dataset_stands_in_the_row(folder):
    run = make_job(folder)
    (folder / f"images/{image_id(0, 0)}.png").unlink()
    train_task(run.pk)
    run.refresh_from_db()
    assert run.state == Job.State.FAILED
    assert f"{image_id(0, 0)}.png is missing" in run.error
    assert not Path(run.folder).exists()


def command(*arguments, **options):
    out = StringIO()
    call_command("train", *arguments, system="upe", preset="tiny", quiet=True, stdout=out, **options)
    return out.getvalue()


def test_the_command_trains_here_with_wait(folder):
    told = json.loads(command(str(folder), steps=3, wait=True, json=True).splitlines()[-1])
    assert told["state"] == "done"
    assert told["simulated"] is True
    assert (Path(told["folder"]) / "README.md").is_file()


def test_the_command_takes_a_studys_newest_export(folder):
    export = make_export(make_study(), folder=folder)
    assert "trained" in command(export.study.slug, steps=2, wait=True)
    assert Run.objects.get().export == export


def test_without_wait_the_run_is_sent_to_a_worker(folder, monkeypatch):
    sent = []
    monkeypatch.setattr(Run, "enqueue", lambda self: sent.append(self.pk))
    assert "waits for a worker" in command(str(folder))
    assert sent == [Run.objects.get().pk]


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        ("nowhere", {}, "'nowhere' is no finished export, no study that has one, and no folder"),
        (None, {"backbone": "resnet"}, "there is no backbone 'resnet'"),
    ],
)
def test_the_command_names_bad_input(folder, dataset, options, message):
    with pytest.raises(CommandError, match=message) as error:
        command(dataset or str(folder), **options)
    assert error.value.returncode == 2


def test_the_command_fails_where_training_fails(folder):
    (folder / f"images/{image_id(0, 0)}.png").write_bytes(b"")
    with pytest.raises(CommandError, match="is not the file that was exported") as error:
        command(str(folder), wait=True)
    assert error.value.returncode == 1
