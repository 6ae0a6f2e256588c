"""What researchers read about a study. Figures come from raw answers; verdicts from their rows."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db.models import Avg, Count, F, Max, Min, Prefetch, Q, QuerySet

from collection.models import Question, Rater, Session, Study, StudyPair, StudyScene, Verdict
from variants.models import Rendition, Scene

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
class RaterFigures:
    """Counted from the raw answers of one rater, practice left out."""

    n_main: int = 0
    n_left: int = 0
    """Main answers that chose the left side."""
    n_checks: int = 0
    n_agreed: int = 0
    """Checks that chose the same image as the first answer did, on the other side."""
    median_response_ms: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterRow:
    rater: Rater
    session: Session | None
    """The latest."""
    figures: RaterFigures
    verdict: Verdict | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyFigures:
    n_raters: int
    n_simulated: int
    n_finished: int
    n_under_way: int
    n_main: int
    n_fast: int
    """Main answers faster than `fast_below_ms`."""
    n_checks: int
    n_judged: int
    n_valid: int
    n_pairs: int
    n_pairs_shown: int
    exposures_low: int
    exposures_high: int
    exposures_mean: float
    left_shares: list[tuple[int, int]]
    """(left, all) of the main answers, a rater each."""
    checks: Counter[tuple[int, int]]
    """(agreed, answered) → raters with it."""
    response_times: Counter[int]
    """Lower end of a TIME_STEP_MS wide step → main answers in it."""
    response_medians: list[int]
    """Of the raters that have a verdict."""
    exposures: Counter[int]
    """Sessions that asked a pair → pairs with it."""
    reasons: Counter[str]
    """Name of a failed rule → raters who failed it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneSheet:
    scene: Scene
    split: str
    n_pairs: int
    renditions: list[Rendition] = field(default_factory=list)


def studies_summaries() -> list[StudySummary]:
    raters = Counter(dict(Rater.objects.values_list("study").annotate(n=Count("pk")).order_by()))
    finished = _sessions_by_study(Session.objects.exclude(finished_at=None))
    under_way = _sessions_by_study(Session.objects.filter(finished_at=None))
    answers = Counter(dict(_main_answers().values_list("session__study").annotate(n=Count("pk"))))
    return [
        StudySummary(
            study=study,
            n_raters=raters[study.pk],
            n_finished=finished[study.pk],
            n_under_way=under_way[study.pk],
            n_judgments=answers[study.pk],
        )
        for study in Study.objects.all()
    ]


def study_figures(study: Study, *, rule_set: str, fast_below_ms: int) -> StudyFigures:
    """Everything that the overview of a study shows, in a fixed number of queries."""
    raters = study.raters.aggregate(n=Count("pk"), simulated=Count("pk", filter=~Q(simulation=None)))
    sessions = study.sessions.aggregate(
        finished=Count("pk", filter=~Q(finished_at=None)), under_way=Count("pk", filter=Q(finished_at=None))
    )
    pairs = StudyPair.objects.filter(study=study).aggregate(
        n=Count("pk"),
        shown=Count("pk", filter=Q(exposures__gt=0)),
        low=Min("exposures"),
        high=Max("exposures"),
        mean=Avg("exposures"),
    )
    sides = _sides(study, fast_below_ms)
    verdicts = list(
        Verdict.objects.filter(rater__study=study, rule_set=rule_set).values_list(
            "may_be_used", "reasons", "median_response_ms"
        )
    )
    checks = _checks(study)
    return StudyFigures(
        n_raters=raters["n"],
        n_simulated=raters["simulated"],
        n_finished=sessions["finished"],
        n_under_way=sessions["under_way"],
        n_main=sum(side.n for side in sides),
        n_fast=sum(side.fast for side in sides),
        n_checks=sum(n * count for (_, n), count in checks.items()),
        n_judged=len(verdicts),
        n_valid=sum(usable for usable, _, _ in verdicts),
        n_pairs=pairs["n"],
        n_pairs_shown=pairs["shown"],
        exposures_low=pairs["low"] or 0,
        exposures_high=pairs["high"] or 0,
        exposures_mean=float(pairs["mean"] or 0),
        left_shares=[(side.left, side.n) for side in sides],
        checks=checks,
        response_times=_response_times(study),
        response_medians=[median for _, _, median in verdicts if median is not None],
        exposures=_exposures(study),
        reasons=Counter(reason for _, reasons, _ in verdicts for reason in reasons),
    )


def raters_of_study(study: Study, *, rule_set: str) -> QuerySet[Rater]:
    """Newest first, each with what `rater_rows` needs."""
    return (
        study.raters.order_by("-pk")
        .select_related("person")
        .prefetch_related(
            Prefetch("sessions", Session.objects.order_by("-pk")),
            Prefetch("verdicts", Verdict.objects.filter(rule_set=rule_set)),
        )
    )


