import json

import numpy as np
import pytest

from collection.design.choices import Choices
from collection.design.statistics import Settings, study_statistics
from tests.collection.design.answered import simulated, tone_mapping

QUICK = Settings(resamples=100, permutations=19)


def test_real_answers_give_every_figure(shared_data):
    answers = tone_mapping(shared_data)
    found = study_statistics(answers, answers, [(9, 10)] * 18, QUICK)
    assert (found["answers"], found["raters"], found["scenes"], found["ties"]) == (1213, 18, 5, 0)
    assert sorted(found["outliers"]["above_1.5"]) == ["M02", "bab"]
    assert found["ceiling"]["high"] == pytest.approx(0.947, abs=5e-4)
    assert found["one_taste"]["p"] == 0.05
    [scale] = found["recipes"]["scales"]
    assert [item["item"] for item in scale["items"][:2]] == ["irawan05", "mantiuk08"]
    assert scale["items"][-1]["ranks"] == [7, 7]
    assert all(low <= item["utility"] <= high for item in scale["items"] for low, high in [item["interval"]])
    assert [scene["scene"] for scene in found["by_scene"]] == list(answers.scenes)
    assert all(len(scene["scales"]) == 1 and not scene["without_scale"] for scene in found["by_scene"])
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))


def test_what_two_answers_cannot_say_stands_there_with_its_reason():
    two = Choices.from_labels(["ann", "ann"], "xp", "yq", "ab", ["sea", "hill"])
    found = study_statistics(two, two, [(0, 0)], QUICK)
    assert found["agreement"]["share"] is None
    assert found["ceiling"]["missing"].startswith("a ceiling needs 2 raters")
    assert found["one_taste"]["missing"].startswith("no question was answered in two ways")
    assert found["outliers"]["missing"].startswith("an outlier score needs 5 raters")
    assert found["recipes"]["scales"] == []
    assert [part["items"] for part in found["recipes"]["without_scale"]] == [["p", "q"], ["x", "y"]]
    [part] = found["by_scene"][1]["without_scale"]
    assert part["items"] == ["x", "y"]
    assert part["why"].startswith("x never lost against y, so the distance between them is infinite")


def test_without_an_interval_no_rank_is_told():
    alone = Choices.from_labels(["ann"] * 3, "xxx", "yyy", "aab")
    [scale] = study_statistics(alone, alone, [], QUICK)["recipes"]["scales"]
    assert [(item["interval"], item["ranks"]) for item in scale["items"]] == [(None, None)] * 2
    assert scale["unscaled_resamples"] is None


def test_a_prior_stands_in_the_result():
    won = Choices.from_labels("123", "xxx", "yyy", "aaa")
    found = study_statistics(won, won, [], Settings(prior_sd=1.0, resamples=50, permutations=19))
    assert found["settings"]["prior_sd"] == 1.0
    assert found["recipes"]["without_scale"] == []


def test_the_same_seed_gives_the_same_report():
    answers = simulated(np.array([0, 0.5, 1]), n_raters=12, each=12, seed=2, n_scenes=2)
    one, same = (study_statistics(answers, answers, [(8, 10)] * 12, QUICK) for _ in range(2))
    assert one == same
