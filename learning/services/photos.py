"""Uploaded photos, to be rendered to a rater's taste. The web process stores their bytes and decodes none."""

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from collection.models import Rater
from collection.services.audit import audit_record
from learning.models import Photo, PhotoRequest, Run
from learning.raters import dataset_raters
from learning.systems import PHOTO_READERS, UNTRAINED
from variants.jobs import STALE_AFTER, Job, new_public_id
from variants.tone.concepts import CONCEPTS
from variants.tone.images import Limits

MAX_PHOTOS = 12
MAX_LIKED = 50
"""Photos that a taste is read from."""
MAX_LIKED_BYTES = 400_000_000
"""Of them together."""
MAX_BYTES = 40_000_000
"""Of one photo."""
MAX_PIXELS = 24_000_000
"""Of one photo; 24 megapixels take 1.5 GB of the worker's memory."""
KEEP = dt.timedelta(days=7)
MAX_UNDER_WAY = 3
"""Requests of one person that wait or run."""
LIMITS = Limits(max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)


class PhotosRefused(Exception):
    """Photos that cannot be rendered; the message says why and what mends it."""


def photos_request(
    run: Run,
    photos: Sequence["UploadedFile[bytes]"],
    *,
    rater_id: str,
    uploaded_by: AbstractBaseUser,
    strength: float = 1.0,
) -> PhotoRequest:
    """A job that renders photos to a rater's taste; `enqueue()` starts it. All is deleted after KEEP.

    Raises:
        PhotosRefused: the run is not done, the rater is none of its dataset, or there are no photos, too many
            or too large ones. Then nothing stays behind.
    """
    photos_expire()
    _check_run(run)
    _check_rater(run, rater_id)
    _check_photos(photos, MAX_PHOTOS, "photos")
    _check(strength, uploaded_by)
    return _create(
        PhotoRequest(learner=run, rater_id=rater_id, strength=strength, uploaded_by_id=uploaded_by.pk),
        photos=photos,
    )


def style_request(
    liked: Sequence["UploadedFile[bytes]"],
    photos: Sequence["UploadedFile[bytes]"],
    *,
    uploaded_by: AbstractBaseUser,
    run: Run | None = None,
    system: str = "",
    strength: float = 1.0,
) -> PhotoRequest:
    """A job that reads a taste from liked photos and renders other photos to it; `enqueue()` starts it.

    Args:
        liked: one photo or more, whose tones are liked.
        photos: what is rendered.
        uploaded_by: who alone sees it.
        run: a run that is done, of a system that reads photos; or else
        system: one that needs no training.
        strength: 0 leaves the photos as they are, 1 is the system's own measure.

    Raises:
        PhotosRefused: the system cannot do this, or there are no photos, too many or too large ones.
    """
    photos_expire()
    if run is not None:
        _check_run(run)
        if run.system not in PHOTO_READERS:
            raise PhotosRefused(f"{run.system} reads answers; it cannot read a taste from photos alone")
    elif system not in UNTRAINED:
        raise PhotosRefused(f"{system!r} is not one of {', '.join(UNTRAINED)}, which need no training")
    _check_photos(liked, MAX_LIKED, "liked photos")
    if (total := sum(photo.size or 0 for photo in liked)) > MAX_LIKED_BYTES:
        raise PhotosRefused(
            f"the liked photos have {total / 1e6:.0f} MB together; at most {MAX_LIKED_BYTES // 10**6} are taken. "
            "Smaller versions of them say the same"
        )
    _check_photos(photos, MAX_PHOTOS, "photos of your own")
    _check(strength, uploaded_by)
    return _create(
        PhotoRequest(
            learner=run,
            system="" if run else system,
            strength=strength,
            uploaded_by_id=uploaded_by.pk,
        ),
        photos=photos,
        liked=liked,
    )


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
    for name, value in strengths.items():
        low, high = CONCEPTS[name].low, CONCEPTS[name].high
        if not low <= value <= high:
            raise PhotosRefused(f"{name} is {value:g}; it must be from {low:g} to {high:g}")
    _check_strength(strength)
    # One of two who press at once changes it; the other is told.
    done = PhotoRequest.objects.filter(pk=request.pk, state=Job.State.DONE, rater_id="")
    if not done.update(
        state=Job.State.QUEUED, strength=strength, strengths=strengths, finished_at=None, done=0
    ):
        raise PhotosRefused("only a style that is done can be changed; wait until it is")
    request.refresh_from_db()
    request.photos.filter(is_liked=False, state=Photo.State.RENDERED).update(state=Photo.State.WAITING)


