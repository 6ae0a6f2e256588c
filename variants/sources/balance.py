"""Type E: how evenly a collection of photos is spread over what they show."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

RARE = 0.5
"""Below this part of an even share a category is called rare."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    counts: dict[str, int]
    """Category → scenes, the largest first, without those that have none."""
    without: int
    effective: float
    """How many categories of even size would be as diverse: exp of the entropy; 0 where there is none."""
    rare: list[str]

    @property
    def lines(self) -> list[str]:
        """For a terminal."""
        if not self.counts:
            return [f"no category is given for {self.without} scenes"] if self.without else []
        total = sum(self.counts.values())
        lines = [
            f"{total} scenes of {len(self.counts)} categories, as diverse as {self.effective:.1f} even ones:"
        ]
        lines += [
            f"  {name}: {count} ({count / total:.0%}){', rare' if name in self.rare else ''}"
            for name, count in self.counts.items()
        ]
        return lines + ([f"  without a category: {self.without}"] if self.without else [])


def balance(counts: Mapping[str, int]) -> Balance:
    """Take the balance of a collection from how many scenes each category has, "" being none."""
    named = {
        name: n for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if name and n
    }
    total = sum(named.values())
    entropy = -sum(n / total * math.log(n / total) for n in named.values())
    rare = [name for name, n in named.items() if n < RARE * total / len(named)]
    effective = math.exp(entropy) if named else 0.0
    return Balance(counts=named, without=counts.get("", 0), effective=effective, rare=rare)
