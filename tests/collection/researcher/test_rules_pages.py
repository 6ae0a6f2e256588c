import csv
import io
import re
from urllib.parse import quote

import pytest
from django.urls import reverse
from django.utils import timezone

from collection.design.protocol import RuleSet
from collection.models import Person, Rater, RuleVersion, Verdict
from collection.selectors.rules import rules_in_force
from collection.services.verdicts import rules_use, verdicts_compute
from tests.factories import make_rater, make_researcher, make_session, make_study, make_verdict

pytestmark = pytest.mark.django_db

CONSISTENT = [("main", "left", 1500), ("main", "right", 900), ("check", "right", 800)]
INCONSISTENT = [("main", "left", 1500), ("main", "right", 900), ("check", "left", 800)]
FAST = [("main", "left", 100), ("main", "right", 120), ("check", "right", 90)]


@pytest.fixture
def alice(client):
    client.force_login(make_researcher())
    return client


def thresholds(**changed):
    """As the form sends them: no field for a box that is not ticked."""
    data = {**RuleSet().to_json(), "version": "tried", **changed}
    return {name: value for name, value in data.items() if value is not False}


def address(study, name="study-rules"):
    return reverse(f"researcher:{name}", args=[study.slug])


def from_panel(study, panel_id, answers=CONSISTENT, finished=True, **person):
    rater = make_rater(study)
    Person.objects.filter(pk=rater.person_id).update(panel="pid", panel_id=panel_id, **person)
    make_session(rater, answers, finished=finished)
    return rater


def table(reply):
    return list(csv.reader(io.StringIO(reply.content.decode("utf-8-sig"), newline="")))


def test_the_form_starts_from_the_rules_in_force(alice):
    study = make_study()
    rules_use(study, RuleSet(version="ours", min_consistency=0.6))
    page = alice.get(address(study)).content.decode()
    assert re.search(r'name="min_consistency"[^>]*value="0.6"', page)
    assert "What each keeps" not in page


def test_a_comparison_stands_side_by_side_and_stores_nothing(alice):
    study = make_study()
    for answers in (CONSISTENT, INCONSISTENT):
        make_session(make_rater(study), answers)
    page = alice.get(address(study), thresholds(min_consistency=0))
    found = page.context["found"]
    assert (found.ours.raters, found.other.raters, found.ours.n_judgments) == (1, 2, 4)
    text = page.content.decode()
    assert "50 %, 95 % interval 1 to 99 %" in text
    assert "Left out: inconsistent checks: 0 of 1 agree (0 to 98 %), at least 70 %" in text
    assert not Verdict.objects.exists()
    assert not RuleVersion.objects.exists()


def test_thresholds_that_leave_out_everybody_are_warned_of(alice):
    study = make_study()
    make_session(make_rater(study), CONSISTENT)
    page = alice.get(address(study), thresholds(min_median_response_ms=60_000)).content.decode()
    assert "These rules leave out everybody." in page
    assert "nothing to export" not in page
    assert "all marked as not to be used" in page
    assert "leave out everybody" not in alice.get(address(study), thresholds()).content.decode()


def test_an_impossible_threshold_is_said_at_its_field(alice):
    page = alice.get(address(make_study()), thresholds(min_consistency=2))
    assert page.status_code == 422
    assert "Min_consistency is 2.0; it must be a number from 0 to 1" in page.content.decode()
    assert "found" not in page.context


def test_rules_are_used_from_the_page(alice):
    study = make_study()
    make_verdict(make_rater(study), may_be_used=False)
    rater = make_rater(study)
    make_session(rater, INCONSISTENT)
    tried = thresholds(min_consistency=0, require_levels="on")
    page = alice.post(address(study, "study-rules-use"), tried, follow=True).content.decode()
    expected = RuleSet(version="tried", min_consistency=0, require_levels=True)
    assert rules_in_force(study) == expected
    assert f"The study follows {expected.name} now" in page
    assert Verdict.objects.get(rater=rater, rule_set=expected.name).may_be_used
    assert Verdict.objects.filter(rule_set=RuleSet().name).count() == 1
    again = alice.post(address(study, "study-rules-use"), tried, follow=True).content.decode()
    assert "follows these rules already" in again
    assert RuleVersion.objects.count() == 1


