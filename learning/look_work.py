"""The heavy verbs of participants' looks: answers read, photos rendered, files made. Torch comes with it: for tasks only."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collection.models import Session
from collection.selectors.protocols import session_protocol
from learning.color_maps import CUBE_POINTS, RESULT_POINTS, baked, of_colors
from learning.look_cards import card_picture
from learning.looks import (
    MOST_ANSWERS,
    STRENGTHS,
    adjusted_last,
    attribution_of,
    look_answers,
    look_scenes,
    neutral_of,
    packaged_names,
    photos_kept,
)
from learning.models import Look, LookOrder, LookPhoto, StudyLook
from learning.services.looks import look_file_path, looks_expire
from learning.services.photos import LIMITS
from learning.systems.interface import (
    AdjustmentReader,
    ColorMapper,
    ConceptEditor,
    ModeEditor,
    Pixels,
    Profile,
    ReferencePair,
    System,
)
from learning.training.run_folder import read_arrays, write_arrays
from learning.warm import loaded_system
from variants.jobs import JobCancelled, JobError
from variants.models import Rendition
from variants.progress import throttled, with_time_left
from variants.sources.packaged import PHOTOS
from variants.tone import lut_engine
from variants.tone.apart import read_photo_apart
from variants.tone.cube import write_cube
from variants.tone.images import (
    ImageError,
    ImageTooLarge,
    decode_image,
    encode_image,
    fit_long_side,
    read_photo,
)
from variants.tone.luts import Lut3D

SHOWN = 1280
"""Long side of the pictures on a look's page, in pixels."""
THUMB = 256
"""Of those that one is chosen by."""
PROFILE = "profile.safetensors"
READING = "reading the answers"
RENDERING = "rendering"
PREPARING = "making small copies"
What = LookOrder.What


def study_look_prepare(study_look: StudyLook) -> None:
    """Small copies of all that the study asks about, so that an answer is read in a moment; and a first try of the run.

    Raises:
        JobError: the run cannot be loaded, or does not edit by a map of colours.
    """
    system = loaded_system(study_look.learner)
    report = throttled(with_time_left(study_look.report))
    images = _images_of(study_look)
    if len(images) < 2:
        raise JobError("the study has no rendered pairs yet; open the looks again once it has")
    Path(study_look.folder).mkdir(parents=True, exist_ok=True)
    copies = [_small(image, Path(study_look.folder), system.reference_size) for image in images[:2]]
    profile = system.adapt([ReferencePair(preferred=copies[0], rejected=copies[1])])
    _table(system, copies[0], of_colors(system, profile), 1.0, CUBE_POINTS)
    for done, image in enumerate(images):
        report(done, len(images), PREPARING)
        _small(image, Path(study_look.folder), system.reference_size)
    report(len(images), len(images), PREPARING)


def look_do(order: LookOrder) -> None:
    """What a look's page has asked for. Whoever withdraws meanwhile leaves nothing behind."""
    try:
        DO[LookOrder.What(order.what)](order)
    except FileNotFoundError as error:
        if not LookOrder.objects.filter(pk=order.pk).exists():
            raise JobCancelled from error
        raise
    finally:
        if not Look.objects.filter(pk=order.look_id).exists():
            shutil.rmtree(order.look.folder, ignore_errors=True)
        looks_expire()


def _read(order: LookOrder) -> None:
    """The taste from the answers, the photos to show it on, and these photos rendered."""
    look = order.look
    system = loaded_system(look.learner)
    order.report(0, 1, READING)
    n_answers = look_answers(look.session).count()
    profile = system.adapt(_references(look.session, system))
    Path(look.folder).mkdir(parents=True, exist_ok=True)
    write_arrays(Path(look.folder) / PROFILE, profile, system=system.name)
    learned = system.concept_strengths(profile) if isinstance(system, ConceptEditor) else {}
    Look.objects.filter(pk=look.pk).update(n_answers=n_answers, learned=learned, version=look.version + 1)
    _photos_choose(look)
    _render_all(order, system)


def _render(order: LookOrder) -> None:
    system = loaded_system(order.look.learner)
    if order.photo is None:
        _render_all(order, system)
    else:
        _photo_render(system, _taste(system, order.look), order.look, order.photo)


def _render_all(order: LookOrder, system: System) -> None:
    """What is set now; the photo that the person sees first comes first."""
    look = order.look
    look.refresh_from_db()
    profile = _taste(system, look)
    photos = list(photos_kept(look))
    for done, photo in enumerate(photos):
        order.report(done, len(photos), RENDERING)
        _photo_render(system, profile, look, photo)
    order.report(len(photos), len(photos), RENDERING)


