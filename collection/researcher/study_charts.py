"""The charts of a study's overview. Pure: figures and protocol in, charts out."""

import math
from collections import Counter
from collections.abc import Sequence

from collection.design.drift import Drift, Part
from collection.design.intervals import median_interval, proportion_interval
from collection.design.protocol import RuleSet
from collection.design.rules import side_chance
from collection.design.wording import percent, percents
from collection.researcher.charts import Chart, Dot, Level, Line, dots, histogram
from collection.researcher.words import seconds
from collection.selectors.research import TIME_STEP_MS, StudyFigures

TIME_TICKS = ((100, "0.1"), (200, "0.2"), (500, "0.5"), (1000, "1"), (2000, "2"), (5000, "5"), (10_000, "10"))
LAST_TIME_TICKS = ((20_000, "20"), (60_000, "60"))
FIRST_EDGE_MS, LAST_EDGE_MS = 100, 60_000
EDGE_RATIO = 1.25
SIDE_BINS = 20
MAX_BARS = 60
BIAS_ALPHA = 0.01
"""Of each rater's test of sides: 52 of 80 on one side."""


def study_charts(figures: StudyFigures, rules: RuleSet) -> list[Chart]:
    """Those that there are figures for."""
    charts = [
        response_time_chart(figures.response_times, figures.n_fast, figures.response_medians, rules),
        time_drift_chart(figures.time_drift),
        consistency_chart(figures.checks, rules),
        consistency_drift_chart(figures.consistency_drift, rules),
        side_chart(figures.left_shares, rules),
        coverage_chart(figures.coverage.exposures),
    ]
    return [chart for chart in charts if chart is not None]


def response_time_chart(
    times: Counter[int], n_fast: int, medians: Sequence[float], rules: RuleSet
) -> Chart | None:
    """`times` are counted in steps of TIME_STEP_MS; the bins' edges are multiples of it."""
    n = times.total()
    if not n:
        return None
    edges = time_edges(rules.min_response_ms)
    counts = _binned(times, edges)
    lines = [Line(at=rules.min_response_ms, label=f"floor {rules.min_response_ms} ms", kind="limit")]
    middle = _median_of_medians(medians)
    if middle:
        lines.append(middle)
    return Chart(
        title="Response times",
        note=f"n = {n} judgments, {percent(n_fast / n, 1)} of them below the floor"
        + (f"; line and band: median of {len(medians)} raters' medians, 95 %" if middle else ""),
        svg=histogram(
            edges=edges,
            counts=counts,
            ticks=[*TIME_TICKS, *LAST_TIME_TICKS],
            lines=lines,
            x_label="seconds, logarithmic",
            y_label="judgments",
            logarithmic=True,
        ),
        columns=("From", "To", "Judgments", "Share"),
        rows=tuple(
            (seconds(low), seconds(high), str(count), percent(count / n, 1))
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
            if count
        ),
    )


