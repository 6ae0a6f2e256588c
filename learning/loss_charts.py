"""The losses of one run, or of several beside each other, as charts. Pure: curves in, charts out."""

from collections.abc import Mapping, Sequence

from collection.researcher.charts import Chart, curve, number
from learning.run_folder import TOTAL, Curve

TABLE_ROWS = 20


def loss_charts(curves: Sequence[Curve]) -> list[Chart]:
    """A chart for each loss, on a scale of its own: they are of different sizes and mean different things."""
    return [loss_chart(curve.name, {"": curve}) for curve in curves]


def loss_charts_beside(runs: Mapping[str, Sequence[Curve]]) -> list[Chart]:
    """A chart for each loss that any of the runs has, with a line for each run that has it."""
    names = dict.fromkeys(curve.name for curves in runs.values() for curve in curves)
    return [
        loss_chart(
            name, {run: curve for run, curves in runs.items() for curve in curves if curve.name == name}
        )
        for name in names
    ]


def loss_chart(name: str, lines: Mapping[str, Curve]) -> Chart:
    """One loss; `lines` by what is written beside each: nothing where there is one line."""
    series = [(label, curve.points) for label, curve in lines.items()]
    last = ", ".join(
        f"{label + ' ' if len(series) > 1 else ''}{number(points[-1][1])} at step {number(points[-1][0])}"
        for label, points in series
    )
    return Chart(
        title=loss_words(name),
        note=last,
        svg=curve(series=series, x_label="step", y_label=loss_words(name).lower()),
        columns=("Step", *(label or loss_words(name) for label in lines)),
        rows=tuple(_table_rows([dict(curve.points) for curve in lines.values()])),
    )


def loss_words(name: str) -> str:
    """`loss_pairwise` as `Loss, pairwise`."""
    part = name.removeprefix(f"{TOTAL}_").replace("_", " ")
    return "Loss" if name == TOTAL else f"Loss, {part}"


def _table_rows(curves: list[dict[float, float]]) -> list[tuple[str, ...]]:
    steps = sorted({step for points in curves for step in points})
    every = -(-len(steps) // TABLE_ROWS)
    return [
        (number(step), *(number(points[step]) if step in points else "–" for points in curves))
        for step in dict.fromkeys([*steps[::every], steps[-1]])
    ]
