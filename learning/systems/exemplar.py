"""Exemplar-based inference: masked style modeling on a rater's answers.

Every reference is a triplet: the scene's original, the preferred image, the rejected one.
Their styles are differences of embeddings to the original, its content says what the scene
shows. A transformer reads all references and the photo to edit, whose own styles are
masked, and predicts the preferred style; a U-Net edits the photo to it at a fixed size.
The edit is lifted to the photo's full size by a fitted LUT or bilateral grid.

Where a scene has no neutral rendition the original of a pair is its mean in linear light.
Two settings go beyond the published form (the preset tiny has both):
- style="preferred_minus_rejected": one style per reference, measured between the two images,
  as masked style modeling was adapted for a comparison elsewhere;
- query="input": the predicted style is the way from the very photo to be edited to the
  preferred one. As published it is the way from the original, whatever the photo is, so a
  photo that is already to the rater's taste is edited once more.

Sources: J. Kim, J. Yoo, S. J. Kim (2026), CVPR; S. Kosugi, T. Yamasaki (2024), IEEE TCSVT.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import nn

from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeConfig, EpisodeSampler
from learning.systems import TITLES
from learning.systems.exemplars.editing import FixedSizeEditor, LiftingConfig, union_of_profiles
from learning.systems.exemplars.encoders import ContentEncoder, EncoderConfig, StyleEncoder, start_from
from learning.systems.exemplars.enhancer import Enhancer
from learning.systems.exemplars.examples import (
    Augmentation,
    dataset_squares,
    mean_in_linear_light,
    square_side,
    training_answers,
)
from learning.systems.exemplars.losses import EnhancerLoss, enhancer_losses, shrunk
from learning.systems.exemplars.predictor import MaskedStyle, PredictorConfig, weighted_average
from learning.systems.exemplars.stages import Stage, check_shares, train_stages
from learning.systems.exemplars.triplets import PairStep, PairSteps, ReferenceStep, ReferenceSteps, Triplets
from learning.systems.exemplars.user_embedding import LikedData, UserEmbedding
from learning.systems.exemplars.whitening import Whitening
from learning.systems.interface import Profile, ReferencePair
from learning.systems.shared import best_device, dataset_facts, described, read_settings
from learning.training import run_folder as runs
from learning.training.batches import moved
from learning.training.loop import LoopConfig, step_chance
from learning.training.threads import cpu_threads
from variants.progress import Report

NAME = "exemplar"
TITLE = TITLES[NAME]
STYLES = ("triplet", "preferred_minus_rejected")
QUERIES = ("original", "input")
STAGES = ("embedding", "style", "masked")
STYLES_PER_COMPONENT = 8
"""How many the principal components are learned from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    backbone: str = ""
    """A ResNet-18 that the encoders start from, such as torchvision:resnet18; empty for random weights."""
    seed: int = 0
    edit_size: int = 512
    """Side of the squares that the enhancer edits."""
    embed_size: int = 256
    """Side at which styles and contents are read."""
    style: str = "triplet"
    query: str = "original"
    neutral_share: float = 0.5
    """How often a scene's neutral rendition is the original in training; else the pair's mean."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    enhancer_width: int = 64
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    lifting: LiftingConfig = field(default_factory=LiftingConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    enhancer_loss: EnhancerLoss = field(default_factory=EnhancerLoss)
    batch: int = 64
    """Pairs in a step that trains the embedding or the enhancer."""
    episodes: EpisodeConfig = field(default_factory=EpisodeConfig)
    """Of the steps that train the transformer."""
    shares: tuple[float, ...] = (0.2, 0.4, 0.4)
    """Of all steps: PieNet's embedding, style and enhancer, content and transformer."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    threads: int | None = None
    """CPU threads in training; None for torch's own number."""

    def __post_init__(self) -> None:
        for name, choices in (("style", STYLES), ("query", QUERIES)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(choices)}")
        for name in ("edit_size", "embed_size"):
            if not 32 <= getattr(self, name) <= 2048:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 32 to 2048 pixels")
        if self.embed_size > self.edit_size:
            raise ValueError(
                f"embed_size is {self.embed_size}; it must be at most edit_size ({self.edit_size})"
            )
        if not 0 <= self.neutral_share <= 1:
            raise ValueError(f"neutral_share is {self.neutral_share}; it must be from 0 to 1")
        for name in ("batch", "enhancer_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; it must be 1 or more, or null")
        check_shares(self.shares, STAGES)

    @property
    def styles(self) -> int:
        """Of each reference."""
        return 2 if self.style == "triplet" else 1


def tiny() -> Config:
    """For a CPU: about a minute with 8 scenes and 48 raters; encoders from scratch at 48 pixels."""
    return Config(
        preset="tiny",
        edit_size=48,
        embed_size=48,
        style="preferred_minus_rejected",
        query="input",
        encoder=EncoderConfig(width=8),
        enhancer_width=8,
        predictor=PredictorConfig(width=128, heads=4, layers=2, hidden=256),
        lifting=LiftingConfig(lut_size=9),
        augmentation=Augmentation(brightness=0.2, saturation=0.1, channels=0.05),
        batch=12,
        episodes=EpisodeConfig(raters=4, targets=4, min_references=4, max_references=12),
        shares=(0.1, 0.45, 0.45),
        loop=LoopConfig(steps=500, learning_rate=2e-3, weight_decay=0.0, warmup=20),
        # Operations this small gain nothing from a second core and lose much where it is busy.
        threads=1,
    )


