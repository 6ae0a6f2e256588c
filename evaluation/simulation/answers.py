"""What simulated raters answer: distances of renditions to their ideals, then choices.

Shared by the dataset folder that is made without a database and by the command that
answers a study of the site.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from evaluation.simulation.raters import SimulatedRater
from variants.tone.color import srgb_to_lab
from variants.tone.difference import ciede2000
from variants.tone.luts import Lut
from variants.tone.recipes import Recipe, apply_recipe

Pixels = npt.NDArray[np.float32]

VIEW_LONG_SIDE = 64
"""Utilities are measured on thumbnails: mean ΔE00 of a tone edit hardly depends on the size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneView:
    """A scene as simulated raters see it: thumbnails of one size."""

    category: str
    neutral: Pixels
    renditions: Mapping[str, Pixels]
    """By any key that the caller likes."""


class Distances:
    """Mean CIEDE2000 of every rendition to a rater's ideal of its scene.

    Each measured once for an ideal, when first asked for: raters of one group without
    anything of their own share theirs.
    """

    def __init__(self, scenes: Mapping[str, SceneView], luts: Mapping[str, Lut] | None = None) -> None:
        """`luts` are those that ideals end with, by their keys."""
        self._scenes, self._luts = scenes, luts
        self._lab = {
            name: {key: srgb_to_lab(image) for key, image in scene.renditions.items()}
            for name, scene in scenes.items()
        }
        self._known: dict[tuple[str, Recipe], dict[str, float]] = {}

    def of(self, rater: SimulatedRater, scene: str, keys: Sequence[str] = ()) -> dict[str, float]:
        """Distance of each rendition of `scene` by its key, or of these alone where only some are of interest."""
        ideal = rater.ideal_recipe(self._scenes[scene].category)
        known = self._known.setdefault((scene, ideal), {})
        if missing := [key for key in keys or self._lab[scene] if key not in known]:
            known |= self._measure(scene, ideal, missing)
        return known

    def _measure(self, scene: str, ideal: Recipe, keys: Sequence[str]) -> dict[str, float]:
        wanted = srgb_to_lab(apply_recipe(self._scenes[scene].neutral, ideal, self._luts))
        renditions = np.stack([self._lab[scene][key] for key in keys])  # (R, H, W, 3)
        means = ciede2000(renditions, wanted[None]).mean(axis=(1, 2))
        return dict(zip(keys, means.tolist(), strict=True))


def thumbnail(pixels: Pixels, long_side: int = VIEW_LONG_SIDE) -> Pixels:
    """A small copy for `SceneView`; every rendition of one scene gets the same size."""
    height, width = pixels.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.resize(size, Image.Resampling.BOX), np.float32) / np.float32(255)