def rater_rows(raters: Iterable[Rater]) -> list[RaterRow]:
    """Put the raw figures beside each of a page's raters; `raters` come from `raters_of_study`."""
    raters = list(raters)
    figures = raters_figures([rater.pk for rater in raters])
    return [
        RaterRow(
            rater=rater,
            session=next(iter(rater.sessions.all()), None),
            figures=figures.get(rater.pk, RaterFigures()),
            verdict=next(iter(rater.verdicts.all()), None),
        )
        for rater in raters
    ]


def raters_figures(rater_keys: Sequence[int]) -> dict[int, RaterFigures]:
    answers = defaultdict(list)
    for rater, *answer in (
        Question.objects.filter(session__rater__in=rater_keys)
        .exclude(answered_at=None)
        .exclude(kind=Question.Kind.PRACTICE)
        .order_by()
        .values_list("session__rater", "kind", "chosen_side", "response_ms", "repeats__chosen_side")
    ):
        answers[rater].append(answer)
    return {rater: _figures_of(rows) for rater, rows in answers.items()}


def scenes_of_study(study: Study) -> QuerySet[StudyScene]:
    return StudyScene.objects.filter(study=study).select_related("scene").order_by("pk")


def scene_sheets(study_scenes: Iterable[StudyScene]) -> list[SceneSheet]:
    """Put renditions and the number of pairs beside each of a page's scenes."""
    rows = list(study_scenes)
    keys = [row.scene_id for row in rows]
    renditions = defaultdict(list)
    for rendition in Rendition.objects.filter(scene__in=keys):
        renditions[rendition.scene_id].append(rendition)
    pairs = Counter(
        dict(
            StudyPair.objects.filter(study__in={row.study_id for row in rows}, pair__scene__in=keys)
            .values_list("pair__scene")
            .annotate(n=Count("pk"))
        )
    )
    return [
        SceneSheet(
            scene=row.scene,
            split=row.split,
            n_pairs=pairs[row.scene_id],
            renditions=renditions[row.scene_id],
        )
        for row in rows
    ]


def protocol_hashes(study: Study) -> Counter[str]:
    """Hash of the protocol → sessions planned by it."""
    return Counter(dict(study.sessions.order_by().values_list("protocol_hash").annotate(n=Count("pk"))))


def _main_answers() -> QuerySet[Question]:
    return Question.objects.filter(kind=Question.Kind.MAIN).exclude(answered_at=None).order_by()


def _sessions_by_study(sessions: QuerySet[Session]) -> Counter[int]:
    return Counter(dict(sessions.order_by().values_list("study").annotate(n=Count("pk"))))


class _Sides(NamedTuple):
    """Main answers of one rater."""

    left: int
    fast: int
    n: int


def _sides(study: Study, fast_below_ms: int) -> list[_Sides]:
    rows = (
        _main_answers()
        .filter(session__study=study)
        .values("session__rater")
        .annotate(
            left=Count("pk", filter=Q(chosen_side=Question.Side.LEFT)),
            fast=Count("pk", filter=Q(response_ms__lt=fast_below_ms)),
            n=Count("pk"),
        )
    )
    return [_Sides(row["left"], row["fast"], row["n"]) for row in rows]


def _checks(study: Study) -> Counter[tuple[int, int]]:
    """The sides of a check are flipped: whoever agrees chooses the other side."""
    rows = (
        Question.objects.filter(session__study=study, kind=Question.Kind.CHECK)
        .exclude(answered_at=None)
        .exclude(repeats__answered_at=None)
        .order_by()
        .values("session__rater")
        .annotate(agreed=Count("pk", filter=~Q(chosen_side=F("repeats__chosen_side"))), n=Count("pk"))
    )
    return Counter((row["agreed"], row["n"]) for row in rows)


def _response_times(study: Study) -> Counter[int]:
    rows = (
        _main_answers()
        .filter(session__study=study, response_ms__isnull=False)
        .values(step=F("response_ms") / TIME_STEP_MS)
        .annotate(n=Count("pk"))
    )
    return Counter({int(row["step"]) * TIME_STEP_MS: row["n"] for row in rows})


def _exposures(study: Study) -> Counter[int]:
    rows = StudyPair.objects.filter(study=study).values("exposures").annotate(n=Count("pk"))
    return Counter({row["exposures"]: row["n"] for row in rows})


def _figures_of(answers: Sequence[Sequence[object]]) -> RaterFigures:
    main = [answer for answer in answers if answer[0] == Question.Kind.MAIN]
    checks = [answer for answer in answers if answer[0] == Question.Kind.CHECK and answer[3]]
    times = [float(str(answer[2])) for answer in main if answer[2] is not None]
    return RaterFigures(
        n_main=len(main),
        n_left=sum(answer[1] == Question.Side.LEFT for answer in main),
        n_checks=len(checks),
        n_agreed=sum(answer[1] != answer[3] for answer in checks),
        median_response_ms=statistics.median(times) if times else None,
    )
