"""The planner's page says what the planner and its command say."""

import pytest
from django.urls import reverse

from collection.design.plan import session_minutes
from collection.design.planner import StudyPlan, pair_half_width
from collection.design.protocol import Protocol
from collection.models import Study
from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db
PUBLISHED = {
    "raters": 858,
    "questions": 80,
    "pairs": 7972,
    "pay_per_hour": 12,
    "panel_fee": 0.33,
    "session_minutes": 15,
}


@pytest.fixture
def study():
    return make_study()


@pytest.fixture
def asked(client, study):
    client.force_login(make_researcher())
    return lambda name="study-planner", **fields: client.get(
        reverse(f"researcher:{name}", args=[study.slug]), fields
    )


def test_it_begins_with_the_studys_own_size(asked, study):
    page = asked()
    assert page.status_code == 200
    assert (page.context["plan"].questions, page.context["plan"].pairs) == (80, study.pairs.count())
    assert page.content.decode().count('class="chart"') == 2


def test_minutes_and_missing_pairs_are_as_the_protocol_has_them(asked, study):
    Study.objects.filter(pk=study.pk).update(protocol=Protocol(n_main=30, n_checks=3).to_json())
    study.refresh_from_db()
    page = asked()
    assert page.context["plan"].session_minutes == session_minutes(Protocol.from_json(study.protocol)) != 15
    assert "no pairs yet" not in page.content.decode()
    study.pairs.clear()
    page = asked()
    assert "The study has no pairs yet." in page.content.decode()
    assert page.context["plan"].pairs == 30


def test_the_published_study_has_its_published_figures(asked):
    page = asked(**PUBLISHED)
    assert page.context["per_pair"] == "7.7"
    assert page.context["cost"] == "3,424"
    pair, contest = page.context["levels"]
    assert pair.half_width == "± 34.9 points"
    assert contest.half_width == "± 0.9 points"
    assert pair_half_width(StudyPlan(**PUBLISHED)) == pytest.approx(0.349, abs=5e-4)


def test_the_numbers_alone_are_those_of_the_page(asked):
    reply = asked("planner-numbers", **PUBLISHED)
    assert "± 34.9 points" in reply.json()["parts"]["plan-figures"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("raters", "0", "greater than or equal to 1"),
        ("raters", "many", "whole number"),
        ("preference", "0.5", "above 0.5"),
        ("preference", "nan", "Enter a number"),
        ("rater_correlation", "2", "from 0 to 1"),
        ("half_width", "0", "above 0 and below 0.5"),
        ("power", "1", "above 0 and below 1"),
    ],
)
def test_what_cannot_be_planned_is_said_at_its_field(asked, name, value, why):
    page = asked(**{name: value})
    assert page.status_code == 422
    assert why in str(page.context["form"].errors[name])
    reply = asked("planner-numbers", **{name: value})
    assert list(reply.json()["errors"]) == [name]


def test_what_ten_million_answers_cannot_show_is_said(asked):
    page = asked(preference="0.5001")
    assert "10,000,000 answers" in page.content.decode()


def test_the_simulation_is_done_on_demand(asked):
    assert "checks" not in asked(raters=50).context
    checks = asked(raters=50, simulate=1).context["checks"]
    assert [check.what.split(" ")[0] for check in checks] == ["Power", "Power", "Contests"]
    assert all("of 2,000:" in check.simulated for check in checks)


def test_the_largest_plan_has_curves_and_a_larger_one_a_sentence(asked):
    assert asked(raters=100_000).status_code == 200
    page = asked(raters=10**20)
    assert page.status_code == 422
    assert "less than or equal to 100000" in page.content.decode()
