"""Photos of a PhotoJob become scenes. Decodes images: called by tasks and commands only."""

from pathlib import Path

from django.core.exceptions import ValidationError

from variants.import_folder import folder_below, is_below_root
from variants.jobs import JobCancelled, JobError
from variants.models import PhotoFile, PhotoJob
from variants.services import SceneImport, photos_discard, scene_take
from variants.sources.manifest import SUFFIXES, files_below
from variants.tone.images import ImageError, Limits, read_file

State = PhotoFile.State


def photos_import(job: PhotoJob) -> None:
    """Make a scene of each file that waits; one that cannot be used keeps its reason, and the job goes on.

    It can be killed at any moment and run again: a file waits until its scene is whole.
    """
    if job.folder and not job.files.exists():
        _folder_list(job)
    total = job.files.count()
    waiting = job.files.filter(state=State.WAITING)
    done = total - waiting.count()
    try:
        for file in list(waiting):
            job.report(done, total, "importing photos")
            _file_import(job, file)
            done += 1
        job.report(total, total, "importing photos")
    except JobCancelled:
        photos_discard(job)
        raise
    _check_outcome(job, total)


def category_of(job: PhotoJob, name: str) -> str:
    """The job's, or the folder that the file lies in; the folder that was chosen is no category."""
    folders = Path(name).parts[1:-1]
    return folders[-1][:50] if job.folders_are_categories and folders else job.category


def _folder_list(job: PhotoJob) -> None:
    folder = folder_below(job.folder)
    photos = [path for path in files_below(folder) if path.suffix.lower() in SUFFIXES]
    PhotoFile.objects.bulk_create(
        PhotoFile(job=job, name=str(Path(folder.name, path.relative_to(folder)))[-500:]) for path in photos
    )


def _file_import(job: PhotoJob, file: PhotoFile) -> None:
    try:
        found = _taken(job, file)
    except ImageError as error:
        file.state, file.error = State.REFUSED, str(error).partition(": ")[2] or str(error)
    except ValidationError as error:
        file.state, file.error = State.REFUSED, "; ".join(error.messages)
    else:
        file.scene = found.scene
        file.state = State.IMPORTED if found.is_new else State.KNOWN
        # Others' photos are nobody's business.
        near = [scene.name for scene, _ in found.near if scene.uploaded_by_id == job.owner_id]
        file.error = f"looks like {near[0]}: people would meet the same photo twice" if near else ""
    stored = file.file.name
    file.file = ""
    file.save()
    if stored:
        file.file.storage.delete(stored)


def _taken(job: PhotoJob, file: PhotoFile) -> SceneImport:
    limits = Limits()
    name = Path(file.name)
    if file.file:
        try:
            with file.file.open("rb") as stored:
                data = stored.read(limits.max_bytes + 1)
        except FileNotFoundError as error:
            raise ImageError(f"{name.name}: what was uploaded is gone. Upload it again.") from error
    else:
        path = folder_below(job.folder) / name.relative_to(name.parts[0])
        if not is_below_root(path):
            raise ImageError(f"{name.name}: it is a link to outside the server's folder for imports.")
        data = read_file(path, limits)
    return scene_take(
        data,
        name=name.stem[:200],
        file_name=name.name,
        category=category_of(job, file.name),
        licence=job.licence,
        attribution=job.attribution,
        uploaded_by=job.owner_id,
        limits=limits,
    )


def _check_outcome(job: PhotoJob, total: int) -> None:
    if not total:
        raise JobError(f"There are no photos; they end with {', '.join(sorted(SUFFIXES))}.")
    refused = job.files.filter(state=State.REFUSED)
    if refused.count() == total:
        raise JobError(f"None of the {total} files can be used. The first: {refused[0].error}")