def _photo(order: LookOrder) -> None:
    """One's own photo at full size."""
    photo = _photo_of(order)
    system = loaded_system(order.look.learner)
    table = _edit(system, order, photo, RESULT_POINTS)
    full = read_photo_apart((photo.folder / "upload").read_bytes(), LIMITS, "your photo").image
    _file_write(order, encode_image(lut_engine.apply(full, table), "jpeg_444"))


def _cube(order: LookOrder) -> None:
    system = loaded_system(order.look.learner)
    path = look_file_path(order.look, order)
    path.parent.mkdir(exist_ok=True)
    write_cube(_edit(system, order, _photo_of(order), CUBE_POINTS), path)


def _card(order: LookOrder) -> None:
    photo = _photo_of(order)
    before = decode_image((photo.folder / "before.jpg").read_bytes())
    after = lut_engine.apply(before, _edit(loaded_system(order.look.learner), order, photo, CUBE_POINTS))
    title = session_protocol(order.look.session).title
    card = card_picture(before, after, title=title, attribution=attribution_of(photo))
    _file_write(order, encode_image(card, "jpeg_444"))


DO: dict[LookOrder.What, Callable[[LookOrder], None]] = {
    What.READ: _read,
    What.RENDER: _render,
    What.PHOTO: _photo,
    What.CUBE: _cube,
    What.CARD: _card,
}


def _photo_of(order: LookOrder) -> LookPhoto:
    assert order.photo is not None
    return order.photo


def _edit(system: System, order: LookOrder, photo: LookPhoto, points: int) -> Lut3D:
    """The look of this photo as the person has set it."""
    before = decode_image((photo.folder / "before.jpg").read_bytes())
    table = _table(system, before, _taste(system, order.look), order.strength, points)
    title = session_protocol(order.look.session).title.replace('"', "'")
    return Lut3D(table=table, title=" ".join(f"{title}: your look".split()).removeprefix(": "))


def _file_write(order: LookOrder, content: bytes) -> None:
    path = look_file_path(order.look, order)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _references(session: Session, system: System) -> list[ReferencePair]:
    """The last answers as pairs of small images, the oldest of them first."""
    answers = list(look_answers(session).select_related("left", "right")[:MOST_ANSWERS])[::-1]
    if not answers:
        raise JobError("there are no answers yet that choose a side; a look is read from at least one")
    scenes = {answer.left.scene_id for answer in answers}
    neutral = neutral_of(sorted(scenes), session_protocol(session).long_side)
    folder = _copies_of(session)
    references = []
    for answer in answers:
        assert answer.preferred is not None
        assert answer.rejected is not None
        original = neutral.get(answer.left.scene_id)
        references.append(
            ReferencePair(
                preferred=_small(answer.preferred, folder, system.reference_size),
                rejected=_small(answer.rejected, folder, system.reference_size),
                original=_small(original, folder, system.reference_size) if original else None,
            )
        )
    return references


def _copies_of(session: Session) -> Path | None:
    study = session.study
    found = StudyLook.objects.filter(study=study.preview_of_id or study.pk).first()
    return Path(found.folder) if found else None


def _small(image: Rendition, folder: Path | None, long_side: int) -> Pixels:
    """An image at the size that a system reads; kept where there is a folder for it."""
    path = folder / f"{long_side}-{image.public_id}.png" if folder else None
    if path and path.is_file():
        return decode_image(path.read_bytes(), str(image))
    with image.image.open("rb") as file:
        content = encode_image(fit_long_side(decode_image(file.read(), str(image)), long_side), "png")
    if path and path.parent.is_dir():
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.replace(path)
    return decode_image(content, str(image))


def _images_of(study_look: StudyLook) -> list[Rendition]:
    """All renditions that the study's pairs show, and the untouched ones of their scenes."""
    shown = dict[int, Rendition]()
    pairs = study_look.study.pairs.select_related("image_a", "image_b").order_by("pk")
    for pair in pairs.iterator(chunk_size=2000):
        shown |= {image.pk: image for image in (pair.image_a, pair.image_b)}
    scenes = sorted({image.scene_id for image in shown.values()})
    neutral = {image.pk: image for image in neutral_of(scenes, 0).values()}
    return [image for image in (shown | neutral).values() if image.image]


