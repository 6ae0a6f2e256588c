"""Dataset exports as jobs."""

from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from collection.export.partial import partials_sweep
from collection.models import Export, Question, Study
from collection.services.audit import audit_record
from collection.services.studies import StudyError
from variants.jobs import Job, jobs_of_dead_commands_end


@transaction.atomic
def export_create(study: Study, folder: Path | None = None, layout: str = Export.Layout.FOLDER) -> Export:
    """A job that writes the next version of the study's dataset into `folder`, or into a new one of the site's own.

    Raises StudyError when the study is gone, the folder is already there or there is nothing to export.
    """
    if not Study.objects.select_for_update().filter(pk=study.pk).exists():
        raise StudyError(f"{study.slug} was deleted; there is nothing to export")
    if study.deletions.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING)).exists():
        raise StudyError(f"{study.slug} is being deleted; there is nothing to export")
    exports_end_dead(study)
    folder = Path(folder).expanduser().resolve() if folder else _next_folder(study)
    if folder.exists():
        raise StudyError(f"{folder} is already there; a dataset folder is never overwritten")
    asked = Question.objects.filter(session__study=study).exclude(kind=Question.Kind.PRACTICE)
    if not asked.filter(answered_at__isnull=False).exists():
        raise StudyError(f"nobody has answered {study.slug} yet; there is nothing to export")
    last = study.exports.aggregate(last=Max("number"))["last"] or 0
    export = Export.objects.create(study=study, number=last + 1, folder=str(folder), layout=layout)
    audit_record(
        "export.create", study, what=export.public_id, number=export.number, folder=folder.name, layout=layout
    )
    return export


def exports_end_dead(study: Study) -> None:
    """Exports of the study whose command was killed have failed from now on, and what any left half-written is deleted."""
    jobs_of_dead_commands_end(study.exports.all())
    unfinished = study.exports.exclude(state=Job.State.DONE).values_list("folder", flat=True)
    for parent in {Path(folder).parent for folder in unfinished}:
        partials_sweep(parent)


def export_over(sender: object, job: Job, **_: object) -> None:
    """An export that failed leaves nothing half-written: a receiver of `job_over`."""
    if isinstance(job, Export) and job.state != Job.State.DONE:
        partials_sweep(Path(job.folder).parent)


def _next_folder(study: Study) -> Path:
    """TONALIST_DATA/exports/<slug>-<n>, n one above the highest that was ever used."""
    base = settings.TONALIST_DATA / "exports"
    taken = {Path(folder).name for folder in study.exports.values_list("folder", flat=True)}
    n = 1
    while f"{study.slug}-{n}" in taken or (base / f"{study.slug}-{n}").exists():
        n += 1
    return base / f"{study.slug}-{n}"
