"""Uploaded photos, to be rendered to a rater's taste or to a style. The web process stores their bytes and decodes none."""

import datetime as dt
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from learning.systems import MAX_STRENGTH
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
    check_run(run)
    _check_rater(run, rater_id)
    check_photos(photos, MAX_PHOTOS, "photos")
    check_asked(strength, uploaded_by)
    return request_create(
        PhotoRequest(learner=run, rater_id=rater_id, strength=strength, uploaded_by_id=uploaded_by.pk),
        photos=photos,
    )


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


def check_run(run: Run) -> None:
    if run.state != Job.State.DONE or not Path(run.folder).is_dir():
        raise PhotosRefused("only a run that is done, and whose folder is there, can render photos")


def _check_rater(run: Run, rater_id: str) -> None:
    if rater_id not in {rater.id for rater in dataset_raters(Path(run.dataset))}:
        raise PhotosRefused(f"the run's dataset has no rater {rater_id!r} whose answers may be used")
    if Rater.objects.filter(public_id=rater_id, withdrawn_at__isnull=False).exists():
        raise PhotosRefused(f"the rater {rater_id[:8]} has withdrawn; nothing is made of their answers")


def check_strength(strength: float) -> None:
    if not 0 <= strength <= MAX_STRENGTH:
        raise PhotosRefused(f"strength is {strength:g}; it must be from 0 to {MAX_STRENGTH:g}")


def check_asked(strength: float, uploaded_by: AbstractBaseUser) -> None:
    check_strength(strength)
    under_way = PhotoRequest.objects.filter(uploaded_by=uploaded_by.pk, state__in=("queued", "running"))
    if under_way.count() >= MAX_UNDER_WAY:
        raise PhotosRefused(f"{MAX_UNDER_WAY} of your requests wait already; let one of them end first")


def check_photos(photos: Sequence["UploadedFile[bytes]"], most: int, what: str) -> None:
    if not 1 <= len(photos) <= most:
        raise PhotosRefused(f"choose 1 to {most} {what}; these are {len(photos)}")
    for photo in photos:
        if photo.size is None or photo.size > MAX_BYTES:
            raise PhotosRefused(
                f"{photo.name} is larger than {MAX_BYTES // 10**6} MB, which is the most that is taken"
            )
        if not photo.size:
            raise PhotosRefused(f"{photo.name} is empty (0 bytes)")


@dataclass(frozen=True)
class CopiedFile:
    """A file of another request, taken as an upload is."""

    path: Path
    name: str = ""

    def chunks(self) -> Iterable[bytes]:
        yield self.path.read_bytes()


def _keep(photo: "UploadedFile[bytes] | CopiedFile", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for chunk in photo.chunks():
            file.write(chunk)


def request_create(
    request: PhotoRequest,
    *,
    photos: Sequence["UploadedFile[bytes] | CopiedFile"],
    liked: Sequence["UploadedFile[bytes]"] = (),
    masks: Mapping[int, "UploadedFile[bytes]"] | None = None,
    beside: Mapping[str, "UploadedFile[bytes] | CopiedFile"] | None = None,
) -> PhotoRequest:
    """Keep the files and store the request; after an error nothing of either stays."""
    request.public_id = new_public_id()
    request.folder = str(settings.TONALIST_DATA / "rendered-photos" / request.public_id)
    request.keep_until = timezone.now() + KEEP
    request.total = len(photos)
    try:
        for index, photo in enumerate((*photos, *liked)):
            _keep(photo, Path(request.folder) / str(index) / "upload")
        for index, mask in (masks or {}).items():
            mask.seek(0)  # one may be of two photos
            _keep(mask, Path(request.folder) / str(index) / "mask")
        for file_name, file in (beside or {}).items():
            _keep(file, Path(request.folder) / file_name)
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
