"""Reading many raters of a run's dataset at once: made, cancelled."""

from django.db import transaction

from collection.services.audit import audit_record, current_actor
from learning.models import Adaptation, RaterAdaptation, Run
from variants.jobs import Job

MOST_REFERENCES = 1000


class AdaptationRefused(Exception):
    """An adaptation that cannot be; the message says why."""


@transaction.atomic
def adaptation_create(
    learner: Run, *, whose: str = Adaptation.Whose.VALIDATION, references: int = 16
) -> Adaptation:
    """A job that makes the profiles of many raters; `enqueue()` starts it, and all workers do it together.

    Args:
        learner: a run that is done.
        whose: as in `Adaptation.Whose`.
        references: answers that each rater is read from; raters with fewer are left out and named in the row.

    Raises:
        AdaptationRefused: the run is not done, or a setting is not known.
    """
    if learner.state != Job.State.DONE:
        raise AdaptationRefused(f"the run is {learner.get_state_display().lower()}; wait until it is done")
    if whose not in Adaptation.Whose.values:
        raise AdaptationRefused(f"whose is {whose!r}; it must be one of {', '.join(Adaptation.Whose.values)}")
    if not 1 <= references <= MOST_REFERENCES:
        raise AdaptationRefused(f"references is {references}; it must be from 1 to {MOST_REFERENCES}")
    actor = current_actor()
    adaptation = Adaptation.objects.create(
        learner=learner, whose=whose, references=references, started_by_id=actor.pk if actor else None
    )
    _record("adaptation.create", adaptation, whose=whose, references=references)
    return adaptation


@transaction.atomic
def adaptation_cancel(adaptation: Adaptation) -> None:
    """Ask all workers to stop; profiles that are whole stay."""
    if adaptation.is_over:
        return
    adaptation.cancel()
    shares_cancel(adaptation)
    _record("adaptation.cancel", adaptation)


def shares_cancel(adaptation: Adaptation) -> None:
    """Stop whoever is at one of its raters."""
    for share in RaterAdaptation.objects.filter(
        adaptation=adaptation, state__in=(Job.State.QUEUED, Job.State.RUNNING)
    ):
        share.cancel()


def _record(action: str, adaptation: Adaptation, **details: object) -> None:
    run = adaptation.learner
    study = run.export.study if run.export else None
    audit_record(action, study, what=adaptation.public_id, run=run.public_id, **details)
