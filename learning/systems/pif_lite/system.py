"""The system: a population, tastes read with it, and photos rendered to them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from learning.data.dataset import DatasetError, PreferenceDataset
from learning.systems.concepts import NAMES, SLIDERS, Slider, checked
from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles, weighted_profile
from learning.systems.pif_lite.config import NAME, TITLE, Config, tiny
from learning.systems.pif_lite.editing import apply_strengths
from learning.systems.pif_lite.fitting import HIGH, LOW, fit_pairs, fit_photos
from learning.systems.pif_lite.population import Population, population_of
from learning.systems.pif_lite.statistics import DETAIL_SIZE, perturbed, sample_photos
from learning.systems.shared import dataset_facts, described, read_settings
from learning.training import run_folder as runs
from variants.progress import Report
from variants.sources.packaged import PHOTOS
from variants.tone.concepts import CONCEPTS
from variants.tone.images import read_photo
from variants.tone.recipes import Recipe, bake_recipe


class PifLite:
    """A population and the fit. See `learning.systems.interface.System`."""

    name: ClassVar[str] = NAME
    reference_size: ClassVar[int] = DETAIL_SIZE
    sliders: ClassVar[Mapping[str, Slider]] = SLIDERS[NAME]

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
        return weighted_profile([{"strengths": self._strengths(p)} for p in profiles], weights)

    def concept_strengths(self, profile: Profile) -> dict[str, float]:
        return dict(zip(NAMES, self._strengths(profile).tolist(), strict=True))

    def with_strengths(self, profile: Profile, strengths: Mapping[str, float]) -> Profile:
        changed = self._strengths(profile).copy()
        for name, value in checked(NAME, strengths).items():
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


def _self_check(system: PifLite, curves: list[dict[str, float]], report: Report) -> None:
    rng = np.random.default_rng([system.config.seed, 1])
    known = torch.from_numpy(rng.normal(0, system.config.rarity / 2, len(NAMES)).astype(np.float32) * HIGH)
    population = system._population
    edited = perturbed(population.sample, known.clamp(torch.from_numpy(LOW), torch.from_numpy(HIGH)))
    fit_photos(edited, population, system.config, curves)
    report(1, 1, "fitting a known edit")
