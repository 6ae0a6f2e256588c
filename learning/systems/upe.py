"""Preference embedding (UPE): a rater's answers become one vector, and one decoder serves all raters.

Of every reference pair the backbone's features give the content (their sum) and the style
(preferred minus rejected), each scaled to length 1. A set transformer without positions and
a mean turn any number of pairs into the embedding; the decoder adds a residual to the photo.

Three things differ from the published network where a preset asks for them, because a
published-shaped network hardly uses its rater (docs/decisions):
- the reader also gets the features unscaled, and how long the style was;
- the decoder sees the photo's own statistics beside the embedding, at every layer (FiLM);
- a gate, trained on which input was the preferred one, holds the edit back where the photo
  is already to the rater's taste. Trained through the image loss alone it would only close.

Source: J. Kim, J. Yoo, S. J. Kim (2026), CVPR; the networks' sizes are those of the first
author's public development code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from learning.backbones import TONE_STATISTICS, BackboneChoice
from learning.backbones.load import Backbone, load_backbone
from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeConfig, EpisodeSampler
from learning.data.views import ViewBank, ViewConfig, build_views
from learning.renderers.color_field import ColorField, ColorFieldConfig
from learning.renderers.liif import EdsrEncoder, LiifConfig, LiifDecoder
from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles
from learning.systems.shared import (
    best_device,
    dataset_facts,
    described,
    pixels_of,
    read_settings,
    resized,
    tensor_of,
)
from learning.training import run_folder as runs
from learning.training.loop import LoopConfig, step_chance, train
from learning.training.objective import Curriculum, pairwise_loss
from learning.training.threads import cpu_threads
from variants.progress import Report

NAME = "upe"
TITLE = "preference embedding"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReaderConfig:
    """The aggregator: tokens of reference pairs → embedding."""

    token: int = 64
    """Width of a token after its MLP."""
    hidden: int = 64
    heads: int = 2
    layers: int = 3
    embedding: int = 48
    dropout: float = 0.1
    log_length: bool = False
    """Also tell the style's length, which scaling it to 1 throws away."""
    unscaled: bool = False
    """Also give the features as they are: preferred, rejected, and their difference."""
    standardise: bool = False
    """Scale each feature to mean 0 and deviation 1 over the training images first."""

    def __post_init__(self) -> None:
        for name in ("token", "hidden", "heads", "layers", "embedding"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.hidden % self.heads:
            raise ValueError(f"hidden is {self.hidden}; it must be a multiple of heads ({self.heads})")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    backbone: str = TONE_STATISTICS
    imagenet_norm: bool = True
    """For DINOv2; the authors' code leaves it out."""
    seed: int = 0
    edit_size: int = 256
    """Long side at which evaluations edit, in pixels."""
    reader: ReaderConfig = field(default_factory=ReaderConfig)
    decoder: ColorFieldConfig | LiifConfig = field(default_factory=ColorFieldConfig)
    photo_statistics: bool = True
    """Whether the decoder sees the photo's features beside the embedding; a gate always does."""
    gate: bool = True
    views: ViewConfig = field(default_factory=ViewConfig)
    target_views: ViewConfig | None = None
    """Views that are edited, where they are not those that the backbone reads."""
    episodes: EpisodeConfig = field(default_factory=EpisodeConfig)
    curriculum: Curriculum = field(default_factory=Curriculum)
    feature_noise: float = 0.0
    """Deviation of the noise added to features in training, in units of the features."""
    gate_weight: float = 0.05
    """Of the gate's two losses beside the pairwise objective."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    threads: int | None = None
    """CPU threads in training; None for torch's own number."""

    def __post_init__(self) -> None:
        BackboneChoice.parse(self.backbone)
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; it must be 1 or more, or null")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")
        for name in ("feature_noise", "gate_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")


