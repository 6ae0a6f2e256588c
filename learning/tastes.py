"""From a rater's answers in a dataset to their profile. Torch comes with the systems: for workers and commands."""

from collections.abc import Collection

from learning.data.dataset import PreferenceDataset
from learning.systems.interface import Profile, ReferencePair, System

REFERENCES = 16
"""Answers that a rater is read from, unless told otherwise."""
MAX_TRAINING_RATERS = 64
"""Whose profiles make the average one; more change it little."""


def references_of(
    dataset: PreferenceDataset,
    rater_id: str,
    *,
    n: int,
    long_side: int,
    without_scenes: Collection[str] = (),
) -> list[ReferencePair]:
    """A rater's first `n` main answers as pairs of images; ValueError where there are none.

    Args:
        dataset: with the answers.
        rater_id: whose.
        n: at most so many.
        long_side: of the images, in pixels.
        without_scenes: IDs of scenes of which no answer is read.
    """
    if rater_id not in dataset.raters:
        raise ValueError(f"{dataset.folder} has no rater {rater_id!r}; raters.parquet lists them")
    judgments = [j for j in dataset.judgments_of(rater_id) if j.scene_id not in without_scenes][:n]
    if not judgments:
        raise ValueError(f"the rater {rater_id!r} has no answers in {dataset.folder}")
    return [
        ReferencePair(
            preferred=dataset.image(judgment.preferred_image, long_side),
            rejected=dataset.image(judgment.rejected_image, long_side),
        )
        for judgment in judgments
    ]


def profile_of(
    system: System, dataset: PreferenceDataset, rater_id: str, *, without_scenes: Collection[str] = ()
) -> Profile:
    """The rater as the system reads them."""
    return system.adapt(
        references_of(
            dataset,
            rater_id,
            n=REFERENCES,
            long_side=system.reference_size,
            without_scenes=without_scenes,
        )
    )


def average_profile(
    system: System, dataset: PreferenceDataset, *, without_scenes: Collection[str] = ()
) -> Profile:
    """The mean profile of the training raters; ValueError where none has answers on other scenes."""
    profiles = [
        profile_of(system, dataset, rater_id, without_scenes=without_scenes)
        for rater_id in dataset.training_raters()[:MAX_TRAINING_RATERS]
        if any(j.scene_id not in without_scenes for j in dataset.judgments_of(rater_id))
    ]
    return system.mean_profile(profiles)
