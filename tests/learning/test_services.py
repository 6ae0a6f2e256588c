import pytest

from learning.models import Run
from learning.selectors import export_named, run_named, runs_done
from learning.services import RunRefused, run_create
from tests.factories import make_export, make_run, make_study
from tests.learning.factories import make_dataset
from variants.jobs import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    return make_dataset(tmp_path / "dataset")


def test_a_run_on_a_folder_knows_whether_it_is_simulated(folder, tmp_path):
    run = run_create(dataset=folder, system="upe", preset="tiny", steps=5, seed=3)
    assert run.is_simulated
    assert run.state == Job.State.QUEUED
    assert (run.dataset, run.steps, run.seed) == (str(folder), 5, 3)
    assert run.folder.endswith(f"runs/{run.public_id}")
    people = make_dataset(tmp_path / "people", simulated=False)
    assert not run_create(dataset=people, system="upe", preset="tiny").is_simulated


def test_a_run_on_an_export_keeps_the_link(folder):
    export = make_export(make_study(), folder=folder)
    run = run_create(export, system="upe", preset="tiny", backbone="tone_statistics")
    assert run.export == export
    assert run.dataset == str(folder)
    assert run.is_simulated == export.study.is_simulated


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"system": "upee"}, "there is no system 'upee'"),
        ({"preset": "huge"}, "upe has no preset 'huge'; it has: tiny, paper, full"),
        ({"backbone": "dinov2_smal"}, "did you mean dinov2_small"),
        ({"backbone": "dinov2_small=/nowhere"}, "/nowhere is not a folder"),
        ({"backbone": "timm:resnet18=/nowhere"}, "/nowhere is not a file or folder"),
        ({"steps": 0}, "steps is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"dataset": "/nowhere"}, "/nowhere is not a folder"),
        ({"dataset": None}, "name either an export or a dataset folder"),
    ],
)
def test_impossible_runs_are_refused_and_leave_no_row(folder, settings, message):
    with pytest.raises(RunRefused, match=message):
        run_create(**{"dataset": folder, "system": "upe", "preset": "tiny", **settings})
    assert not Run.objects.exists()


def test_an_export_must_be_done_and_there(tmp_path):
    waiting = make_export(make_study(), folder=tmp_path, state=Job.State.QUEUED)
    with pytest.raises(RunRefused, match="waiting for a worker; wait until it is done"):
        run_create(waiting, system="upe", preset="tiny")
    gone = make_export(make_study(), folder=tmp_path / "gone")
    with pytest.raises(RunRefused, match="is gone; export the study again"):
        run_create(gone, system="upe", preset="tiny")


def test_nothing_is_trained_on_a_dataset_without_valid_raters(tmp_path):
    """Said at once, in words that name no folder of the server."""
    folder = make_dataset(tmp_path / "none", n_raters=3, invalid_raters=3)
    export = make_export(make_study(), folder=folder, counts={"raters": 3, "valid_raters": 0})
    for dataset in ({"export": export}, {"dataset": folder}):
        with pytest.raises(RunRefused, match="no rater in this dataset passed") as refused:
            run_create(**dataset, system="upe", preset="tiny")
        assert str(tmp_path) not in str(refused.value)
    assert not Run.objects.exists()


def test_an_export_is_found_by_its_id_and_by_its_study(tmp_path):
    export = make_export(make_study(), folder=tmp_path)
    newer = make_export(export.study, folder=tmp_path)
    make_export(export.study, folder=tmp_path, state=Job.State.FAILED)
    assert export_named(export.public_id) == export
    assert export_named(export.study.slug) == newer
    assert export_named("nothing") is None


def test_a_run_is_found_by_enough_of_its_id():
    run = make_run()
    assert run_named(run.public_id) == run_named(run.public_id[:8]) == run
    assert run_named(run.public_id[:3]) is None
    assert list(runs_done()) == [run]
