"""The raters of a dataset folder, as pages offer them. No torch, no Django."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = ["rater_id", "valid", "split", "n_answers", "simulated"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetRater:
    id: str
    n_answers: int
    is_held_out: bool
    """Nothing of theirs was trained on."""
    is_simulated: bool


def dataset_raters(folder: Path) -> list[DatasetRater]:
    """Raters whose answers may be used, those held out of training first; none where there is no whole file."""
    try:
        rows = pq.read_table(folder / "raters.parquet", columns=COLUMNS).to_pylist()
    except (OSError, pa.ArrowException):
        return []
    raters = [
        DatasetRater(
            id=row["rater_id"],
            n_answers=row["n_answers"],
            is_held_out=row["split"] == "validation",
            is_simulated=row["simulated"],
        )
        for row in rows
        if row["valid"]
    ]
    return sorted(raters, key=lambda rater: (not rater.is_held_out, rater.id))
