"""Training runs as jobs."""

from pathlib import Path

from django.conf import settings

from collection.models import Export
from learning.backbones import BackboneChoice
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.models import Run
from learning.systems import check_names
from variants.jobs import Job, new_public_id


class RunRefused(Exception):
    """A run that cannot be; the message says which setting is wrong and what it may be."""


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
    return Run.objects.create(
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
    )


def _check_settings(system: str, preset: str, backbone: str, steps: int | None, seed: int) -> None:
    try:
        check_names(system, preset)
        choice = BackboneChoice.parse(backbone) if backbone else None
    except ValueError as error:
        raise RunRefused(str(error)) from error
    if choice and choice.path and not choice.path.is_dir():
        raise RunRefused(f"backbone: {choice.path} is not a folder on this machine")
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
    return Path(export.folder), export.study.is_simulated


def _checked_folder(folder: Path) -> tuple[Path, bool]:
    folder = folder.expanduser().resolve()
    try:
        return folder, PreferenceDataset.load(folder).is_simulated
    except DatasetError as error:
        raise RunRefused(str(error)) from error
