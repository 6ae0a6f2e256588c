"""Answers as columns of numbers: what every statistic of a study begins with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

PART_OF_A = {"a": 1.0, "b": 0.0, "tie": 0.5}
"""What each choice gives to item a: a tie is half a win for either."""


class NotComputable(ValueError):
    """The answers do not suffice for a statistic; the message says what is missing and what mends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """Answers to "a, or b?". The columns are (n,); repeats that check a rater's consistency do not belong here."""

    rater: Ints
    """Position in `raters`."""
    a: Ints
    b: Ints
    """Positions in `items`, never the same."""
    a_won: Floats
    """1 where a was chosen, 0 where b was, 0.5 for a tie."""
    scene: Ints
    """Position in `scenes`."""
    raters: tuple[str, ...]
    items: tuple[str, ...]
    scenes: tuple[str, ...]
    """Sorted, and each has an answer."""

    @classmethod
    def from_labels(
        cls,
        rater: Sequence[str],
        a: Sequence[str],
        b: Sequence[str],
        choice: Sequence[str],
        scene: Sequence[str] | None = None,
    ) -> Self:
        """Make columns of labels; `choice` holds a, b and tie, and without `scene` all answers are of one.

        Raises:
            ValueError: columns of different lengths, another choice, or an item compared with itself.
        """
        scene = [""] * len(rater) if scene is None else scene
        columns = {"rater": rater, "a": a, "b": b, "choice": choice, "scene": scene}
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns have different lengths: {lengths}")
        for row, (one, other, chosen) in enumerate(zip(a, b, choice, strict=True)):
            if chosen not in PART_OF_A:
                raise ValueError(f"choice of answer {row} is {chosen!r}; it must be a, b or tie")
            if one == other:
                raise ValueError(f"answer {row} compares {one!r} with itself")
        raters, rater_at = _positions(rater)
        scenes, scene_at = _positions(scene)
        items, item_at = _positions([*a, *b])
        return cls(
            rater=rater_at,
            a=item_at[: len(a)],
            b=item_at[len(a) :],
            a_won=np.array([PART_OF_A[chosen] for chosen in choice], dtype=np.float64),
            scene=scene_at,
            raters=raters,
            items=items,
            scenes=scenes,
        )

    def __len__(self) -> int:
        return len(self.rater)

    @property
    def n_ties(self) -> int:
        return int(np.count_nonzero(self.a_won == 0.5))

    def select(self, rows: npt.NDArray[np.bool_] | Ints) -> Self:
        """Some of the answers, with the raters, items and scenes that are left in them."""
        raters, rater = _still_used(self.raters, self.rater[rows])
        scenes, scene = _still_used(self.scenes, self.scene[rows])
        items, item = _still_used(self.items, np.concatenate([self.a[rows], self.b[rows]]))
        a, b = np.split(item, 2)
        return type(self)(
            rater=rater, a=a, b=b, a_won=self.a_won[rows], scene=scene, raters=raters, items=items, scenes=scenes
        )  # fmt: skip

    def among(self, items: Sequence[str]) -> Self:
        """The answers to pairs of which both are among `items`."""
        members = np.isin(self.items, items)
        return self.select(members[self.a] & members[self.b])

    def by_scene(self) -> Iterator[tuple[str, Self]]:
        """Each scene's name and answers."""
        order = np.argsort(self.scene, kind="stable")
        ends = np.cumsum(np.bincount(self.scene, minlength=len(self.scenes)))[:-1]
        for name, rows in zip(self.scenes, np.split(order, ends) if self.scenes else [], strict=True):
            yield name, self.select(rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class PairCounts:
    """Answers counted by pair of items (P) and rater (R)."""

    i: Ints
    j: Ints
    """(P,) positions of the two items, i < j; no two pairs are the same, unless of different scenes."""
    wins: sparse.csr_array
    """(R, P) answers for item i, a tie being half of one."""
    n: sparse.csr_array
    """(R, P) answers."""
    pair: Ints
    """(n,) of each answer, which pair it is of."""
    i_won: Floats
    """(n,) of each answer, 1 where item i was chosen, 0 where j was, 0.5 for a tie."""


def pair_counts(choices: Choices, *, apart_by_scene: bool) -> PairCounts:
    """Count the answers of each rater to each pair of items, whichever of the two was called a.

    Args:
        choices: any answers.
        apart_by_scene: whether the same two items in two scenes are two pairs.
    """
    n_items, n_raters = len(choices.items), len(choices.raters)
    scene = choices.scene if apart_by_scene else np.zeros_like(choices.scene)
    low, high = np.minimum(choices.a, choices.b), np.maximum(choices.a, choices.b)
    keys, pair = np.unique((scene * n_items + low) * n_items + high, return_inverse=True)
    i_won = np.where(choices.a < choices.b, choices.a_won, 1 - choices.a_won)
    shape, places = (n_raters, len(keys)), (choices.rater, pair)
    return PairCounts(
        i=keys // n_items % n_items,
        j=keys % n_items,
        wins=sparse.csr_array((i_won, places), shape=shape),
        n=sparse.csr_array((np.ones(len(choices)), places), shape=shape),
        pair=pair,
        i_won=i_won,
    )


def bootstrap_weights(n: int, resamples: int, seed: int) -> Floats:
    """How often each of `n` raters (or pairs) is drawn in each resample, shape (resamples, n)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)


def _positions(labels: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    names = sorted(set(labels))
    at = {name: position for position, name in enumerate(names)}
    return tuple(names), np.array([at[label] for label in labels], dtype=np.intp)


def _still_used(names: tuple[str, ...], positions: Ints) -> tuple[tuple[str, ...], Ints]:
    used, renumbered = np.unique(positions, return_inverse=True)
    return tuple(names[k] for k in used.tolist()), renumbered.astype(np.intp)
