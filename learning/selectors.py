"""What is read of runs, and of what they can be trained on."""

from django.db.models import Q, QuerySet

from collection.models import Export
from learning.models import Run
from variants.jobs import Job


def export_named(name: str) -> Export | None:
    """The finished export with this id, or the newest finished one of the study with this slug or id."""
    named = Q(public_id=name) | Q(study__slug=name) | Q(study__public_id=name)
    return Export.objects.filter(named, state=Job.State.DONE).select_related("study").order_by("-pk").first()


def run_named(name: str) -> Run | None:
    """The run with this id, whole or its first 8 digits or more where they are enough."""
    found = list(Run.objects.filter(public_id__startswith=name)[:2]) if len(name) >= 8 else []
    return found[0] if len(found) == 1 else None


def runs_done() -> QuerySet[Run]:
    """Runs whose weights are whole, newest first."""
    return Run.objects.filter(state=Job.State.DONE).select_related("export__study")
