"""Profiles of many raters, kept in a run's folder one by one. No Django; torch comes with the systems."""

import inspect
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from learning.data.alignment import Alignment
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.systems.interface import Profile, ReferencePair, System
from learning.tastes import references_of
from learning.training.run_folder import RunError, read_profile, write_profile
from variants.progress import Report, silent

READING = "reading the rater's answers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Raters:
    """Whom a profile can be made of."""

    ready: list[str]
    too_few: list[str]
    """Those with fewer answers than references are asked for."""


def raters_to_read(dataset: PreferenceDataset, *, references: int, only_validation: bool = False) -> Raters:
    """The dataset's valid raters, by how many answers they gave.

    Raises:
        DatasetError: no rater has so many answers.
    """
    valid = dataset.validation_raters() if only_validation else dataset.training_raters()
    if not only_validation:
        valid += [rater for rater in dataset.validation_raters() if rater not in set(valid)]
    enough = {rater: len(dataset.judgments_of(rater)) >= references for rater in valid}
    ready = [rater for rater in valid if enough[rater]]
    if not ready:
        kind = "validation raters" if only_validation else "valid raters"
        raise DatasetError(
            f"{dataset.folder}: none of the {len(valid)} {kind} has {references} answers that prefer an image"
        )
    return Raters(ready=ready, too_few=[rater for rater in valid if not enough[rater]])


def has_profile(run_folder: Path, rater_id: str, *, system: str) -> bool:
    """Whether a whole one is there; one that is broken is made again."""
    try:
        read_profile(run_folder, rater_id, system=system)
    except RunError:
        return False
    return True


def keep_profile(
    run_folder: Path,
    system: System,
    dataset: PreferenceDataset,
    rater_id: str,
    *,
    references: int,
    report: Report = silent,
) -> tuple[Path, int]:
    """Read a rater from their first answers and keep the profile; where it is, and from how many answers.

    Raises:
        ValueError: the rater is not in the dataset, has no answers, or none that this system can learn from.
    """
    judgments = dataset.judgments_of(rater_id)[:references] if rater_id in dataset.raters else []
    pairs = references_of(dataset, rater_id, n=references, long_side=system.reference_size)
    if judgments and getattr(system, "needs_aligned_pairs", False):
        _check_aligned(dataset, rater_id, [(j.preferred_image, j.rejected_image) for j in judgments])
    profile = adapted(system, pairs, report)
    return write_profile(run_folder, rater_id, profile, system=system.name), len(pairs)


def adapted(system: System, references: list[ReferencePair], report: Report) -> Profile:
    """`system.adapt`, told of its steps where it has any."""
    if "report" in inspect.signature(system.adapt).parameters:
        profile: Profile = system.adapt(references, report)  # type: ignore[call-arg]
        return profile
    report(0, 1, READING)
    profile = system.adapt(references)
    report(1, 1, READING)
    return profile


def _check_aligned(dataset: PreferenceDataset, rater_id: str, pairs: list[tuple[str, str]]) -> None:
    position = {image_id: number for number, image_id in enumerate(dataset.image_ids)}
    preferred, rejected = (np.array([position[pair[side]] for pair in pairs]) for side in (0, 1))
    if not Alignment(dataset)(preferred, rejected).any():
        raise ValueError(
            f"the rater {rater_id!r}: the two images of none of their {len(pairs)} pairs have one size and show the "
            "same thing at the same pixel; this system learns from pixels and cannot read them"
        )
