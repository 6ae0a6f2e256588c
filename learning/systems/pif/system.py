"""Personalized image filter: a diffusion model edits in one step what a taste's words ask for.

Source: PIF (2025), arXiv 2510.16791. Its formulas are not in any text that was at hand: what is
rebuilt from the text's description is said where it stands.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch

from learning.data.dataset import DatasetError, PreferenceDataset
from learning.renderers.lifting import lift
from learning.systems.concepts import SLIDERS, WORDS, Slider, checked
from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles, weighted_profile
from learning.systems.pif.model import PLACEHOLDERS, OneStep, load_model
from learning.systems.pif.settings import FROM_SCRATCH, NAME, TITLE, Config
from learning.systems.pif.small import save_small_model
from learning.systems.pif.training import Perceptual, train_autoencoder, train_editor, train_words
from learning.systems.pif.words import joined, prompt_of
from learning.systems.shared import (
    best_device,
    dataset_facts,
    described,
    pixels_of,
    read_settings,
    resized,
    tensor_of,
    without_frame,
)
from learning.training import run_folder as runs
from variants.progress import Report, silent
from variants.tone.images import fit_long_side

CONCEPTS = tuple(WORDS)
ATTRIBUTES = "attributes"
"""In the profile of a taste in words."""


class Pif:
    """The editor and the words of tastes. See `learning.systems.interface.System`.

    A profile has `words` (8, D), the learned embedding of each concept's word, and `strengths` (8,):
    0 leaves a concept out, 1 is what was learned. A taste in words has `attributes` (8,) instead: the
    number of each concept's word, -1 for none.
    """

    name: ClassVar[str] = NAME
    sliders: ClassVar[Mapping[str, Slider]] = SLIDERS[NAME]

    def __init__(self, model: OneStep, config: Config, run_folder: Path) -> None:
        self.config = config
        self.edit_size = config.edit_size
        self.reference_size = config.size
        self.model = model
        self._folder = run_folder
        self._trained = model.trained()
        model.freeze()

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        tensors = runs.read_weights(run_folder, system=NAME)
        model = _load(config, run_folder)
        runs.fill(model.trained(), tensors, run_folder)
        return cls(model, config, run_folder)

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """Reads the preferred images alone, as PIF learns from photos."""
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        return self.adapt_to_photos([pair.preferred for pair in references])

    def adapt_to_photos(self, photos: Sequence[Pixels]) -> Profile:
        """Learn the words of the photos' style; with the published settings this takes an hour on an accelerator."""
        with tempfile.TemporaryDirectory() as folder:
            return self.invert(photos, Path(folder))

    def invert(
        self, photos: Sequence[Pixels], folder: Path, report: Report = silent, *, resume: bool = False
    ) -> Profile:
        """The same with checkpoints in a folder, which can be resumed."""
        if not photos:
            raise ValueError("photos is empty; a taste is read from at least one photo")
        for photo in photos:
            if photo.ndim != 3 or photo.shape[2] != 3 or not np.isfinite(photo).all():
                raise ValueError(
                    f"a photo has the shape {photo.shape}; it must be (height, width, 3) with values from 0 to 1"
                )
        photos = [without_frame(np.asarray(photo, np.float32)) for photo in photos]
        rows = train_words(self.model, photos, self.config, folder, report, resume=resume)
        return {"words": rows.cpu().numpy(), "strengths": np.ones(len(CONCEPTS), np.float32)}

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        return mean_of_profiles(profiles)

    def mixed(self, profiles: Sequence[Profile], weights: Sequence[float]) -> Profile:
        """Several tastes as one: each word lies between theirs, by weights that need not sum to 1."""
        if any(ATTRIBUTES in profile for profile in profiles):
            raise ValueError("a taste in words cannot be mixed; name the words of both instead")
        return weighted_profile(profiles, weights)

    def concept_strengths(self, profile: Profile) -> dict[str, float]:
        """1 for every concept that was learned; none for a taste in words."""
        if ATTRIBUTES in profile:
            return {}
        return dict(zip(CONCEPTS, profile["strengths"].tolist(), strict=True))

    def with_strengths(self, profile: Profile, strengths: Mapping[str, float]) -> Profile:
        """The same taste with some concepts weaker or left out (0), or stronger, up to 2."""
        given = checked(NAME, strengths)
        if given and ATTRIBUTES in profile:
            raise ValueError(
                "a taste in words has no strengths of concepts; leave concepts out by leaving out words"
            )
        changed = dict(profile)
        for concept, value in given.items():
            changed["strengths"] = changed["strengths"].copy()
            changed["strengths"][CONCEPTS.index(concept)] = value
        return changed

    def adapt_to_words(self, words: Mapping[str, str]) -> Profile:
        """A taste in attributes, such as {"exposure": "dark"}; ValueError for one that there is not."""
        if not prompt_of(words):
            raise ValueError(f"there are no words; a taste names at least one of: {', '.join(CONCEPTS)}")
        chosen = [list(WORDS[c]).index(words[c]) if c in words else -1 for c in CONCEPTS]
        return {ATTRIBUTES: np.array(chosen, np.float32)}

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        """Edit each photo at its own size: the edit of the reduced guide is lifted, so no detail is drawn anew."""
        if ATTRIBUTES in profile:
            chosen = zip(CONCEPTS, profile[ATTRIBUTES].astype(int).tolist(), strict=True)
            prompt = prompt_of({c: list(WORDS[c])[number] for c, number in chosen if number >= 0})
            return self._edited(images, images if guides is None else guides, prompt, strength)
        shown = [name for name, s in zip(CONCEPTS, profile["strengths"], strict=True) if s > 0]
        prompt = joined({concept: PLACEHOLDERS[concept] for concept in shown})
        rows = torch.from_numpy(profile["words"]).to(self.model.device)
        factors = torch.from_numpy(profile["strengths"]).to(rows)[:, None]
        with torch.no_grad():
            start = self.model.words.start.to(rows)
            self.model.words.rows.copy_(start + factors * (rows - start))
        return self._edited(images, images if guides is None else guides, prompt, strength)

    @torch.inference_mode()
    def _edited(
        self, images: Sequence[Pixels], guides: Sequence[Pixels], prompt: str, strength: float
    ) -> list[Pixels]:
        if not prompt or strength == 0:
            return [image.copy() for image in images]
        ids = self.model.ids([prompt])
        made = []
        for image, guide in zip(images, guides, strict=True):
            before, after = self.model.edit(self._fitted(guide), ids, strength)
            made.append(lift(pixels_of(before), pixels_of(after), image, method=self.config.lift))
        return made

    def _fitted(self, photo: Pixels) -> torch.Tensor:
        """Reduced to the edit's size, sides stretched to the next whole multiples: (1, 3, H, W)."""
        small = tensor_of(
            fit_long_side(np.asarray(photo, np.float32), self.config.edit_size), self.model.device
        )
        multiple = self.model.multiple
        return resized(small, [max(1, round(n / multiple)) * multiple for n in small.shape[-2:]]).clamp(0, 1)

    def save(self, run_folder: Path) -> None:
        """A model from scratch goes along; a named one is loaded again by its name."""
        run_folder = Path(run_folder)
        runs.write_config(run_folder, described(NAME, self.config))
        runs.write_weights(run_folder, self._trained.state_dict(), system=NAME)
        if self.config.model == FROM_SCRATCH:
            shutil.copytree(self._folder / "model", run_folder / "model", dirs_exist_ok=True)