def _taste(system: System, look: Look) -> Profile:
    """What was read, with what was set by hand: the part of it that a LUT holds.

    Every photo is edited at the taste's own measure: a look that leaves half of the photos alone shows nobody theirs.
    """
    profile = read_arrays(Path(look.folder) / PROFILE, system=system.name)
    if isinstance(system, ModeEditor):
        profile = system.with_mode(profile, "taste")
    if isinstance(system, AdjustmentReader):
        for concept, value in adjusted_last(look).items():
            profile = system.adjusted(profile, concept, value)
    if isinstance(system, ConceptEditor) and look.strengths:
        profile = system.with_strengths(profile, look.strengths)
    return of_colors(system, profile)


def _photos_choose(look: Look) -> None:
    """Once: those that are there are kept when more answers are read."""
    if look.photos.filter(is_own=False).exists():
        return
    scenes = look_scenes(look.session)
    rows: list[dict[str, Any]] = [{"scene": scene} for scene in scenes]
    rows = rows or [{"packaged": name} for name in packaged_names()]
    taken = set(look.photos.values_list("index", flat=True))
    free = [index for index in range(len(rows) + len(taken)) if index not in taken]
    LookPhoto.objects.bulk_create(
        LookPhoto(look=look, index=index, **row) for index, row in zip(free, rows, strict=False)
    )


def _photo_render(system: System, profile: Profile, look: Look, photo: LookPhoto) -> None:
    """The photo at all strengths that the page mixes. One that cannot be read carries its reason."""
    try:
        before = _before(photo)
    except (ImageError, MemoryError) as error:
        fault = (
            LookPhoto.Fault.TOO_MANY_PIXELS
            if isinstance(error, ImageTooLarge)
            else LookPhoto.Fault.UNREADABLE
        )
        LookPhoto.objects.filter(pk=photo.pk).update(fault=fault)
        (photo.folder / "upload").unlink(missing_ok=True)
        return
    for name, strength in STRENGTHS.items():
        table = Lut3D(table=_table(system, before, profile, strength, CUBE_POINTS), title="")
        after = lut_engine.apply(before, table)
        _picture_write(photo, look.version, name, after)
        if name == "after":
            _picture_write(photo, look.version, "thumb", fit_long_side(after, THUMB))
    # One that was begun later and is through already has the word.
    newer = LookPhoto.objects.filter(pk=photo.pk, version__lt=look.version)
    newer.update(version=look.version, height=before.shape[0], width=before.shape[1], fault="")
    _old_pictures_delete(photo)


def _picture_write(photo: LookPhoto, version: int, name: str, pixels: Pixels) -> None:
    (photo.folder / f"{version}-{name}.jpg").write_bytes(encode_image(pixels, "jpeg_444"))


def _before(photo: LookPhoto) -> Pixels:
    """The photo as the page shows it untouched."""
    path = photo.folder / "before.jpg"
    if not path.is_file():
        if not photo.is_own:
            photo.folder.mkdir(exist_ok=True)
        path.write_bytes(encode_image(fit_long_side(_pixels_of(photo), SHOWN), "jpeg_444"))
    return decode_image(path.read_bytes())


def _pixels_of(photo: LookPhoto) -> Pixels:
    if photo.is_own:
        return read_photo_apart((photo.folder / "upload").read_bytes(), LIMITS, "your photo").pixels
    if photo.packaged:
        found = next(each for each in PHOTOS if each.name == photo.packaged)
        return read_photo(found.path).pixels
    if photo.scene is None:
        raise ImageError("the scene is gone")
    neutral = neutral_of([photo.scene.pk], session_protocol(photo.look.session).long_side)
    source = neutral[photo.scene.pk].image if neutral else photo.scene.original
    with source.open("rb") as file:
        return read_photo(file.read(), name=photo.scene.name).pixels


def _old_pictures_delete(photo: LookPhoto) -> None:
    """Those before the last two versions: a page may still be loading the one before."""
    shown = LookPhoto.objects.filter(pk=photo.pk).values_list("version", flat=True).first() or 0
    for path in photo.folder.glob("*-*.jpg"):
        if int(path.name.partition("-")[0]) < shown - 1:
            path.unlink(missing_ok=True)


def _table(system: System, guide: Pixels, profile: Profile, strength: float, points: int) -> Pixels:
    table = baked(system, guide, profile, strength, points) if isinstance(system, ColorMapper) else None
    if table is None:
        raise JobError(
            f"this run of {system.name} edits each place of a photo differently; looks take one that changes colours alone"
        )
    return table
