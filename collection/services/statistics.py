"""A study's statistics, computed from its answers as they are now; on pages as jobs."""

import dataclasses
import math
from typing import Any

from django.db import transaction

from collection.design.protocol import RuleSet
from collection.design.statistics import Found, Settings, study_statistics
from collection.models import StatisticsJob, Study
from collection.selectors.rules import rules_in_force
from collection.selectors.statistics import study_answers_now, study_valid_answers
from collection.services.audit import audit_record, current_actor
from collection.services.studies import StudyError
from collection.services.verdicts import verdicts_compute
from variants.jobs import Job
from variants.progress import Report, silent, throttled

WITHDRAWN = "somebody has withdrawn since they were computed, and they are deleted"


@transaction.atomic
def statistics_create(study: Study, settings: Settings) -> StatisticsJob:
    """A job that computes the study's statistics; StudyError when one is under way already."""
    Study.objects.select_for_update().get(pk=study.pk)
    if study.statistics_jobs.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING)).exists():
        raise StudyError("the statistics are being computed already; cancel that, or wait for it to end")
    user = current_actor()
    job = StatisticsJob.objects.create(
        study=study, settings=dataclasses.asdict(settings), started_by_id=user.pk if user else None
    )
    audit_record("statistics.compute", study, what=job.public_id)
    return job


def statistics_run(job: StatisticsJob) -> None:
    """The work of a statistics job. Raises StudyError where somebody withdraws meanwhile."""
    settings, n_withdrawn = Settings(**job.settings), _n_withdrawn(job.study)
    found = statistics_compute(job.study, settings, throttled(job.report))
    with transaction.atomic():
        Study.objects.select_for_update(no_key=True).get(pk=job.study_id)  # a withdrawal waits, or is seen
        if _n_withdrawn(job.study) != n_withdrawn:
            raise StudyError("somebody withdrew while they were computed; compute them again")
        job.computed_from, job.result = found
        job.save(update_fields=["computed_from", "result"])


def _n_withdrawn(study: Study) -> int:
    return study.raters.exclude(withdrawn_at=None).count()


def statistics_compute(study: Study, settings: Settings, report: Report = silent) -> tuple[Found, Found]:
    """What the statistics are computed from, and what they are; both can be written as JSON.

    Raises StudyError where no answers may be used.
    """
    rules = rules_in_force(study)
    report(0, 1, "judging raters")
    verdicts_compute(study, only_stale=True)
    report(1, 1, "judging raters")
    now = study_answers_now(study)
    valid = study_valid_answers(study, rule_set=rules.name)
    if not len(valid.by_rendition):
        raise StudyError(
            f"{study.slug} has no answers that may be used: {valid.n_judged} raters are judged, and none of "
            "them finished and passed the rules. Wait for more sessions, or look at the raters' reasons"
        )
    found = study_statistics(valid.by_rendition, valid.by_recipe, valid.checks, settings, report)
    used = {"raters_used": len(valid.by_rendition.raters), "raters_judged": valid.n_judged}
    return {**now, "rule_set": rules.name, "rules": rules.to_json(), **used}, _finite(found)


def statistics_out_of_date(job: StatisticsJob, rules: RuleSet) -> list[str]:
    """What has changed since, in words; nothing means that the numbers hold."""
    if job.result is None:
        return [WITHDRAWN]
    then, now, changes = job.computed_from, study_answers_now(job.study), []
    if then["rule_set"] != rules.name:
        changes.append(f"the study follows the rules {rules.name} now, and these are by {then['rule_set']}")
    if then["answers"] != now["answers"]:
        changes.append(f"there are {now['answers']:,} answers now, and these are of {then['answers']:,}")
    elif then["last_answer"] != now["last_answer"]:
        changes.append("answers have changed")
    return changes


def _finite(value: Any) -> Any:
    """Databases take no infinity and no NaN in JSON; both mean here that there is no number."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
