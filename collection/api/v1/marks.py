"""Marks of datasets, and of what was made from them, as replies tell them."""

from typing import Any

from rest_framework import serializers

from collection.models import Export
from collection.selectors.marks import NO_MARK, Mark, export_marks, folder_marks

MEANING = "Why its dataset should not be used as it is, such as people who have withdrawn since; empty where it may."


class Marks(serializers.ListField):
    """Of an Export, or of a row with its dataset's folder in `dataset`; of a whole list in a few queries."""

    child = serializers.CharField()

    def __init__(self) -> None:
        super().__init__(source="*", read_only=True, help_text=MEANING)

    def to_representation(self, row: Any) -> list[str]:
        if not hasattr(self, "_marks"):
            rows = getattr(getattr(self.parent, "parent", None), "instance", None)
            rows = rows if isinstance(rows, list) else [row]
            self._marks: dict[Any, Mark] = {
                **(export_marks(rows) if isinstance(row, Export) else folder_marks(r.dataset for r in rows))
            }
        key = row.pk if isinstance(row, Export) else row.dataset
        return self._marks.get(key, NO_MARK).sentences
