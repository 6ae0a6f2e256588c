import itertools
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from collection.researcher.charts import (
    Dot,
    Level,
    Line,
    curve,
    decade_ticks,
    dots,
    histogram,
    interval_bar,
    nice_ceiling,
    number,
    round_ticks,
)

SVG: dict[str, Any] = {
    "edges": [0, 1, 2, 3],
    "counts": [4, 0, 2],
    "ticks": [(0, "0"), (3, "3")],
    "x_label": "x",
    "y_label": "raters",
}


def parts(svg: str, kind: str) -> list[Any]:
    """The elements of one class."""
    return [e for e in ET.fromstring(svg).iter() if kind in (e.get("class") or "").split()]


def test_a_bar_is_as_high_as_its_count():
    """Heights are 4 : 2, and an empty bin has no bar."""
    first, last = parts(histogram(**SVG), "bar")
    assert float(first.get("height")) == pytest.approx(2 * float(last.get("height")), abs=0.02)
    assert float(first.get("x")) < float(last.get("x"))


def test_counts_need_one_edge_more():
    with pytest.raises(ValueError, match="3 counts need 4 edges, not 2"):
        histogram(**{**SVG, "edges": [0, 1]})


def test_a_line_stands_at_its_value_with_its_interval_around_it():
    svg = histogram(**SVG, lines=[Line(at=1.5, label="median", kind="value", interval=(1, 2))])
    (band,) = parts(svg, "band")
    line = next(e for e in parts(svg, "value") if e.tag == "line")
    middle = float(band.get("x")) + float(band.get("width")) / 2
    assert float(line.get("x1")) == pytest.approx(middle, abs=0.02)
    assert "median" in svg


def test_equal_factors_are_equal_steps_on_a_logarithmic_axis():
    svg = histogram(
        **{**SVG, "edges": [1, 10, 100, 1000], "ticks": [], "counts": [1, 1, 1]}, logarithmic=True
    )
    widths = [float(bar.get("width")) for bar in parts(svg, "bar")]
    assert widths == pytest.approx([widths[0]] * 3, abs=0.02)


def test_chance_is_marked_for_each_bin():
    assert len(parts(histogram(**SVG, expected=[1.0, 2.0, 1.0]), "chance")) == 3


def test_labels_are_escaped():
    svg = histogram(**{**SVG, "x_label": '<b>"&', "ticks": [(0, "<i>")]})
    assert "<b>" not in svg
    assert "<i>" not in svg
    ET.fromstring(svg)


def test_a_chart_has_no_inline_style_and_says_what_it_is():
    svg = histogram(**SVG)
    assert "style=" not in svg
    assert 'role="img"' in svg
    assert 'aria-label="raters by x"' in svg


def test_an_interval_bar_runs_from_end_to_end_of_its_interval():
    (bar,) = parts(interval_bar(8, 10, (0.0, 1.0), limit=0.7, chance=0.5), "interval")
    assert (float(bar.get("x1")), float(bar.get("x2"))) == (3, 93)
    assert "8 of 10, 95 % interval 44 to 97 %" in interval_bar(8, 10, (0.4439, 0.9748), limit=0.7, chance=0.5)


def test_a_curve_goes_down_where_its_values_do():
    svg = curve(series=[("loss", [(0, 4.0), (1, 2.0), (2, 0.0)])], x_label="step", y_label="loss")
    (line,) = [e for e in parts(svg, "series-1") if e.tag == "polyline"]
    heights = [float(point.split(",")[1]) for point in line.get("points").split()]
    assert heights == sorted(heights)  # y grows downwards


def test_names_of_curves_do_not_lie_over_each_other():
    lines = [(name, [(0, 1.0), (10, 0.5)]) for name in ("a", "b", "c")]
    svg = curve(series=lines, x_label="step", y_label="loss")
    heights = sorted(float(y) for y in re.findall(r'<text class="series-\d" x="[\d.]+" y="([-\d.]+)"', svg))
    assert [b - a for a, b in itertools.pairwise(heights)] == pytest.approx([14, 14])


def test_a_curve_of_one_point_or_one_value_is_drawn():
    assert "polyline" in curve(series=[("loss", [(5, 0.0)])], x_label="step", y_label="loss")
    with pytest.raises(ValueError, match="at least one point"):
        curve(series=[("loss", [])], x_label="step", y_label="loss")


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 4.0, [0, 1, 2, 3, 4]),
        (0.031, 0.052, [0.03, 0.04, 0.05, 0.06]),
        (-0.3, 0.1, [-0.3, -0.2, -0.1, 0, 0.1]),
        (2.0, 2.0, [2, 2.5]),
        (0.0, 0.0, [0, 0.25]),
    ],
)
def test_ticks_are_round_and_hold_the_values(low, high, ticks):
    assert round_ticks(low, high) == pytest.approx(ticks)


def test_decades_hold_the_values():
    assert decade_ticks(0.03, 1.5) == pytest.approx([0.02, 0.05, 0.1, 0.2, 0.5, 1, 2])
    assert decade_ticks(0.003, 150) == pytest.approx([0.001, 0.01, 0.1, 1, 10, 100, 1000])


def test_a_curve_over_decades_is_logarithmic_and_says_so():
    svg = curve(series=[("loss", [(0, 100.0), (1, 10.0), (2, 1.0)])], x_label="step", y_label="loss")
    assert "loss, logarithmic" in svg
    (line,) = [e for e in parts(svg, "series-1") if e.tag == "polyline"]
    first, middle, last = (float(point.split(",")[1]) for point in line.get("points").split())
    assert middle - first == pytest.approx(last - middle, abs=0.2)


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.9, 1), (1, 1), (1.02, 1.2), (10, 10), (11, 12), (577, 600)]
)
def test_an_axis_ends_at_a_round_number(value, top):
    assert nice_ceiling(value) == pytest.approx(top)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.12345, "0.1235"), (1234.5, "1234"), (20_000, "20k")]
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_a_dot_stands_inside_its_interval_and_labels_apart():
    svg = dots(
        points=[Dot(x=1, value=0.6, interval=(0.4, 0.8)), Dot(x=10, value=0.5, interval=(0.1, 0.9))],
        levels=[
            Level(at=0.5, label="chance 50 %", kind="chance"),
            Level(at=0.52, label="limit 52 %", kind="limit"),
        ],
        x_range=(1, 10),
        y_ticks=[(0, "0"), (1, "1")],
        x_label="question",
        y_label="share",
    )
    dot, bar = parts(svg, "dot")[0], parts(svg, "interval")[0]
    assert float(bar.get("y2")) < float(dot.get("cy")) < float(bar.get("y1"))
    heights = sorted(
        float(text.get("y"))
        for text in ET.fromstring(svg).iter()
        if text.get("class") in ("chance", "limit") and text.tag == "text"
    )
    assert heights[1] - heights[0] >= 14
