"""Training runs as jobs: made, cancelled, resumed."""

from pathlib import Path

from django.conf import settings
from django.db import transaction

from collection.models import Export
from collection.services.audit import audit_record, current_actor
from learning.backbones import BackboneChoice
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.models import Run
from learning.systems import check_names
from variants.jobs import Job, new_public_id

NO_VALID_RATERS = (
    "no rater in this dataset passed its study's rules, so there is nothing to learn from; "
    "look at the raters and the rules, then export the study again"
)


class RunRefused(Exception):
    """A run that cannot be; the message says which setting is wrong and what it may be."""


@transaction.atomic
def run_create(
    export: Export | None = None,
    *,
    dataset: Path | str | None = None,
    system: str,
    preset: str,
    backbone: str = "",
    steps: int | None = None,
    seed: int = 0,
) -> Run:
    """A job that trains on a finished export or on a dataset folder; `enqueue()` starts it.

    Args:
        export: a finished export of the site; or else
        dataset: any dataset folder.
        system: as in `learning.systems.SYSTEMS`.
        preset: one of the system's.
        backbone: NAME or NAME=PATH instead of the preset's; empty for the preset's.
        steps: instead of the preset's.
        seed: of everything random.

    Raises:
        RunRefused: a name is not known, or there is no whole dataset.
    """
    _check_settings(system, preset, backbone, steps, seed)
    folder, is_simulated = _dataset_of(export, dataset)
    public_id = new_public_id()
    actor = current_actor()
    run = Run.objects.create(
        public_id=public_id,
        export=export,
        dataset=str(folder),
        system=system,
        preset=preset,
        backbone=backbone,
        steps=steps,
        seed=seed,
        folder=str(settings.TONALIST_DATA / "runs" / public_id),
        is_simulated=is_simulated,
        started_by_id=actor.pk if actor else None,
    )
    _record("run.create", run, system=system, preset=preset, seed=seed)
    return run


@transaction.atomic
def run_cancel(run: Run) -> None:
    """Ask the run to stop; a checkpoint of its last whole step stays, from which it can be resumed."""
    if run.is_over:
        return
    run.cancel()
    _record("run.cancel", run)


@transaction.atomic
def run_resume(run: Run) -> None:
    """Let a cancelled or failed run go on from its last checkpoint, or begin again where there is none.

    Raises:
        RunRefused: the run is not cancelled or failed, or its dataset is gone.
    """
    if not Path(run.dataset).is_dir():
        raise RunRefused(f"the dataset {run.dataset} is gone; export the study again and start a new run")
    # One of two who press at once resumes it; the other is told.
    stopped = Run.objects.filter(pk=run.pk, state__in=(Job.State.CANCELLED, Job.State.FAILED))
    if not stopped.update(state=Job.State.QUEUED, cancel_requested=False, error="", finished_at=None):
        run.refresh_from_db()
        raise RunRefused(
            f"the run is {run.get_state_display().lower()}; only one that was cancelled or has failed can go on"
        )
    run.refresh_from_db()
    _record("run.resume", run)


def _record(action: str, run: Run, **details: object) -> None:
    audit_record(action, run.export.study if run.export else None, what=run.public_id, **details)


def _check_settings(system: str, preset: str, backbone: str, steps: int | None, seed: int) -> None:
    try:
        check_names(system, preset, backbone)
        choice = BackboneChoice.parse(backbone) if backbone else None
    except ValueError as error:
        raise RunRefused(str(error)) from error
    if choice and choice.path and not choice.path.is_dir() and not (choice.library and choice.path.is_file()):
        kind = "file or folder" if choice.library else "folder"
        raise RunRefused(f"backbone: {choice.path} is not a {kind} on this machine")
    if steps is not None and steps < 1:
        raise RunRefused(f"steps is {steps}; it must be 1 or more")
    if not 0 <= seed < 2**63:
        raise RunRefused(f"seed is {seed}; it must be from 0 to 2^63 - 1")


def _dataset_of(export: Export | None, dataset: Path | str | None) -> tuple[Path, bool]:
    """The folder, and whether simulated raters answered."""
    if (export is None) == (dataset is None):
        raise RunRefused("name either an export or a dataset folder")
    if export is None:
        assert dataset is not None
        return _checked_folder(Path(dataset))
    if export.state != Job.State.DONE:
        raise RunRefused(
            f"the export {export.public_id} is {export.get_state_display()}; wait until it is done"
        )
    if not Path(export.folder).is_dir():
        raise RunRefused(f"the export's folder {export.folder} is gone; export the study again")
    if export.is_without_valid_raters:
        raise RunRefused(NO_VALID_RATERS)
    return Path(export.folder), export.study.is_simulated


def _checked_folder(folder: Path) -> tuple[Path, bool]:
    folder = folder.expanduser().resolve()
    try:
        dataset = PreferenceDataset.load(folder)
    except DatasetError as error:
        raise RunRefused(str(error)) from error
    if not any(rater.valid for rater in dataset.raters.values()):
        raise RunRefused(NO_VALID_RATERS)
    return folder, dataset.is_simulated
