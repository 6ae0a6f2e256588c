"""The planner in a real browser: numbers follow the form."""

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import expect

from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_figures_follow_what_is_typed(visit):
    study, client, visited = make_study(), Client(), visit(390, 844)
    client.force_login(make_researcher())
    name = settings.SESSION_COOKIE_NAME
    visited.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": visited.home}])
    page = visited.page()
    page.goto(visited.home + reverse("researcher:study-planner", args=[study.slug]))
    figures = page.locator("#plan-figures")
    expect(figures).to_contain_text("of 100 raters with 80 questions")
    page.get_by_label("Raters who finish").fill("50")
    page.get_by_label("Minutes of a session").fill("15")
    page.get_by_label("Pay per hour").fill("12")
    expect(figures).to_contain_text("of 50 raters with 80 questions")
    expect(figures).to_contain_text("3.00 a rater")
    assert "raters=50" in page.url
    page.get_by_label("Raters who finish").fill("0")
    expect(page.get_by_text("greater than or equal to 1")).to_be_visible()
    expect(figures).to_contain_text("of 50 raters")  # what was right stays
    page.get_by_label("Raters who finish").fill("60")
    expect(page.get_by_text("greater than or equal to 1")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visited.faults == []
