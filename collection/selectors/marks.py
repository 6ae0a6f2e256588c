"""Datasets that should not be used as they are, and what was made from them.

People who stand in a dataset may have withdrawn since, its files may be deleted, its study may be gone.
Whatever was trained on a dataset folder, or measured on it, carries the folder's mark.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from collection.models import DatasetRemoval, Export, ExportedRater
from variants.jobs import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What keeps a dataset from being used as it is; one that is false has nothing."""

    n_withdrawn: int = 0
    """People who stand in it and have withdrawn since."""
    removal: DatasetRemoval | None = None

    def __bool__(self) -> bool:
        return bool(self.n_withdrawn or self.removal)

    @property
    def sentences(self) -> list[str]:
        """In the order in which they matter; none for an unmarked dataset."""
        removal, found = self.removal, []
        if removal and removal.study_deleted:
            found.append(f"The study {removal.study_slug} was deleted on {removal.at:%Y-%m-%d}.")
        if removal and removal.files_deleted:
            why = "" if removal.study_deleted else f": {removal.why.rstrip('.')}"
            found.append(f"The dataset's files were deleted on {removal.at:%Y-%m-%d}{why}.")
        if self.n_withdrawn:
            people = "1 person has" if self.n_withdrawn == 1 else f"{self.n_withdrawn:,} people have"
            found.append(f"{people} withdrawn since; export again.")
        return found


NO_MARK = Mark()


def export_marks(exports: Iterable[Export]) -> dict[int, Mark]:
    """Export → its mark, in two queries for any number of them; unmarked ones are left out."""
    keys = [export.pk for export in exports]
    withdrawn = ExportedRater.objects.filter(export__in=keys, rater__withdrawn_at__isnull=False)
    people = dict(
        withdrawn.values_list("export").annotate(n=Count("rater__person", distinct=True)).order_by()
    )
    removals = {row.export_id: row for row in DatasetRemoval.objects.filter(export__in=keys)}
    return {key: Mark(n_withdrawn=people.get(key, 0), removal=removals.get(key)) for key in people | removals}


def export_mark(export: Export) -> Mark:
    return export_marks([export]).get(export.pk, NO_MARK)


def folder_marks(folders: Iterable[str]) -> dict[str, Mark]:
    """Dataset folder → its mark, in three queries; those that are unmarked, or not of this site, are left out."""
    folders = set(folders)
    exports = Export.objects.filter(folder__in=folders, state=Job.State.DONE).order_by("pk")
    newest = {export.folder: export for export in exports}  # a path may be used again once its folder is gone
    of_export = export_marks(newest.values())
    marks = {folder: of_export[export.pk] for folder, export in newest.items() if export.pk in of_export}
    gone = DatasetRemoval.objects.filter(folder__in=folders - newest.keys(), export=None).order_by("pk")
    return {row.folder: Mark(removal=row) for row in gone} | marks


def folder_mark(folder: str) -> Mark:
    return folder_marks([folder]).get(folder, NO_MARK)


def removal_of(public_id: str) -> DatasetRemoval | None:
    """Of a dataset that went with its study: what its address answers."""
    return DatasetRemoval.objects.filter(public_id=public_id, export=None).first()
