import io
import json

import pytest
from django.core.management import CommandError, call_command

from collection.design.protocol import RuleSet
from collection.models import Person, RuleVersion, Verdict
from collection.selectors.rules import rules_in_force
from tests.factories import make_rater, make_session, make_study

pytestmark = pytest.mark.django_db

INCONSISTENT = [("main", "left", 1500), ("main", "right", 900), ("check", "left", 800)]


@pytest.fixture
def study():
    study = make_study()
    make_session(make_rater(study), INCONSISTENT)
    return study


def run(*arguments, **options):
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, **options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_other_rules_stand_beside_those_in_force(study):
    out, err = run("compare_rules", study.slug, "--set", "min_consistency=0", "--json")
    found = json.loads(out.splitlines()[-1])
    assert (found["ours"]["raters"], found["other"]["raters"], found["other"]["of_raters"]) == (0, 1, 1)
    (apart,) = found["apart"]
    assert apart["ours"]["reasons"]["inconsistent"]["agreed"] == 0
    assert apart["other"] == {"may_be_used": True, "should_be_paid": True, "reasons": {}, "unpaid": []}
    assert "left out: inconsistent checks: 0 of 1 agree (0 to 98 %), at least 70 %  →  used" in out
    assert err == ""
    assert not Verdict.objects.exists()
    assert not RuleVersion.objects.exists()


def test_rules_that_leave_out_everybody_are_warned_of(study):
    _, err = run("compare_rules", study.slug, "--set", "rules.min_median_response_ms=60000")
    assert "the other rules leave out all 1 raters" in err


def test_use_puts_them_in_force(study):
    run("compare_rules", study.slug, "--set", "min_consistency=0", "--set", "version=lenient", "--use")
    assert rules_in_force(study) == RuleSet(version="lenient", min_consistency=0)
    assert Verdict.objects.get().may_be_used


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("min_consistensy=0.8", "did you mean 'min_consistency'?"),
        ("min_consistency=2", "it must be a number from 0 to 1"),
        ("min_consistency", "it must be NAME=VALUE"),
    ],
)
def test_a_setting_that_is_none_is_wrong_use(study, setting, words):
    with pytest.raises(CommandError, match=words.replace("?", r"\?")) as refused:
        run("compare_rules", study.slug, "--set", setting)
    assert refused.value.returncode == 2


def test_the_panel_gets_a_table(study):
    Person.objects.update(panel="pid", panel_id="-1+1")
    make_session(make_rater(study), INCONSISTENT)
    out, err = run("panel_payments", study.slug)
    assert out.splitlines() == ["panel_id,completion,should_be_paid,reason", "'-1+1,finished,yes,"]
    assert err == "left out: 1 without a panel ID\n"
