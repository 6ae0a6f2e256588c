"""What researchers read about a study. Figures come from raw answers; verdicts from their rows."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from django.db.models import Count, Prefetch, Q, QuerySet

from collection.design.drift import Drift, consistency_drift, time_drift
from collection.design.protocol import SCREENINGS, RuleSet
from collection.design.rules import Measures
from collection.models import (
    DisplayRecord,
    Invitation,
    Person,
    PhaseRecord,
    Question,
    Rater,
    Session,
    Study,
    StudyPair,
    StudyScene,
    Verdict,
)
from collection.selectors.measures import raters_records
from variants.models import Rendition, Scene
from variants.pairing import compared_groups

SESSION_STATES = {
    "finished": Q(finished_at__isnull=False),
    "screened_out": Q(finished_at=None, screened_out_at__isnull=False),
    "abandoned": Q(finished_at=None, screened_out_at=None, places_returned_at__isnull=False),
    "under_way": Q(finished_at=None, screened_out_at=None, places_returned_at=None),
}
"""Each session is in one of them. Who comes back to an abandoned one puts it under way again."""
_Verdicts = dict[int, tuple[bool, list[str]]]
"""Rater → may be used, and the rules failed."""
TIME_STEP_MS = 25
"""Response times are counted in steps of this width: fine enough for any histogram of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudySummary:
    study: Study
    n_raters: int
    n_finished: int
    n_under_way: int
    n_judgments: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterRow:
    rater: Rater
    session: Session | None
    """The latest."""
    measures: Measures
    screenings: dict[str, str]
    """Screening → how it ended the last time; without those that the latest session has not come to."""
    verdict: Verdict | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    n_pairs: int = 0
    n_shown: int = 0
    """Pairs in the plan of a session at least."""
    low: int = 0
    high: int = 0
    scene_low: int = 0
    scene_high: int = 0
    """Exposures of the scenes least and most shown: over all their pairs."""
    n_scenes: int = 0
    n_planned: int = 0
    """Main questions planned, but for those whose places were given back."""
    exposures: Counter[int] = field(default_factory=Counter)
    """Sessions that have a pair in their plan → pairs with it."""


class ShownDisplay(NamedTuple):
    """What the overview shows of a display record; whole rows would take several times as long to read."""

    session: int
    screen_width: int | None
    screen_height: int | None
    pixel_ratio: float | None
    color_gamut: str
    dynamic_range: str
    platform: str
    details: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenDisplay:
    """What a session's last display record says, and whether its rater may be used: None if not judged."""

    record: ShownDisplay
    may_be_used: bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyFigures:
    n_raters: int
    """Without those who withdrew."""
    n_withdrawn: int
    n_simulated: int
    sessions: dict[str, int]
    """State of SESSION_STATES → sessions in it."""
    n_main: int
    n_ties: int
    """Main answers that say "no difference"."""
    n_fast: int
    """Main answers faster than the rules' floor."""
    n_checks: int
    """Checks that say something: no tie on either side."""
    n_judged: int
    n_valid: int
    coverage: Coverage
    left_shares: list[tuple[int, int]]
    """(left, left or right) of the main answers, a rater each who chose a side at all."""
    checks: Counter[tuple[int, int]]
    """(agreed, answered) → raters with it; without raters who answered none."""
    response_times: Counter[int]
    """Lower end of a TIME_STEP_MS wide step → main answers in it."""
    response_medians: list[float]
    """Of the raters with a known time."""
    reasons: Counter[str]
    """Name of a failed rule → raters who failed it."""
    time_drift: Drift | None
    consistency_drift: Drift | None
    finished: list[list[str]]
    """Failed rules of each rater who finished and is judged, in the order of finishing."""
    displays: list[SeenDisplay]


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneSheet:
    scene: Scene
    split: str
    n_pairs: int
    n_groups: int
    """Groups of renditions that are never compared with each other; 1 is whole, 0 without pairs."""
    renditions: list[Rendition] = field(default_factory=list)
    n_unpaired: int = 0
    """Renditions in use, of the size and encoding of the paired ones, that are in no pair."""


def studies_summaries(studies: Iterable[Study]) -> list[StudySummary]:
    here = Rater.objects.filter(withdrawn_at=None)
    raters = Counter(dict(here.values_list("study").annotate(n=Count("pk")).order_by()))
    finished = _sessions_by_study(Session.objects.filter(SESSION_STATES["finished"]))
    under_way = _sessions_by_study(Session.objects.filter(SESSION_STATES["under_way"]))
    answers = Counter(dict(_main_answers().values_list("session__study").annotate(n=Count("pk"))))
    return [
        StudySummary(
            study=study,
            n_raters=raters[study.pk],
            n_finished=finished[study.pk],
            n_under_way=under_way[study.pk],
            n_judgments=answers[study.pk],
        )
        for study in studies
    ]


