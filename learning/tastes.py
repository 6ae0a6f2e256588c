"""From a rater's answers in a dataset, or from liked photos, to a profile. Torch comes with the systems: for workers
and commands.
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learning.data.dataset import PreferenceDataset
from learning.systems import PHOTO_READERS, TAKE_MASKS
from learning.systems.interface import LongReader, PhotoReader, Pixels, Profile, ReferencePair, System
from learning.training.run_folder import read_arrays, write_arrays
from variants.progress import Report, silent, throttled
from variants.tone.images import fit_long_side, read_photo

LikedAndOther = tuple[Path | str | npt.NDArray[Any], Path | str | npt.NDArray[Any]]

REFERENCES = 16
"""Answers that a rater is read from, unless told otherwise."""
PROFILE = "profile.safetensors"
"""In the folder of a fit of hours: what came of it."""
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
        elsewhere = " on other scenes" if without_scenes else ""
        raise ValueError(
            f"the rater {rater_id!r} has no answer in {dataset.folder} that prefers an image{elsewhere}: ties and "
            "checks say nothing about a taste"
        )
    return [
        reference_pair(dataset, judgment.preferred_image, judgment.rejected_image, long_side)
        for judgment in judgments
    ]


def reference_pair(
    dataset: PreferenceDataset, preferred: str, rejected: str, long_side: int
) -> ReferencePair:
    """Two images as an answer, with the neutral rendition of the preferred one's scene where there is one.

    Args:
        dataset: with the images.
        preferred: its ID.
        rejected: its ID; of another scene only in controls.
        long_side: of the images, in pixels.
    """
    neutral = dataset.neutral_image_of(dataset.images[preferred].scene_id)
    return ReferencePair(
        preferred=dataset.image(preferred, long_side),
        rejected=dataset.image(rejected, long_side),
        original=None if neutral is None else dataset.image(neutral, long_side),
    )


def reference_pairs(answers: Iterable[LikedAndOther], *, long_side: int) -> list[ReferencePair]:
    """Answers as files or arrays, as a system reads them: four lines from photos to a LUT, see docs/tastelut.md.

    Args:
        answers: (preferred, other), each a path of a photo in any colour space that is read, or an array (H, W, 3) of
            sRGB, uint8 or floating-point in [0, 1].
        long_side: of the images, in pixels; larger ones are reduced. A system's is its `reference_size`.

    Raises:
        ValueError: an array is no such image; the message says which.
        ImageError: a file cannot be read; the message names it.
    """
    pairs = []
    for number, answer in enumerate(answers, 1):
        if len(answer) != 2:
            raise ValueError(f"answer {number} is of {len(answer)}; it must be (preferred, other)")
        preferred, rejected = (_photo_of(side, f"answer {number}", long_side) for side in answer)
        pairs.append(ReferencePair(preferred=preferred, rejected=rejected))
    return pairs


def _photo_of(source: Path | str | npt.NDArray[Any], where: str, long_side: int) -> Pixels:
    if isinstance(source, str | Path):
        return fit_long_side(read_photo(source).image, long_side)
    image = np.asarray(source)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"{where}: an image is an array (H, W, 3), not {image.shape}")
    if image.dtype != np.uint8:
        if not np.issubdtype(image.dtype, np.floating):
            raise ValueError(f"{where}: an image is uint8 or floating-point, not {image.dtype}")
        if not np.isfinite(image).all() or image.min() < 0 or image.max() > 1:
            raise ValueError(f"{where}: a floating-point image is in [0, 1]; divide it by its white first")
        image = image.astype(np.float32)
    return fit_long_side(image, long_side)


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


def taste_of_photos(
    system: System,
    photos: Sequence[Pixels],
    masks: Sequence[npt.ArrayLike] = (),
    *,
    folder: Path | None = None,
    report: Report = silent,
) -> Profile:
    """The taste of liked photos, as the system reads it.

    Args:
        system: a PhotoReader.
        photos: one or more, of any sizes.
        masks: one for each photo, for a system of `TAKE_MASKS`; or none.
        folder: where a fit of hours keeps its checkpoints and what came of it; the next call goes on from there.
        report: told of such a fit.

    Raises:
        ValueError: the system does not read photos or masks, or they do not fit.
    """
    if not isinstance(system, PhotoReader):
        raise ValueError(f"{system.name} reads answers; of liked photos read: {', '.join(PHOTO_READERS)}")
    if masks:
        if system.name not in TAKE_MASKS:
            raise ValueError(f"{system.name} has no segments; {', '.join(TAKE_MASKS)} takes masks")
        by_segment: Any = system
        found: Profile = by_segment.adapt_to_photos(photos, masks)
        return found
    if not isinstance(system, LongReader) or folder is None:
        return system.adapt_to_photos(photos)
    if not (folder / PROFILE).is_file():
        write_arrays(
            folder / PROFILE,
            system.invert(photos, folder, throttled(report), resume=True),
            system=system.name,
        )
    return read_arrays(folder / PROFILE, system=system.name)


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