def load(run_folder: Path) -> Pif:
    """Raise RunError where the folder holds no whole run of this system, WeightsMissing where its model is not here."""
    return Pif.load(run_folder)


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> Pif:
    """The first training, on the training scenes' neutral images, or all of them where there are none.

    Raises:
        DatasetError: there is no image to train on.
        WeightsMissing: the model, or the perceptual loss's network, is not on this machine.
        RunError: the folder holds another run, or a checkpoint is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    images = _training_images(dataset)
    # What is missing is said before a run folder is made.
    model = _load(config, run_folder) if config.model != FROM_SCRATCH else None
    perceptual = Perceptual.of(config.vgg).to(best_device()) if config.perceptual else None
    facts = dataset_facts(
        dataset, raters=len(dataset.training_raters()), left_out=0, images=len(images), judgments=0
    )
    runs.open_run(run_folder, described(NAME, config, facts), resume=resume)
    photos = _Photos(dataset, images, 2 * config.size)
    model = model or _from_scratch(photos, config, run_folder, report)
    train_editor(model, photos, config, run_folder, report, perceptual=perceptual, resume=resume)
    trained = model.trained()
    runs.write_card(run_folder, TITLE, n_parameters=sum(p.numel() for p in trained.parameters()))
    return Pif(model, config, run_folder)


class _Photos(Sequence[Pixels]):
    """A dataset's images, read when they are asked for."""

    def __init__(self, dataset: PreferenceDataset, images: Sequence[str], long_side: int) -> None:
        self._dataset, self._images, self._long_side = dataset, images, long_side

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: Any) -> Any:
        return self._dataset.image(self._images[index], self._long_side)


def _training_images(dataset: PreferenceDataset) -> list[str]:
    scenes = dataset.training_scenes()
    known = set(scenes)
    neutral = [image for scene in scenes if (image := dataset.neutral_image_of(scene))]
    images = neutral or [image.id for image in dataset.images.values() if image.scene_id in known]
    if not images:
        raise DatasetError(
            f"{dataset.folder}: the training scenes have no image; there is nothing to train on"
        )
    return images


def _from_scratch(photos: Sequence[Pixels], config: Config, run_folder: Path, report: Report) -> OneStep:
    """Make the model, unless an earlier start of this run has done so."""
    folder, partial = run_folder / "model", run_folder / ".model.partial"
    if not folder.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
        save_small_model(partial, seed=config.seed)
        model = _load_from(str(partial), config)
        train_autoencoder(model, photos, config, report)
        model.vae.save_pretrained(partial / "vae")
        partial.rename(folder)
    return _load(config, run_folder)


def _load(config: Config, run_folder: Path) -> OneStep:
    return _load_from(str(run_folder / "model") if config.model == FROM_SCRATCH else config.model, config)


def _load_from(name: str, config: Config) -> OneStep:
    return load_model(
        name,
        rank=config.rank,
        timestep=config.timestep,
        residual_space=config.residual_space,
        seed=config.seed,
        device=best_device(),
    )
