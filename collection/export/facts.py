"""What a dataset folder holds, counted from its tables alone; the card and Croissant are written from it."""

import datetime as dt
import itertools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from collection.export.format import QUESTIONNAIRE, SCREENINGS, TIE


@dataclass(frozen=True, kw_only=True, slots=True)
class Exclusion:
    """Raters that one rule shut out, and the judgments that went with them; one rater may fail several rules."""

    reason: str
    raters: int
    judgments: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    rows: dict[str, int]
    """Of each table."""
    main: int
    """Judgments that are not checks."""
    checks: int
    ties: int
    """Judgments, checks among them, that say "no difference"."""
    people: int
    valid_raters: int
    valid_judgments: int
    simulated_raters: int
    exclusions: tuple[Exclusion, ...]
    rater_splits: dict[str, int]
    scene_splits: dict[str, int]
    image_types: dict[str, int]
    """Images of each source type."""
    scene_licences: dict[str, int]
    displays: dict[str, int]
    """Raters of each colour gamut."""
    told: dict[str, dict[str, int]]
    """Language, screenings and questionnaire: column → value → raters, as far as anything is known."""
    consistency_quartiles: tuple[float, float, float] | None
    """Over the raters that answered a check."""
    response_quartiles_ms: tuple[float, float, float] | None
    """Over the raters' medians."""
    answers_per_pair: tuple[int, float, int] | None
    """Fewest, median and most main judgments of a pair."""
    without_time: int
    """Judgments without a response time."""
    first_day: dt.date | None
    last_day: dt.date | None

    @property
    def is_simulated(self) -> bool:
        return self.simulated_raters > 0

    @property
    def are_all_simulated(self) -> bool:
        """There are raters, and none is a person."""
        return 0 < self.simulated_raters == self.rows["raters"]


def facts_of(folder: Path) -> Facts:
    """Count what the tables in `folder` hold; judgments are read a column at a time."""
    scenes = _columns(folder, "scenes", "split", "licence")
    raters = _columns(
        folder, "raters", "person_id", "n_answers", "valid", "exclusion_reason", "split", "simulated",
        "color_gamut", "consistency", "median_response_ms",
    )  # fmt: skip
    totals = _judgment_totals(folder)
    rows = {name: _n_rows(folder, name) for name in ("scenes", "images", "pairs", "raters", "judgments")}
    return Facts(
        rows=rows,
        main=rows["judgments"] - totals.checks,
        checks=totals.checks,
        ties=totals.ties,
        people=len(set(raters["person_id"])),
        valid_raters=sum(raters["valid"]),
        valid_judgments=sum(
            n for n, valid in zip(raters["n_answers"], raters["valid"], strict=True) if valid
        ),
        simulated_raters=sum(raters["simulated"]),
        exclusions=_exclusions(raters),
        rater_splits=_counts(raters["split"]),
        scene_splits=_counts(scenes["split"]),
        image_types=_counts(_columns(folder, "images", "source_type")["source_type"]),
        scene_licences=_counts(licence or "not stated" for licence in scenes["licence"]),
        displays=_counts(gamut or "unknown" for gamut in raters["color_gamut"]),
        told=_told(folder),
        consistency_quartiles=_quartiles(raters["consistency"]),
        response_quartiles_ms=_quartiles(raters["median_response_ms"]),
        answers_per_pair=_spread(totals.of_pairs, rows["pairs"]),
        without_time=totals.without_time,
        first_day=totals.first,
        last_day=totals.last,
    )


def _told(folder: Path) -> dict[str, dict[str, int]]:
    columns = _columns(folder, "raters", "language", *SCREENINGS, *QUESTIONNAIRE)
    return {
        name: _counts(value or "not known" for value in values)
        for name, values in columns.items()
        if any(values)
    }


def _columns(folder: Path, table: str, *names: str) -> dict[str, list[Any]]:
    data = pq.read_table(folder / f"{table}.parquet", columns=list(names))
    return {name: data[name].to_pylist() for name in names}


def _n_rows(folder: Path, table: str) -> int:
    return int(pq.read_metadata(folder / f"{table}.parquet").num_rows)


@dataclass(slots=True)
class _Totals:
    """Of the judgments, counted batch by batch."""

    checks: int = 0
    ties: int = 0
    without_time: int = 0
    of_pairs: Counter[str] = field(default_factory=Counter)
    """Main judgments of each pair."""
    first: dt.date | None = None
    last: dt.date | None = None


def _judgment_totals(folder: Path) -> _Totals:
    found, times = _Totals(), []
    columns = ["pair_id", "is_check", "chosen_side", "response_ms", "answered_at"]
    with pq.ParquetFile(folder / "judgments.parquet", read_dictionary=["pair_id"]) as file:
        for batch in file.iter_batches(columns=columns):
            found.checks += pc.sum(batch["is_check"]).as_py() or 0
            found.ties += pc.sum(pc.equal(batch["chosen_side"], TIE)).as_py() or 0
            found.without_time += batch["response_ms"].null_count
            main = batch["pair_id"].filter(pc.invert(batch["is_check"]))
            pairs, counts = (column.to_pylist() for column in pc.value_counts(main).flatten())
            for pair, n in zip(pairs, counts, strict=True):
                found.of_pairs[pair] += n
            times += [time for time in pc.min_max(batch["answered_at"]).as_py().values() if time]
    if times:
        found.first, found.last = min(times).date(), max(times).date()
    return found


def _spread(of_pairs: Counter[str], n_pairs: int) -> tuple[int, float, int] | None:
    """Fewest, median and most, the pairs with none among them."""
    if not n_pairs:
        return None
    counts = np.zeros(n_pairs, np.int64)
    counts[: len(of_pairs)] = list(of_pairs.values())
    return int(counts.min()), float(np.median(counts)), int(counts.max())


def _exclusions(raters: dict[str, list[Any]]) -> tuple[Exclusion, ...]:
    n_raters, n_judgments = Counter[str](), Counter[str]()
    for reasons, n in zip(raters["exclusion_reason"], raters["n_answers"], strict=True):
        for reason in (reasons or "").split(",") if reasons else ():
            n_raters[reason] += 1
            n_judgments[reason] += n
    return tuple(
        Exclusion(reason=reason, raters=n_raters[reason], judgments=n_judgments[reason])
        for reason in sorted(n_raters)
    )


def _counts(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _quartiles(values: list[float | None]) -> tuple[float, float, float] | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, middle, high = (float(value) for value in np.quantile(known, (0.25, 0.5, 0.75)))
    return low, middle, high


def default_name(facts: Facts) -> str:
    """Of a dataset whose protocol.json names no study."""
    return "Simulated photo preferences" if facts.is_simulated else "Pairwise photo preferences"


def size_category(n: int) -> str:
    """The Hugging Face size category of `n` rows."""
    limits = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]
    names = ["1K", "10K", "100K", "1M", "10M", "100M"]
    if n < limits[0]:
        return "n<1K"
    for (low, high), limit in zip(itertools.pairwise(names), limits[1:], strict=True):
        if n < limit:
            return f"{low}<n<{high}"
    return "100M<n<1B"
