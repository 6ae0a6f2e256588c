"""The heavy verbs of learners; torch comes with them, so tasks and commands import them in their bodies."""

from pathlib import Path

from learning.data.dataset import PreferenceDataset
from learning.models import Photo, PhotoRequest, Run
from learning.services.photos import LIMITS
from learning.systems import make_config, system_module
from learning.systems.interface import (
    ColorMapper,
    ConceptEditor,
    LongEditor,
    LongReader,
    PhotoReader,
    Pixels,
    Profile,
    System,
)
from learning.systems.load import load_run
from learning.tastes import profile_of
from learning.training.run_folder import read_arrays, write_arrays
from variants.jobs import JobError
from variants.progress import Report, silent, throttled, with_time_left
from variants.tone import lut_engine
from variants.tone.concepts import CONCEPTS
from variants.tone.cube import write_cube
from variants.tone.images import ImageError, encode_image, fit_long_side, read_photo
from variants.tone.luts import Lut3D

LIKED_SHOWN = 480
"""Of the liked photos on their page."""
SHOWN = 1600
"""Long side of the pictures that a page shows before and after, in pixels."""
RESULT_POINTS = 65
"""Of the table through which a photo goes: within a mean ΔE00 of 0.01 of the network itself, and 36 times as fast at
6 megapixels on a CPU."""
CUBE_POINTS = 33
READING = "reading the rater's answers"
READING_LIKED = "reading the liked photos"
PROFILE = "profile.safetensors"
"""In a request's folder: what was read from the liked photos, so that a change of strength reads nothing again."""


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
        system = system_module(request.system).untrained()
    if request.is_of_liked_photos:
        return system, _profile_of_liked(system, request)
    assert request.learner is not None
    request.report(0, 0, READING)
    return system, profile_of(system, PreferenceDataset.load(request.learner.dataset), request.rater_id)


def _profile_of_liked(system: System, request: PhotoRequest) -> Profile:
    folder = Path(request.folder)
    if (folder / PROFILE).is_file():
        profile = read_arrays(folder / PROFILE, system=system.name)
    else:
        assert isinstance(system, PhotoReader)
        liked = _liked_photos(system, request)
        if isinstance(system, LongReader):
            reading = folder / "reading"
            reading.mkdir(exist_ok=True)
            profile = system.invert(liked, reading, throttled(with_time_left(request.report)), resume=True)
        else:
            profile = system.adapt_to_photos(liked)
        write_arrays(folder / PROFILE, profile, system=system.name)
    if not isinstance(system, ConceptEditor):
        return profile
    if request.learned is None:
        request.learned = system.concept_strengths(profile)
        request.save(update_fields=["learned"])
    return system.with_strengths(profile, request.learned | request.strengths)


def _liked_photos(system: System, request: PhotoRequest) -> list[Pixels]:
    """Small, as the system wants them. One that cannot be read carries its reason; JobError where all are such."""
    found = []
    liked = list(request.photos.filter(is_liked=True))
    for number, photo in enumerate(liked):
        request.report(number, len(liked), READING_LIKED)
        folder = Path(request.folder) / str(photo.index)
        try:
            pixels = read_photo((folder / "upload").read_bytes(), LIMITS, photo.name).pixels
            (folder / "before.jpg").write_bytes(encode_image(fit_long_side(pixels, LIKED_SHOWN), "jpeg_444"))
        except (ImageError, MemoryError) as error:
            photo.state, photo.error = Photo.State.FAILED, str(error) or "out of memory; scale it down first"
        else:
            found.append(fit_long_side(pixels, system.reference_size))
            photo.state, (photo.height, photo.width) = Photo.State.RENDERED, pixels.shape[:2]
        photo.save()
    request.report(len(liked), len(liked), READING_LIKED)
    if not found:
        raise JobError(f"None of the {len(liked)} liked photos could be read. The first: {liked[0].error}")
    return found


def _photo_render(system: System, profile: Profile, request: PhotoRequest, photo: Photo) -> None:
    folder = Path(request.folder) / str(photo.index)
    try:
        before = read_photo((folder / "upload").read_bytes(), LIMITS, photo.name).pixels
        table = _baked(system, before, profile, request.strength, RESULT_POINTS)
        notes: tuple[str, ...] = ()
        if table is None and isinstance(system, LongEditor):
            watch = throttled(with_time_left(request.report))
            made = system.transfer(before, profile, strength=request.strength, report=watch)
            after, notes = made.image, made.notes
        elif table is None:
            after = system.render([before], profile, strength=request.strength)[0]
        else:
            after = lut_engine.apply(before, Lut3D(table=table, title=""))
        cube = _baked(system, before, _of_colors(system, profile), request.strength, CUBE_POINTS)
        if cube is not None:
            write_cube(Lut3D(table=cube, title=f"taste of {request.taste_words}"), folder / "look.cube")
        (folder / "result.jpg").write_bytes(encode_image(after, "jpeg_444"))
        for name, pixels in (("before.jpg", before), ("after.jpg", after)):
            (folder / name).write_bytes(encode_image(fit_long_side(pixels, SHOWN), "jpeg_444"))
    except (ImageError, MemoryError) as error:
        photo.state, photo.error = Photo.State.FAILED, str(error) or "out of memory; scale it down first"
    else:
        photo.state, photo.error, photo.has_cube = Photo.State.RENDERED, "; ".join(notes), cube is not None
        photo.height, photo.width = after.shape[:2]
    photo.save()
    # What was uploaded is needed no more, but for another strength.
    if not request.is_of_liked_photos:
        (folder / "upload").unlink(missing_ok=True)


def _baked(system: System, guide: Pixels, profile: Profile, strength: float, points: int) -> Pixels | None:
    """The edit of this photo as a table; None where it depends on the place."""
    if not isinstance(system, ColorMapper):
        return None
    try:
        return system.bake(guide, profile, size=points, strength=strength)
    except ValueError:  # of this preset only
        return None


def _of_colors(system: System, profile: Profile) -> Profile:
    """The part of a taste that a LUT can hold: without the concepts that change each place differently."""
    if not isinstance(system, ConceptEditor):
        return profile
    return system.with_strengths(
        profile, {name: CONCEPTS[name].neutral for name in system.concepts if not CONCEPTS[name].is_color_map}
    )
