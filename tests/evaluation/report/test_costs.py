import numpy as np
import torch

from evaluation.report.costs import parameters_of, run_facts, training_seconds
from evaluation.report.page import figure, seconds, size
from learning.training.run_folder import write_config, write_curves, write_weights


def test_what_a_run_folder_says_of_its_training(tmp_path):
    write_config(
        tmp_path,
        {
            "system": "upe", "preset": "tiny", "seed": 3, "settings": {},
            "dataset": {"sha256": "abc", "training_raters": 40},
        },
    )  # fmt: skip
    write_curves(tmp_path, [{"step": 10, "seconds": 1.5}, {"step": 20, "seconds": 3.25}])
    write_weights(tmp_path, {"a": torch.zeros(3, 4), "b": torch.zeros(5)}, system="upe")
    assert training_seconds(tmp_path) == 3.25
    assert parameters_of(tmp_path) == 17
    (tmp_path / "README.md").write_text("| parameters | 1,234,567 without the backbone |")
    assert parameters_of(tmp_path) == 1_234_567
    facts = run_facts(tmp_path)
    assert (facts["preset"], facts["training_seed"]) == ("tiny", 3)
    assert (facts["trained_on_sha256"], facts["training_raters"]) == ("abc", 40)


def test_what_is_not_known_stays_unknown(tmp_path):
    assert training_seconds(None) is None
    assert training_seconds(tmp_path) is None
    assert parameters_of(tmp_path) is None
    assert set(run_facts(tmp_path).values()) == {None}


def test_figures_for_people():
    assert [seconds(value) for value in (None, 0.0032, 0.41, 12.4, 300, 9000)] == [
        "–", "3.2 ms", "0.41 s", "12 s", "5 min", "2.5 h",
    ]  # fmt: skip
    assert [size(n) for n in (None, 12, 1500, 1_400_000)] == ["–", "12 B", "1.5 kB", "1.4 MB"]
    assert [figure(value) for value in (-0.0001, -0.25, np.inf, None)] == ["0.000", "−0.250", "∞", "–"]
