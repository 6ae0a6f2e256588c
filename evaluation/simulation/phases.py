"""What simulated raters do in the phases around the questions."""

from collections.abc import Sequence

import numpy as np

from collection.design.screening import LEVELS, RED_GREEN, Plate
from evaluation.simulation.raters import LOOKING, SimulatedRater


def plate_answers(rater: SimulatedRater, plates: Sequence[Plate], rng: np.random.Generator) -> list[str]:
    """What the rater reads on each plate; who does not look types some number."""
    if rater.kind not in LOOKING:
        return [str(number) for number in rng.integers(1, 100, len(plates))]
    return [_seen(rater, plate) for plate in plates]


def _seen(rater: SimulatedRater, plate: Plate) -> str:
    if rater.color_blind and plate.kind in RED_GREEN:
        return ""
    if rater.dim_screen and plate.kind == "dark":  # all clear shapes, and the clearest of the faint ones
        return str(int(plate.truth) - len(LEVELS["dark"].faint) + 1)
    return plate.truth


def questionnaire_answers(rng: np.random.Generator) -> dict[str, str]:
    """They sit at a monitor, at any hour; the last field, of free text, they leave empty."""
    return {
        "night_mode": str(rng.choice(["no", "yes", "unsure"], p=[0.8, 0.1, 0.1])),
        "room_light": str(rng.choice(["normal", "bright", "dim", "dark"], p=[0.6, 0.2, 0.15, 0.05])),
        "device": "monitor",
    }
