"""How figures are written on researchers' pages."""

from pathlib import PurePath

from django import template

from collection.models import Export
from collection.selectors.marks import NO_MARK, Mark, export_mark, folder_mark
from variants.jobs import Job

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    """12345 as `12,345`."""
    return f"{number:,}"


@register.filter
def percent1(part: float) -> str:
    """0.8431 as `84.3 %`."""
    return f"{100 * part:.1f}\u00a0%"


@register.filter
def count_words(name: str) -> str:
    """A dataset's count in words: its judgments hold the checks too, which pages of a study count apart."""
    return "judgments, checks included" if name == "judgments" else name.replace("_", " ")


@register.filter
def folder_name(folder: str) -> str:
    return PurePath(folder).name


@register.filter
def duration(job: Job) -> str:
    """How long a job took, or has been at work so far; empty while it waits."""
    end = job.finished_at or job.heartbeat_at
    if not job.started_at or not end:
        return ""
    seconds = max(0, round((end - job.started_at).total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


@register.inclusion_tag("researcher/_mark.html")
def dataset_mark(export: Export, marks: dict[int, Mark] | None = None) -> dict[str, object]:
    """What keeps a dataset from being used as it is; a list of them has looked up its `marks` at once."""
    mark = export_mark(export) if marks is None else marks.get(export.pk, NO_MARK)
    return {"mark": mark, "of": "dataset", "is_short": marks is not None}


@register.inclusion_tag("researcher/_mark.html")
def folder_mark_of(folder: str, of: str) -> dict[str, object]:
    """The same for a run or a report, which stand `of` a dataset's folder."""
    return {"mark": folder_mark(folder), "of": of}
