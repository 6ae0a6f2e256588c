"""PieNet: one vector for each person, from the photos that they like, and an enhancer that follows it.

Trained in three stages: a degrading model that makes originals for photos that have none;
an embedding in which everybody's liked photos lie around a learned vector of theirs (the
triplet loss); an enhancer that turns originals into the photos their users like, by the
users' vectors. A new person's vector is the mean of the embeddings of the photos they
like, so nothing is trained for them. It is the same for every photo to edit: a taste that
depends on what a photo shows is what this system cannot follow, and `msm` can.

Sources: H.-U. Kim, Y. J. Koh, C.-S. Kim (2020), PieNet: Personalized Image Enhancement
Network, ECCV; enhancer and pseudo-users as in S. Kosugi, T. Yamasaki (2024), IEEE TCSVT.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import nn

from learning.data.dataset import PreferenceDataset
from learning.systems import TITLES
from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles
from learning.systems.shared import best_device, described, read_settings, without_frame
from learning.systems.style_parts.editing import FixedSizeEditor, LiftingConfig
from learning.systems.style_parts.encoders import EncoderConfig, StyleEncoder, start_from
from learning.systems.style_parts.enhancer import Enhancer
from learning.systems.style_parts.examples import Augmentation
from learning.systems.style_parts.liked import LikedPairs, LikedPairSteps, LikedSource, originals_of
from learning.systems.style_parts.liked_config import LikedConfig
from learning.systems.style_parts.liked_stages import (
    degrading_stage,
    embedding_stage,
    liked_facts,
    sources,
)
from learning.systems.style_parts.losses import enhancer_losses
from learning.systems.style_parts.stages import Stage, check_shares, freeze, run_stages
from learning.systems.style_parts.user_embedding import UserEmbedding
from learning.training import run_folder as runs
from learning.training.loop import LoopConfig
from variants.progress import Report

NAME = "pienet"
TITLE = TITLES[NAME]
STAGES = ("degrading", "embedding", "enhancer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(LikedConfig):
    vector_noise: float = 0.1
    """Length of the random vector that is added to a user's in training the enhancer."""
    shares: tuple[float, ...] = (0.2, 0.3, 0.5)
    """Of all steps: the degrading model, the embedding, the enhancer."""

    def __post_init__(self) -> None:
        LikedConfig.__post_init__(self)
        if self.vector_noise < 0:
            raise ValueError(f"vector_noise is {self.vector_noise}; it must be 0 or more")
        check_shares(self.shares, STAGES)


def tiny() -> Config:
    """For a CPU: about a minute; encoders from scratch at 48 pixels."""
    return Config(
        preset="tiny",
        edit_size=48,
        embed_size=48,
        encoder=EncoderConfig(width=8),
        enhancer_width=8,
        lifting=LiftingConfig(lut_size=9),
        augmentation=Augmentation(brightness=0.2, saturation=0.1, channels=0.05),
        batch=16,
        shares=(0.15, 0.35, 0.5),
        loop=LoopConfig(steps=600, learning_rate=2e-3, weight_decay=0.0, warmup=20),
        # Operations this small gain nothing from a second core and lose much where it is busy.
        threads=1,
    )


def paper() -> Config:
    """As published: ResNet-18 from ImageNet, 512 pixels, 25,000 steps of 64 triplets."""
    return Config(
        preset="paper",
        backbone="torchvision:resnet18",
        shares=(0.2, 0.25, 0.55),
        loop=LoopConfig(
            steps=100_000,
            learning_rate=1e-4,
            weight_decay=0.0,
            warmup=0,
            checkpoint_every=1000,
            log_every=50,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}


class Network(nn.Module):
    """Everything that a run keeps; the training users' own vectors are not among it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.encoder = StyleEncoder(config.encoder)
        self.enhancer = Enhancer(config.enhancer_width, config.encoder.embedding)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) in [0, 1] → (B, D) of length 1."""
        return F.normalize(self.encoder(images), dim=1)


class PieNet(FixedSizeEditor):
    """See `learning.systems.interface.System` and `PhotoReader`; a ColorMapper where a LUT lifts its edit."""

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

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """The preferred images alone are read; ValueError without references."""
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        return self.adapt_to_photos([pair.preferred for pair in references])

    @torch.inference_mode()
    def adapt_to_photos(self, photos: Sequence[Pixels]) -> Profile:
        """The mean of the photos' embeddings, (D,); ValueError without photos."""
        if not photos:
            raise ValueError("photos is empty; a taste is read from at least one photo")
        photos = [without_frame(photo) for photo in photos]
        embedded = self._network.embed(self._squares(photos, self.config.embed_size))
        return {"vector": embedded.mean(dim=0).cpu().numpy()}

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        return mean_of_profiles(profiles)

    def _edited(self, squares: torch.Tensor, profile: Profile) -> torch.Tensor:
        vector = torch.tensor(profile["vector"], device=self._device)[None]
        edited: torch.Tensor = self._network.enhancer(squares, vector)
        return edited


def load(run_folder: Path) -> PieNet:
    """Raise RunError where the folder holds no whole run of this system."""
    return PieNet.load(run_folder)


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> PieNet:
    """Train in three stages: degrading model, embedding, enhancer.

    Args:
        dataset: whose valid training raters are the users; a folder of photos that people like becomes
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
        embedding = UserEmbedding(large.n_users, config.encoder)
        degrader = Enhancer(config.enhancer_width, 0)
    # The frozen embedding measures the enhancer's results too.
    network.encoder = embedding.encoder
    for part in (network, embedding, degrader):
        start_from(part, config.backbone)
        part.to(device)
    run_stages(
        liked_facts(dataset, large),
        _stages(large, small, network, embedding, degrader, config),
        network,
        config,
        run_folder,
        system=NAME,
        title=TITLE,
        report=report,
        resume=resume,
    )
    return PieNet(network, config)


def _stages(
    large: LikedSource,
    small: LikedSource,
    network: Network,
    embedding: UserEmbedding,
    degrader: Enhancer,
    config: Config,
) -> list[Stage]:
    pairs = LikedPairSteps(
        large,
        batch=config.batch,
        size=config.edit_size,
        augmentation=config.augmentation,
        seed=config.seed,
    )
    return [
        degrading_stage(degrader, large, config, config.shares[0]),
        embedding_stage(embedding, small, config, config.shares[1], lambda: freeze(degrader)),
        Stage(
            name="enhancer",
            network=network.enhancer,
            data=pairs,
            step_loss=lambda _, step: _enhancer_loss(network, embedding, degrader, step, config),
            share=config.shares[2],
            prepare=lambda: freeze(degrader, embedding),
        ),
    ]


def _enhancer_loss(
    network: Network, embedding: UserEmbedding, degrader: Enhancer, step: LikedPairs, config: Config
) -> dict[str, torch.Tensor]:
    originals = originals_of(step, degrader, config.augmentation, config.edit_size, colours=False)
    vectors = embedding.vectors[step.users]
    noise = config.vector_noise * F.normalize(torch.randn_like(vectors), dim=1)
    edited = network.enhancer(originals, vectors + noise)
    return enhancer_losses(
        edited, originals, step.retouched, embedding, config.enhancer_loss, config.embed_size
    )
