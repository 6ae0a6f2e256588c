"""What is read of runs, of what they can be trained on, and of their blind tests."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db.models import Q, QuerySet
from django.utils import timezone

from collection.models import Export, Question, Rater, Study, Verdict
from collection.selectors.rules import rules_in_force
from learning.models import Adaptation, LookPhoto, Output, PhotoRequest, Run, TasteStudy
from learning.raters import DatasetRater, dataset_raters
from learning.wins import Answer
from variants.jobs import Job
from variants.models import Scene


def exports_done() -> QuerySet[Export]:
    """Dataset folders that are whole, newest first."""
    return Export.objects.filter(state=Job.State.DONE, layout=Export.Layout.FOLDER).select_related("study")


def export_named(name: str) -> Export | None:
    """The finished export with this id, or the newest finished one of the study with this slug or id."""
    named = Q(public_id=name) | Q(study__slug=name) | Q(study__public_id=name)
    return exports_done().filter(named).order_by("-pk").first()


def run_named(name: str) -> Run | None:
    """The run with this id, whole or its first 8 digits or more where they are enough."""
    found = list(Run.objects.filter(public_id__startswith=name)[:2]) if len(name) >= 8 else []
    return found[0] if len(found) == 1 else None


def runs_done() -> QuerySet[Run]:
    """Runs whose weights are whole, newest first."""
    return Run.objects.filter(state=Job.State.DONE).select_related("export__study")


def photos_overdue() -> int:
    """Uploads that should have been deleted by now."""
    now = timezone.now()
    own = LookPhoto.objects.filter(keep_until__lte=now).count()
    return own + PhotoRequest.objects.filter(keep_until__lte=now).count()


def scene_rendered(scene: Scene) -> Scene | None:
    """The scene with the photo: the scene itself or, of one in a blind test, that which it is a copy of."""
    if scene.original:
        return scene
    return Scene.objects.filter(public_id=scene.ingest.get("outputs_of", "")).exclude(original="").first()


@dataclass(frozen=True, kw_only=True, slots=True)
class TasteResult:
    """What the study of one taste says so far."""

    taste: TasteStudy
    answers: list[Answer]
    """Main answers of people who have not withdrawn and whom the rules in force do not leave out."""
    n_left_out: int
    """People whom the rules leave out."""
    is_owner_known: bool
    """Whether the person whose taste it is can be known again when they come."""


def taste_results(tastes: Iterable[TasteStudy]) -> list[TasteResult]:
    """The answers to each study of a blind test, in a handful of queries however many there are."""
    tastes = list(tastes)
    studies = [taste.study for taste in tastes if taste.study]
    left_out = _raters_left_out(studies)
    owners = _people_of([taste.rater_id for taste in tastes])
    ours = dict(Output.objects.filter(taste__in=tastes).values_list("rendition", "is_ours"))
    rows = Question.objects.filter(
        session__study__in=studies,
        session__rater__withdrawn_at=None,
        kind=Question.Kind.MAIN,
        answered_at__isnull=False,
    ).values_list("session__study", "session__rater", "session__rater__person", "left", "chosen_side")
    answers: dict[int, list[Answer]] = {study.pk: [] for study in studies}
    owner_of = {taste.study_id: owners.get(taste.rater_id) for taste in tastes}
    for study, rater, person, left, side in rows:
        if rater not in left_out:
            answers[study].append(_answer(person, owner_of[study], ours[left], side))
    out_of = Counter(left_out.values())
    return [
        TasteResult(
            taste=taste,
            answers=answers.get(taste.study_id or 0, []),
            n_left_out=out_of[taste.study_id or 0],
            is_owner_known=taste.rater_id in owners,
        )
        for taste in tastes
    ]


def _answer(person: int, owner: int | None, ours_left: bool, side: str) -> Answer:
    left_won = None if side == Question.Side.TIE else side == Question.Side.LEFT
    return Answer(
        person=str(person),
        is_own=person == owner,
        ours_won=None if left_won is None else left_won == ours_left,
        ours_left=ours_left,
        left_won=left_won,
    )


def _people_of(rater_ids: Sequence[str]) -> dict[str, int]:
    """The person behind each rater of a dataset that came from this site."""
    return dict(Rater.objects.filter(public_id__in=rater_ids).values_list("public_id", "person"))


def _raters_left_out(studies: Sequence[Study]) -> dict[int, int]:
    """Raters whom the rules in force leave out → their study; who is not judged yet counts."""
    in_force = {study.pk: rules_in_force(study).name for study in studies}
    failed = Verdict.objects.filter(rater__study__in=studies, may_be_used=False)
    return {
        rater: study
        for rater, study, rules in failed.values_list("rater", "rater__study", "rule_set")
        if rules == in_force[study]
    }


def raters_to_render(run: Run) -> list[DatasetRater]:
    """Raters of the run's dataset to whose taste it may render: those who have not withdrawn since."""
    raters = dataset_raters(Path(run.dataset))
    ids = [rater.id for rater in raters]
    gone = Rater.objects.filter(public_id__in=ids, withdrawn_at__isnull=False)
    withdrawn = set(gone.values_list("public_id", flat=True))
    return [rater for rater in raters if rater.id not in withdrawn]


def adaptation_counts(adaptation: Adaptation) -> list[tuple[str, int]]:
    """How many of its raters are in each state, in words; those that none is in are left out."""
    counts = Counter(adaptation.shares.values_list("state", flat=True))
    return [(label.lower(), counts[value]) for value, label in Job.State.choices if counts[value]]
