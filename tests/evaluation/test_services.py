import pytest

from evaluation.models import Report
from evaluation.reporting import report_run
from evaluation.services import ReportError, report_create
from learning.models import Run
from tests.evaluation.doubles import MeanColour


def make_run(tmp_path, name="run", **fields):
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    facts = {"system": "upe", "preset": "tiny", "state": Run.State.DONE, "is_simulated": True}
    return Run.objects.create(**facts | {"dataset": str(tmp_path), "folder": str(folder)} | fields)


@pytest.mark.django_db
def test_a_report_holds_its_protocol_and_runs(tmp_path):
    run = make_run(tmp_path)
    report = report_create([run], seed=3, edit_size=128, metric_size=64)
    assert report.state == Report.State.QUEUED
    assert list(report.runs.all()) == [run]
    assert report.is_simulated
    assert report.protocol == {
        "references": 16, "evaluations": 16, "edit_size": 128, "metric_size": 64, "seed": 3,
    }  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"state": Run.State.RUNNING}, "is running; wait until it is done"),
        ({"folder": "/nowhere"}, "is gone; train again"),
        ({"dataset": "/nowhere"}, "the dataset /nowhere is gone"),
    ],
)
def test_a_run_that_cannot_be_evaluated_is_refused(tmp_path, fields, message):
    with pytest.raises(ReportError, match=message):
        report_create([make_run(tmp_path, **fields)])


@pytest.mark.django_db
def test_runs_of_different_datasets_are_refused(tmp_path):
    (tmp_path / "other").mkdir()
    runs = [make_run(tmp_path), make_run(tmp_path, "second", dataset=str(tmp_path / "other"))]
    with pytest.raises(ReportError, match="different datasets"):
        report_create(runs)


@pytest.mark.django_db
def test_impossible_numbers_and_no_runs_are_refused(tmp_path):
    with pytest.raises(ReportError, match=r"^references is 0"):
        report_create([make_run(tmp_path)], references=0)
    with pytest.raises(ReportError, match="at least one run"):
        report_create([])


@pytest.mark.django_db
def test_the_job_writes_the_folder_and_the_verdict(tmp_path, simulated_folder, monkeypatch):
    monkeypatch.setattr("evaluation.report.build.load_run", lambda folder: MeanColour())
    run = make_run(tmp_path, dataset=str(simulated_folder))
    report = report_create([run], references=4, evaluations=2, edit_size=48, metric_size=32)
    report.run(report_run)
    assert (report.state, report.error) == (Report.State.DONE, "")
    assert "simulated raters, new scenes" in report.verdict
    for name in ("report.html", "report.json"):
        assert (tmp_path / report.folder / name).stat().st_size > 10_000
