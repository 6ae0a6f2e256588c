"""Active questions: which pair to ask this rater next, and with which chance it was chosen.

A question that was planned and that nobody has seen yet gives way to the pair whose answer is expected to tell
most of the rater. Three rules hold whatever the rater model believes:

- With a chance of `uniform` any pair that may stand at this place is drawn, each with the same chance. So no
  pair's chance is 0, and the chance with which a pair was chosen, its propensity, is known and stored.
- Pairs that are due come first: those that were asked less often than `floor` times the mean of all, rounded down.
- What the plan promises is kept: no pair twice in a session, no scene twice within its gap, checks and sides at their
  places, the parts of the source types.

The propensity is of the pair at its place, given all that was answered before.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collection.design.ideal_point import Floats

Flags = npt.NDArray[np.bool_]

SHARPNESS = 30.0
"""How much the most informative pairs are preferred: one with 90 % of the most bits is drawn e^-3 as often."""
BY_INFORMATION = "information"
BY_CHANCE = "active_uniform"
ACTIVE_POLICIES = (BY_INFORMATION, BY_CHANCE)
"""Of questions that were chosen actively; both have the propensity of the whole rule."""


class Place(NamedTuple):
    """A question of a session as it stands: where, and which pair of which scene."""

    number: int
    pair: int
    scene: int
    repeats: int | None
    """For a check: the index of the question that it shows again."""
    is_open: bool
    """A main question that nobody has seen: another pair may be put there."""


class Draw(NamedTuple):
    position: int
    """Of the pair among those that there are."""
    policy: str
    propensity: float


def due(exposures: npt.NDArray[np.integer], floor: float) -> Flags:
    """Which pairs were asked less often than the floor: `floor` times the mean, rounded down."""
    return exposures < int(floor * exposures.mean()) if len(exposures) else np.zeros(0, bool)


def eligible(pairs: np.ndarray, session: Sequence[Place], at: Place, gap: int, same_source: bool) -> Flags:
    """Which pairs may stand at an open place, the one that stands there among them.

    Args:
        pairs: (n,) of PAIR.
        session: all places of the session, practice included.
        at: one of them.
        gap: questions between two of the same scene, at least; where no pair keeps it, a smaller one counts.
        same_source: whether the pair has to be of the source type of the one that stands there.
    """
    moving = {at.number} | {place.number for place in session if place.repeats == at.number}
    others = [place for place in session if place.number not in moving]
    free = ~np.isin(pairs["pair"], [place.pair for place in others])
    if same_source:
        own = pairs["source_type"][pairs["pair"] == at.pair]
        free &= np.isin(pairs["source_type"], own)
    for smaller_gap in range(gap, 0, -1):
        near = {
            place.scene
            for place in others
            if any(abs(place.number - index) <= smaller_gap for index in moving)
        }
        fitting = free & ~np.isin(pairs["scene"], list(near))
        if fitting.any():
            return fitting
    return free


def draw_pair(
    information: Floats, may: Flags, is_due: Flags, *, uniform: float, rng: np.random.Generator
) -> Draw:
    """Draw a pair by its information, or by chance alone.

    Args:
        information: (n,) bits expected of each pair, 0 or more.
        may: (n,) which pairs may be drawn; at least one.
        is_due: (n,) which are below the floor; they go before the others.
        uniform: part drawn by chance alone.
        rng: all that is random comes from it.
    """
    chances, by_information = _chances(information, may, is_due, uniform)
    is_by_chance = bool(rng.random() < uniform)
    position = int(rng.choice(len(may), p=may / may.sum() if is_by_chance else by_information))
    return Draw(position, BY_CHANCE if is_by_chance else BY_INFORMATION, float(chances[position]))


def _chances(information: Floats, may: Flags, is_due: Flags, uniform: float) -> tuple[Floats, Floats]:
    """(n,) chances of the whole rule, and of its part that goes by information."""
    if not may.any():
        raise ValueError("there is no pair that may be asked here")
    first = may & is_due if (may & is_due).any() else may
    most = information[first].max()
    score = np.where(first, SHARPNESS * information / most if most > 0 else 0.0, -np.inf)
    weights = np.exp(score - score.max())
    by_information: Floats = weights / weights.sum()
    return uniform * may / may.sum() + (1 - uniform) * by_information, by_information