def consistency_chart(checks: Counter[tuple[int, int]], rules: RuleSet) -> Chart | None:
    """Over the raters who answered all checks that anybody answered; the others' shares mean other things."""
    n_checks = max((answered for _, answered in checks), default=0)
    if not n_checks:
        return None
    counts = [checks[agreed, n_checks] for agreed in range(n_checks + 1)]
    n = sum(counts)
    chance = [n * math.comb(n_checks, k) / 2**n_checks for k in range(n_checks + 1)]
    total_agreed = sum(k * count for k, count in enumerate(counts))
    share = total_agreed / (n * n_checks)
    interval = proportion_interval(total_agreed, n * n_checks)
    others = checks.total() - n
    return Chart(
        title="Consistency",
        note=f"n = {n} raters with {n_checks} answered checks; together {percent(share)} agree "
        f"(95 % interval {percents(interval)}); marks: what random answers would give"
        + (f"; {others} rater{'s' * (others != 1)} with fewer checks left out" if others else ""),
        svg=histogram(
            edges=[k - 0.5 for k in range(n_checks + 2)],
            counts=counts,
            expected=chance,
            ticks=[(k, str(k)) for k in range(0, n_checks + 1, 1 + n_checks // 16)],
            lines=[
                Line(
                    at=math.ceil(rules.min_consistency * n_checks - 1e-9) - 0.5,
                    label=f"limit {percent(rules.min_consistency)}",
                    kind="limit",
                )
            ],
            x_label=f"checks of {n_checks} that agree with the first answer",
            y_label="raters",
        ),
        columns=("Checks that agree", "Raters", "By chance", "95 % interval of the share"),
        rows=tuple(
            (f"{k} of {n_checks}", str(count), f"{by_chance:.1f}", percents(proportion_interval(k, n_checks)))
            for k, (count, by_chance) in enumerate(zip(counts, chance, strict=True))
        ),
    )


def side_chart(left_shares: Sequence[tuple[int, int]], rules: RuleSet) -> Chart | None:
    """How many raters chose the left side how often; the sides of the images are balanced by design."""
    if not left_shares:
        return None
    edges = [i / SIDE_BINS for i in range(SIDE_BINS + 1)]
    bins = Counter(min(SIDE_BINS * left // n, SIDE_BINS - 1) for left, n in left_shares)
    counts = [bins[i] for i in range(SIDE_BINS)]
    left, n = sum(left for left, _ in left_shares), sum(n for _, n in left_shares)
    interval = proportion_interval(left, n)
    limit = rules.max_one_side_share
    biased = sum(side_chance(left_of, n_of) < BIAS_ALPHA for left_of, n_of in left_shares)
    return Chart(
        title="Side balance",
        note=f"n = {len(left_shares)} raters, {n} judgments; {percent(left / n, 1)} chose the left side "
        f"(95 % interval {100 * interval[0]:.1f} to {100 * interval[1]:.1f} %, judgments taken one by one, ties left out); {biased} rater{'s' * (biased != 1)} lean{'s' * (biased == 1)} to a side with "
        f"p < {BIAS_ALPHA}, by chance alone at most {BIAS_ALPHA * len(left_shares):.1f} would",
        svg=histogram(
            edges=edges,
            counts=counts,
            ticks=[(0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1, "100 %")],
            lines=[
                Line(at=1 - limit, label=f"limit {percent(1 - limit)}", kind="limit"),
                Line(at=0.5, label="no bias 50 %", kind="chance"),
                Line(at=limit, label=f"limit {percent(limit)}", kind="limit"),
            ],
            x_label="a rater's judgments that chose the left side",
            y_label="raters",
        ),
        columns=("From", "To", "Raters"),
        rows=tuple(
            (percent(low), percent(high), str(count))
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
            if count
        ),
    )


def time_drift_chart(drift: Drift | None) -> Chart | None:
    """Response times over the session, each rater against himself."""
    if drift is None:
        return None
    low = min(0.5, *(part.interval[0] for part in drift.parts))
    high = max(1.5, *(part.interval[1] for part in drift.parts))
    ticks = (math.floor(low * 4) / 4, 1.0, math.ceil(high * 4) / 4)
    return Chart(
        title="Response times over the session",
        note=f"n = {drift.n_raters} raters who answered in all parts; from the first part to the last times change "
        f"by a factor of {drift.change:.2f} (95 % interval {drift.interval[0]:.2f} to {drift.interval[1]:.2f}); bars: "
        "95 % over raters",
        svg=dots(
            points=_points(drift),
            levels=[Level(at=1, label="own mean", kind="chance")],
            x_range=_range(drift),
            y_ticks=[(tick, f"{tick:g}×") for tick in ticks],
            x_label="question of the session",
            y_label="response time, of the rater's own mean",
        ),
        columns=("Questions", "Of the own mean", "95 % interval"),
        rows=tuple(
            (_questions(part), f"{part.value:.2f}", f"{part.interval[0]:.2f} to {part.interval[1]:.2f}")
            for part in drift.parts
        ),
    )


def consistency_drift_chart(drift: Drift | None, rules: RuleSet) -> Chart | None:
    """Agreement with the first answer over the session."""
    if drift is None:
        return None
    points = (100 * drift.change, 100 * drift.interval[0], 100 * drift.interval[1])
    change, low, high = (f"{value:+.0f}".replace("-", "−") for value in points)
    return Chart(
        title="Consistency over the session",
        note=f"n = {sum(part.n for part in drift.parts)} checks; within {drift.n_raters} raters it changes by {change} "
        f"percentage points from the first half of the checks to the second (95 % interval {low} to {high}); "
        "bars: 95 %, checks taken one by one",
        svg=dots(
            points=_points(drift),
            levels=[
                Level(at=0.5, label="chance 50 %", kind="chance"),
                Level(
                    at=rules.min_consistency, label=f"limit {percent(rules.min_consistency)}", kind="limit"
                ),
            ],
            x_range=_range(drift),
            y_ticks=[(0, "0"), (0.5, "50"), (1, "100")],
            x_label="question of the session",
            y_label="checks that agree, %",
        ),
        columns=("Questions", "Agree", "95 % interval"),
        rows=tuple(
            (_questions(part), f"{part.k} of {part.n}", percents(part.interval)) for part in drift.parts
        ),
    )


def coverage_chart(exposures: Counter[int]) -> Chart | None:
    """How many pairs were asked how often."""
    n = exposures.total()
    if not n or not any(exposures):
        return None
    low, high = min(exposures), max(exposures)
    width = math.ceil((high - low + 1) / MAX_BARS)
    starts = range(low, high + 1, width)
    counts = [sum(exposures[start + i] for i in range(width)) for start in starts]
    mean = sum(times * pairs for times, pairs in exposures.items()) / n
    return Chart(
        title="Coverage",
        note=f"n = {n} pairs, all of the study; each in the plans of {low} to {high} sessions, {mean:.1f} on average",
        svg=histogram(
            edges=[start - 0.5 for start in (*starts, high + width)][: len(counts) + 1],
            counts=counts,
            ticks=[(k, str(k)) for k in range(low, high + 1, 1 + (high - low) // 10)],
            lines=[Line(at=mean, label=f"mean {mean:.1f}", kind="value")],
            x_label="sessions that have a pair in their plan",
            y_label="pairs",
        ),
        columns=("Sessions", "Pairs"),
        rows=tuple((str(times), str(exposures[times])) for times in sorted(exposures)),
    )


def _points(drift: Drift) -> list[Dot]:
    return [
        Dot(x=(part.first + part.last) / 2 + 1, value=part.value, interval=part.interval)
        for part in drift.parts
    ]


def _range(drift: Drift) -> tuple[int, int]:
    """Questions are counted from 1 on the page."""
    return drift.parts[0].first + 1, drift.parts[-1].last + 1


def _questions(part: Part) -> str:
    return f"{part.first + 1} to {part.last + 1}"


def time_edges(floor_ms: int) -> list[float]:
    """From 0.1 to 60 s by about EDGE_RATIO, multiples of TIME_STEP_MS, the floor among them where it is one."""
    anchor = max(floor_ms, FIRST_EDGE_MS)
    below = math.ceil(math.log(anchor / FIRST_EDGE_MS, EDGE_RATIO))
    above = math.ceil(math.log(LAST_EDGE_MS / anchor, EDGE_RATIO)) if anchor < LAST_EDGE_MS else 0
    edges = {round(anchor * EDGE_RATIO**k / TIME_STEP_MS) * TIME_STEP_MS for k in range(-below, above + 1)}
    inside = {edge for edge in edges if FIRST_EDGE_MS < edge < LAST_EDGE_MS}
    return sorted({float(FIRST_EDGE_MS), *map(float, inside), float(LAST_EDGE_MS)})


def _binned(times: Counter[int], edges: Sequence[float]) -> list[int]:
    """What lies outside goes into the first and last bin."""
    counts = [0] * (len(edges) - 1)
    for step, count in times.items():
        inside = sum(edge <= step for edge in edges[1:-1])
        counts[inside] += count
    return counts


def _median_of_medians(medians: Sequence[float]) -> Line | None:
    interval = median_interval(medians)
    if interval is None:
        return None
    ordered = sorted(medians)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return Line(at=middle, label=f"median {seconds(middle)}", kind="value", interval=interval)
