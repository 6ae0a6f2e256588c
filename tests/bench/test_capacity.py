"""The table in docs/capacity.md is what the arithmetic gives, and the arithmetic is right."""

import math

import pytest

from bench.capacity_plan import Assumed, Measured, plan, table
from tests.catalogues import ROOT


def test_the_page_shows_what_the_plan_computes():
    assert table(Measured(), Assumed()) in (ROOT / "docs" / "capacity.md").read_text()


def test_a_plan_computed_by_hand():
    measured = Measured(questions=100, database_bytes=100_000, image_bytes=1_000_000, answers_per_second=100)
    found = plan(86_400, measured, Assumed(days=10, peak=2, load=0.5, scenes=100, renditions=10))
    # 8,640,000 answers in 864,000 s are 10 a second; twice that at the peak; one machine of 2 cores stores 50.
    assert found.answers_a_second == pytest.approx(20)
    assert found.web_cores == 2
    assert found.database_gb == pytest.approx(8.64)
    assert found.images_gb == pytest.approx(1)
    assert found.egress_gb == pytest.approx(86_400 * 0.2)
    cost = 6 * 0.04 * 240 + 8.64 * 0.1 / 3 + 0.023 / 3 + 86_400 * 0.2 * 0.08
    assert found.cost_per_1000 == pytest.approx(cost / 86.4)


@pytest.mark.parametrize("raters", [10**3, 10**5, 10**7])
def test_ten_times_the_raters_are_ten_times_the_bytes(raters):
    one, ten = (plan(n, Measured(), Assumed()) for n in (raters, 10 * raters))
    assert math.isclose(ten.database_gb, 10 * one.database_gb)
    assert ten.web_cores >= one.web_cores
    assert ten.images_gb == one.images_gb
