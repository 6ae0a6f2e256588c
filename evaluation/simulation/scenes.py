"""Scenes of a simulated study: their renditions, and the pairs that are asked about."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from collection.design.protocol import Protocol
from evaluation.simulation.answers import Pixels, thumbnail
from evaluation.simulation.raters import (
    CROWDS,
    Crowd,
    benchmark_recipes,
)
from variants.tone.difference import mean_ciede2000
from variants.tone.images import encode_image, fit_long_side
from variants.tone.luts import Lut3D
from variants.tone.recipes import Recipe, apply_recipe

SOURCE_TYPE = "D"
"""Of all renditions."""
MIN_DELTA_E = 4.0
"""Of a pair: two renditions near the same look say little about which look is wanted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenePhoto:
    name: str
    pixels: Pixels
    category: str = ""
    licence: str = ""
    attribution: str = ""
    cut_from: str = ""
    """The photo that this is a part of; all parts of one are held out of training together, or none is."""

    @property
    def whole(self) -> str:
        return self.cut_from or self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedStudy:
    """Everything that decides what is in the folder."""

    n_raters: int = 48
    n_renditions: int = 12
    """Of each scene, the neutral one among them."""
    near: float = 0.8
    """Part of the renditions that are near what a group of raters wants."""
    spread: float = 0.12
    """How near, in look units."""
    crowd: Crowd = CROWDS["clear"]
    protocol: Protocol = field(
        default_factory=lambda: Protocol(phases=("main",), long_side=256, min_delta_e=MIN_DELTA_E)
    )
    luts: Mapping[str, Lut3D] = field(default_factory=dict)
    """LUTs by their keys: each look ends with one of them, and some renditions are made by one alone."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_raters < 1:
            raise ValueError(f"n_raters is {self.n_raters}; a study has at least 1 rater")
        if self.n_renditions < 2:
            raise ValueError(f"n_renditions is {self.n_renditions}; a pair needs at least 2")


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedImage:
    id: str
    recipe: Recipe
    content: bytes
    thumbnail: Pixels

    @property
    def file_name(self) -> str:
        return f"images/{self.id}.webp"


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedScene:
    id: str
    photo: ScenePhoto
    width: int
    height: int
    images: list[SimulatedImage]
    pairs: list[tuple[int, int, float]]
    """Positions in `images` and the ΔE between them."""

    def image_rows(self) -> Iterator[dict[str, Any]]:
        for image in self.images:
            yield {
                "image_id": image.id,
                "scene_id": self.id,
                "file_name": image.file_name,
                "source_type": SOURCE_TYPE,
                "recipe": json.dumps(image.recipe.to_json(), sort_keys=True),
                "width": self.width,
                "height": self.height,
                "sha256": hashlib.sha256(image.content).hexdigest(),
            }

    def pair_id(self, pair: tuple[int, int, float]) -> str:
        return made_id(self.id, "pair", pair[0], pair[1])

    def pair_rows(self) -> Iterator[dict[str, Any]]:
        for pair in self.pairs:
            yield {
                "pair_id": self.pair_id(pair),
                "scene_id": self.id,
                "image_a": self.images[pair[0]].id,
                "image_b": self.images[pair[1]].id,
                "delta_e": pair[2],
            }


def scene_of(photo: ScenePhoto, study: SimulatedStudy) -> SimulatedScene:
    pixels = fit_long_side(photo.pixels, study.protocol.long_side)
    scene_id = made_id(study.seed, "scene", photo.name)
    recipes = benchmark_recipes(
        study.n_renditions,
        study.seed,
        category=photo.category,
        scene=photo.name,
        crowd=study.crowd,
        near=study.near,
        spread=study.spread,
        luts=list(study.luts),
    )
    images = []
    for number, recipe in enumerate(recipes):
        rendition = apply_recipe(pixels, recipe, study.luts)
        images.append(
            SimulatedImage(
                id=made_id(scene_id, "image", number),
                recipe=recipe,
                content=encode_image(rendition, study.protocol.encoding),
                thumbnail=thumbnail(rendition),
            )
        )
    return SimulatedScene(
        id=scene_id,
        photo=photo,
        width=pixels.shape[1],
        height=pixels.shape[0],
        images=images,
        pairs=_pairs(images, study, scene_id),
    )


def _pairs(
    images: list[SimulatedImage], study: SimulatedStudy, scene_id: str
) -> list[tuple[int, int, float]]:
    """Pairs whose difference can be seen and is still a matter of taste, at most so many, at random."""
    protocol = study.protocol
    measured = [
        (a, b, mean_ciede2000(images[a].thumbnail, images[b].thumbnail))
        for a, b in itertools.combinations(range(len(images)), 2)
    ]
    fitting = [pair for pair in measured if protocol.min_delta_e <= pair[2] <= protocol.max_delta_e]
    rng = np.random.default_rng([study.seed, 4, int(scene_id[:8], 16)])
    kept = rng.permutation(len(fitting))[: protocol.max_pairs_per_scene]
    return [fitting[i] for i in sorted(kept.tolist())]


def made_id(*parts: object) -> str:
    return hashlib.md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()
