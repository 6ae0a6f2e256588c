"""The page of an ablation: curves, and every figure of them in a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.ablation.curves import TITLES, Figure, row_of
from evaluation.comparison import paired_difference
from evaluation.report.page import DIGITS, environment
from learning.training.run_folder import write_text


def write_page(data: Mapping[str, Any], figures: Sequence[Figure], out: Path) -> None:
    """`index.html` beside the curves."""
    html = (
        environment()
        .get_template("ablation.html.j2")
        .render(data=data, figures=figures, tables=_tables(data), titles=TITLES, digits=DIGITS)
    )
    write_text(out / "index.html", html)


def _tables(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    tables = []
    for scenes in ("new", "known"):
        metrics = list(
            dict.fromkeys(r["metric"] for c in data["cells"] for r in c["rows"] if r["scenes"] == scenes)
        )
        if metrics:
            lines = [_line(data, cell, metrics, scenes) for cell in data["cells"]]
            tables.append({"scenes": scenes, "metrics": metrics, "lines": lines})
    return tables


def _line(
    data: Mapping[str, Any], cell: Mapping[str, Any], metrics: Sequence[str], scenes: str
) -> dict[str, Any]:
    whole = _whole(data["cells"])
    rows = [row_of(cell, cell["system"], metric, scenes) for metric in metrics]
    return {
        "cell": cell,
        "rows": rows,
        "is_whole": cell is whole,
        "minus_whole": [
            None
            if cell is whole or row is None
            else paired_difference(whole, cell, row_of(whole, cell["system"], row["metric"], scenes), row)
            for row in rows
        ],
        "controls": cell["controls_passed"].get(scenes),
        "prediction": next(
            (
                p
                for p in cell["predictions"]
                if (p["name"], p["scenes"], bool(p["run"])) == (cell["system"], scenes, True)
            ),
            None,
        ),
    }


def _whole(cells: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first switch with most raters and references: what the others are held against."""
    first = [cell for cell in cells if cell["switch"] == cells[0]["switch"]]
    return max(first, key=lambda cell: (cell["raters"], cell["references"]))
