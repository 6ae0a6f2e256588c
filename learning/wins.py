"""How often one side of a blind test was preferred. Pure: answers in, counts and intervals out."""

from collections.abc import Sequence
from dataclasses import dataclass

from collection.design.intervals import proportion_interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer about two outputs of a scene."""

    person: str
    is_own: bool
    """Whether the taste was the viewer's own."""
    ours_won: bool | None
    """None for a tie."""
    ours_left: bool
    left_won: bool | None
    """None for a tie."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WinRate:
    """Answers for ours of those that prefer anything, with the exact interval of both kinds of units.

    Answers of one person hang together, so that the interval over answers is too narrow where few people gave
    many; the one over people counts each once, by what they chose more often.
    """

    n: int
    """Answers, ties included."""
    wins: int
    losses: int
    ties: int
    interval: tuple[float, float]
    """Of the share of wins, 95 %, answers taken one by one; 0 to 1 without any."""
    people: int
    people_for: int
    """People who chose ours more often than the other."""
    people_against: int
    people_interval: tuple[float, float]

    @property
    def share(self) -> float | None:
        decided = self.wins + self.losses
        return self.wins / decided if decided else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """Whether the sides were balanced, and whether people leant to one."""

    n: int
    ours_left: int
    decided: int
    left_won: int
    left_interval: tuple[float, float]


def win_rate(answers: Sequence[Answer]) -> WinRate:
    wins = sum(answer.ours_won is True for answer in answers)
    losses = sum(answer.ours_won is False for answer in answers)
    leanings: dict[str, int] = {}
    for answer in answers:
        step = 0 if answer.ours_won is None else 1 if answer.ours_won else -1
        leanings[answer.person] = leanings.get(answer.person, 0) + step
    people_for = sum(leaning > 0 for leaning in leanings.values())
    people_against = sum(leaning < 0 for leaning in leanings.values())
    return WinRate(
        n=len(answers),
        wins=wins,
        losses=losses,
        ties=len(answers) - wins - losses,
        interval=proportion_interval(wins, wins + losses),
        people=len(leanings),
        people_for=people_for,
        people_against=people_against,
        people_interval=proportion_interval(people_for, people_for + people_against),
    )


def sides_of(answers: Sequence[Answer]) -> Sides:
    decided = [answer for answer in answers if answer.left_won is not None]
    left_won = sum(answer.left_won is True for answer in decided)
    return Sides(
        n=len(answers),
        ours_left=sum(answer.ours_left for answer in answers),
        decided=len(decided),
        left_won=left_won,
        left_interval=proportion_interval(left_won, len(decided)),
    )
