"""A study that has something of everything."""

from collection.models import StatisticsJob
from collection.services.verdicts import verdicts_compute
from tests.factories import (
    make_export,
    make_rater,
    make_report,
    make_run,
    make_session,
    make_study,
)
from variants.jobs import Job

ANSWERS = [("main", "left", 900), ("main", "right", 1100), ("main", "tie", 800), ("check", "right", 700)]


def make_world(**fields):
    """Two raters, eight answers, verdicts, a dataset, statistics, a run and a report."""
    study = make_study(**fields)
    for _ in range(2):
        make_session(make_rater(study), ANSWERS)
    verdicts_compute(study)
    export = make_export(study, number=1)
    StatisticsJob.objects.create(
        study=study,
        state=Job.State.DONE,
        settings={"seed": 0},
        computed_from={"rule_set": "", "answers": 8, "last_answer": None},
        result={"answers": 6},
    )
    make_report(make_run(export))
    return study
