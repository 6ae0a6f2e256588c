import pytest

from evaluation.report.contenders import CONTROLS
from evaluation.report.verdict import controls_passed, verdict_of

METRICS = ("delta_e", "psnr", "ssim")


def data(*, passed=(), gain=(0.01, 0.03), others=None, n=9, simulated=False, cqs=0.2, missing=()):
    gains = [
        {
            "run": "first", "scenes": "new", "against": name, "metric": metric,
            "cqs_difference": 0.01, "interval": [0.001, 0.02], "passed": name in passed,
        }
        for name in CONTROLS
        for metric in METRICS
    ]  # fmt: skip
    gains += [
        {
            "run": "first", "scenes": "new", "against": "identity", "metric": metric,
            "cqs_difference": sum(ends) / 2, "interval": list(ends), "passed": ends[0] > 0,
        }
        for metric in METRICS
        for ends in [others if others and metric != "delta_e" else gain]
    ]  # fmt: skip
    return {
        "simulated": simulated,
        "episodes": {"new": {"raters": n}},
        "systems": [{"run": "first", "name": "upe"}],
        "rows": [{"name": "identity", "scenes": "new", "metric": m, "cqs": cqs} for m in METRICS],
        "missing": [{"metric": name} for name in missing],
        "gains": gains,
    }


def test_all_controls_and_better_than_identity():
    assert verdict_of(data(passed=CONTROLS)) == (
        "Reads its references: 5 of 5 controls on 3 metrics; better than doing nothing on all of them "
        "(ΔE00 +10 %, PSNR +10 %, SSIM +10 % in CQS). (9 raters, new scenes.)"
    )


def test_no_control_and_no_better():
    assert verdict_of(data(gain=(-0.01, 0.01))).startswith(
        "Does not show that it reads its references: 0 of 5 controls on 3 metrics; no better than doing nothing "
        "(ΔE00 0 %"
    )


def test_worse_than_identity():
    assert "worse than doing nothing on all of them (ΔE00 −10 %, " in verdict_of(data(gain=(-0.03, -0.01)))


def test_better_by_one_metric_alone_is_not_better():
    assert "; better than doing nothing on ΔE00 +10 % in CQS, not on PSNR −10 %, SSIM −10 %." in verdict_of(
        data(others=(-0.03, -0.01))
    )
    assert "; no better than doing nothing, and worse on PSNR −10 %, SSIM −10 % in CQS." in verdict_of(
        data(gain=(-0.01, 0.01), others=(-0.03, -0.01))
    )


def test_a_metric_that_is_missing_is_said():
    assert "5 of 5 controls on 3 metrics (LPIPS missing); " in verdict_of(
        data(passed=CONTROLS, missing=["lpips"])
    )


def test_some_controls_are_reading_in_part():
    assert verdict_of(data(passed=CONTROLS[:2])).startswith(
        "Reads its references in part: 2 of 5 controls on 3 metrics; "
    )
    assert "4 of 5 controls on 3 metrics, not wrong query; " in verdict_of(data(passed=CONTROLS[:4]))


def test_of_one_rater_nothing_is_claimed():
    one = data(n=1)
    for gain in one["gains"]:
        gain |= {"interval": None, "passed": False}
    assert verdict_of(one).startswith("With one rater nothing can be said")


def test_simulated_raters_are_called_simulated():
    assert verdict_of(data(simulated=True)).endswith("(9 simulated raters, new scenes.)")
    assert verdict_of(data(simulated=True, n=1)).endswith("(1 simulated rater, new scenes.)")


@pytest.mark.parametrize("metric", METRICS)
def test_a_control_passes_only_on_all_metrics(metric):
    found = data(passed=CONTROLS)
    for gain in found["gains"]:
        if gain["metric"] == metric and gain["against"] == CONTROLS[0]:
            gain["passed"] = False
    assert controls_passed(found, "first", "new") == list(CONTROLS[1:])
