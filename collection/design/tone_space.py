"""From tone statistics to what the rater model reads: whitened tones, and what kind of photo it is.

Tones are the axes along which the renditions of one scene differ: the principal components of the
statistics' deviations from the mean of their scene, each scaled to a deviation of 1 over all renditions.
So an axis along which photos differ but renditions do not (a dark scene, a green one) is none of them.

Content is a soft code of what differs between scenes: nearness to the centres of k-means over the scenes
(Lloyd 1982, seeded as by Arthur and Vassilvitskii 2007), in the same statistics, standardised.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

LEAST_DEVIATION = 1e-6
"""A statistic or an axis that varies less is taken not to vary."""
LEAST_PART = 1e-4
"""Of the first axis's variance: axes with less are noise that whitening would blow up."""
STARTS, STEPS = 8, 100
"""Of k-means."""


@dataclass(frozen=True, kw_only=True)
class ToneSpace:
    """S statistics, K tones, C kinds of content; learnt by `learn_tone_space`."""

    center: Floats  # (S,): mean of the scenes
    axes: Floats  # (S, K): statistics less their scene's times this are the tones
    scene_deviation: Floats  # (S,): of the scenes' means, by which content is standardised
    scene_axes: Floats  # (S, P): principal components of the standardised scenes
    kinds: Floats  # (C, P): centres of the kinds of content
    width: float
    """Of a kind, in units of the scene axes: the smaller, the harder the code."""

    def __post_init__(self) -> None:
        n = len(self.center)
        for name in ("axes", "scene_axes"):
            if getattr(self, name).ndim != 2 or len(getattr(self, name)) != n:
                raise ValueError(f"{name} has the shape {getattr(self, name).shape}; it must have {n} rows")
        if not self.width > 0:
            raise ValueError(f"width is {self.width}; it must be above 0")

    @property
    def n_tones(self) -> int:
        return int(self.axes.shape[1])

    @property
    def n_contents(self) -> int:
        return len(self.kinds)

    def tones(self, statistics: Floats, scene: Floats | None = None) -> Floats:
        """Statistics (n, S) → tones (n, K).

        Args:
            statistics: of renditions, or of any picture.
            scene: (n, S) or (S,), of each one's scene: tones are then how far a rendition is from it. Without it
                they are how far it is from the usual scene.
        """
        statistics = self._statistics(statistics)
        origin = self.center if scene is None else np.asarray(scene, float)
        found: Floats = (statistics - origin) @ self.axes
        return found

    def content(self, statistics: Floats) -> Floats:
        """Statistics (n, S) of scenes, their original's or the mean of their renditions → (n, C), each a sum of 1."""
        places = ((self._statistics(statistics) - self.center) / self.scene_deviation) @ self.scene_axes
        return _nearness(places, self.kinds, self.width)

    def to_arrays(self) -> dict[str, npt.NDArray[np.float64]]:
        """For an npz file, or as nested lists for JSON."""
        return {f.name: np.asarray(getattr(self, f.name), np.float64) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        """Undo `to_arrays`; lists will do. Raise ValueError where something is missing or does not fit."""
        missing = [f.name for f in fields(cls) if f.name not in arrays]
        if missing:
            raise ValueError(f"this is no tone space: {', '.join(missing)} is missing")
        found: dict[str, Any] = {f.name: np.asarray(arrays[f.name], np.float64) for f in fields(cls)}
        return cls(**{**found, "width": float(found["width"])})

    def _statistics(self, statistics: Floats) -> Floats:
        statistics = np.atleast_2d(np.asarray(statistics, float))
        if statistics.shape[1] != len(self.center):
            raise ValueError(
                f"statistics have the shape {statistics.shape}; it must be (pictures, {len(self.center)})"
            )
        return statistics


def scene_means(statistics: Floats, scene_index: Ints) -> Floats:
    """Mean (n_scenes, S) of the statistics of each scene's renditions; scenes count from 0, without a gap."""
    n_of = np.bincount(scene_index)
    if not n_of.all():
        raise ValueError(f"scene {int(np.flatnonzero(n_of == 0)[0])} has no rendition")
    sums = np.zeros((len(n_of), statistics.shape[1]))
    np.add.at(sums, scene_index, statistics)
    return sums / n_of[:, None]


def learn_tone_space(
    statistics: Floats, scene_index: Ints, seed: int = 0, n_tones: int = 12, n_contents: int = 4
) -> ToneSpace:
    """The space in which a study's renditions differ.

    Args:
        statistics: (n, S) of renditions.
        scene_index: (n,) whose scene each is: whole numbers from 0, without a gap.
        seed: of k-means' starts.
        n_tones: K at most; fewer where the renditions vary in fewer ways.
        n_contents: C at most; fewer where there are fewer scenes.

    Raises:
        ValueError: no two renditions of a scene differ, or numbers that are NaN or infinite.
    """
    statistics = np.asarray(statistics, float)
    scene_index = np.asarray(scene_index)
    if not np.isfinite(statistics).all():
        raise ValueError("statistics hold numbers that are NaN or infinite")
    scenes = scene_means(statistics, scene_index)
    center = scenes.mean(0)
    scene_deviation = np.maximum(scenes.std(0), LEAST_DEVIATION)
    standard = (scenes - center) / scene_deviation
    scene_axes, _ = _principal(standard, n_contents, whiten=False)
    places = standard @ scene_axes
    rng = np.random.default_rng(seed)
    kinds = _k_means(places, min(n_contents, len(scenes)), rng)
    spread = _squared(places, kinds).min(1).mean() / max(1, places.shape[1])
    return ToneSpace(
        center=center,
        axes=_tone_axes(statistics - scenes[scene_index], n_tones),
        scene_deviation=scene_deviation,
        scene_axes=scene_axes,
        kinds=kinds,
        width=float(max(np.sqrt(spread), LEAST_DEVIATION)),
    )


def _tone_axes(deviations: Floats, n_tones: int) -> Floats:
    """(S, K): deviations times this are uncorrelated and have a deviation of 1."""
    scale = deviations.std(0)
    varies = scale > LEAST_DEVIATION
    if not varies.any():
        raise ValueError(
            "no two renditions of a scene differ in their tone; there is nothing to learn a space from"
        )
    # Standardised first, so that no statistic counts more for its unit.
    weights, _ = _principal(deviations[:, varies] / scale[varies], n_tones, whiten=True)
    axes = np.zeros((deviations.shape[1], weights.shape[1]))
    axes[varies] = weights / scale[varies][:, None]
    return axes


def _principal(values: Floats, most: int, *, whiten: bool) -> tuple[Floats, Floats]:
    """The first axes (S, at most `most`) of centred values (n, S), and the variance (S',) along each.

    Of the two directions of an axis the one is taken in which the largest weight is positive.
    """
    _, singular, rows = np.linalg.svd(values, full_matrices=False)
    variance = singular**2 / len(values)
    kept = min(most, max(1, int((variance > LEAST_PART * variance[0]).sum())))
    axes = rows[:kept].T
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(kept)])
    if whiten:
        axes = axes / np.sqrt(variance[:kept])
    return axes, variance[:kept]


