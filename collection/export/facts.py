"""What a dataset folder holds, counted from its tables alone; the card and Croissant are written from it."""

import datetime as dt
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq


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
    consistency_quartiles: tuple[float, float, float] | None
    """Over the raters that answered a check."""
    response_quartiles_ms: tuple[float, float, float] | None
    """Over the raters' medians."""
    first_day: dt.date | None
    last_day: dt.date | None

    @property
    def is_simulated(self) -> bool:
        return self.simulated_raters > 0


def facts_of(folder: Path) -> Facts:
    """Count what the tables in `folder` hold; judgments are read a column at a time."""
    scenes = _columns(folder, "scenes", "split", "licence")
    raters = _columns(
        folder, "raters", "person_id", "n_answers", "valid", "exclusion_reason", "split", "simulated",
        "color_gamut", "consistency", "median_response_ms",
    )  # fmt: skip
    checks, first, last = _judgment_totals(folder)
    rows = {name: _n_rows(folder, name) for name in ("scenes", "images", "pairs", "raters", "judgments")}
    return Facts(
        rows=rows,
        main=rows["judgments"] - checks,
        checks=checks,
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
        consistency_quartiles=_quartiles(raters["consistency"]),
        response_quartiles_ms=_quartiles(raters["median_response_ms"]),
        first_day=first,
        last_day=last,
    )


def _columns(folder: Path, table: str, *names: str) -> dict[str, list[Any]]:
    data = pq.read_table(folder / f"{table}.parquet", columns=list(names))
    return {name: data[name].to_pylist() for name in names}


def _n_rows(folder: Path, table: str) -> int:
    return int(pq.read_metadata(folder / f"{table}.parquet").num_rows)


def _judgment_totals(folder: Path) -> tuple[int, dt.date | None, dt.date | None]:
    """Checks, and the days of the first and the last answer."""
    checks, times = 0, []
    with pq.ParquetFile(folder / "judgments.parquet") as file:
        for batch in file.iter_batches(columns=["is_check", "answered_at"]):
            checks += pc.sum(batch["is_check"]).as_py() or 0
            times += [time for time in pc.min_max(batch["answered_at"]).as_py().values() if time]
    return checks, min(times).date() if times else None, max(times).date() if times else None


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
