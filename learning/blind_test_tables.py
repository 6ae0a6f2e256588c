"""What a blind test says, in words for tables. Pure: answers in, text out."""

from collections.abc import Sequence
from dataclasses import dataclass

from collection.design.wording import percent, percents
from learning.wins import Answer, sides_of, win_rate


@dataclass(frozen=True, kw_only=True, slots=True)
class WinLine:
    name: str
    n: int
    ties: int
    share: str
    """Part of the answers with a preference that chose ours."""
    counts: str
    interval: str
    people: str
    """How many people chose ours more often, of those who leant either way, with the interval."""


def win_line(name: str, answers: Sequence[Answer]) -> WinLine:
    rate = win_rate(answers)
    decided = rate.wins + rate.losses
    leant = rate.people_for + rate.people_against
    return WinLine(
        name=name,
        n=rate.n,
        ties=rate.ties,
        share="–" if rate.share is None else percent(rate.share),
        counts=f"{rate.wins} of {decided}" if decided else "–",
        interval=percents(rate.interval) if decided else "–",
        people=f"{rate.people_for} of {leant}, {percents(rate.people_interval)}" if leant else "–",
    )


def side_words(answers: Sequence[Answer]) -> str:
    """Whether sides were balanced, and whether people leant to one."""
    sides = sides_of(answers)
    if not sides.decided:
        return "–"
    return (
        f"ours stood on the left in {sides.ours_left} of {sides.n}; the left was chosen in {sides.left_won} of "
        f"{sides.decided}, {percents(sides.left_interval)}"
    )
