"""Who stands in which dataset, and deleting a dataset's files."""

import shutil
from collections.abc import Collection
from pathlib import Path

from django.db import transaction

from collection.models import DatasetRemoval, Export, ExportedRater
from collection.services.audit import audit_record
from collection.services.studies import StudyError
from variants.jobs import jobs_of_dead_commands_end


@transaction.atomic
def exported_raters_keep(export: Export, raters: Collection[int]) -> None:
    """Keep that these raters, by key, stand in the dataset; what an earlier try kept is forgotten.

    Somebody who withdraws while it is written is kept as well: their answers have passed already.
    """
    export.exported_raters.all().delete()
    rows = (ExportedRater(export=export, rater_id=rater) for rater in raters)
    ExportedRater.objects.bulk_create(rows, batch_size=1000)


def dataset_delete_files(export: Export, why: str) -> None:
    """Delete a dataset's folder; the export stays and says why.

    Raises StudyError while it is being written, for a reason that is none, and where the folder
    cannot be deleted; the files that are left then can be deleted again.
    """
    why = why.strip()
    if not why:
        raise StudyError("say why; it is what people read in place of the dataset")
    jobs_of_dead_commands_end(Export.objects.filter(pk=export.pk))
    export.refresh_from_db()
    if not export.is_over:
        raise StudyError("the dataset is being written; cancel that first")
    removal_record(export, why, files_deleted=True)
    folder_delete(Path(export.folder))


@transaction.atomic
def removal_record(
    export: Export, why: str, *, files_deleted: bool, study_deleted: bool = False
) -> DatasetRemoval:
    """Say of an export that its files, or its study, are deleted; before they are, so that it is never unsaid."""
    study = export.study
    files_deleted |= DatasetRemoval.objects.filter(public_id=export.public_id, files_deleted=True).exists()
    removal, is_new = DatasetRemoval.objects.update_or_create(
        public_id=export.public_id,
        defaults={
            "export": export,
            "study_slug": study.slug,
            "folder": export.folder,
            "sha256": export.sha256,
            "files_deleted": files_deleted,
            "study_deleted": study_deleted,
            "why": why[:200],
        },
    )
    if is_new and not study_deleted:
        audit_record("export.delete", study, what=export.public_id, why=removal.why)
    return removal


def folder_delete(folder: Path) -> None:
    """Delete a dataset's folder, of which a part may be gone already. Raises StudyError where that cannot be."""
    try:
        if folder.is_symlink():
            folder.unlink()  # never what it leads to
        else:
            shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StudyError(f"{folder} cannot be deleted ({error.strerror}); mend that and try again") from error