def photos_delete(request: PhotoRequest) -> None:
    """Delete the photos and all that was made of them; where a worker has them, as soon as it lets go."""
    with transaction.atomic():
        _record("photos.delete", request)
        PhotoRequest.objects.filter(pk=request.pk).update(keep_until=timezone.now())
    photos_expire()


def photos_expire() -> int:
    """Delete every request whose time is over, files first; return how many. One at work is asked to stop."""
    over = PhotoRequest.objects.filter(keep_until__lte=timezone.now())
    n = 0
    for request in over:
        if _is_at_work(request):
            request.cancel()
            continue
        shutil.rmtree(request.folder, ignore_errors=True)
        request.delete()
        n += 1
    return n


def _is_at_work(request: PhotoRequest) -> bool:
    beat = request.heartbeat_at
    return request.state == Job.State.RUNNING and beat is not None and beat > timezone.now() - STALE_AFTER


def _check_run(run: Run) -> None:
    if run.state != Job.State.DONE or not Path(run.folder).is_dir():
        raise PhotosRefused("only a run that is done, and whose folder is there, can render photos")


def _check_rater(run: Run, rater_id: str) -> None:
    if rater_id not in {rater.id for rater in dataset_raters(Path(run.dataset))}:
        raise PhotosRefused(f"the run's dataset has no rater {rater_id!r} whose answers may be used")
    if Rater.objects.filter(public_id=rater_id, withdrawn_at__isnull=False).exists():
        raise PhotosRefused(f"the rater {rater_id[:8]} has withdrawn; nothing is made of their answers")


def _check_strength(strength: float) -> None:
    if not 0 <= strength <= 2:
        raise PhotosRefused(f"strength is {strength:g}; it must be from 0 to 2")


def _check(strength: float, uploaded_by: AbstractBaseUser) -> None:
    _check_strength(strength)
    under_way = PhotoRequest.objects.filter(uploaded_by=uploaded_by.pk, state__in=("queued", "running"))
    if under_way.count() >= MAX_UNDER_WAY:
        raise PhotosRefused(f"{MAX_UNDER_WAY} of your requests wait already; let one of them end first")


def _check_photos(photos: Sequence["UploadedFile[bytes]"], most: int, what: str) -> None:
    if not 1 <= len(photos) <= most:
        raise PhotosRefused(f"choose 1 to {most} {what}; these are {len(photos)}")
    for photo in photos:
        if photo.size is None or photo.size > MAX_BYTES:
            raise PhotosRefused(
                f"{photo.name} is larger than {MAX_BYTES // 10**6} MB, which is the most that is taken"
            )
        if not photo.size:
            raise PhotosRefused(f"{photo.name} is empty (0 bytes)")


def _keep(photo: "UploadedFile[bytes]", folder: Path) -> None:
    folder.mkdir(parents=True)
    with (folder / "upload").open("wb") as file:
        for chunk in photo.chunks():
            file.write(chunk)


def _create(
    request: PhotoRequest,
    *,
    photos: Sequence["UploadedFile[bytes]"],
    liked: Sequence["UploadedFile[bytes]"] = (),
) -> PhotoRequest:
    """Keep the files and store the request; after an error nothing of either stays."""
    request.public_id = new_public_id()
    request.folder = str(settings.TONALIST_DATA / "rendered-photos" / request.public_id)
    request.keep_until = timezone.now() + KEEP
    request.total = len(photos)
    try:
        for index, photo in enumerate((*photos, *liked)):
            _keep(photo, Path(request.folder) / str(index))
        with transaction.atomic():
            request.save()
            Photo.objects.bulk_create(
                Photo(
                    request=request,
                    index=index,
                    name=(photo.name or "photo")[-200:],
                    is_liked=index >= len(photos),
                )
                for index, photo in enumerate((*photos, *liked))
            )
            taste = {"rater": request.rater_id} if request.rater_id else {"n_liked": len(liked)}
            _record("photos.create", request, n_photos=len(photos), **taste)
    except BaseException:
        shutil.rmtree(request.folder, ignore_errors=True)
        raise
    return request


def _record(action: str, request: PhotoRequest, **details: object) -> None:
    export = request.learner.export if request.learner else None
    audit_record(action, export.study if export else None, what=request.public_id, **details)
