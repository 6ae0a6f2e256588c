"""Which raters are trained on."""

import copy
import dataclasses
import hashlib
from collections.abc import Sequence

from learning.data.dataset import PreferenceDataset


def nested_raters(dataset: PreferenceDataset, n: int, *, seed: int) -> list[str]:
    """The first `n` training raters in an order that hangs on the seed and their IDs alone.

    So fewer raters are always some of more raters, on every machine.

    Raises:
        ValueError: there are not so many.
    """
    raters = dataset.training_raters()
    if not 1 <= n <= len(raters):
        raise ValueError(
            f"--raters {n}: {dataset.name} has {len(raters)} training raters; name 1 to that many"
        )
    return sorted(raters, key=lambda rater: hashlib.md5(f"{rater}_{seed}".encode()).digest())[:n]


def with_training_raters(dataset: PreferenceDataset, raters: Sequence[str]) -> PreferenceDataset:
    """The same dataset, of whose training raters only these are left; validation raters stay."""
    kept, wanted = copy.copy(dataset), set(raters)
    is_training = set(dataset.training_raters())
    kept.raters = {
        name: dataclasses.replace(rater, split="train")
        if name in wanted
        else dataclasses.replace(rater, valid=False)
        if name in is_training
        else rater
        for name, rater in dataset.raters.items()
    }
    return kept
