"""The heavy verbs of learners; torch comes with them, so tasks and commands import them in their bodies."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from learning.color_maps import CUBE_POINTS, baked, edited, guide_of, of_colors
from learning.data.dataset import PreferenceDataset
from learning.data.masks import Labels
from learning.models import Photo, PhotoRequest, Run
from learning.photo_files import PRESET
from learning.services.photos import LIMITS
from learning.services.styles import PRESET_SUFFIXES
from learning.systems import KEEP_PRESETS, make_config, system_module
from learning.systems.deep_photo import SegmentError
from learning.systems.interface import (
    ConceptEditor,
    LongEditor,
    Mixer,
    Pixels,
    Profile,
    System,
    WordReader,
)
from learning.systems.load import load_run
from learning.tastes import PROFILE, profile_of, taste_of_photos
from learning.training.run_folder import NOTE, read_arrays, write_arrays
from variants.jobs import JobError
from variants.progress import Report, silent, throttled, with_time_left
from variants.tone.apart import decode_apart, read_photo_apart
from variants.tone.cube import write_cube
from variants.tone.images import ImageError, encode_image, fit_long_side, from_8_bit
from variants.tone.luts import Lut3D

LIKED_SHOWN = 480
"""Long side of the small pictures that lists show, in pixels."""
SHOWN = 1600
"""Long side of the pictures that a page shows before and after, in pixels."""
READING = "reading the rater's answers"
READING_LIKED = "reading the liked photos"
READING_FOLDER = "reading"


def run_train(run: Run, watch: Report = silent) -> None:
    """Train into the run's folder; goes on from a checkpoint that a worker has left.

    Args:
        run: its `report` is told of progress and may cancel; a checkpoint stays then.
        watch: told of progress besides, by one who waits at a terminal.
    """
    tell_row = throttled(with_time_left(run.report))

    def report(done: int, total: int, stage: str) -> None:
        watch(done, total, stage)
        tell_row(done, total, stage)

    config = make_config(
        run.system, run.preset, backbone=run.backbone or None, steps=run.steps, seed=run.seed
    )
    dataset = PreferenceDataset.load(run.dataset)
    Path(run.folder).parent.mkdir(parents=True, exist_ok=True)
    system_module(run.system).fit(dataset, config, Path(run.folder), report, resume=True)


def photos_render(request: PhotoRequest) -> None:
    """Render what of the request still waits. A photo that cannot be read carries its reason, and the rest goes on."""
    photos = request.photos.filter(is_liked=False)
    total = photos.count()
    waiting = list(photos.filter(state=Photo.State.WAITING))
    done = total - len(waiting)
    system, profile = _taste(request)
    for photo in waiting:
        request.report(done, total, "rendering")
        _photo_render(system, profile, request, photo)
        done += 1
    request.report(done, total, "rendering")
    failed = photos.filter(state=Photo.State.FAILED)
    if failed.count() == total:
        raise JobError(f"None of the {total} photos could be rendered. The first: {failed[0].error}")


def _taste(request: PhotoRequest) -> tuple[System, Profile]:
    """The system, and whose or what taste it renders to."""
    if request.learner:
        system = load_run(request.learner.folder)
    else:
        system = _untrained(request.system)
    if request.is_style:
        return system, _profile_of_style(system, request)
    assert request.learner is not None
    request.report(0, 0, READING)
    return system, profile_of(system, PreferenceDataset.load(request.learner.dataset), request.rater_id)


@cache
def _untrained(name: str) -> System:
    """Kept for the next request: what it is made of is read once."""
    system: System = system_module(name).untrained()
    return system


def _profile_of_style(system: System, request: PhotoRequest) -> Profile:
    folder = Path(request.folder)
    if (folder / PROFILE).is_file():
        profile = read_arrays(folder / PROFILE, system=system.name)
    else:
        profile = _read_style(system, request)
        write_arrays(folder / PROFILE, profile, system=system.name)
        if system.name in KEEP_PRESETS:
            _keep_preset(system, request, profile)
    if not isinstance(system, ConceptEditor):
        return profile
    if request.learned is None:
        request.learned = system.concept_strengths(profile)
        request.save(update_fields=["learned"])
    return system.with_strengths(profile, request.learned | request.strengths)


def _read_style(system: System, request: PhotoRequest) -> Profile:
    """From what it was made of; JobError where that cannot be."""
    folder = Path(request.folder)
    try:
        if request.mixture:
            return _mixed(system, request)
        if request.words:
            assert isinstance(system, WordReader)
            return system.adapt_to_words(request.words)
        for suffix in PRESET_SUFFIXES:
            if (uploaded := folder / f"uploaded{suffix}").is_file():
                return _of_preset(system, uploaded)
        liked, masks = _liked_photos(system, request)
        reading = folder / READING_FOLDER
        reading.mkdir(exist_ok=True)
        return taste_of_photos(system, liked, masks, folder=reading, report=with_time_left(request.report))
    except ValueError as error:
        raise JobError(str(error)) from error


def _mixed(system: System, request: PhotoRequest) -> Profile:
    assert isinstance(system, Mixer)
    profiles = []
    for number, part in enumerate(request.mixture):
        profile = read_arrays(Path(request.folder) / f"mixed-{number}.safetensors", system=system.name)
        if isinstance(system, ConceptEditor):
            profile = system.with_strengths(profile, part["strengths"])
        profiles.append(profile)
    return system.mixed(profiles, [part["share"] for part in request.mixture])


def _of_preset(system: Any, uploaded: Path) -> Profile:
    from learning.systems.neural_preset import read_preset

    profile: Profile = system.profile_of(read_preset(uploaded))
    return profile


def _keep_preset(system: Any, request: PhotoRequest, profile: Profile) -> None:
    """To be downloaded."""
    from learning.systems.neural_preset import write_preset

    write_preset(system.preset(request.taste_words, profile), Path(request.folder) / PRESET)


def _liked_photos(system: System, request: PhotoRequest) -> tuple[list[Pixels], list[Labels]]:
    """Small, as the system wants them, and their masks.

    One that cannot be read carries its reason; JobError where all are such.
    """
    found, masks = [], []
    liked = list(request.photos.filter(is_liked=True))
    for number, photo in enumerate(liked):
        request.report(number, len(liked), READING_LIKED)
        folder = Path(request.folder) / str(photo.index)
        try:
            pixels = read_photo_apart((folder / "upload").read_bytes(), LIMITS, photo.name).pixels
            mask = _mask_of(photo, folder)
            (folder / "before.jpg").write_bytes(encode_image(fit_long_side(pixels, LIKED_SHOWN), "jpeg_444"))
        except (ImageError, MemoryError) as error:
            photo.state, photo.error = Photo.State.FAILED, str(error) or "out of memory; scale it down first"
        else:
            found.append(fit_long_side(pixels, system.reference_size))
            masks += [] if mask is None else [mask]
            photo.state, (photo.height, photo.width) = Photo.State.RENDERED, pixels.shape[:2]
        photo.save()
    request.report(len(liked), len(liked), READING_LIKED)
    if not found:
        raise JobError(f"None of the {len(liked)} liked photos could be read. The first: {liked[0].error}")
    return found, masks


def _mask_of(photo: Photo, folder: Path) -> Labels | None:
    if not (folder / "mask").is_file():
        return None
    mask = (folder / "mask").read_bytes()
    return decode_apart("learning.data.masks:read_mask", mask, LIMITS, f"mask of {photo.name}")[0]


def _photo_render(system: System, profile: Profile, request: PhotoRequest, photo: Photo) -> None:
    folder = Path(request.folder) / str(photo.index)
    try:
        before = read_photo_apart((folder / "upload").read_bytes(), LIMITS, photo.name).image
        mask = _mask_of(photo, folder)
        guide = guide_of(before)
        # With segments, each has its own map of colours.
        cube = None
        if mask is None:
            cube = baked(system, guide, of_colors(system, profile), request.strength, CUBE_POINTS)
        read = Path(request.folder) / READING_FOLDER / NOTE
        notes: tuple[str, ...] = (read.read_text(encoding="utf-8"),) if read.is_file() else ()
        if isinstance(system, LongEditor) and cube is None:
            watch = throttled(with_time_left(request.report))
            pixels = from_8_bit(before) if before.dtype == np.uint8 else before
            made = system.transfer(pixels, profile, labels=mask, strength=request.strength, report=watch)
            after, notes = made.image, (*notes, *made.notes)
        else:
            after = edited(system, before, profile, strength=request.strength)
        if cube is not None:
            write_cube(Lut3D(table=cube, title=f"taste of {request.taste_words}"), folder / "look.cube")
        (folder / "result.jpg").write_bytes(encode_image(after, "jpeg_444"))
        for name, pixels in (("before.jpg", before), ("after.jpg", after)):
            (folder / name).write_bytes(encode_image(fit_long_side(pixels, SHOWN), "jpeg_444"))
        (folder / "small.jpg").write_bytes(encode_image(fit_long_side(after, LIKED_SHOWN), "jpeg_444"))
    except (ImageError, MemoryError, SegmentError) as error:
        photo.state, photo.error = Photo.State.FAILED, str(error) or "out of memory; scale it down first"
    else:
        photo.state, photo.error, photo.has_cube = Photo.State.RENDERED, "; ".join(notes), cube is not None
        photo.height, photo.width = after.shape[:2]
    photo.save()
    # What was uploaded is needed no more, but for another strength.
    if not request.is_style:
        (folder / "upload").unlink(missing_ok=True)
