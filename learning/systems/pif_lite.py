"""Personalized image filter without a diffusion model (PIF-lite): nine strengths, fitted to reference photos.

What PIF asks of a diffusion model's prior, how photos look on average, is here a population of
photos: reduced to samples, in scene clusters, with the mean and the spread of their statistics.
The strengths of a taste are those with which the population, edited, has the references'
statistics; how far the statistics of unedited photos lie apart says how much to believe a few
references. From pairs the strengths are those that lead from the rejected image to the preferred
one. Both are fitted by descent; in each step a random subset of the eight concepts moves.

Source of the concepts, the average as anchor, the weight maps and the random subsets: PIF (2025),
arXiv 2510.16791. The statistics and the spread are our own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from learning.data.dataset import DatasetError, PreferenceDataset
from learning.systems import TITLES
from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles
from learning.systems.pif.statistics import (
    DETAIL_SIZE,
    GROUPS,
    NAMES,
    Sample,
    perturbed,
    sample_photos,
    statistics,
    weight_maps,
)
from learning.systems.shared import dataset_facts, described, read_settings
from learning.training import run_folder as runs
from learning.training.loop import LoopConfig, step_chance
from variants.progress import Report
from variants.sources.packaged import PHOTOS
from variants.tone.concepts import CONCEPTS, adjust_exposure, gaussian_blur
from variants.tone.images import read_photo
from variants.tone.recipes import Recipe, apply_recipe, bake_recipe

NAME = "pif_lite"
TITLE = TITLES[NAME]
SUBSETS = ("random", "joint")
LOW = np.array([CONCEPTS[name].low for name in NAMES], np.float32)
HIGH = np.array([CONCEPTS[name].high for name in NAMES], np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    seed: int = 0
    edit_size: int = 512
    """Long side at which evaluations edit, in pixels."""
    photos: int = 96
    """Photos of the population that are kept."""
    clusters: int = 4
    """Scene clusters; fewer where one would have under 12 photos."""
    subsets: str = "random"
    """random: in each step a random subset of the concepts moves; joint: all in each step."""
    grid: int = 16
    """Side of the grid of pixels that each of them is reduced to; the references' is twice as fine."""
    rarity: float = 0.15
    """Deviation of a taste's strengths that is expected, in parts of each concept's range above neutral."""
    pair_noise: float = 0.06
    """Deviation of what an edit cannot explain between two aligned images, in sRGB."""
    seen: float = 0.03
    """Strengths below this part of their range are set to 0: nobody sees them, and a LUT can hold the rest."""
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=24, learning_rate=1.0, weight_decay=0.0, warmup=0)
    )
    """Of the fit of a taste: its steps are Gauss-Newton's, and the rate their part."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")
        if not 8 <= self.photos <= 2000:
            raise ValueError(f"photos is {self.photos}; it must be from 8 to 2000")
        if not 8 <= self.grid <= 64:
            raise ValueError(f"grid is {self.grid}; it must be from 8 to 64")
        if self.clusters < 1:
            raise ValueError(f"clusters is {self.clusters}; it must be 1 or more")
        if self.subsets not in SUBSETS:
            raise ValueError(f"subsets is {self.subsets!r}; it must be one of {', '.join(SUBSETS)}")
        for name in ("rarity", "pair_noise"):
            if not 0 < getattr(self, name) <= 10:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0, and 10 at most")
        if not 0 <= self.seen < 1:
            raise ValueError(f"seen is {self.seen}; it must be from 0 to below 1")


def tiny() -> Config:
    return Config(preset="tiny", photos=48, clusters=2)


def paper() -> Config:
    """As many steps as make no further difference, and a larger population."""
    return Config(
        preset="paper",
        photos=400,
        clusters=8,
        grid=32,
        loop=LoopConfig(steps=100, learning_rate=1.0, weight_decay=0.0, warmup=0),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """What photos look like on average: samples of N photos, each in one of C scene clusters."""

    sample: Sample
    cluster: torch.Tensor  # (N,) from 0 to C - 1
    centres: torch.Tensor  # (C, S), in scene features
    distinct: torch.Tensor  # (): photos that these are or are parts of

    def tensors(self) -> dict[str, torch.Tensor]:
        return {
            "pixels": self.sample.pixels,
            "radius": self.sample.radius,
            "detail": self.sample.detail,
            "cluster": self.cluster,
            "centres": self.centres,
            "distinct": self.distinct,
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor], folder: Path) -> Self:
        """Raise RunError where one is missing."""
        for name in ("pixels", "radius", "detail", "cluster", "centres", "distinct"):
            if name not in tensors:
                raise runs.RunError(f"{folder}: the weights do not fit config.json: {name} is missing")
        return cls(
            sample=Sample(pixels=tensors["pixels"], radius=tensors["radius"], detail=tensors["detail"]),
            cluster=tensors["cluster"],
            centres=tensors["centres"],
            distinct=tensors["distinct"],
        )

    def weights_for(self, references: Sample) -> torch.Tensor:
        """(N,), 1 together: each reference asks for the photos of its own scene cluster."""
        nearest = torch.cdist(scene_features(references), self.centres).argmin(dim=1)
        members = torch.nn.functional.one_hot(self.cluster, len(self.centres)).to(torch.float32)  # (N, C)
        shares = members / members.sum(0).clamp(min=1)
        return shares[:, nearest].mean(dim=1)


class PifLite:
    """A population and the fit. See `learning.systems.interface.System`."""

    name: ClassVar[str] = NAME
    reference_size: ClassVar[int] = DETAIL_SIZE
    concepts: ClassVar[tuple[str, ...]] = NAMES

    def __init__(self, population: Population, config: Config) -> None:
        self.config = config
        self.edit_size = config.edit_size
        self._population = population

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        return cls(Population.from_tensors(runs.read_weights(run_folder, system=NAME), run_folder), config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), self._population.tensors(), system=NAME)

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """Strengths that lead from the rejected images to the preferred ones; ValueError without references.

        Pixel by pixel where the two are aligned, else by their statistics.
        """
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        rejected = sample_photos([pair.rejected for pair in references], self.config.grid)
        preferred = sample_photos([pair.preferred for pair in references], self.config.grid)
        aligned = torch.tensor([_are_aligned(pair) for pair in references])
        return {"strengths": fit_pairs(rejected, preferred, aligned, self._population, self.config)}

    def adapt_to_photos(self, photos: Sequence[Pixels]) -> Profile:
        """Strengths that give average photos the statistics of these; ValueError without photos."""
        return {
            "strengths": fit_photos(
                sample_photos(photos, 2 * self.config.grid), self._population, self.config
            )
        }

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        return mean_of_profiles(profiles)

    def mixed(self, profiles: Sequence[Profile], weights: Sequence[float]) -> Profile:
        """Several tastes as one, by weights that need not sum to 1; opposite strengths cancel."""
        if len(profiles) != len(weights) or not profiles:
            raise ValueError(
                f"there are {len(profiles)} profiles and {len(weights)} weights; one for each is needed"
            )
        shares = np.asarray(weights, np.float64)
        if not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
            raise ValueError(f"weights is {list(weights)}; they must be 0 or more, and one of them above 0")
        stacked = np.stack([self._strengths(profile) for profile in profiles])
        return {"strengths": np.average(stacked, axis=0, weights=shares).astype(np.float32)}

    def concept_strengths(self, profile: Profile) -> dict[str, float]:
        return dict(zip(NAMES, self._strengths(profile).tolist(), strict=True))

    def with_strengths(self, profile: Profile, strengths: Mapping[str, float]) -> Profile:
        changed = self._strengths(profile).copy()
        for name, value in strengths.items():
            if name not in NAMES:
                raise ValueError(f"there is no concept {name!r}; there are: {', '.join(NAMES)}")
            low, high = CONCEPTS[name].low, CONCEPTS[name].high
            if not low <= value <= high:
                raise ValueError(
                    f"{name} is {value:g}; it must be from {low:g} to {high:g} {CONCEPTS[name].unit}"
                )
            changed[NAMES.index(name)] = value
        return {**profile, "strengths": changed}

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        """Apply the strengths; the guides do not matter, since every photo gets the same ones.

        `strength` multiplies each of them, up to the end of its concept's range.
        """
        strengths = self._scaled(profile, strength)
        return [apply_strengths(image, strengths) for image in images]

    def bake(
        self, guide: Pixels, profile: Profile, *, size: int = 33, strength: float = 1.0
    ) -> npt.NDArray[np.float32]:
        """See `learning.systems.interface.ColorMapper`; ValueError where sharpness or vignetting is not 0."""
        strengths = dict(zip(NAMES, self._scaled(profile, strength).tolist(), strict=True))
        for name, value in strengths.items():
            if value and not CONCEPTS[name].is_color_map:
                raise ValueError(
                    f"{name} is {value:.2f}, which changes each place differently; set it to 0 to have a LUT of the rest"
                )
        steps = tuple((name, value) for name, value in strengths.items() if value)
        return np.ascontiguousarray(bake_recipe(Recipe(steps=steps), size).table, np.float32)

    def _strengths(self, profile: Profile) -> npt.NDArray[np.float32]:
        strengths = np.asarray(profile["strengths"], np.float32)
        if strengths.shape != (len(NAMES),):
            raise ValueError(f"strengths has the shape {strengths.shape}; it must be ({len(NAMES)},)")
        return strengths

    def _scaled(self, profile: Profile, strength: float) -> npt.NDArray[np.float32]:
        scaled: npt.NDArray[np.float32] = np.clip(self._strengths(profile) * np.float32(strength), LOW, HIGH)
        return scaled


def load(run_folder: Path) -> PifLite:
    """Raise RunError where the folder holds no whole run of this system."""
    return PifLite.load(run_folder)


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> PifLite:
    """Take the population from the training scenes: their neutral images, or where there are none all of them.

    The curves are those of a fit whose answer is known: the population itself, edited by strengths
    drawn from the seed.

    Raises:
        DatasetError: there is no image to take.
        RunError: the folder holds another run.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    images = _population_images(dataset, config)
    facts = dataset_facts(
        dataset,
        raters=len(dataset.training_raters()),
        left_out=0,
        images=len(images),
        judgments=0,
    )
    runs.open_run(run_folder, described(NAME, config, facts), resume=resume)
    photos = []
    for number, image_id in enumerate(images):
        photos.append(dataset.image(image_id, DETAIL_SIZE))
        report(number + 1, len(images), "looking at the images")
    system = PifLite(population_of(photos, config), config)
    curves: list[dict[str, float]] = []
    _self_check(system, curves, report)
    runs.write_curves(run_folder, curves)
    runs.write_weights(run_folder, system._population.tensors(), system=NAME)
    runs.write_card(
        run_folder, TITLE, n_parameters=sum(t.numel() for t in system._population.tensors().values())
    )
    return system


