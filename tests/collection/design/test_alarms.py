import numpy as np
import pytest
from scipy.stats import fisher_exact

from collection.design.alarms import ALPHA, N_LAST, chance_of_so_few, level_alarms, pass_rate_alarms

RULES = ("too_fast", "inconsistent", "one_sided")


def finished(n, n_failed, rule="inconsistent"):
    """`n` raters, the failed ones spread evenly."""
    return [{rule} if i * n_failed // n < (i + 1) * n_failed // n else set() for i in range(n)]


@pytest.mark.parametrize(("k", "before"), [(20, 180), (12, 180), (0, 30), (10, 90)])
def test_the_chance_is_fishers(k, before):
    """As the one-sided test of scipy on the same table, 200 before."""
    expected = fisher_exact([[k, 20 - k], [before, 200 - before]], alternative="less").pvalue
    assert chance_of_so_few(k, 20, k + before, 220) == pytest.approx(expected)


def test_a_drop_raises_the_alarm_and_names_the_rule():
    alarms = pass_rate_alarms(finished(200, 20) + finished(20, 12), RULES)
    assert [alarm.rule for alarm in alarms] == ["", "inconsistent"]
    assert (alarms[0].passed, alarms[0].n, alarms[0].passed_before, alarms[0].n_before) == (8, 20, 180, 200)
    assert alarms[0].p < 1e-5


def test_the_same_rate_or_a_better_one_raises_none():
    assert pass_rate_alarms(finished(200, 20) + finished(20, 2), RULES) == []
    assert pass_rate_alarms(finished(200, 100) + finished(20, 0), RULES) == []


def test_a_drop_that_lies_further_back_is_no_news():
    assert pass_rate_alarms(finished(40, 20) + finished(200, 0), RULES) == []


def test_too_few_sessions_are_no_reason_for_an_alarm():
    assert pass_rate_alarms(finished(N_LAST - 1, 0) + finished(N_LAST, N_LAST), RULES) == []
    assert pass_rate_alarms(finished(N_LAST, 0) + finished(N_LAST, N_LAST), RULES) != []


@pytest.mark.parametrize(("ended", "raised"), [(0, False), (5, False), (6, True), (18, True)])
def test_a_study_that_nobody_passes_raises_the_alarm_from_the_sixth_rater_on(ended, raised):
    """Of none in n the interval ends at 1 - 0.025^(1/n): 0.522 for 5, 0.459 for 6, 0.185 for 18."""
    alarms = level_alarms(valid=0, ended=ended, agreed=0, checked=0)
    assert [(alarm.what, alarm.k, alarm.n) for alarm in alarms] == [("valid", 0, ended)] * raised
    if raised:
        assert alarms[0].interval == pytest.approx((0, 1 - 0.025 ** (1 / ended)))


@pytest.mark.parametrize(
    ("agreed", "checked", "raised"), [(92, 180, True), (144, 180, False), (10, 20, False), (60, 180, True)]
)
def test_checks_that_agree_by_chance_raise_the_alarm(agreed, checked, raised):
    """51 % of 180 lie at 44 to 59 %; of 20 at 27 to 73 %, which says nothing. A third is worse yet."""
    alarms = level_alarms(valid=9, ended=10, agreed=agreed, checked=checked)
    assert [alarm.what for alarm in alarms] == ["consistency"] * raised


def test_a_look_is_wrong_as_seldom_as_it_says_and_a_fall_by_half_is_seen():
    """Seeded: at a constant 85 % below ALPHA of 2,000 looks; from 90 to 50 % in three of four looks."""
    random = np.random.default_rng(3)

    def share(before, last):
        hits = 0
        for _ in range(2000):
            passed = [*(random.random(200) < before), *(random.random(N_LAST) < last)]
            hits += chance_of_so_few(sum(passed[-N_LAST:]), N_LAST, sum(passed), len(passed)) < ALPHA
        return hits / 2000

    assert share(0.85, 0.85) < ALPHA
    assert share(0.9, 0.5) > 0.75
