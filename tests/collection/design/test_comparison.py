from collection.design.comparison import compare_rules
from collection.design.intervals import proportion_interval
from collection.design.protocol import RuleSet
from collection.design.rules import Measures, judge_measures

OURS, STRICT = RuleSet(), RuleSet(version="strict", min_consistency=0.9)


def rater(agreed, n_main=80, finished=True):
    """Agrees in so many of ten checks, balanced and slow enough."""
    return Measures(
        n_answers=n_main + 10,
        n_main=n_main,
        left=n_main // 2,
        right=n_main - n_main // 2,
        times=[900] * n_main,
        agreed=agreed,
        checked=10,
    ), finished


def compared(*raters, other=STRICT):
    return compare_rules(
        (
            f"rater {i}",
            judge_measures(measures, OURS, finished=finished),
            judge_measures(measures, other, finished=finished),
        )
        for i, (measures, finished) in enumerate(raters)
    )


def test_raters_and_judgments_are_counted_for_both():
    found = compared(rater(10), rater(8), rater(5, n_main=40), rater(10, n_main=20, finished=False))
    assert (found.ours.raters, found.other.raters, found.ours.n_raters) == (2, 1, 4)
    assert (found.ours.judgments, found.other.judgments, found.ours.n_judgments) == (160, 80, 220)
    assert (found.ours.paid, found.other.paid) == (3, 3)
    assert found.ours.interval == proportion_interval(2, 4)
    assert found.other.reasons == {"inconsistent": 2, "too_few_answers": 1}


def test_whom_they_disagree_on_stands_with_both_judgments():
    found = compared(rater(10), rater(8), rater(5))
    ((name, ours, strict),) = found.apart
    assert (name, ours.reasons, strict.reasons) == ("rater 1", (), ("inconsistent",))
    assert strict.evidence["inconsistent"]["agreed"] == 8
    assert (found.only_ours, found.only_other) == (1, 0)


def test_no_rules_pay_fewer():
    strict = RuleSet(version="strict", min_response_ms=60_000, min_median_response_ms=60_000)
    found = compared(rater(10), rater(8), other=strict)
    assert (found.ours.raters, found.other.raters) == (2, 0)
    assert (found.ours.paid, found.other.paid) == (2, 2)


def test_rules_that_leave_out_everybody_are_seen():
    assert compared(rater(8), rater(7)).other_excludes_everybody
    assert not compared(rater(8), rater(10)).other_excludes_everybody
    assert not compared().other_excludes_everybody