def _k_means(points: Floats, n_kinds: int, rng: np.random.Generator) -> Floats:
    """Centres (n_kinds, P), ordered by their first coordinate; the best of some starts."""
    best, least = points[:n_kinds], np.inf
    for _ in range(STARTS):
        centers = _lloyd(points, _spread_starts(points, n_kinds, rng))
        error = _squared(points, centers).min(1).sum()
        if error < least:
            best, least = centers, error
    return best[np.argsort(best[:, 0], kind="stable")]


def _spread_starts(points: Floats, n_kinds: int, rng: np.random.Generator) -> Floats:
    """Points far from each other: each by chance in proportion to its squared distance from those before."""
    chosen = [int(rng.integers(len(points)))]
    while len(chosen) < n_kinds:
        distance = _squared(points, points[chosen]).min(1)
        total = distance.sum()
        even = np.full(len(points), 1 / len(points))
        chosen.append(int(rng.choice(len(points), p=distance / total if total > 0 else even)))
    return points[chosen]


def _lloyd(points: Floats, centers: Floats) -> Floats:
    for _ in range(STEPS):
        owner = _squared(points, centers).argmin(1)
        moved = np.stack(
            [points[owner == k].mean(0) if (owner == k).any() else center for k, center in enumerate(centers)]
        )
        if np.allclose(moved, centers):
            break
        centers = moved
    return centers


def _squared(points: Floats, centers: Floats) -> Floats:
    """Squared distances (n, C)."""
    found: Floats = ((points[:, None] - centers) ** 2).sum(-1)
    return found


def _nearness(points: Floats, centers: Floats, width: float) -> Floats:
    """(n, C) as of a mixture of equal round clouds; each row's sum is 1."""
    exponent = -_squared(points, centers) / (2 * width**2)
    weights = np.exp(exponent - exponent.max(1, keepdims=True))
    found: Floats = weights / weights.sum(1, keepdims=True)
    return found
