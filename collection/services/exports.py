"""Dataset exports as jobs."""

from pathlib import Path

from django.conf import settings

from collection.models import Export, Question, Study
from collection.services.studies import StudyError


def export_create(study: Study, folder: Path | None = None) -> Export:
    """A job that writes the study's dataset into `folder`, or into a new one of the site's own.

    Raises StudyError when the folder is already there or there is nothing to export.
    """
    folder = Path(folder).expanduser().resolve() if folder else _next_folder(study)
    if folder.exists():
        raise StudyError(f"{folder} is already there; a dataset folder is never overwritten")
    asked = Question.objects.filter(session__study=study).exclude(kind=Question.Kind.PRACTICE)
    if not asked.filter(answered_at__isnull=False).exists():
        raise StudyError(f"nobody has answered {study.slug} yet; there is nothing to export")
    return Export.objects.create(study=study, folder=str(folder))


def _next_folder(study: Study) -> Path:
    """TONALIST_DATA/exports/<slug>-<n>, n one above the highest that was ever used."""
    base = settings.TONALIST_DATA / "exports"
    taken = {Path(folder).name for folder in study.exports.values_list("folder", flat=True)}
    n = 1
    while f"{study.slug}-{n}" in taken or (base / f"{study.slug}-{n}").exists():
        n += 1
    return base / f"{study.slug}-{n}"
