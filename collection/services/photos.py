"""Photos of a study: uploaded file by file, from a folder of the server, or scenes that are there already."""

import hashlib
import tempfile
from collections.abc import Iterable
from typing import BinaryIO

from django.core.files import File
from django.db import transaction

from collection.access import User, scenes_to_use
from collection.models import Study, StudyPair, StudyScene
from collection.services.audit import audit_record
from collection.services.studies import StudyError, study_add_scenes
from variants.import_folder import folder_below
from variants.jobs import Job
from variants.models import PhotoFile, PhotoJob, Scene
from variants.tone.images import Limits

CHUNK = 1 << 20
UPLOADING = "being uploaded"
"""Stage of a job that more files may join."""


class UploadError(ValueError):
    """A file cannot be taken; the message says why. `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def photos_begin(
    study: Study,
    user: User,
    *,
    folder: str = "",
    category: str = "",
    folders_are_categories: bool = False,
    licence: str = "",
    attribution: str = "",
) -> PhotoJob:
    """A job for photos of the study: of a folder of the server, or for files that are uploaded next.

    An upload that broke off is gone on with. Raises StudyError for a study that has been opened, and
    ImportFolderError for a folder that may not be read.
    """
    _require_draft(study)
    fields = {
        "category": category,
        "folders_are_categories": folders_are_categories,
        "licence": licence,
        "attribution": attribution,
    }
    if folder:
        folder_below(folder)
    elif open_job := photos_uploading(study, user):
        PhotoJob.objects.filter(pk=open_job.pk).update(**fields)
        return open_job
    with transaction.atomic():
        job = PhotoJob.objects.create(
            task="collection.tasks.study_photos_task",
            owner_id=user.pk,
            folder=folder,
            stage="" if folder else UPLOADING,
            **fields,
        )
        study.photo_jobs.add(job)
    return job


def photos_uploading(study: Study, user: User) -> PhotoJob | None:
    """The user's upload into the study that has not been sent off."""
    return study.photo_jobs.filter(owner=user.pk, state=Job.State.QUEUED, stage=UPLOADING, folder="").first()


def photo_recall(job: PhotoJob, user: User, name: str, sha256: str) -> bool:
    """Whether these bytes are here already, and need not be sent: they are in the job, or a scene the user may use."""
    if job.files.filter(sha256=sha256).exists():
        return True
    scene = scenes_to_use(user).filter(original_sha256=sha256).first()
    if scene is None:
        return False
    _file_add(job, name=name, sha256=sha256, state=PhotoFile.State.KNOWN, scene=scene)
    return True


def photo_store(job: PhotoJob, name: str, stream: BinaryIO, size: int) -> PhotoFile:
    """Keep a file until a worker looks at it; one that breaks off leaves nothing.

    Args:
        job: of `photos_begin`.
        name: as the browser has it.
        stream: its bytes, read in pieces.
        size: how many there must be.

    Raises:
        UploadError: see there.
    """
    limit = Limits().max_bytes
    if size > limit:
        raise UploadError(413, f"{size / 1e6:.0f} MB are too much: a photo has at most {limit / 1e6:.0f} MB")
    if size == 0:
        raise UploadError(400, "the file is empty")
    with tempfile.TemporaryFile() as kept:
        digest, read = hashlib.sha256(), 0
        while read < size and (piece := stream.read(min(CHUNK, size - read))):
            digest.update(piece)
            kept.write(piece)
            read += len(piece)
        if read != size:
            raise UploadError(400, f"the upload broke off after {read} of {size} bytes; send the file again")
        kept.seek(0)
        return _file_add(job, name=name, sha256=digest.hexdigest(), size=size, content=kept)


def photos_finish(job: PhotoJob) -> int:
    """Send the files that have come to a worker; return how many there are."""
    n = job.files.count()
    if n and PhotoJob.objects.filter(pk=job.pk, state=Job.State.QUEUED, stage=UPLOADING).update(stage=""):
        job.enqueue()
    return n


def photos_add_to_study(job: PhotoJob) -> None:
    """What the job's files became are scenes of its study."""
    with transaction.atomic():
        study = Study.objects.select_for_update(no_key=True).get(photo_jobs=job)
        if study.status != Study.Status.DRAFT:
            return  # opened meanwhile: the scenes wait among those that are there
        keys = job.files.exclude(scene=None).values("scene")
        if n := study_add_scenes(study, Scene.objects.filter(pk__in=keys)):
            audit_record("scenes.add", study, what=job.public_id, n=n)


def scenes_choose(study: Study, user: User, public_ids: Iterable[str]) -> int:
    """Add scenes that the user may use; return how many are new to the study. Raises StudyError."""
    with transaction.atomic():
        study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
        _require_draft(study)
        n = study_add_scenes(study, scenes_to_use(user).filter(public_id__in=list(public_ids)))
        if n:
            audit_record("scenes.add", study, n=n)
        return n


def scene_remove(study: Study, scene: Scene) -> int:
    """Take a scene out of a draft, and its pairs; return how many. The photo stays on the site."""
    with transaction.atomic():
        study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
        _require_draft(study)
        lost, _ = StudyPair.objects.filter(study=study, pair__scene=scene).delete()
        StudyScene.objects.filter(study=study, scene=scene).delete()
        audit_record("scenes.remove", study, what=scene.public_id, n_pairs=lost)
        return lost


def _require_draft(study: Study) -> None:
    if study.status != Study.Status.DRAFT:
        raise StudyError(f"{study.name} has been opened: its scenes stay as they are. Clone it to use others")


def _file_add(
    job: PhotoJob, *, name: str, sha256: str, content: BinaryIO | None = None, **fields: object
) -> PhotoFile:
    """The job's file with these bytes, kept once however often it is sent."""
    with transaction.atomic():
        # A job that a worker has taken meanwhile would pass over what joins it now.
        present = PhotoJob.objects.select_for_update().get(pk=job.pk)
        if present.state != Job.State.QUEUED or present.stage != UPLOADING:
            raise UploadError(409, "this upload has been sent off already; begin another one")
        if known := job.files.filter(sha256=sha256).first():
            return known
        file = PhotoFile(job=job, name=_storable(name), sha256=sha256, **fields)
        if content is not None:
            file.file.save(f"{sha256[:32]}", File(content), save=False)
        file.save()
        return file


def _storable(name: str) -> str:
    """What a browser calls a file, in one line and no longer than its column, its end kept."""
    clean = "".join(c if c.isprintable() else "_" for c in name.replace("\\", "/"))
    return clean.strip("/")[-500:] or "photo"
