"""Masked style modeling (PIE-MSM): the style for a photo, predicted from liked photos like it.

A reference is a photo that somebody likes, with the original it was made from: its style is
the difference of the two embeddings, its content says what it shows. A transformer reads
the references and the content of the photo to edit, whose style is masked, and predicts
that style, so another photo may get another style from the same person; a U-Net edits to
it at a fixed size, and the edit is lifted to the photo's full size.

Where a liked photo has no original, a degrading model makes one. Training has four stages:
1. degrading: from the results of rule-based pseudo-users back to the originals;
2. embedding: PieNet's, which measures the enhancer's results;
3. style and enhancer together: the published first step;
4. content and transformer: the published second step, on raters and on pseudo-users.

The degrading model is the enhancer's U-Net without a style; the authors took another
published network, so its pseudo originals are not theirs.

Source: S. Kosugi, T. Yamasaki (2024), Personalized Image Enhancement Featuring Masked Style
Modeling, IEEE TCSVT, with the facts of the authors' public code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from learning.data.dataset import PreferenceDataset
from learning.systems import TITLES
from learning.systems.exemplars.attention import attention_weights
from learning.systems.exemplars.editing import FixedSizeEditor, LiftingConfig, lifted, union_of_profiles
from learning.systems.exemplars.encoders import ContentEncoder, EncoderConfig, StyleEncoder, start_from
from learning.systems.exemplars.enhancer import Enhancer
from learning.systems.exemplars.examples import Augmentation
from learning.systems.exemplars.liked import (
    LikedPairs,
    LikedPairSteps,
    LikedReferences,
    LikedReferenceSteps,
    LikedSource,
    degraded,
    originals_of,
)
from learning.systems.exemplars.liked_config import LikedConfig
from learning.systems.exemplars.liked_stages import (
    degrading_stage,
    embedding_stage,
    freeze,
    run_stages,
    sources,
)
from learning.systems.exemplars.losses import enhancer_losses, shrunk
from learning.systems.exemplars.predictor import MaskedStyle, PredictorConfig, weighted_average
from learning.systems.exemplars.stages import Stage, check_shares
from learning.systems.exemplars.user_embedding import UserEmbedding
from learning.systems.exemplars.whitening import Whitening
from learning.systems.interface import Pixels, Profile, ReferencePair
from learning.systems.shared import best_device, described, pixels_of, read_settings, resized, tensor_of
from learning.training import run_folder as runs
from learning.training.batches import moved
from learning.training.loop import LoopConfig
from variants.progress import Report

NAME = "msm"
TITLE = TITLES[NAME]
STAGES = ("degrading", "embedding", "style", "masked")
STYLES_PER_COMPONENT = 8
"""How many the principal components are learned from."""
PHOTOS_AT_ONCE = 32
"""In reading references; bounds memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(LikedConfig):
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    users: int = 32
    """In a step that trains the transformer; half of them are rules."""
    references: int = 10
    """Of each."""
    shares: tuple[float, ...] = (0.15, 0.15, 0.3, 0.4)
    """Of all steps: the degrading model, PieNet's embedding, style and enhancer, content and transformer."""

    def __post_init__(self) -> None:
        LikedConfig.__post_init__(self)
        for name in ("users", "references"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        check_shares(self.shares, STAGES)


def tiny() -> Config:
    """For a CPU: about a minute; encoders from scratch at 48 pixels."""
    return Config(
        preset="tiny",
        edit_size=48,
        embed_size=48,
        encoder=EncoderConfig(width=8),
        enhancer_width=8,
        predictor=PredictorConfig(width=128, heads=4, layers=2, hidden=256),
        lifting=LiftingConfig(lut_size=9),
        augmentation=Augmentation(brightness=0.2, saturation=0.1, channels=0.05),
        batch=16,
        users=6,
        references=8,
        shares=(0.15, 0.1, 0.4, 0.35),
        loop=LoopConfig(steps=600, learning_rate=2e-3, weight_decay=0.0, warmup=20),
        # Operations this small gain nothing from a second core and lose much where it is busy.
        threads=1,
    )


def paper() -> Config:
    """As published: ResNet-18 from ImageNet, 512 pixels, 6 layers of 8 heads and 1024, 10 references."""
    return Config(
        preset="paper",
        backbone="torchvision:resnet18",
        loop=LoopConfig(
            steps=150_000,
            learning_rate=1e-4,
            weight_decay=0.0,
            warmup=0,
            checkpoint_every=1000,
            log_every=50,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}


class Network(nn.Module):
    """Everything that a run keeps: 90 million parameters as published, and the degrading model."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size = config.encoder.embedding
        self.style = StyleEncoder(config.encoder)
        self.enhancer = Enhancer(config.enhancer_width, size)
        self.content = ContentEncoder(config.encoder)
        self.masked = (
            MaskedStyle(size, 1, config.predictor) if config.predictor.kind == "transformer" else None
        )
        self.whitening = Whitening(size)
        self.degrader = Enhancer(config.enhancer_width, 0)

    def predict(
        self,
        styles: torch.Tensor,
        contents: torch.Tensor,
        query: torch.Tensor,
        absent: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Principal components of the masked style: (B, N, D), (B, N, D), (B, D), (B, N) → (B, D)."""
        if self.masked is None:
            if absent is not None:
                # An absent reference counts for nothing, and the mean is over those that are there.
                present = ~absent
                share = present.shape[1] / present.sum(dim=1, keepdim=True)
                styles = styles * (present * share)[..., None]
            return self.whitening.project(weighted_average(styles, contents, query))
        answer: torch.Tensor = self.masked(styles[:, :, None], contents, query, absent)
        return answer * self.whitening.deviation


class MaskedStyleModel(FixedSizeEditor):
    """See `learning.systems.interface.System` and `PhotoReader`; a ColorMapper where a LUT lifts its edit."""

    name: ClassVar[str] = NAME

    def __init__(self, network: Network, config: Config) -> None:
        self.config = config
        self.edit_size, self.reference_size = config.edit_size, 2 * config.edit_size
        self._network = network.eval()
        self._device = next(network.parameters()).device
        self._lifting = config.lifting

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        network = Network(config)
        runs.fill(network, runs.read_weights(run_folder, system=NAME), run_folder)
        return cls(network.to(best_device()), config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), self._network.state_dict(), system=NAME)

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """The preferred images alone are read, against pseudo originals; ValueError without references."""
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        return self.adapt_to_photos([pair.preferred for pair in references])

    @torch.inference_mode()
    def adapt_to_photos(self, photos: Sequence[Pixels]) -> Profile:
        """Styles (N, D) and contents (N, D) of liked photos; ValueError without photos."""
        if not photos:
            raise ValueError("photos is empty; a taste is read from at least one photo")
        pieces = [
            self._squares(photos[start : start + PHOTOS_AT_ONCE], self.edit_size)
            for start in range(0, len(photos), PHOTOS_AT_ONCE)
        ]
        return self._joined(
            [self._read(liked, degraded(liked, self._network.degrader, self.edit_size)) for liked in pieces]
        )

    @torch.inference_mode()
    def adapt_to_retouched(self, retouched: Sequence[Pixels], originals: Sequence[Pixels]) -> Profile:
        """As `adapt_to_photos`, where the photos' own originals are at hand: the published way.

        Args:
            retouched: photos as somebody likes them.
            originals: for each the same photo before, of any size.
        """
        if not retouched:
            raise ValueError("retouched is empty; a taste is read from at least one photo")
        return self._joined(
            [
                self._read(self._squares([after], self.edit_size), self._squares([before], self.edit_size))
                for after, before in zip(retouched, originals, strict=True)
            ]
        )

    def pseudo_original(self, photo: Pixels) -> Pixels:
        """A liked photo as it may have been before, at its own size."""
        return lifted(*self._small_degraded(photo), photo, self._lifting)

    def attention(self, profile: Profile, photo: Pixels, *, method: str = "flow") -> npt.NDArray[np.float32]:
        """How much the style predicted for the photo draws on each reference, (N,) with sum 1.

        Args:
            profile: from `adapt`, with N references.
            photo: what is to be edited.
            method: flow or rollout, see `learning.systems.exemplars.attention`.

        Raises:
            ValueError: the run has no transformer to look into.
        """
        if self._network.masked is None:
            raise ValueError("this run predicts by a weighted average and has no attention to follow")
        with torch.inference_mode():
            styles, contents, query = self._inputs(profile, self._squares([photo], self.edit_size))
            layers = self._network.masked.attention(styles[:, :, None], contents, query)
        return attention_weights(layers.cpu().numpy(), method=method)

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        """The references of all together, evenly thinned: the transformer reads any number."""
        return union_of_profiles(profiles)

    def _edited(self, squares: torch.Tensor, profile: Profile) -> torch.Tensor:
        network = self._network
        components = network.predict(*self._inputs(profile, squares))
        style = components @ network.whitening.components + network.whitening.mean
        edited: torch.Tensor = network.enhancer(squares, style)
        return edited

    def _inputs(
        self, profile: Profile, squares: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        styles, contents = (
            torch.tensor(profile[name], device=self._device)[None] for name in ("styles", "contents")
        )
        return styles, contents, self._network.content(shrunk(squares, self.config.embed_size))

    def _read(self, retouched: torch.Tensor, original: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        retouched, original = (shrunk(images, self.config.embed_size) for images in (retouched, original))
        return self._network.style.style(retouched, original), self._network.content(original)

    def _joined(self, read: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> Profile:
        styles, contents = (torch.cat(part).cpu().numpy() for part in zip(*read, strict=True))
        return {"styles": styles, "contents": contents}

    @torch.inference_mode()
    def _small_degraded(self, photo: Pixels) -> tuple[Pixels, Pixels]:
        square = resized(tensor_of(photo, self._device), (self.edit_size,) * 2)
        return pixels_of(square), pixels_of(degraded(square, self._network.degrader, self.edit_size))


def load(run_folder: Path) -> MaskedStyleModel:
    """Raise RunError where the folder holds no whole run of this system."""
    return MaskedStyleModel.load(run_folder)


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> MaskedStyleModel:
    """Train in four stages: degrading model, embedding, style and enhancer, content and transformer.

    Args:
        dataset: whose valid training raters are the users; a folder of people's favourite photos becomes
            one by `python -m learning.favourites`.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told of every step; whatever it raises cancels, and a checkpoint stays.
        resume: go on from the last checkpoint.

    Raises:
        DatasetError: there is nothing to train on.
        WeightsMissing: the weights that the encoders start from are not on this machine.
        RunError: the folder holds another run, or a checkpoint is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    large, small = sources(dataset, config)
    device = best_device()
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Network(config)
        pienet = UserEmbedding(large.n_users, config.encoder)
    for part in (network, pienet):
        start_from(part, config.backbone)
        part.to(device)
    run_stages(
        dataset,
        large,
        _stages(large, small, network, pienet, config),
        network,
        config,
        run_folder,
        system=NAME,
        title=TITLE,
        report=report,
        resume=resume,
    )
    return MaskedStyleModel(network, config)


def _stages(
    large: LikedSource, small: LikedSource, network: Network, pienet: UserEmbedding, config: Config
) -> list[Stage]:
    pairs = LikedPairSteps(
        large,
        batch=config.batch,
        size=config.edit_size,
        augmentation=config.augmentation,
        seed=config.seed,
    )
    references = LikedReferenceSteps(
        small,
        users=config.users,
        references=config.references,
        size=config.embed_size,
        augmentation=config.augmentation,
        seed=config.seed,
    )
    content: dict[str, nn.Module] = {"content": network.content}
    if network.masked is not None:
        content["masked"] = network.masked
    return [
        degrading_stage(network.degrader, large, config, config.shares[0]),
        embedding_stage(pienet, small, config, config.shares[1], lambda: freeze(network.degrader)),
        Stage(
            name="style",
            network=nn.ModuleDict({"style": network.style, "enhancer": network.enhancer}),
            data=pairs,
            step_loss=lambda _, step: _style_loss(network, pienet, step, config),
            share=config.shares[2],
            prepare=lambda: freeze(pienet),
        ),
        Stage(
            name="masked",
            network=nn.ModuleDict(content),
            data=references,
            step_loss=lambda _, step: _masked_loss(network, step, config),
            share=config.shares[3],
            prepare=lambda: _learn_components(network, references, config),
        ),
    ]


def _style_loss(
    network: Network, pienet: UserEmbedding, step: LikedPairs, config: Config
) -> dict[str, torch.Tensor]:
    originals = originals_of(step, network.degrader, config.augmentation, config.edit_size, colours=False)
    style = network.style.style(
        shrunk(step.retouched, config.embed_size), shrunk(originals, config.embed_size)
    )
    edited = network.enhancer(originals, style)
    return enhancer_losses(edited, originals, step.retouched, pienet, config.enhancer_loss, config.embed_size)


def _masked_loss(network: Network, step: LikedReferences, config: Config) -> dict[str, torch.Tensor]:
    styles, originals = _styles(network, step, config)
    contents = network.content(originals)
    styles, contents = (part.reshape(step.users, -1, part.shape[-1]) for part in (styles, contents))
    components = network.predict(styles[:, :-1], contents[:, :-1], contents[:, -1], step.absent)
    loss = F.l1_loss(components, network.whitening.project(styles[:, -1]))
    return {"loss": loss, "loss_masked": loss}


@torch.no_grad()
def _styles(network: Network, step: LikedReferences, config: Config) -> tuple[torch.Tensor, torch.Tensor]:
    """Of all photos of a step their styles (n, D) and originals (n, 3, S, S), by the frozen networks."""
    originals = originals_of(
        step.pairs, network.degrader, config.augmentation, config.edit_size, colours=True
    )
    return network.style.style(step.pairs.retouched, originals), originals


@torch.no_grad()
def _learn_components(network: Network, data: LikedReferenceSteps, config: Config) -> None:
    """PCA of styles that the frozen encoder gives; the same on every start, for it is no part of a checkpoint."""
    freeze(network.style, network.enhancer)
    found: list[torch.Tensor] = []
    while sum(map(len, found)) < STYLES_PER_COMPONENT * config.encoder.embedding:
        # Far beyond the steps of training, so that these are other crops.
        step = moved(data[2**31 + len(found)], network.whitening.mean.device)
        found.append(_styles(network, step, config)[0])
    network.whitening.fit(torch.cat(found))
