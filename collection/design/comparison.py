"""Two rule sets side by side: what each keeps of the same answers, and which raters they disagree on."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from collection.design.intervals import proportion_interval
from collection.design.rules import RaterJudgment

Judged = tuple[str, RaterJudgment, RaterJudgment]
"""A rater's name, and what the two rule sets say."""


@dataclass(kw_only=True, slots=True)
class Kept:
    """What one rule set makes of a study's answers."""

    n_raters: int = 0
    n_judgments: int = 0
    """Main answers of all raters, kept or not."""
    raters: int = 0
    """Raters whose answers may be used."""
    judgments: int = 0
    """Main answers of these."""
    paid: int = 0
    """Raters who should be paid: the same by any rules."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Failed rule → raters who failed it; one rater may fail several."""

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share of raters, 95 %. Judgments of one rater come and go together: their share has none."""
        return proportion_interval(self.raters, self.n_raters)

    def add(self, found: RaterJudgment) -> None:
        n_main = found.evidence["too_few_answers"]["main_answers"]
        self.n_raters += 1
        self.n_judgments += n_main
        self.raters += found.may_be_used
        self.judgments += n_main * found.may_be_used
        self.paid += found.should_be_paid
        self.reasons.update(found.reasons)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    ours: Kept
    other: Kept
    apart: list[Judged]
    """Raters whom one of the two uses and the other does not; pay is the same by any rules."""

    @property
    def only_ours(self) -> int:
        """Raters whom the first rule set alone uses."""
        return sum(ours.may_be_used and not other.may_be_used for _, ours, other in self.apart)

    @property
    def only_other(self) -> int:
        return sum(other.may_be_used and not ours.may_be_used for _, ours, other in self.apart)

    @property
    def other_excludes_everybody(self) -> bool:
        """Although there are raters whom it could keep: nothing but its thresholds stands against them."""
        return bool(self.other.n_raters) and not self.other.raters


def compare_rules(judged: Iterable[Judged]) -> Comparison:
    """Count what two rule sets, ours and another, say of the same raters."""
    ours, other, apart = Kept(), Kept(), []
    for name, first, second in judged:
        ours.add(first)
        other.add(second)
        if first.may_be_used != second.may_be_used:
            apart.append((name, first, second))
    return Comparison(ours=ours, other=other, apart=apart)