def study_figures(study: Study, rules: RuleSet) -> StudyFigures:
    """Everything that the overview of a study shows, in a fixed number of queries for each 500 raters."""
    raters = study.raters.aggregate(
        here=Count("pk", filter=Q(withdrawn_at=None)),
        withdrawn=Count("pk", filter=~Q(withdrawn_at=None)),
        simulated=Count("pk", filter=~Q(simulation=None)),
    )
    sessions = study.sessions.aggregate(
        **{state: Count("pk", filter=holds) for state, holds in SESSION_STATES.items()}
    )
    records = list(
        raters_records(
            study.raters.filter(withdrawn_at=None).order_by("pk"),
            simulated=study.is_simulated,
            remembered=True,
        )
    )
    measures = [record.measures for record in records]
    verdicts = _verdicts(study, rules)
    times = np.concatenate([np.empty(0, int), *(np.asarray(each.times, int) for each in measures)])
    return StudyFigures(
        n_raters=raters["here"],
        n_withdrawn=raters["withdrawn"],
        n_simulated=raters["simulated"],
        sessions=sessions,
        n_main=sum(each.n_main for each in measures),
        n_ties=sum(each.n_main - each.left - each.right for each in measures),
        n_fast=int((times < rules.min_response_ms).sum()),
        n_checks=sum(each.checked for each in measures),
        n_judged=len(verdicts),
        n_valid=sum(usable for usable, _ in verdicts.values()),
        coverage=_coverage(study),
        left_shares=[(each.left, each.left + each.right) for each in measures if each.left + each.right],
        checks=Counter((each.agreed, each.checked) for each in measures if each.checked),
        response_times=_in_steps(times),
        response_medians=[statistics.median(each.times) for each in measures if each.times],
        reasons=Counter(reason for _, reasons in verdicts.values() for reason in reasons),
        time_drift=time_drift([each.positions for each in records], [each.times for each in measures]),
        consistency_drift=consistency_drift([each.checks for each in records]),
        finished=_finished(study, verdicts),
        displays=_displays(study, verdicts),
    )


def raters_of_study(study: Study, *, rule_set: str, failed: str = "") -> QuerySet[Rater]:
    """Newest first, each with what `rater_rows` needs; those alone who `failed` a rule of this rule set."""
    raters = study.raters.order_by("-pk")
    if failed:
        # Not every database looks into JSON.
        verdicts = Verdict.objects.filter(rater__study=study, rule_set=rule_set)
        reasons = verdicts.values_list("rater", "reasons")
        raters = raters.filter(pk__in=[rater for rater, names in reasons if failed in names])
    return raters.select_related("person").prefetch_related(
        Prefetch("sessions", Session.objects.order_by("-pk")),
        Prefetch("sessions__phases", PhaseRecord.objects.filter(phase__in=SCREENINGS).order_by("attempt")),
        Prefetch("verdicts", Verdict.objects.filter(rule_set=rule_set)),
    )


def rater_rows(study: Study, raters: Iterable[Rater]) -> list[RaterRow]:
    """Put what was measured beside each of a page's raters; `raters` come from `raters_of_study`."""
    raters = list(raters)
    records = raters_records(
        Rater.objects.filter(pk__in=[rater.pk for rater in raters]), simulated=study.is_simulated
    )
    measures = {record.rater: record.measures for record in records}
    return [_rater_row(rater, measures[rater.pk]) for rater in raters]


def _rater_row(rater: Rater, measures: Measures) -> RaterRow:
    session = next(iter(rater.sessions.all()), None)
    return RaterRow(
        rater=rater,
        session=session,
        measures=measures,
        screenings={record.phase: record.outcome for record in session.phases.all()} if session else {},
        verdict=next(iter(rater.verdicts.all()), None),
    )


def session_state_name(session: Session) -> str:
    """Of a row at hand: one of SESSION_STATES."""
    if session.finished_at:
        return "finished"
    if session.screened_out_at:
        return "screened_out"
    return "abandoned" if session.places_returned_at else "under_way"


def scenes_of_study(study: Study) -> QuerySet[StudyScene]:
    return StudyScene.objects.filter(study=study).select_related("scene").order_by("pk")


