"""A run's outputs sent back as studies: which run, against what, whose tastes, which scenes."""

from collections.abc import Sequence
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet

from collection.models import Rater, Study, StudyScene
from collection.models.studies import Split
from collection.services.audit import audit_record, current_actor
from learning.models import FEWEST_SCENES, BlindTest, Run, TasteStudy
from learning.raters import dataset_raters
from variants.jobs import Job
from variants.models import Scene

MAX_TASTES = 20
SCENES = range(FEWEST_SCENES, 61)
"""Scenes that one study may show."""


class BlindTestRefused(Exception):
    """A blind test that cannot be; the message says why and what mends it."""


@transaction.atomic
def blind_test_create(
    learner: Run,
    *,
    against: str,
    raters: Sequence[str],
    n_scenes: int,
    rival: Run | None = None,
    seed: int = 0,
) -> BlindTest:
    """A job that renders scenes for each rater's taste and makes a draft study of each; `enqueue()` starts it.

    Raises:
        BlindTestRefused: a run is not done or of another dataset, a rater is none of it or has withdrawn, or
            there are no scenes with a photo to render.
    """
    study = _check_runs(learner, against, rival)
    raters = list(dict.fromkeys(raters))
    _check_raters(learner, study, raters)
    if n_scenes not in SCENES:
        raise BlindTestRefused(f"n_scenes is {n_scenes}; it must be from {SCENES[0]} to {SCENES[-1]}")
    n_there = blind_test_scenes(study).count()
    if n_there < SCENES[0]:
        held_out = " and held out of training" if holds_scenes_out(study) else ""
        raise BlindTestRefused(
            f"{study.name} has {n_there} scene{'' if n_there == 1 else 's'} with a photo{held_out}; "
            f"a blind test needs {SCENES[0]} or more"
        )
    actor = current_actor()
    test = BlindTest.objects.create(
        learner=learner,
        against=against,
        rival=rival,
        n_scenes=min(n_scenes, n_there),
        seed=seed,
        started_by_id=actor.pk if actor else None,
    )
    TasteStudy.objects.bulk_create(TasteStudy(test=test, rater_id=rater) for rater in raters)
    audit_record(
        "blind_test.create", study, what=test.public_id, run=learner.public_id, against=against, raters=raters
    )
    return test


@transaction.atomic
def blind_test_cancel(test: BlindTest) -> None:
    """Ask the job to stop; studies that are made already stay."""
    if test.is_over:
        return
    test.cancel()
    export = test.learner.export
    audit_record("blind_test.cancel", export.study if export else None, what=test.public_id)


def blind_test_scenes(study: Study) -> "QuerySet[Scene]":
    """Scenes with a photo that nothing was trained on; all with a photo where the study holds none out."""
    photos = Scene.objects.filter(studies=study).exclude(original="").order_by("public_id")
    return photos.filter(pk__in=_held_out(study).values("scene")) if holds_scenes_out(study) else photos


def holds_scenes_out(study: Study) -> bool:
    return _held_out(study).exists()


def _held_out(study: Study) -> "QuerySet[StudyScene]":
    return StudyScene.objects.filter(study=study, split=Split.VALIDATION)


def _check_runs(learner: Run, against: str, rival: Run | None) -> Study:
    if against not in BlindTest.Against.values:
        raise BlindTestRefused(
            f"against is {against!r}; it must be one of {', '.join(BlindTest.Against.values)}"
        )
    if learner.export is None:
        raise BlindTestRefused("the run learnt from a folder of the server: its scenes are not on this site")
    if (against == BlindTest.Against.RUN) != (rival is not None):
        raise BlindTestRefused("name the other run, and only where the test is against one")
    for one in filter(None, (learner, rival)):
        if one.state != Job.State.DONE or not Path(one.folder).is_dir():
            raise BlindTestRefused(f"{one} is not done, or its folder is gone")
    if rival is not None and (rival.pk == learner.pk or rival.dataset != learner.dataset):
        raise BlindTestRefused("the other run must be another one that learnt from the same dataset")
    return learner.export.study


def _check_raters(learner: Run, study: Study, raters: Sequence[str]) -> None:
    if not 1 <= len(raters) <= MAX_TASTES:
        raise BlindTestRefused(f"choose 1 to {MAX_TASTES} raters; these are {len(raters)}")
    known = {rater.id for rater in dataset_raters(Path(learner.dataset))}
    if unknown := [rater for rater in raters if rater not in known]:
        raise BlindTestRefused(f"the dataset has no rater {unknown[0]!r} whose answers may be used")
    gone = Rater.objects.filter(study=study, public_id__in=raters, withdrawn_at__isnull=False).first()
    if gone:
        raise BlindTestRefused(
            f"the rater {gone.public_id[:8]} has withdrawn; nothing is made of their answers"
        )