def test_verdicts_of_earlier_rules_can_be_read(alice):
    study = make_study()
    make_session(make_rater(study), INCONSISTENT)
    verdicts_compute(study)
    rules_use(study, RuleSet(version="lenient", min_consistency=0))
    people = reverse("researcher:study-people", args=[study.slug])
    assert "state done" in alice.get(people).content.decode()
    earlier = alice.get(people, {"rules": RuleSet().name}).content.decode()
    assert "left out:</span> inconsistent checks: 0 of 1 agree" in earlier
    assert "Verdicts by earlier rules" in earlier
    assert alice.get(people, {"rules": "never"}).status_code == 404


def test_raters_can_be_shown_by_the_rule_that_they_failed(alice):
    study = make_study()
    for answers in (CONSISTENT, INCONSISTENT, FAST):
        make_session(make_rater(study), answers)
    verdicts_compute(study)
    people = reverse("researcher:study-people", args=[study.slug])
    (row,) = alice.get(people, {"failed": "inconsistent"}).context["rows"]
    assert row.reasons == ["inconsistent checks: 0 of 1 agree (0 to 98 %), at least 70 %"]
    assert "Nobody failed it" in alice.get(people, {"failed": "one_sided"}).content.decode()


def test_the_panel_is_told_who_should_be_paid_and_never_who_is_used(alice):
    study = make_study(name="秋 / autumn: 2026")
    from_panel(study, "P1", INCONSISTENT)
    from_panel(study, "P2", FAST)
    from_panel(study, "P3", CONSISTENT[:1], finished=False)
    stopped = from_panel(study, "P4", CONSISTENT[:1], finished=False)
    stopped.sessions.update(screened_out_at=timezone.now())
    reply = alice.get(address(study, "panel-download"))
    assert table(reply) == [
        ["panel_id", "completion", "should_be_paid", "reason"],
        ["P1", "finished", "yes", ""],
        [
            "P2",
            "finished",
            "no",
            "more than half of the answers took less than 300 ms, faster than a hand can follow an eye",
        ],
        ["P3", "under way", "not yet", ""],
        ["P4", "screened out", "no", "ended by a screening"],
    ]
    expected = f"filename*=utf-8''{quote('秋_autumn_2026-payments.csv')}"
    assert expected in reply["Content-Disposition"]


def test_a_panel_id_is_no_formula_and_keeps_its_letters(alice):
    study = make_study()
    from_panel(study, '=HYPERLINK("http://x")')
    from_panel(study, "Zoë 東")
    rows = table(alice.get(address(study, "panel-download")))
    assert [row[0] for row in rows[1:]] == ['\'=HYPERLINK("http://x")', "Zoë 東"]


def test_a_person_on_two_devices_is_paid_once(alice):
    study = make_study()
    first = from_panel(study, "P1", FAST)
    second = make_rater(study)
    Rater.objects.filter(pk=second.pk).update(person=first.person)
    make_session(Rater.objects.get(pk=second.pk), CONSISTENT)
    assert table(alice.get(address(study, "panel-download")))[1:] == [["P1", "finished", "yes", ""]]


def test_pages_of_rules_take_few_queries_however_many_raters(alice, django_assert_max_num_queries):
    study = make_study()
    for n in range(12):
        from_panel(study, f"P{n}")
    verdicts_compute(study)
    with django_assert_max_num_queries(13):
        assert alice.get(address(study), thresholds(min_consistency=0.9)).status_code == 200
    with django_assert_max_num_queries(13):
        assert len(table(alice.get(address(study, "panel-download")))) == 13
