"""SimPPS: the standard simulated benchmark, as dataset folders made from photos, looks and one seed.

Simulated raters want one of a few looks, or choose among them by the kind of scene. The
kind is told by the scene's own light and colour (dark or bright, muted or colourful), so
that it can be seen without a network that knows things by name. Each look is a set of
concept strengths with a part of its own for each kind of scene, and ends with a film LUT
where LUTs are at hand. Most renditions are near one of the looks: with random ones the
winner of a pair is seldom what anybody wants, and no dataset could tell learners apart.

Photos are those that the packages carry and, where the folder stands beside the project,
those of `../shared/data`. Each photo gives three scenes: the whole, and two parts from
opposite corners. All scenes of a photo are held out of training together, or none is.

Seed 0 is what published tables are made of; learners are tuned on seeds from 1 up. The
seed decides everything: looks, raters, renditions, questions, and what is held out.

It proves nothing about people.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collection.design.protocol import Protocol
from evaluation.simulation.answers import Pixels, thumbnail
from evaluation.simulation.dataset import MIN_DELTA_E, ScenePhoto, SimulatedStudy, write_study
from evaluation.simulation.photos import package_photos
from evaluation.simulation.raters import Crowd
from variants.progress import Report, silent
from variants.tone.color import srgb_to_oklab
from variants.tone.cube import read_cube
from variants.tone.images import fit_long_side, read_photo
from variants.tone.luts import Lut3D

VERSION = 2
"""Of the definition below; figures of different versions cannot be compared. 2: `realistic` and `careless` are less
noisy than in 1; `clear` is the same in both."""
PUBLISHED_SEED = 0
"""Of the tables in docs/simpps.md. Tune on seeds from 1 up, never on this one."""

SHARED_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
PHOTO_FOLDERS = {
    "kodak": ("free for unrestricted use", "Kodak Lossless True Color Image Suite"),
    "gb82": ("CC0", "gb82 image set"),
}
"""Folders of SHARED_DATA / photos → licence, attribution."""
NO_LOOKS = ("bw__",)
"""Beginnings of the names of LUT files that are no look: a photo without colours has no way back."""

PART = 0.6
"""Of the photo's sides: the two parts of a photo overlap in a fifth of each side."""
BRIGHT = 0.52
"""Mean OKLab lightness from which a scene is bright; about the median of the photos."""
COLOURFUL = 0.038
"""Mean OKLab chroma from which a scene is colourful; about the median of the photos."""
KINDS = ("dark, muted", "dark, colourful", "bright, muted", "bright, colourful")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is asked."""

    n_raters: int
    n_main: int = 64
    n_checks: int = 10
    n_renditions: int = 12
    long_side: int = 256
    validation_raters: float = 0.25
    validation_scenes: float = 0.25


SIZES: dict[str, Size] = {
    "tiny": Size(n_raters=120, long_side=160),
    "paper": Size(n_raters=521, n_main=80, n_renditions=16, long_side=512, validation_raters=0.1),
}
"""tiny: for two cores. paper: as many raters and questions as the PPS experiments had."""

CLEAR = Crowd(n_looks=2, n_groups=4, content=0.3, look_strength=0.9, individual=0.2)
REALISTIC = dataclasses.replace(CLEAR, temperature=1.5, lapse=0.03, individual=0.3)
LEVELS: dict[str, Crowd] = {
    "clear": CLEAR,
    "realistic": REALISTIC,
    "careless": dataclasses.replace(REALISTIC, careless=0.1),
}
"""Clear tastes; noise with which flipped questions are answered alike in 85 to 90 %; and one rater in ten careless."""
NEAR = 0.9
SPREAD = 0.12


def make_dataset(
    level: str,
    folder: Path,
    seed: int = 1,
    *,
    size: str = "tiny",
    shared: Path | None = SHARED_DATA,
    report: Report = silent,
) -> None:
    """Write the benchmark's dataset folder of one level.

    Args:
        level: one of LEVELS.
        folder: must not be there yet.
        seed: of everything. Tune learners on seeds from 1 up; 0 is the published table's.
        size: one of SIZES.
        shared: folder with photos/ and luts/; where it is None or not there, the packages' photos alone
            are used, and looks have no LUT.
        report: told of the stages.

    Raises:
        ValueError: a name is not known.
        FileExistsError: the folder is there already.
    """
    for what, name, known in (("level", level, LEVELS), ("size", size, SIZES)):
        if name not in known:
            raise ValueError(f"there is no {what} {name!r}; there are {', '.join(known)}")
    write_study(Path(folder), scenes(size, shared), study_of(level, seed, size=size, shared=shared), report)


def study_of(
    level: str, seed: int, *, size: str = "tiny", shared: Path | None = SHARED_DATA
) -> SimulatedStudy:
    """Everything but the photos that decides what is in a level's folder."""
    wanted = SIZES[size]
    protocol = Protocol(
        phases=("main",),
        n_main=wanted.n_main,
        n_checks=wanted.n_checks,
        min_delta_e=MIN_DELTA_E,
        long_side=wanted.long_side,
        validation_scenes=wanted.validation_scenes,
        validation_raters=wanted.validation_raters,
        seed=seed,
    )
    return SimulatedStudy(
        n_raters=wanted.n_raters,
        n_renditions=wanted.n_renditions,
        near=NEAR,
        spread=SPREAD,
        crowd=LEVELS[level],
        protocol=protocol,
        luts=film_luts(shared),
        seed=seed,
    )