def tiny() -> Config:
    """For a CPU: one minute on two cores with 8 scenes and 48 raters."""
    return Config(
        preset="tiny",
        reader=ReaderConfig(log_length=True, unscaled=True, standardise=True),
        # Measured on simulated raters (docs/decisions): less noise learns the known scenes by heart.
        feature_noise=0.7,
        # Operations this small gain nothing from a second core and lose much where it is busy.
        threads=1,
    )


def full() -> Config:
    """Published shape: EDSR-baseline and LIIF, the embedding at the decoder's first layer, no gate.

    Sizes of the reader and the episodes as in the authors' full configuration; their HIIF head
    is not here, the LIIF head of the published text is.
    """
    return Config(
        preset="full",
        backbone="dinov2_base",
        edit_size=512,
        reader=ReaderConfig(token=256, hidden=512, heads=8, embedding=512),
        decoder=LiifConfig(),
        photo_statistics=False,
        gate=False,
        views=ViewConfig(count=1, jitter=0),
        # Short side resized to 256 to 1024 pixels, then a crop of 64.
        target_views=ViewConfig(count=16, size=64, smallest_crop=1 / 16, largest_crop=1 / 4, jitter=0),
        episodes=EpisodeConfig(raters=16, targets=4, min_references=16, max_references=16),
        loop=LoopConfig(
            steps=100_000,
            learning_rate=1e-4,
            weight_decay=0.0,
            schedule="constant",
            warmup=0,
            checkpoint_every=1000,
            log_every=50,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "full": full}


class Reader(nn.Module):
    """Reference pairs, in any order and number → embedding."""

    def __init__(self, features: int, config: ReaderConfig) -> None:
        super().__init__()
        self.config = config
        inputs = features * (5 if config.unscaled else 2) + int(config.log_length)
        self.token = nn.Sequential(
            nn.Linear(inputs, 2 * config.token),
            nn.ReLU(),
            nn.Linear(2 * config.token, config.token),
            nn.ReLU(),
            nn.Linear(config.token, config.hidden),
        )
        layer = nn.TransformerEncoderLayer(
            config.hidden,
            config.heads,
            4 * config.hidden,
            config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.out = nn.Sequential(nn.Linear(config.hidden, config.embedding), nn.LayerNorm(config.embedding))

    def forward(self, preferred: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        """Features (B, N, D) of both sides → (B, embedding)."""
        tokens = self.token(pair_token(preferred, rejected, self.config))  # (B, N, hidden)
        embedding: torch.Tensor = self.out(self.transformer(tokens).mean(dim=1))
        return embedding


def pair_token(preferred: torch.Tensor, rejected: torch.Tensor, config: ReaderConfig) -> torch.Tensor:
    """Features (..., D) of both sides → (..., 2D or more): content and style, each of length 1, first.

    Swapping the sides leaves the content as it is and turns the style's sign.
    """
    content, style = preferred + rejected, preferred - rejected
    parts = [F.normalize(content, dim=-1), F.normalize(style, dim=-1)]
    if config.log_length:
        parts.append((style.norm(dim=-1, keepdim=True) + 1e-3).log())
    if config.unscaled:
        parts += [preferred, rejected, style]
    return torch.cat(parts, dim=-1)


class ColorEditor(nn.Module):
    """Embedding and the photo's features → one colour map for the whole photo."""

    def __init__(self, features: int, config: Config) -> None:
        super().__init__()
        assert isinstance(config.decoder, ColorFieldConfig)
        self.sees_photo = config.photo_statistics
        inputs = config.reader.embedding + (features if self.sees_photo else 0)
        self.field = ColorField(inputs, config.decoder)

    def plan(self, embedding: torch.Tensor, features: torch.Tensor, guides: torch.Tensor) -> torch.Tensor:
        inputs = torch.cat([embedding, features], dim=-1) if self.sees_photo else embedding
        return self.field.plan(inputs)

    def forward(self, images: torch.Tensor, plan: torch.Tensor) -> torch.Tensor:
        colors = images.flatten(2).transpose(1, 2)  # (B, H·W, 3)
        return self.field.apply_to(colors, plan).transpose(1, 2).reshape(images.shape)


class LiifEditor(nn.Module):
    """EDSR features of the photo, asked by LIIF for a residual at every pixel."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        assert isinstance(config.decoder, LiifConfig)
        self.encoder = EdsrEncoder(config.decoder.channels, config.decoder.blocks)
        self.decoder = LiifDecoder(config.reader.embedding, config.decoder)
        last = self.decoder.mlp[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def plan(
        self, embedding: torch.Tensor, features: torch.Tensor, guides: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self.encoder(guides), embedding

    def forward(self, images: torch.Tensor, plan: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        features, embedding = plan
        height, width = images.shape[-2:]
        residual: torch.Tensor = self.decoder(features, embedding, (height, width))
        return images + residual


class Gate(nn.Module):
    """How far a photo is from the rater's taste, as a logit: above 0 it rather needs the edit."""

    def __init__(self, features: int, embedding: int, dropout: float, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(embedding + features, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, embedding: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(torch.cat([embedding, features], dim=-1))[..., 0]
        return logits


class Network(nn.Module):
    """Reader, decoder and gate, with the scale of the features that they stand on."""

    feature_mean: torch.Tensor
    feature_deviation: torch.Tensor

    def __init__(self, features: int, config: Config) -> None:
        super().__init__()
        self.reader = Reader(features, config.reader)
        self.editor = (
            LiifEditor(config) if isinstance(config.decoder, LiifConfig) else ColorEditor(features, config)
        )
        self.gate = Gate(features, config.reader.embedding, config.reader.dropout) if config.gate else None
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_deviation", torch.ones(features))

    def scaled(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self.feature_mean) / self.feature_deviation

    def learn_scale(self, features: torch.Tensor) -> None:
        """From features (..., D) of the training images."""
        rows = features.reshape(-1, features.shape[-1])
        self.feature_mean.copy_(rows.mean(0))
        self.feature_deviation.copy_(rows.std(0, correction=0) + 1e-4)


class Upe:
    """A trained network. See `learning.systems.interface.System`."""

    name: ClassVar[str] = NAME
    reference_size: ClassVar[int] = 256

    def __init__(self, network: Network, backbone: Backbone, config: Config) -> None:
        self.config = config
        self.edit_size = config.edit_size
        self._network = network.eval()
        self._backbone = backbone
        self._device = next(network.parameters()).device

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        tensors = runs.read_weights(run_folder, system=NAME)
        backbone = load_backbone(config.backbone, imagenet_norm=config.imagenet_norm)
        network = Network(backbone.dim, config)
        runs.fill(network, tensors, run_folder)
        device = best_device()
        backbone.to(device)
        return cls(network.to(device), backbone, config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), self._network.state_dict(), system=NAME)

    @torch.inference_mode()
    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """Raise ValueError without references: a profile of nothing would be made up."""
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        preferred = self._features([pair.preferred for pair in references])
        rejected = self._features([pair.rejected for pair in references])
        embedding = self._network.reader(preferred[None], rejected[None])[0]
        return {"embedding": embedding.cpu().numpy()}

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        return mean_of_profiles(profiles)

    @torch.inference_mode()
    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        guides = images if guides is None else guides
        return [
            self._render(image, guide, profile, strength) for image, guide in zip(images, guides, strict=True)
        ]

    @torch.inference_mode()
    def score(self, images: Sequence[Pixels], profile: Profile) -> npt.NDArray[np.float32]:
        """How near each image is to the rater's taste; only with a gate (else ValueError)."""
        if self._network.gate is None:
            raise ValueError(f"the preset {self.config.preset!r} has no gate and cannot score images")
        features = self._features(images)
        logits = self._network.gate(self._embedding(profile).expand(len(features), -1), features)
        scores: npt.NDArray[np.float32] = -logits.cpu().numpy()
        return scores

    @torch.inference_mode()
    def bake(
        self, guide: Pixels, profile: Profile, *, size: int = 33, strength: float = 1.0
    ) -> npt.NDArray[np.float32]:
        """See `learning.systems.interface.ColorMapper`; ValueError where the edit depends on the place."""
        if not isinstance(self._network.editor, ColorEditor):
            raise ValueError(
                f"the preset {self.config.preset!r} edits each place differently; no LUT can hold its edit"
            )
        axis = np.linspace(0, 1, size, dtype=np.float32)
        lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)  # (R, G, B, 3)
        baked = self._render(lattice.reshape(size, size * size, 3), guide, profile, strength)
        return baked.reshape(size, size, size, 3)

    def _render(self, image: Pixels, guide: Pixels, profile: Profile, strength: float) -> Pixels:
        network, embedding = self._network, self._embedding(profile)
        x, guide_x = tensor_of(image, self._device), tensor_of(guide, self._device)
        features = self._features([guide])
        edited = network.editor(x, network.editor.plan(embedding, features, guide_x))
        amount = strength if network.gate is None else strength * network.gate(embedding, features).sigmoid()
        return pixels_of(x + amount * (edited - x))

    def _features(self, images: Sequence[Pixels]) -> torch.Tensor:
        """(n, D), scaled."""
        size = (self._backbone.image_size,) * 2
        squares = [resized(tensor_of(image, self._device), size) for image in images]
        pieces = [self._backbone(torch.cat(squares[i : i + 64])) for i in range(0, len(squares), 64)]
        return self._network.scaled(torch.cat(pieces).float())

    def _embedding(self, profile: Profile) -> torch.Tensor:
        return torch.tensor(profile["embedding"], device=self._device)[None]


def load(run_folder: Path) -> Upe:
    """Raise RunError where the folder holds no whole run of this system."""
    return Upe.load(run_folder)


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> Upe:
    """Train on the dataset's training raters and scenes; the run folder holds all that comes of it.

    Args:
        dataset: whose valid training raters are learnt from.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told of every image and every step; whatever it raises cancels, and a checkpoint stays.
        resume: go on from the last checkpoint.

    Raises:
        DatasetError: there is nothing to train on.
        WeightsMissing: the backbone's weights are not on this machine.
        RunError: the folder holds another run, or a checkpoint is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    sampler = EpisodeSampler(dataset, config.episodes)
    backbone, device = load_backbone(config.backbone, imagenet_norm=config.imagenet_norm), best_device()
    backbone.to(device)
    facts = dataset_facts(
        dataset,
        raters=sampler.n_raters,
        left_out=len(sampler.left_out),
        images=len(sampler.images),
        judgments=sampler.n_judgments,
    )
    runs.open_run(run_folder, described(NAME, config, facts), resume=resume)
    with cpu_threads(config.threads):
        data = _TrainingData(dataset, sampler, backbone, config, device, report)
        network = _new_network(backbone.dim, config, data.views.features).to(device)
        train(
            network,
            data,
            lambda progress, step: _step_loss(network, step, config, progress),
            config.loop,
            run_folder,
            system=NAME,
            seed=config.seed,
            report=report,
            resume=resume,
        )
    runs.write_card(run_folder, TITLE, n_parameters=sum(p.numel() for p in network.parameters()))
    return Upe(network, backbone, config)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    """What one step is shown. R raters, N references and T targets of each; D features."""

    preferred_references: torch.Tensor  # (R, N, D)
    rejected_references: torch.Tensor  # (R, N, D)
    preferred: torch.Tensor  # (R·T, 3, S, S)
    preferred_features: torch.Tensor  # (R·T, D)
    rejected: torch.Tensor  # (R·T, 3, S, S)
    rejected_features: torch.Tensor  # (R·T, D)


class _TrainingData:
    """Episodes as tensors on the device; see `learning.training.loop.StepData`."""

    def __init__(
        self,
        dataset: PreferenceDataset,
        sampler: EpisodeSampler,
        backbone: Backbone,
        config: Config,
        device: torch.device,
        report: Report,
    ) -> None:
        def build(views: ViewConfig, seed: int) -> ViewBank:
            return build_views(
                dataset,
                sampler.images,
                views,
                features_of=lambda images: backbone(images.to(device)).cpu(),
                feature_size=backbone.image_size,
                feature_dim=backbone.dim,
                seed=seed,
                report=report,
            )

        self.seed, self.sampler, self.device = config.seed, sampler, device
        self.views = build(config.views, config.seed)
        self.target_views = build(config.target_views, config.seed + 1) if config.target_views else self.views

    def __getitem__(self, step: int) -> _Step:
        rng = step_chance(self.seed, step)
        episodes = self.sampler.draw(rng)
        # A pair is seen by one view.
        reference_view = rng.integers(self.views.count, size=episodes.reference_preferred.shape)
        target_view = rng.integers(self.target_views.count, size=episodes.target_preferred.shape)
        preferred, preferred_features = self._targets(episodes.target_preferred, target_view)
        rejected, rejected_features = self._targets(episodes.target_rejected, target_view)
        return _Step(
            preferred_references=self._references(episodes.reference_preferred, reference_view),
            rejected_references=self._references(episodes.reference_rejected, reference_view),
            preferred=preferred,
            preferred_features=preferred_features,
            rejected=rejected,
            rejected_features=rejected_features,
        )

    def _references(self, images: npt.NDArray[Any], view: npt.NDArray[Any]) -> torch.Tensor:
        return self.views.features_of(images, view).to(self.device)

    def _targets(self, images: npt.NDArray[Any], view: npt.NDArray[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Positions (R, T) → pixels (R·T, 3, S, S) and features (R·T, D)."""
        pixels = self.target_views.pixels_of(images, view).flatten(0, 1)
        features = self.target_views.features_of(images, view).flatten(0, 1)
        return pixels.to(self.device), features.to(self.device)


def _new_network(features: int, config: Config, seen: torch.Tensor) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Network(features, config)
    if config.reader.standardise:
        network.learn_scale(seen)
    return network


def _step_loss(network: Network, step: _Step, config: Config, progress: float) -> dict[str, torch.Tensor]:
    """Both images of every target pair are edited; the rater's choice supervises both."""
    embedding = network.reader(
        _noisy(network.scaled(step.preferred_references), config),
        _noisy(network.scaled(step.rejected_references), config),
    )  # (R, E)
    images = torch.cat([step.rejected, step.preferred])  # (2·R·T, 3, S, S)
    features = _noisy(network.scaled(torch.cat([step.rejected_features, step.preferred_features])), config)
    embedding = embedding.repeat_interleave(config.episodes.targets, dim=0).repeat(2, 1)
    edited = network.editor(images, network.editor.plan(embedding, features, images))
    pairwise = pairwise_loss(
        edited,
        step.preferred.repeat(2, 1, 1, 1),
        step.rejected.repeat(2, 1, 1, 1),
        config.curriculum.weight(progress),
        form=config.curriculum.form,
    ).mean()
    losses = {"loss": pairwise, "loss_pairwise": pairwise}
    if network.gate is not None:
        gate, ranking = _gate_losses(network.gate(embedding, features))
        losses["loss"] = pairwise + config.gate_weight * (gate + ranking / 2)
        losses |= {"loss_gate": gate, "loss_ranking": ranking}
    return losses


def _gate_losses(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of logits (2B,), the rejected inputs' first: which input was it, and which of the two needs it more."""
    of_rejected, of_preferred = logits.chunk(2)
    wanted = torch.cat([torch.ones_like(of_rejected), torch.zeros_like(of_preferred)])
    return (
        F.binary_cross_entropy_with_logits(logits, wanted),
        F.softplus(of_preferred - of_rejected).mean(),
    )


def _noisy(features: torch.Tensor, config: Config) -> torch.Tensor:
    return features + config.feature_noise * torch.randn_like(features) if config.feature_noise else features
