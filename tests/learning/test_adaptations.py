import json
import shutil
from io import StringIO
from pathlib import Path

import pyarrow.compute as pc
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from learning.adapting import _make_shares, raters_adapt
from learning.models import Adaptation, RaterAdaptation, Run
from learning.services import AdaptationRefused, adaptation_cancel, adaptation_create
from learning.tasks import adaptation_task, rater_adaptation_task
from tests.learning.factories import edit_table
from variants.jobs import STALE_AFTER, Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(trained, tmp_path):
    """A finished run whose dataset has rater0 and rater1 held out, and 4 training raters."""
    dataset, folder = trained
    shutil.copytree(folder, tmp_path / "run")
    shutil.copytree(dataset, tmp_path / "dataset")
    return Run.objects.create(
        dataset=str(tmp_path / "dataset"),
        system="upe",
        preset="tiny",
        folder=str(tmp_path / "run"),
        state=Job.State.DONE,
        is_simulated=True,
    )


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """Keys of the shares that the group of tasks is made of; no broker is asked."""
    keys = []

    class Group:
        def __init__(self, signatures):
            self.signatures = list(signatures)

        def apply_async(self):
            keys.extend(signature.args[0] for signature in self.signatures)

    monkeypatch.setattr("learning.adapting.group", Group)
    return keys


def profiles(run):
    return sorted(path.stem for path in (Path(run.folder) / "raters").glob("*.safetensors"))


def test_the_task_makes_the_validation_raters_profiles(run, sent):
    adaptation = adaptation_create(run, references=5)
    adaptation_task(adaptation.pk)
    adaptation.refresh_from_db()
    assert (adaptation.state, adaptation.error, adaptation.left_out) == (Job.State.DONE, "", [])
    assert (adaptation.done, adaptation.total) == (2, 2)
    assert profiles(run) == ["rater0", "rater1"]
    assert sent == list(adaptation.shares.values_list("pk", flat=True))


def test_raters_who_have_a_profile_are_passed_over(run):
    adaptation_task(adaptation_create(run, references=5).pk)
    before = (Path(run.folder) / "raters/rater0.safetensors").stat().st_mtime_ns
    (Path(run.folder) / "raters/rater1.safetensors").write_bytes(b"cut short")
    again = adaptation_create(run, whose="all", references=5)
    adaptation_task(again.pk)
    assert "rater0" not in again.shares.values_list("rater_id", flat=True)
    assert again.shares.count() == 5  # the broken one, and the training raters
    assert len(profiles(run)) == 6
    assert (Path(run.folder) / "raters/rater0.safetensors").stat().st_mtime_ns == before


def test_workers_share_the_raters_and_each_is_read_once(run):
    """Another worker has done one share when the whole's own turn comes; its message comes a second time."""
    adaptation = adaptation_create(run, references=5)
    _make_shares(adaptation)
    first, second = adaptation.shares.all()
    rater_adaptation_task(first.pk)
    assert profiles(run) == [first.rater_id]
    adaptation_task(adaptation.pk)
    rater_adaptation_task(second.pk)
    starts = dict(RaterAdaptation.objects.values_list("rater_id", "started_at"))
    adaptation.refresh_from_db()
    assert (adaptation.state, profiles(run)) == (Job.State.DONE, ["rater0", "rater1"])
    assert starts[first.rater_id] < starts[second.rater_id]
    assert adaptation.shares.count() == 2


def test_the_share_of_a_worker_that_died_is_taken_up_again(run):
    adaptation = adaptation_create(run, references=5)
    _make_shares(adaptation)
    long_ago = timezone.now() - 2 * STALE_AFTER
    adaptation.shares.filter(rater_id="rater0").update(
        state=Job.State.RUNNING, heartbeat_at=long_ago, worker="elsewhere:1:2"
    )
    adaptation_task(adaptation.pk)
    adaptation.refresh_from_db()
    assert (adaptation.state, profiles(run)) == (Job.State.DONE, ["rater0", "rater1"])


