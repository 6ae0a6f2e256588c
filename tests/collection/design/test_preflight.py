import numpy as np
import pytest

from collection.design.preflight import one_side_passes, preflight
from collection.design.protocol import Protocol, RuleSet


def test_the_default_protocol_speaks_for_itself():
    found = preflight(Protocol(), {"D": 200})
    assert (found.n_questions, found.minutes, found.n_pairs_needed, found.n_pairs) == (93, 14, 80, 200)
    assert (found.missing, found.warnings) == ("", ())
    # 7 of 10 or more: sum of C(10, k) / 2**10 for k from 7 on.
    assert found.random_passes == pytest.approx((120 + 45 + 10 + 1) / 1024)


def test_too_few_pairs_are_counted():
    assert "the study has 12" in preflight(Protocol(), {"D": 12}).missing
    quotas = Protocol(n_main=10, source_quotas={"A": 0.5, "D": 0.5})
    assert "5 different pairs of source type A" in preflight(quotas, {"D": 100}).missing


@pytest.mark.parametrize(
    ("n", "share"), [(80, 0.8), (80, 0.55), (9, 0.6), (10, 0.5), (10, 0.49), (7, 0.5), (5, 1)]
)
def test_one_sidedness_by_chance_is_the_binomial_sum(n, share):
    left = np.random.default_rng(1).binomial(n, 0.5, 200_000)
    simulated = np.mean(np.maximum(left, n - left) / n <= share + 1e-12)
    assert one_side_passes(n, share) == pytest.approx(simulated, abs=0.004)


def test_thresholds_that_nobody_passes_are_told():
    rules = RuleSet(max_one_side_share=0.4, min_median_response_ms=20_000, require_color_vision=True)
    found = {w.fields[0]: w for w in preflight(Protocol(rules=rules), {}).warnings}
    assert found["rules.max_one_side_share"].leaves_out_everybody
    assert "20 s" in found["rules.min_median_response_ms"].text
    assert "never applies" in found["rules.require_color_vision"].text
    strict = preflight(Protocol(n_checks=50, rules=RuleSet(min_consistency=1)), {}).warnings
    assert strict[0].leaves_out_everybody  # 0.9 ** 50 is half a percent
    assert not preflight(Protocol(rules=RuleSet(min_consistency=0.9)), {}).warnings


def test_a_rule_that_judges_nobody_is_no_obstacle():
    """Of fewer than ten answers sides say nothing: a study of one pair may be opened."""
    rules = RuleSet(max_one_side_share=0.6)
    told = [preflight(Protocol(n_main=n, n_checks=0, rules=rules), {"D": 9}).warnings for n in (1, 3)]
    assert [[w.fields[0] for w in found] for found in told] == [["n_checks"], ["n_checks"]]
    assert preflight(Protocol(n_main=11, rules=RuleSet(max_one_side_share=0.5)), {"D": 20}).warnings


@pytest.mark.parametrize("name", ["min_response_ms", "min_median_response_ms"])
def test_times_that_nobody_takes_leave_everybody_out(name):
    def found(ms, **more):
        return preflight(Protocol(rules=RuleSet(**{name: ms}, **more)), {}).warnings

    assert not found(3999)
    assert [caution.leaves_out_everybody for caution in found(4000)] == [False]
    assert [caution.leaves_out_everybody for caution in found(60_000)] == [True]
    assert [caution.fields for caution in found(60_000)] == [(f"rules.{name}",)]
    if name == "min_response_ms":  # where all answers may be faster it asks nothing
        assert not found(60_000, max_fast_share=1)
