import itertools
from collections import Counter

import pytest

from collection.design.protocol import RuleSet
from collection.researcher.study_charts import (
    consistency_chart,
    coverage_chart,
    response_time_chart,
    side_chart,
    time_edges,
)


def test_the_floor_is_an_edge_of_the_response_times():
    edges = time_edges(300)
    assert 300 in edges
    assert (edges[0], edges[-1]) == (100, 60_000)
    assert edges == sorted(set(edges))


@pytest.mark.parametrize("floor", [0, 100, 37, 60_000])
def test_odd_floors_still_have_edges(floor):
    edges = time_edges(floor)
    assert (edges[0], edges[-1]) == (100, 60_000)
    assert all(a < b for a, b in itertools.pairwise(edges))


def test_every_judgment_is_in_a_bin():
    times = Counter({0: 2, 275: 1, 300: 3, 90_000: 1})
    chart = response_time_chart(times, 3, [], RuleSet())
    assert chart
    assert sum(int(row[2]) for row in chart.rows) == 7
    assert "n = 7 judgments, 42.9 % of them below the floor" in chart.note


def test_the_median_has_its_interval_only_where_there_are_raters_enough():
    times = Counter({1000: 6})
    too_few = response_time_chart(times, 0, [1000] * 5, RuleSet())
    assert too_few
    assert "median" not in too_few.svg
    chart = response_time_chart(times, 0, [900, 1000, 1100, 1200, 1300, 1400], RuleSet())
    assert chart
    assert "median 1.15 s" in chart.svg
    assert 'class="band"' in chart.svg


def test_chance_of_ten_checks_is_binomial():
    """Of 1024 random raters 252 have five of ten right: 10 over 5."""
    chart = consistency_chart(Counter({(10, 10): 1024}), RuleSet())
    assert chart
    assert chart.rows[5][:3] == ("5 of 10", "0", "252.0")
    assert chart.rows[10][:2] == ("10 of 10", "1024")


def test_raters_with_fewer_checks_are_said_to_be_left_out():
    chart = consistency_chart(Counter({(9, 10): 3, (2, 3): 1}), RuleSet())
    assert chart
    assert "n = 3 raters with 10 answered checks; together 90 % agree" in chart.note
    assert "1 rater with fewer checks left out" in chart.note


def test_sides_say_how_many_chose_the_left_with_an_interval():
    chart = side_chart([(40, 80), (80, 80), (0, 80)], RuleSet())
    assert chart
    assert "n = 3 raters, 240 judgments; 50.0 % chose the left side" in chart.note
    assert [row[2] for row in chart.rows] == ["1", "1", "1"]


def test_coverage_counts_every_pair():
    chart = coverage_chart(Counter({0: 2, 3: 5, 4: 1}))
    assert chart
    assert "n = 8 pairs, all of the study; each in the plans of 0 to 4 sessions, 2.4 on average" in chart.note
    assert chart.rows == (("0", "2"), ("3", "5"), ("4", "1"))


def test_many_kinds_of_exposure_share_bars():
    chart = coverage_chart(Counter(dict.fromkeys(range(1, 500), 1)))
    assert chart
    assert chart.svg.count('class="bar"') <= 60
    assert len(chart.rows) == 499


def test_nothing_answered_has_no_charts():
    assert response_time_chart(Counter(), 0, [], RuleSet()) is None
    assert consistency_chart(Counter(), RuleSet()) is None
    assert side_chart([], RuleSet()) is None
    assert coverage_chart(Counter({0: 9})) is None