def test_an_adaptation_whose_worker_died_goes_on_with_the_rest(run):
    class WorkerDies(BaseException):
        pass

    def die(done, total, stage):
        if done == 1:
            raise WorkerDies

    adaptation = adaptation_create(run, references=5)
    with pytest.raises(WorkerDies):
        adaptation.run(lambda row: raters_adapt(row, watch=die))
    assert profiles(run) == ["rater0"]
    Adaptation.objects.update(state=Job.State.QUEUED)
    adaptation_task(adaptation.pk)
    adaptation.refresh_from_db()
    assert (adaptation.state, adaptation.total) == (Job.State.DONE, 2)
    assert profiles(run) == ["rater0", "rater1"]


def test_cancelling_stops_everybody_and_keeps_whole_profiles(run):
    adaptation = adaptation_create(run, references=5)

    def cancel(done, total, stage):
        if done == 1:
            adaptation_cancel(Adaptation.objects.get(pk=adaptation.pk))

    adaptation.run(lambda row: raters_adapt(row, watch=cancel))
    assert adaptation.state == Job.State.CANCELLED
    assert sorted(adaptation.shares.values_list("state", flat=True)) == ["cancelled", "done"]
    assert profiles(run) == ["rater0"]


def test_raters_with_fewer_answers_than_references_are_named_and_left_out(run):
    def without_most_of_rater1(table):
        others = pc.not_equal(table["rater_id"], "rater1")
        return table.filter(pc.or_(others, pc.less(table["question_index"], 3)))

    edit_table(Path(run.dataset), "judgments", without_most_of_rater1)
    adaptation = adaptation_create(run, references=5)
    adaptation_task(adaptation.pk)
    adaptation.refresh_from_db()
    assert (adaptation.state, adaptation.left_out) == (Job.State.DONE, ["rater1"])
    assert profiles(run) == ["rater0"]


def test_a_rater_who_cannot_be_read_does_not_stop_the_others(run, monkeypatch):
    def fail_for_one(folder, system, dataset, rater_id, **options):
        if rater_id == "rater0":
            raise ValueError("nothing to learn from")
        return keep(folder, system, dataset, rater_id, **options)

    from learning.adapting import keep_profile as keep

    monkeypatch.setattr("learning.adapting.keep_profile", fail_for_one)
    adaptation = adaptation_create(run, references=5)
    adaptation_task(adaptation.pk)
    adaptation.refresh_from_db()
    assert adaptation.state == Job.State.FAILED
    assert adaptation.error == ("1 of 2 raters could not be read. The first, rater0: nothing to learn from")
    assert profiles(run) == ["rater1"]


def test_what_cannot_be_is_refused(run):
    with pytest.raises(AdaptationRefused, match="references is 0"):
        adaptation_create(run, references=0)
    with pytest.raises(AdaptationRefused, match="whose is 'mine'; it must be one of validation, all"):
        adaptation_create(run, whose="mine")
    run.state = Job.State.RUNNING
    with pytest.raises(AdaptationRefused, match="the run is running; wait until it is done"):
        adaptation_create(run)


def test_the_command_adapts_here_with_wait(run):
    out = StringIO()
    call_command(
        "adapt_raters", run.public_id[:8], references=5, wait=True, quiet=True, json=True, stdout=out
    )
    told = json.loads(out.getvalue().splitlines()[-1])
    assert told == {
        "adaptation": Adaptation.objects.get().public_id,
        "run": run.public_id,
        "state": "done",
        "raters": 2,
        "left_out": [],
        "simulated": True,
    }
    assert profiles(run) == ["rater0", "rater1"]


def test_without_wait_the_command_sends_it_to_workers(run, monkeypatch):
    sent = []
    monkeypatch.setattr(Adaptation, "enqueue", lambda self: sent.append(self.pk))
    out = StringIO()
    call_command("adapt_raters", run.public_id, stdout=out)
    assert sent == [Adaptation.objects.get().pk]
    assert "waits for workers" in out.getvalue()


@pytest.mark.parametrize(
    ("named", "options", "message", "code"),
    [
        ("00000000", {}, "there is no run '00000000'", 2),
        ("", {"references": 0}, "references is 0", 2),
        ("", {"references": 13, "wait": True}, "none of the 2 validation raters has 13 answers", 1),
    ],
)
def test_the_command_names_what_is_wrong(run, named, options, message, code):
    with pytest.raises(CommandError, match=message) as error:
        call_command("adapt_raters", named or run.public_id, quiet=True, **options)
    assert error.value.returncode == code