def untrained(config: Config | None = None) -> PifLite:
    """Fitted on nothing: its population are the photos that the packages bring, and their halves."""
    config = config or tiny()
    photos = [read_photo(photo.path).pixels for photo in PHOTOS]
    return PifLite(population_of(photos, config), config)


def population_of(photos: Sequence[Pixels], config: Config) -> Population:
    """Few photos are seen in parts too, so that there is a spread to be measured."""
    distinct = min(len(photos), config.photos)
    sample = sample_photos(photos[: config.photos], config.grid)
    if len(photos) * 3 <= config.photos:
        parts = sample_photos([part for photo in photos for part in _parts(photo)], config.grid)
        # A part is too small to tell of detail: its photo does.
        sample = replace(parts, detail=sample.detail.repeat_interleave(3, dim=0))
    features = scene_features(sample)
    centres, cluster = _k_means(features, max(1, min(config.clusters, len(sample) // 12)), config.seed)
    return Population(sample=sample, cluster=cluster, centres=centres, distinct=torch.tensor(distinct))


def scene_features(sample: Sample) -> torch.Tensor:
    """(N, 16): the layout of light and dark, in ranks, so that an edit does not change the cluster."""
    light = sample.pixels.mean(-1).flatten(1)
    ranks = light.argsort(1).argsort(1).float() / light.shape[1]
    grid = round(light.shape[1] ** 0.5)
    return torch.nn.functional.adaptive_avg_pool2d(ranks.view(-1, 1, grid, grid), 4).flatten(1)


def fit_photos(
    references: Sample, population: Population, config: Config, curves: list[dict[str, float]] | None = None
) -> npt.NDArray[np.float32]:
    """The strengths (9,) that a set of references is nearest to."""
    has_detail = bool(references.detail.isfinite().all() and population.sample.detail.isfinite().all())
    groups = [name for name in GROUPS if has_detail or name != "sharpness"]
    weights = population.weights_for(references)
    near = weights > 0
    anchors, weights = population.sample[near], weights[near, None]
    wanted = {name: value.mean(0) for name, value in statistics(references).items()}
    spread = _spread(population.sample, groups)
    # The average is known no better than from the photos behind it.
    share = len(anchors) / len(population.sample)
    certainty = 1 / (1 / len(references) + 1 / (share * float(population.distinct)))

    def residuals(strengths: torch.Tensor, subset: Sequence[str]) -> torch.Tensor:
        made = statistics(_edited_by_each(anchors, strengths))
        mean = torch.cat(
            [(weights * made[name].reshape(len(strengths), len(anchors), -1)).sum(1) for name in subset],
            dim=1,
        )
        gap = mean - torch.cat([wanted[name] for name in subset])  # (K, D)
        lower = torch.linalg.cholesky(_block(spread, groups, subset) / certainty)
        whitened: torch.Tensor = torch.linalg.solve_triangular(lower, gap.T, upper=False).T
        return whitened

    return _descend(residuals, groups, config.rarity, config, curves)


def fit_pairs(
    rejected: Sample, preferred: Sample, aligned: torch.Tensor, population: Population, config: Config
) -> npt.NDArray[np.float32]:
    """The strengths (9,) that lead from one image of each pair to the other; `aligned` (N,) says which lie on each other."""
    has_detail = bool(rejected.detail.isfinite().all() and preferred.detail.isfinite().all())
    groups = [name for name in GROUPS if has_detail or name != "sharpness"]
    wanted = statistics(preferred)
    # One scene twice: what differs is the edit, and little of what differs between photos.
    usual = statistics(population.sample)
    scale = {name: 0.1 * usual[name].nan_to_num().std(0, correction=0) + 2e-3 for name in groups}

    n = len(rejected)

    def residuals(strengths: torch.Tensor, subset: Sequence[str]) -> torch.Tensor:
        made = _edited_by_each(rejected, strengths)
        found = statistics(made)
        apart = {
            name: (found[name].reshape(len(strengths), n, -1) - wanted[name])
            / (scale[name] * wanted[name].shape[1] ** 0.5)
            for name in subset
        }  # (K, n, D) each
        pixels = (
            made.pixels.reshape(len(strengths), *preferred.pixels.shape) - preferred.pixels
        ) * weight_maps(preferred, subset).sqrt()
        parts = [pixels.flatten(2)[:, aligned] / config.pair_noise]
        parts += [value[:, ~aligned] for value in apart.values()]
        if "sharpness" in subset:  # the grid is too coarse to show it
            parts.append(apart["sharpness"][:, aligned])
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    # Both images of an edit are at hand: what it is need not be guessed from what is usual.
    return _descend(residuals, groups, 4 * config.rarity, config, None)


def apply_strengths(image: Pixels, strengths: npt.NDArray[np.float32]) -> Pixels:
    """Edit a photo (H, W, 3) of any size by strengths (9,), in bands of rows."""
    by_name = dict(zip(NAMES, (float(s) for s in strengths), strict=True))
    steps = tuple((name, s) for name, s in by_name.items() if s and CONCEPTS[name].is_color_map)
    image = apply_recipe(np.asarray(image, np.float32), Recipe(steps=steps))
    sharpness, vignetting = by_name["sharpness"], by_name["vignetting"]
    if not sharpness and not vignetting:
        return image
    height, width = image.shape[:2]
    sigma = 1.5 * max(height, width) / 512
    halo = max(1, int(np.ceil(3 * sigma)))
    rows = max(64, min(height, 2**21 // max(1, width)))
    result = np.empty_like(image)
    for top in range(0, height, rows):
        band = slice(top, min(height, top + rows))
        result[band] = _optics(image, band, sharpness, vignetting, sigma, halo)
    return result


def _optics(
    image: Pixels, band: slice, sharpness: float, vignetting: float, sigma: float, halo: int
) -> Pixels:
    height, width = image.shape[:2]
    part = image[band]
    if sharpness:
        first = max(0, band.start - halo)
        around = image[first : min(height, band.stop + halo)]
        blurred = gaussian_blur(around, sigma)[band.start - first :][: len(part)]
        part = np.clip(part + np.float32(sharpness) * (part - blurred), 0, 1).astype(np.float32)
    if vignetting:
        y = np.arange(band.start, band.stop, dtype=np.float32)[:, None] - (height - 1) / 2
        x = np.arange(width, dtype=np.float32)[None, :] - (width - 1) / 2
        corner = max(((height - 1) / 2) ** 2 + ((width - 1) / 2) ** 2, 1e-12)
        square = ((y * y + x * x) / corner)[..., None].astype(np.float32)
        part = adjust_exposure(part, np.float32(-vignetting) * square).astype(np.float32)
    return part


def _edited_by_each(sample: Sample, strengths: torch.Tensor) -> Sample:
    """N photos by each of K strengths (K, 9), as K·N photos."""
    n, k = len(sample), len(strengths)
    rows = torch.arange(n).repeat(k)
    return perturbed(sample[rows], strengths.repeat_interleave(n, dim=0))


@torch.inference_mode()
def _descend(
    residuals: Callable[[torch.Tensor, Sequence[str]], torch.Tensor],
    groups: Sequence[str],
    rarity: float,
    config: Config,
    curves: list[dict[str, float]] | None,
) -> npt.NDArray[np.float32]:
    """Gauss-Newton steps from neutral, each in the strengths of its subset; their range ends them.

    `residuals` gives (K, R) of strengths (K, 9); the sum of their squares, and of the strengths in units of
    what is usual, is made smaller. The rate falls to 0, since each subset pulls its own way.
    """
    low, high = torch.from_numpy(LOW), torch.from_numpy(HIGH)
    usual = high * rarity
    strengths = torch.zeros(len(NAMES))
    for step in range(config.loop.steps):
        subset = _subset(groups, config, step)
        moves = [i for i, name in enumerate(NAMES) if any(name in GROUPS[g] for g in subset)]
        # Differences towards neutral, so that they stay inside the range.
        by = torch.where(strengths > 0, -0.01, 0.01) * high
        tried = strengths + torch.cat([torch.zeros(1, len(NAMES)), torch.diag(by)[moves]])
        values = residuals(tried, subset)
        jacobian = ((values[1:] - values[0]) / by[moves, None]).T  # (R, M)
        normal = jacobian.T @ jacobian + torch.diag(usual[moves] ** -2)
        slope = jacobian.T @ values[0] + strengths[moves] / usual[moves] ** 2
        change = torch.zeros(len(NAMES))
        change[moves] = -torch.linalg.solve(normal, slope)
        change = config.loop.rate(step) * change.clamp(-0.5 * high, 0.5 * high)
        candidates = (strengths + torch.tensor([[0.0], [0.25], [0.5], [1.0]]) * change).clamp(low, high)
        losses = residuals(candidates, subset).square().sum(1) + (candidates / usual).square().sum(1)
        strengths = candidates[losses.argmin()]
        if curves is not None:
            curves.append({"step": step + 1, "loss": losses.min().item()})
    found = strengths.numpy()
    kept: npt.NDArray[np.float32] = np.where(np.abs(found) < config.seen * HIGH, 0, found).astype(np.float32)
    return kept


def _subset(groups: Sequence[str], config: Config, step: int) -> list[str]:
    if config.subsets == "joint":
        return list(groups)
    chance = step_chance(config.seed, step)
    chosen = chance.permutation(len(groups))[: chance.integers(1, len(groups) + 1)]
    return [groups[i] for i in sorted(chosen.tolist())]


def _spread(sample: Sample, groups: Sequence[str]) -> torch.Tensor:
    """(D, D): covariance of the statistics over photos, shrunk towards its diagonal since photos are few."""
    values = statistics(sample)
    rows = torch.cat([values[name] for name in groups], dim=1)
    covariance = torch.cov(rows.T, correction=0)
    diagonal = torch.diag(covariance.diagonal() + 1e-5)
    return 0.7 * covariance + 0.3 * diagonal


def _block(spread: torch.Tensor, groups: Sequence[str], subset: Sequence[str]) -> torch.Tensor:
    columns = [c for name, span in _spans(groups).items() if name in subset for c in span]
    block: torch.Tensor = spread[columns][:, columns]
    return block


WIDTHS = {
    "exposure": 1,
    "contrast": 3,
    "highlight": 3,
    "shadow": 3,
    "saturation": 4,
    "tint": 8,
    "sharpness": 1,
    "vignetting": 1,
}


def _spans(groups: Sequence[str]) -> dict[str, range]:
    """Columns of each concept's statistics."""
    ends = np.cumsum([WIDTHS[name] for name in groups]).tolist()
    return {name: range(end - WIDTHS[name], end) for name, end in zip(groups, ends, strict=True)}


def _are_aligned(pair: ReferencePair) -> bool:
    """Whether the two show one scene pixel by pixel: the same size, and light and dark in the same places."""
    if pair.preferred.shape != pair.rejected.shape:
        return False
    one, two = (
        image[:: max(1, len(image) // 64), :: max(1, len(image) // 64)].mean(-1)
        for image in (pair.preferred, pair.rejected)
    )
    one, two = (plane.ravel().argsort().argsort() for plane in (one, two))
    return bool(np.corrcoef(one, two)[0, 1] > 0.85) if len(one) > 1 else True


def _population_images(dataset: PreferenceDataset, config: Config) -> list[str]:
    scenes = dataset.training_scenes()
    neutral = [image for scene in scenes if (image := dataset.neutral_image_of(scene))]
    known = set(scenes)
    images = neutral or [image.id for image in dataset.images.values() if image.scene_id in known]
    if not images:
        raise DatasetError(
            f"{dataset.folder}: the training scenes have no image; there is no average to learn"
        )
    chosen = np.random.default_rng(config.seed).permutation(len(images))[: config.photos]
    return [images[i] for i in sorted(chosen.tolist())]


def _parts(photo: Pixels) -> list[Pixels]:
    height, width = photo.shape[:2]
    along = photo if width >= height else photo.swapaxes(0, 1)
    middle = max(1, along.shape[1] // 2)
    halves = [along[:, :middle], along[:, -middle:]]
    return [photo, *(half if width >= height else half.swapaxes(0, 1) for half in halves)]


def _k_means(features: torch.Tensor, clusters: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Lloyd's algorithm from photos drawn by the seed; (C, S) centres and (N,) cluster numbers."""
    chosen = np.random.default_rng(seed).permutation(len(features))[:clusters]
    centres = features[torch.from_numpy(chosen)]
    cluster = torch.zeros(len(features), dtype=torch.long)
    for _ in range(20):
        cluster = torch.cdist(features, centres).argmin(dim=1)
        centres = torch.stack(
            [features[cluster == c].mean(0) if (cluster == c).any() else centres[c] for c in range(clusters)]
        )
    return centres, cluster


def _self_check(system: PifLite, curves: list[dict[str, float]], report: Report) -> None:
    rng = np.random.default_rng([system.config.seed, 1])
    known = torch.from_numpy(rng.normal(0, system.config.rarity / 2, len(NAMES)).astype(np.float32) * HIGH)
    population = system._population
    edited = perturbed(population.sample, known.clamp(torch.from_numpy(LOW), torch.from_numpy(HIGH)))
    fit_photos(edited, population, system.config, curves)
    report(1, 1, "fitting a known edit")