def paper() -> Config:
    """As adapted by Kim, Yoo and Kim: triplets, ResNet-18 from ImageNet, 6 layers of 8 heads and 1024.

    Steps are 25,000 for PieNet's embedding, and 40 and 30 epochs of 60,000 pairs by 64 and 32.
    """
    return Config(
        preset="paper",
        backbone="torchvision:resnet18",
        episodes=EpisodeConfig(raters=32, targets=1, min_references=10, max_references=16),
        shares=(0.2, 0.3, 0.5),
        loop=LoopConfig(
            steps=120_000,
            learning_rate=1e-4,
            weight_decay=0.0,
            warmup=0,
            checkpoint_every=1000,
            log_every=50,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}


class Network(nn.Module):
    """Everything that a run keeps."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size = config.encoder.embedding
        self.style = StyleEncoder(config.encoder)
        self.enhancer = Enhancer(config.enhancer_width, size)
        self.content = ContentEncoder(config.encoder)
        self.masked = (
            MaskedStyle(size, config.styles, config.predictor)
            if config.predictor.kind == "transformer"
            else None
        )
        self.whitening = Whitening(size)

    def styles_of(self, triplets: Triplets, config: Config) -> torch.Tensor:
        """Of n references, (n, k, D)."""
        p, n, s = triplets.preferred, triplets.rejected, triplets.original
        if config.style == "triplet":
            return torch.stack(self.style.styles([p, n], s), dim=1)
        return self.style.style(p, n)[:, None]

    def contents_of(self, triplets: Triplets, config: Config) -> torch.Tensor:
        """Of n references, (n, D)."""
        contents: torch.Tensor = self.content(
            triplets.original if config.style == "triplet" else triplets.rejected
        )
        return contents

    def predict(self, styles: torch.Tensor, contents: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """Principal components of the style that is masked: (B, N, k, D), (B, N, D), (B, D) → (B, D)."""
        if self.masked is None:
            return self.whitening.project(weighted_average(styles[:, :, 0], contents, query))
        answer: torch.Tensor = self.masked(styles, contents, query)
        return answer * self.whitening.deviation


class Exemplar(FixedSizeEditor):
    """See `learning.systems.interface.System`; with a LUT for lifting it is a ColorMapper too."""

    name: ClassVar[str] = NAME

    def __init__(self, network: Network, config: Config) -> None:
        self.config = config
        self.edit_size, self.reference_size = config.edit_size, 2 * config.embed_size
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

    @torch.inference_mode()
    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """Styles (N, k, D) and contents (N, D) of the references; ValueError without any."""
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        preferred = self._squares([pair.preferred for pair in references], self.config.embed_size)
        rejected = self._squares([pair.rejected for pair in references], self.config.embed_size)
        triplets = Triplets(
            preferred=preferred, rejected=rejected, original=mean_in_linear_light(preferred, rejected)
        )
        return {
            "styles": self._network.styles_of(triplets, self.config).cpu().numpy(),
            "contents": self._network.contents_of(triplets, self.config).cpu().numpy(),
        }

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        """The references of all raters together, evenly thinned: the transformer reads any number."""
        return union_of_profiles(profiles)

    def _edited(self, squares: torch.Tensor, profile: Profile) -> torch.Tensor:
        network = self._network
        styles, contents = (
            torch.tensor(profile[name], device=self._device)[None] for name in ("styles", "contents")
        )
        query = network.content(shrunk(squares, self.config.embed_size))
        components = network.predict(styles, contents, query)
        style = components @ network.whitening.components + network.whitening.mean
        edited: torch.Tensor = network.enhancer(squares, style)
        return edited


def load(run_folder: Path) -> Exemplar:
    """Raise RunError where the folder holds no whole run of this system."""
    return Exemplar.load(run_folder)


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> Exemplar:
    """Train in three stages: PieNet's embedding, style and enhancer, content and transformer.

    Args:
        dataset: whose valid training raters are learnt from.
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
    sampler = EpisodeSampler(dataset, config.episodes)
    answers, device = training_answers(dataset), best_device()
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Network(config)
        pienet = UserEmbedding(int(answers[1].max()) + 1, config.encoder)
    for part in (network, pienet):
        start_from(part, config.backbone)
        part.to(device)
    facts = dataset_facts(
        dataset,
        raters=sampler.n_raters,
        left_out=sampler.left_out,
        images=len(sampler.images),
        judgments=sampler.n_judgments,
    )
    runs.open_run(run_folder, described(NAME, config, facts), resume=resume)
    with cpu_threads(config.threads):
        train_stages(
            _stages(dataset, sampler, network, pienet, config),
            config.loop,
            run_folder,
            system=NAME,
            seed=config.seed,
            report=report,
            resume=resume,
        )
    network.eval()
    runs.write_weights(run_folder, network.state_dict(), system=NAME)
    runs.remove_checkpoints(run_folder)
    runs.write_card(run_folder, TITLE, n_parameters=sum(p.numel() for p in network.parameters()))
    return Exemplar(network, config)


def _stages(
    dataset: PreferenceDataset,
    sampler: EpisodeSampler,
    network: Network,
    pienet: UserEmbedding,
    config: Config,
) -> list[Stage]:
    answers = training_answers(dataset)
    large = dataset_squares(dataset, square_side(config.edit_size, config.augmentation))
    small = (
        large
        if config.edit_size == config.embed_size
        else dataset_squares(dataset, square_side(config.embed_size, config.augmentation))
    )
    liked = LikedData(
        dataset,
        answers,
        small,
        batch=config.batch,
        size=config.embed_size,
        augmentation=config.augmentation,
        seed=config.seed,
    )
    pairs = PairSteps(
        dataset,
        answers[0],
        large,
        batch=config.batch,
        size=config.edit_size,
        augmentation=config.augmentation,
        neutral_share=config.neutral_share,
        edits=_edits(config),
        seed=config.seed,
    )
    references = ReferenceSteps(
        dataset,
        sampler,
        small,
        size=config.embed_size,
        augmentation=config.augmentation,
        neutral_share=config.neutral_share,
        seed=config.seed,
    )
    content: dict[str, nn.Module] = {"content": network.content}
    if network.masked is not None:
        content["masked"] = network.masked
    return [
        Stage(
            name="embedding",
            network=pienet,
            data=liked,
            step_loss=lambda _, step: pienet.loss(step),
            share=config.shares[0],
        ),
        Stage(
            name="style",
            network=nn.ModuleDict({"style": network.style, "enhancer": network.enhancer}),
            data=pairs,
            step_loss=lambda _, step: _style_loss(network, pienet, step, config),
            share=config.shares[1],
            prepare=lambda: _freeze(pienet),
        ),
        Stage(
            name="masked",
            network=nn.ModuleDict(content),
            data=references,
            step_loss=lambda _, step: _masked_loss(network, step, config),
            share=config.shares[2],
            prepare=lambda: _learn_components(network, references, config),
        ),
    ]


def _edits(config: Config) -> tuple[tuple[str, str], ...]:
    """(from, to) of the edits that teach style and enhancer."""
    if config.query == "input":
        between = (("rejected", "preferred"), ("preferred", "rejected"), ("preferred", "preferred"))
        if config.style == "preferred_minus_rejected":
            return between
        return (*between, ("original", "preferred"), ("original", "rejected"))
    if config.style == "preferred_minus_rejected":
        return (("rejected", "preferred"),)
    return (("original", "preferred"), ("original", "rejected"))


def _freeze(network: nn.Module) -> None:
    network.eval().requires_grad_(False)


def _style_loss(
    network: Network, pienet: UserEmbedding, step: PairStep, config: Config
) -> dict[str, torch.Tensor]:
    embedded = shrunk(torch.cat([step.wanted, step.images]), config.embed_size)
    wanted, images = network.style(embedded).chunk(2)
    edited = network.enhancer(step.images, wanted - images)
    return enhancer_losses(edited, step.images, step.wanted, pienet, config.enhancer_loss, config.embed_size)


def _masked_loss(network: Network, step: ReferenceStep, config: Config) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        styles = network.styles_of(step.references, config)  # (R·N, k, D)
    contents = network.contents_of(step.references, config)
    styles, contents = (
        of_all.reshape(step.raters, -1, *of_all.shape[1:]).repeat_interleave(config.episodes.targets, dim=0)
        for of_all in (styles, contents)
    )
    photos, aim = _queries(network, step, config)
    components = network.predict(styles, contents, network.content(photos))
    loss = F.l1_loss(components, network.whitening.project(aim))
    return {"loss": loss, "loss_masked": loss}


def _queries(network: Network, step: ReferenceStep, config: Config) -> tuple[torch.Tensor, torch.Tensor]:
    """Photos (n, 3, S, S) whose style is masked, and that style (n, D)."""
    targets = step.targets
    if config.query == "input":
        photos = torch.where(step.from_preferred[:, None, None, None], targets.preferred, targets.rejected)
    else:
        photos = targets.original if config.style == "triplet" else targets.rejected
    with torch.no_grad():
        return photos, network.style.style(targets.preferred, photos)


@torch.no_grad()
def _learn_components(network: Network, data: ReferenceSteps, config: Config) -> None:
    """PCA of styles that the frozen encoder gives; the same on every start, for it is no part of a checkpoint."""
    _freeze(network.style)
    _freeze(network.enhancer)
    found: list[torch.Tensor] = []
    while sum(map(len, found)) < STYLES_PER_COMPONENT * config.encoder.embedding:
        # Far from the steps of training, so that these are other crops.
        step = moved(data.at(step_chance(config.seed + 1, len(found))), network.whitening.mean.device)
        found.append(_queries(network, step, config)[1])
        found.append(network.styles_of(step.references, config)[:, 0])
    network.whitening.fit(torch.cat(found))
