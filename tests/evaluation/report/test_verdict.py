import pytest

from evaluation.report.contenders import CONTROLS
from evaluation.report.verdict import controls_passed, verdict_of

METRICS = ("delta_e", "psnr", "ssim")


def data(*, passed=(), gain=(0.01, 0.03), n=9, simulated=False, cqs=0.2):
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
            "run": "first", "scenes": "new", "against": "identity", "metric": "delta_e",
            "cqs_difference": sum(gain) / 2, "interval": list(gain), "passed": gain[0] > 0,
        }
    ]  # fmt: skip
    return {
        "simulated": simulated,
        "episodes": {"new": {"raters": n}},
        "systems": [{"run": "first", "name": "upe"}],
        "rows": [{"name": "identity", "scenes": "new", "metric": "delta_e", "cqs": cqs}],
        "gains": gains,
    }


def test_all_controls_and_better_than_identity():
    assert verdict_of(data(passed=CONTROLS)) == (
        "Reads its references: 5 of 5 controls; better than doing nothing by +10 % in CQS on ΔE00. "
        "(9 raters, new scenes.)"
    )


def test_no_control_and_no_better():
    assert verdict_of(data(gain=(-0.01, 0.01))).startswith(
        "Does not show that it reads its references: 0 of 5 controls; no better than doing nothing (+0 %"
    )


def test_worse_than_identity():
    assert "worse than doing nothing (−10 %" in verdict_of(data(gain=(-0.03, -0.01)))


def test_some_controls_are_reading_in_part():
    verdict = verdict_of(data(passed=CONTROLS[:3]))
    assert verdict.startswith("Reads its references in part: 3 of 5 controls")


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