def scenes(size: str = "tiny", shared: Path | None = SHARED_DATA) -> list[ScenePhoto]:
    """All scenes: the photos whole, and two parts of each."""
    # Twice as large, so that the parts are not scaled up.
    photos = [*package_photos(2 * SIZES[size].long_side), *_shared_photos(2 * SIZES[size].long_side, shared)]
    return [scene for photo in photos for scene in _scenes_of(photo, SIZES[size].long_side)]


def has_shared_data(shared: Path | None = SHARED_DATA) -> bool:
    return shared is not None and (shared / "photos").is_dir()


def kind_of_scene(pixels: Pixels) -> str:
    """One of KINDS, from the mean lightness and chroma (OKLab) of a photo (H, W, 3)."""
    lightness, a, b = np.moveaxis(np.asarray(srgb_to_oklab(thumbnail(pixels))), -1, 0)
    bright, colourful = lightness.mean() >= BRIGHT, np.hypot(a, b).mean() >= COLOURFUL
    return KINDS[2 * int(bright) + int(colourful)]


def film_luts(shared: Path | None = SHARED_DATA) -> dict[str, Lut3D]:
    """Film looks by their keys; none where the folder is not there."""
    if shared is None:
        return {}
    found = {}
    for path in sorted((shared / "luts").glob("*.cube")):
        lut = read_cube(path)
        if isinstance(lut, Lut3D) and not path.name.startswith(NO_LOOKS):
            found[lut.key] = lut
    return found


def _shared_photos(long_side: int, shared: Path | None) -> Iterator[ScenePhoto]:
    if shared is None:
        return
    for folder, (licence, attribution) in PHOTO_FOLDERS.items():
        for path in sorted((shared / "photos" / folder).glob("*.png")):
            yield ScenePhoto(
                name=f"{folder}/{path.stem}",
                pixels=fit_long_side(read_photo(path).pixels, long_side),
                licence=licence,
                attribution=attribution,
            )


def _scenes_of(photo: ScenePhoto, long_side: int) -> Sequence[ScenePhoto]:
    height, width = photo.pixels.shape[:2]
    h, w = round(PART * height), round(PART * width)
    pieces = {
        "": photo.pixels,
        ", upper left": photo.pixels[:h, :w],
        ", lower right": photo.pixels[height - h :, width - w :],
    }
    return [
        dataclasses.replace(
            photo,
            name=photo.name + words,
            pixels=fit_long_side(np.ascontiguousarray(piece), long_side),
            category=kind_of_scene(piece),
            cut_from=photo.name,
        )
        for words, piece in pieces.items()
    ]
