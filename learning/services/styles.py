"""Styles: read from liked photos, a preset or words, changed and mixed, and given to a researcher's own photos."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from django.contrib.auth.models import AbstractBaseUser
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from learning.data.masks import masks_by_photo
from learning.models import Photo, PhotoRequest, Run
from learning.services.photos import (
    MAX_PHOTOS,
    CopiedFile,
    PhotosRefused,
    check_asked,
    check_photos,
    check_run,
    check_strength,
    photos_expire,
    request_create,
)
from learning.systems import KEEP_PRESETS, MIXERS, PHOTO_READERS, TAKE_MASKS, TAKE_WORDS, UNTRAINED
from learning.systems.concepts import checked, checked_words
from variants.jobs import Job

MAX_LIKED = 50
"""Photos that a taste is read from."""
MAX_LIKED_BYTES = 400_000_000
"""Of them together."""
PRESET_SUFFIXES = (".safetensors", ".npz")
MAX_PRESET_BYTES = 1_000_000


def style_request(
    liked: Sequence["UploadedFile[bytes]"],
    photos: Sequence["UploadedFile[bytes]"],
    *,
    uploaded_by: AbstractBaseUser,
    run: Run | None = None,
    system: str = "",
    strength: float = 1.0,
    name: str = "",
    masks: Sequence["UploadedFile[bytes]"] = (),
    preset: "UploadedFile[bytes] | None" = None,
    words: Mapping[str, str] | None = None,
) -> PhotoRequest:
    """A job that reads a style and renders photos to it; `enqueue()` starts it.

    Args:
        liked: photos whose tones are liked; or else `preset` or `words`.
        photos: what is rendered.
        uploaded_by: who alone sees it.
        run: a run that is done, of a system that reads photos; or else
        system: one that needs no training.
        strength: 0 leaves the photos as they are, 1 is the system's own measure.
        name: of the style; by default after what it is read from.
        masks: of liked photos and of photos, by name; for systems that edit segment by segment.
        preset: a file that this run has made.
        words: attribute of each concept.

    Raises:
        PhotosRefused: the system cannot do this, or there are no photos, too many or too large ones.
    """
    photos_expire()
    if run is not None:
        check_run(run)
        if run.system not in PHOTO_READERS:
            raise PhotosRefused(f"{run.system} reads answers; it cannot read a taste from photos alone")
    elif system not in UNTRAINED:
        raise PhotosRefused(f"{system!r} is not one of {', '.join(UNTRAINED)}, which need no training")
    request = PhotoRequest(
        learner=run,
        system="" if run else system,
        strength=strength,
        uploaded_by_id=uploaded_by.pk,
        words=dict(words or {}),
    )
    _check_source(request, liked, preset)
    check_photos(photos, MAX_PHOTOS, "photos of your own")
    by_photo = _masks_of(request, masks, liked, photos)
    check_asked(strength, uploaded_by)
    request.name = (name.strip() or _name_of(liked, preset, request.words))[:80]
    kept = {f"uploaded{Path(preset.name or '').suffix}": preset} if preset else {}
    return request_create(request, photos=photos, liked=liked, masks=by_photo, beside=kept)


@transaction.atomic
def style_change(
    request: PhotoRequest, *, strength: float, strengths: Mapping[str, float] | None = None
) -> None:
    """Render the photos again with another strength, or with concepts set by hand; `enqueue()` starts it.

    Raises:
        PhotosRefused: the request is at work or failed, or a value cannot be.
    """
    strengths = dict(strengths or {})
    learned = request.learned or {}
    if unknown := sorted(strengths.keys() - learned.keys()):
        raise PhotosRefused(f"this style has no concept {unknown[0]!r}")
    if strengths:
        try:
            checked(request.reader, strengths)
        except ValueError as error:
            raise PhotosRefused(str(error)) from error
    check_strength(strength)
    # One of two who press at once changes it; the other is told.
    done = PhotoRequest.objects.filter(pk=request.pk, state=Job.State.DONE, rater_id="")
    if not done.update(
        state=Job.State.QUEUED, strength=strength, strengths=strengths, finished_at=None, done=0
    ):
        raise PhotosRefused("only a style that is done can be changed; wait until it is")
    request.refresh_from_db()
    request.photos.filter(is_liked=False, state=Photo.State.RENDERED).update(state=Photo.State.WAITING)


@transaction.atomic
def style_mix(
    request: PhotoRequest, other: PhotoRequest, *, share: float, uploaded_by: AbstractBaseUser, name: str = ""
) -> PhotoRequest:
    """A new style of two, on the photos of the first; `enqueue()` starts it. Opposite tastes cancel.

    Args:
        request: a style that is done, with its photos.
        other: another, by the same reader.
        share: of the other, from 0 to 1.
        uploaded_by: who alone sees it.
        name: of the mix; by default both names.

    Raises:
        PhotosRefused: one is not done, they have different readers, or the reader cannot mix.
    """
    photos_expire()
    for style in (request, other):
        if not style.is_style or style.state != Job.State.DONE:
            raise PhotosRefused(f"{style.taste_words} is not a style that is done")
    if request.pk == other.pk:
        raise PhotosRefused("a style cannot be mixed with itself; choose another one")
    if (request.learner_id, request.system) != (other.learner_id, other.system):
        raise PhotosRefused(
            f"{request.taste_words} is read by {request.reader} and {other.taste_words} by another run or system; "
            "only styles of one can be mixed"
        )
    if request.reader not in MIXERS:
        raise PhotosRefused(f"{request.reader} cannot mix styles; {', '.join(MIXERS)} can")
    if not 0 <= share <= 1:
        raise PhotosRefused(f"share is {share:g}; it must be from 0 to 1")
    check_asked(request.strength, uploaded_by)
    made = PhotoRequest(
        learner=request.learner,
        system=request.system,
        strength=request.strength,
        uploaded_by_id=uploaded_by.pk,
        name=(name.strip() or f"{request.taste_words[:38]} + {other.taste_words[:38]}"),
        mixture=[
            {"name": style.taste_words, "share": part, "strengths": style.strengths}
            for style, part in ((request, 1 - share), (other, share))
        ],
    )
    own = list(request.photos.filter(is_liked=False))
    try:
        return request_create(
            made,
            photos=[
                CopiedFile(Path(request.folder) / str(photo.index) / "upload", photo.name) for photo in own
            ],
            beside={
                f"mixed-{number}.safetensors": CopiedFile(Path(style.folder) / "profile.safetensors")
                for number, style in enumerate((request, other))
            },
        )
    except OSError as error:
        raise PhotosRefused("the files of one of the two styles are gone") from error


def _check_source(
    request: PhotoRequest, liked: Sequence["UploadedFile[bytes]"], preset: "UploadedFile[bytes] | None"
) -> None:
    """That the style is read from one thing, which its reader can read."""
    if (bool(liked), bool(preset), bool(request.words)).count(True) > 1:
        raise PhotosRefused(
            "a style is read from liked photos, from a preset or from words; send one of them"
        )
    if preset:
        if request.reader not in KEEP_PRESETS:
            raise PhotosRefused(f"{request.reader} has no presets; a run of {', '.join(KEEP_PRESETS)} has")
        if Path(preset.name or "").suffix not in PRESET_SUFFIXES:
            raise PhotosRefused(
                f"{preset.name} is no preset; its name ends in {' or '.join(PRESET_SUFFIXES)}"
            )
        if (preset.size or 0) > MAX_PRESET_BYTES:
            raise PhotosRefused(f"{preset.name} is larger than a preset can be")
    elif request.words:
        if request.reader not in TAKE_WORDS:
            raise PhotosRefused(f"{request.reader} knows no words; a run of {', '.join(TAKE_WORDS)} does")
        try:
            checked_words(request.words)
        except ValueError as error:
            raise PhotosRefused(str(error)) from error
    else:
        check_photos(liked, MAX_LIKED, "liked photos")
        if (total := sum(photo.size or 0 for photo in liked)) > MAX_LIKED_BYTES:
            raise PhotosRefused(
                f"the liked photos have {total / 1e6:.0f} MB together; at most {MAX_LIKED_BYTES // 10**6} are taken. "
                "Smaller versions of them say the same"
            )


def _masks_of(
    request: PhotoRequest,
    masks: Sequence["UploadedFile[bytes]"],
    liked: Sequence["UploadedFile[bytes]"],
    photos: Sequence["UploadedFile[bytes]"],
) -> dict[int, "UploadedFile[bytes]"]:
    """Masks by the number of their photo."""
    if not masks:
        return {}
    if request.reader not in TAKE_MASKS:
        raise PhotosRefused(f"{request.reader} has no segments; {', '.join(TAKE_MASKS)} takes masks")
    check_photos(masks, MAX_LIKED + MAX_PHOTOS, "masks")
    named = {mask.name or "": mask for mask in masks}
    try:
        found = masks_by_photo((mask.name or "" for mask in masks), (p.name or "" for p in (*photos, *liked)))
    except ValueError as error:
        raise PhotosRefused(str(error)) from error
    if without := sum((photo.name or "") not in found for photo in liked):
        raise PhotosRefused(f"{without} of the {len(liked)} liked photos have no mask; each needs one")
    return {
        index: named[found[photo.name or ""]]
        for index, photo in enumerate((*photos, *liked))
        if (photo.name or "") in found
    }


def _name_of(
    liked: Sequence["UploadedFile[bytes]"], preset: "UploadedFile[bytes] | None", words: Mapping[str, str]
) -> str:
    if preset:
        return Path(preset.name or "preset").stem
    if words:
        return ", ".join(f"{word} {concept}" for concept, word in words.items())
    first = Path(liked[0].name or "photo").stem
    return f"like {first[:40]}" + (f" and {len(liked) - 1} more" if len(liked) > 1 else "")
