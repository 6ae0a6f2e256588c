import dataclasses

import numpy as np
import pytest

from collection.design.screening import color_vision_plates, color_vision_result, levels_plates, levels_result
from collection.services.phases import QUESTIONNAIRE_FIELDS
from evaluation.simulation.phases import plate_answers, questionnaire_answers
from evaluation.simulation.raters import Kind, simulate_rater

GOOD_EYES = simulate_rater(0, seed=0)


def outcomes(rater, seed):
    rng = np.random.default_rng(seed)
    color_vision, levels = color_vision_plates(seed), levels_plates(seed)
    return (
        color_vision_result(color_vision, plate_answers(rater, color_vision, rng)).outcome,
        levels_result(levels, plate_answers(rater, levels, rng)).outcome,
    )


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ({}, ("passed", "passed")),
        ({"color_blind": True}, ("failed", "passed")),
        ({"dim_screen": True}, ("passed", "failed")),
        ({"kind": Kind.SLEEPY}, ("passed", "passed")),
    ],
)
def test_plates_end_as_eyes_and_screen_are(what, found):
    rater = dataclasses.replace(GOOD_EYES, **what)
    assert {outcomes(rater, seed) for seed in range(10)} == {found}


@pytest.mark.parametrize("kind", [Kind.CLICKER, Kind.ONE_SIDED, Kind.TOO_FAST])
def test_who_does_not_look_passes_no_screening(kind):
    rater = dataclasses.replace(GOOD_EYES, kind=kind)
    found = {outcome for seed in range(10) for outcome in outcomes(rater, seed)}
    assert "passed" not in found


def test_the_questionnaire_is_answered_with_what_can_be_said():
    for seed in range(20):
        answers = questionnaire_answers(np.random.default_rng(seed))
        assert all(QUESTIONNAIRE_FIELDS[name](value) for name, value in answers.items())
