"""Uploaded photos, to be rendered to a rater's taste. The web process stores their bytes and decodes none."""

import datetime as dt
import shutil
from collections.abc import Sequence
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
from variants.jobs import STALE_AFTER, Job, new_public_id
from variants.tone.images import Limits

MAX_PHOTOS = 12
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
    _check(run, photos, rater_id=rater_id, strength=strength, uploaded_by=uploaded_by)
    public_id = new_public_id()
    folder = settings.TONALIST_DATA / "rendered-photos" / public_id
    try:
        for index, photo in enumerate(photos):
            _keep(photo, folder / str(index))
        with transaction.atomic():
            return _create(run, photos, public_id, folder, rater_id, strength, uploaded_by)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


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


def _check(
    run: Run,
    photos: Sequence["UploadedFile[bytes]"],
    *,
    rater_id: str,
    strength: float,
    uploaded_by: AbstractBaseUser,
) -> None:
    if run.state != Job.State.DONE or not Path(run.folder).is_dir():
        raise PhotosRefused("only a run that is done, and whose folder is there, can render photos")
    if rater_id not in {rater.id for rater in dataset_raters(Path(run.dataset))}:
        raise PhotosRefused(f"the run's dataset has no rater {rater_id!r} whose answers may be used")
    if Rater.objects.filter(public_id=rater_id, withdrawn_at__isnull=False).exists():
        raise PhotosRefused(f"the rater {rater_id[:8]} has withdrawn; nothing is made of their answers")
    if not 0 <= strength <= 2:
        raise PhotosRefused(f"strength is {strength:g}; it must be from 0 to 2")
    if not 1 <= len(photos) <= MAX_PHOTOS:
        raise PhotosRefused(f"choose 1 to {MAX_PHOTOS} photos; these are {len(photos)}")
    under_way = PhotoRequest.objects.filter(uploaded_by=uploaded_by.pk, state__in=("queued", "running"))
    if under_way.count() >= MAX_UNDER_WAY:
        raise PhotosRefused(f"{MAX_UNDER_WAY} of your requests wait already; let one of them end first")
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
    run: Run,
    photos: Sequence["UploadedFile[bytes]"],
    public_id: str,
    folder: Path,
    rater_id: str,
    strength: float,
    uploaded_by: AbstractBaseUser,
) -> PhotoRequest:
    request = PhotoRequest.objects.create(
        public_id=public_id,
        learner=run,
        rater_id=rater_id,
        strength=strength,
        uploaded_by_id=uploaded_by.pk,
        folder=str(folder),
        keep_until=timezone.now() + KEEP,
        total=len(photos),
    )
    Photo.objects.bulk_create(
        Photo(request=request, index=index, name=(photo.name or "photo")[-200:])
        for index, photo in enumerate(photos)
    )
    _record("photos.create", request, n_photos=len(photos), rater=rater_id)
    return request


def _record(action: str, request: PhotoRequest, **details: object) -> None:
    export = request.learner.export
    audit_record(action, export.study if export else None, what=request.public_id, **details)