def scene_sheets(study_scenes: Iterable[StudyScene]) -> list[SceneSheet]:
    """Put renditions and the number of pairs beside each of a page's scenes."""
    rows = list(study_scenes)
    keys = [row.scene_id for row in rows]
    renditions = defaultdict(list)
    for rendition in Rendition.objects.filter(scene__in=keys):
        renditions[rendition.scene_id].append(rendition)
    couples = defaultdict(list)
    pairs = StudyPair.objects.filter(study__in={row.study_id for row in rows}, pair__scene__in=keys)
    for scene, a, b in pairs.values_list("pair__scene", "pair__image_a", "pair__image_b"):
        couples[scene].append((a, b))
    return [
        SceneSheet(
            scene=row.scene,
            split=row.split,
            n_pairs=len(couples[row.scene_id]),
            n_groups=len(compared_groups(couples[row.scene_id])),
            renditions=renditions[row.scene_id],
            n_unpaired=_n_unpaired(renditions[row.scene_id], couples[row.scene_id]),
        )
        for row in rows
    ]


def _n_unpaired(renditions: list[Rendition], couples: list[tuple[int, int]]) -> int:
    paired = {key for couple in couples for key in couple}
    served = {(row.long_side, row.encoding) for row in renditions if row.pk in paired}
    return sum(
        row.state == Rendition.State.RENDERED
        and row.pk not in paired
        and (row.long_side, row.encoding) in served
        for row in renditions
    )


def invitation_counts(study: Study) -> tuple[int, int]:
    """(given out, of them taken back)."""
    counts = Invitation.objects.filter(study=study).aggregate(
        n=Count("pk"), revoked=Count("pk", filter=~Q(revoked_at=None))
    )
    return counts["n"], counts["revoked"]


def panel_id_counts(study: Study) -> dict[str, int]:
    """People of the study `with_id` of a panel, and `without`; nobody who withdrew."""
    people = Person.objects.filter(raters__study=study, raters__withdrawn_at=None)
    return people.aggregate(
        with_id=Count("pk", filter=~Q(panel_id=""), distinct=True),
        without=Count("pk", filter=Q(panel_id=""), distinct=True),
    )


def _main_answers() -> QuerySet[Question]:
    return Question.objects.filter(kind=Question.Kind.MAIN).exclude(answered_at=None).order_by()


def _sessions_by_study(sessions: QuerySet[Session]) -> Counter[int]:
    return Counter(dict(sessions.order_by().values_list("study").annotate(n=Count("pk"))))


def _coverage(study: Study) -> Coverage:
    """Of all the study's pairs, and of the scenes that have any."""
    exposures: Counter[int] = Counter()
    scenes: Counter[int] = Counter()
    rows = StudyPair.objects.filter(study=study).values_list("pair__scene", "exposures")
    for scene, times, n in rows.annotate(n=Count("pk")):
        exposures[times] += n
        scenes[scene] += times * n
    if not exposures:
        return Coverage()
    return Coverage(
        n_pairs=exposures.total(),
        n_shown=exposures.total() - exposures[0],
        low=min(exposures),
        high=max(exposures),
        scene_low=min(scenes.values()),
        scene_high=max(scenes.values()),
        n_scenes=len(scenes),
        n_planned=scenes.total(),
        exposures=exposures,
    )


def _verdicts(study: Study, rules: RuleSet) -> _Verdicts:
    rows = Verdict.objects.filter(rater__study=study, rule_set=rules.name)
    return {
        rater: (usable, reasons)
        for rater, usable, reasons in rows.values_list("rater", "may_be_used", "reasons")
    }


def _finished(study: Study, verdicts: _Verdicts) -> list[list[str]]:
    sessions = study.sessions.filter(finished_at__isnull=False).order_by("finished_at", "pk")
    raters = sessions.values_list("rater", flat=True)
    return [verdicts[rater][1] for rater in raters if rater in verdicts]


def _displays(study: Study, verdicts: _Verdicts) -> list[SeenDisplay]:
    """One a session: the last one."""
    raters = dict(study.sessions.order_by().values_list("pk", "rater"))
    rows = DisplayRecord.objects.filter(session__study=study).order_by("pk")
    records = map(ShownDisplay._make, rows.values_list(*ShownDisplay._fields))
    last = {record.session: record for record in records}
    return [
        SeenDisplay(record=record, may_be_used=verdicts.get(raters[session], (None, []))[0])
        for session, record in last.items()
    ]


def _in_steps(times: np.ndarray) -> Counter[int]:
    steps, counts = np.unique(times // TIME_STEP_MS * TIME_STEP_MS, return_counts=True)
    return Counter(dict(zip(steps.tolist(), counts.tolist(), strict=True)))
