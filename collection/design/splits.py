"""Who is held out: a split that stays as it is when more join."""

import hashlib
from collections.abc import Iterable, Mapping

TRAIN, VALIDATION = "train", "validation"


def split_assign(
    assigned: Mapping[str, str], joining: Iterable[str], *, share: float, seed: int
) -> dict[str, str]:
    """Assign those who join to train or validation; nobody who is assigned moves.

    Joiners stand in the order of a hash of seed and name, and the first of them fill
    validation up to its share of all, so that the outcome hangs on nothing but the names,
    the seed, and who was there before.

    Args:
        assigned: name → split, of those who have one.
        joining: names of those who have none.
        share: part of all to hold out, from 0 to below 1; above 0, at least one of two or more is held out.
        seed: any whole number.
    """
    new = sorted(set(joining) - set(assigned), key=lambda name: _order(name, seed))
    total = len(assigned) + len(new)
    held_out = sum(split == VALIDATION for split in assigned.values())
    missing = min(max(_wanted(total, share) - held_out, 0), len(new))
    return {name: VALIDATION if n < missing else TRAIN for n, name in enumerate(new)}


def _wanted(total: int, share: float) -> int:
    if share <= 0 or total < 2:
        return 0
    return min(max(1, round(share * total)), total - 1)


def _order(name: str, seed: int) -> str:
    return hashlib.md5(f"{seed}:{name}".encode(), usedforsecurity=False).hexdigest()
