"""From a rater's answers to what is known of their taste: an ideal point with its uncertainty, and tokens for the network.

A pair's two images differ in tone by exactly what their statistics differ by; where the two stand
together, between dark and bright, cold and warm, is not known without the scene's other renditions,
and is what `Look` makes of both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collection.design.ideal_point import Taste as IdealPoint
from collection.design.ideal_point import TasteModel
from collection.design.tone_space import ToneSpace
from learning.systems.tastelut.network import Network, Taste

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Answers as they are read; N of them."""

    tokens: torch.Tensor  # (N, Network.token_inputs)
    preferred: torch.Tensor  # (N, K) tones
    rejected: torch.Tensor  # (N, K)
    content: torch.Tensor  # (N, C)

    def numbers(self) -> tuple[Array, Array, Array]:
        """Tones of both sides and content, as `collection.design.ideal_point` takes them."""
        preferred, rejected, content = (
            x.double().cpu().numpy() for x in (self.preferred, self.rejected, self.content)
        )
        return preferred, rejected, content


@torch.no_grad()
def read_pairs(network: Network, preferred: torch.Tensor, rejected: torch.Tensor) -> Pairs:
    """Answers from scaled statistics (N, S) of both sides."""
    tones, content = network.look(torch.cat([preferred, rejected]))
    n = len(preferred)
    middle = (tones[:n] + tones[n:]) / 2
    difference = network.tones(preferred - rejected)
    content = (content[:n] + content[n:]) / 2
    apart = preferred - rejected
    shown = torch.cat([preferred, rejected, apart], dim=-1) if network.config.sides else apart
    return Pairs(
        tokens=torch.cat([shown, middle, difference, content], dim=-1),
        preferred=middle + difference / 2,
        rejected=middle - difference / 2,
        content=content,
    )


def of_kinds(covariance: Array, n_contents: int) -> Array:
    """(C·K, C·K) → (C, C, K): what `Taste.variance` holds."""
    c, k = n_contents, len(covariance) // n_contents
    found: Array = covariance.reshape(c, k, c, k).diagonal(axis1=1, axis2=3)
    return found


def tastes(
    memory: torch.Tensor, ideals: Sequence[Array], covariances: Sequence[Array], n_contents: int
) -> Taste:
    """Of raters, from posteriors over their ideal points: means (C·K,) and covariances (C·K, C·K)."""
    ideal = torch.tensor(np.stack(ideals)).view(len(ideals), n_contents, -1)
    variance = torch.tensor(np.stack([of_kinds(c, n_contents) for c in covariances]))
    return Taste(memory=memory, ideal=ideal.to(memory), variance=variance.to(memory))


@dataclass(frozen=True, kw_only=True, slots=True)
class Raters:
    """What is learnt of raters in general: the space of tones, and how ideal points are spread in it."""

    space: ToneSpace
    prior: TasteModel
    concepts: Array  # (n_concepts, K): what one unit of each concept does to tones
    neutral: Array  # (K,): tones of untouched photos

    def to_tensors(self) -> dict[str, torch.Tensor]:
        prior = {name: getattr(self.prior, name) for name in ("metric", "mean", "covariance", "lapse")}
        found: dict[str, Any] = {f"space.{name}": value for name, value in self.space.to_arrays().items()}
        found |= {f"prior.{name}": np.asarray(value, np.float64) for name, value in prior.items()}
        found |= {"concepts": self.concepts, "neutral": self.neutral}
        return {
            f"raters.{name}": torch.tensor(np.asarray(value, np.float64)) for name, value in found.items()
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> "Raters":
        """Undo `to_tensors`; raise ValueError where something is missing."""
        arrays = {name.removeprefix("raters."): t.double().cpu().numpy() for name, t in tensors.items()}
        parts: dict[str, dict[str, Any]] = {"space": {}, "prior": {}}
        for name, value in arrays.items():
            part, _, field = name.partition(".")
            if field:
                parts[part][field] = value
        missing = {"concepts", "neutral"} - arrays.keys() | (
            {"metric", "mean", "covariance", "lapse"} - parts["prior"].keys()
        )
        if missing:
            raise ValueError(f"what was learnt of raters lacks {', '.join(sorted(missing))}")
        prior = TasteModel(**{**parts["prior"], "lapse": float(parts["prior"]["lapse"])})
        space = ToneSpace.from_arrays(parts["space"])
        return cls(space=space, prior=prior, concepts=arrays["concepts"], neutral=arrays["neutral"])

    def taste(self, pairs: Pairs) -> IdealPoint:
        return self.prior.taste(self.prior.answers(*pairs.numbers()))
