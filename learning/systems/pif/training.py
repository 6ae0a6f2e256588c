"""The two trainings of PIF: the editor, once; and the words of a taste, for each set of references."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from learning.systems.interface import Pixels
from learning.systems.pif.model import PLACEHOLDERS, OneStep
from learning.systems.pif.settings import NAME, Config
from learning.systems.pif.words import MAPS, draw_strengths, draw_task, joined, perturb
from learning.systems.shared import resized, tensor_of
from learning.training.loop import Diverged, step_chance, train
from learning.training.run_folder import NOTE
from variants.progress import Report, silent
from variants.tone.images import fit_long_side

ATTENTION_SIDE = 16
"""Side of the maps that the attention loss compares."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One step of the editor's training."""

    before: torch.Tensor  # (B, 3, S, S)
    after: torch.Tensor  # (B, 3, S, S)
    ids: torch.Tensor  # (B, tokens)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """One step of learning a taste's words."""

    before: torch.Tensor  # (1, 3, S, S): the reference with some concepts changed
    photo: torch.Tensor  # (1, 3, S, S)
    ids: torch.Tensor  # (1, tokens)
    concepts: tuple[str, ...]


class PairsOfEdits:
    """Photos with two edits each, and the words that lead from the one to the other."""

    def __init__(self, photos: Sequence[Pixels], model: OneStep, config: Config) -> None:
        self.photos, self.model, self.config = photos, model, config

    def __getitem__(self, step: int) -> Batch:
        rng = step_chance(self.config.seed, step)
        chosen = rng.integers(len(self.photos), size=self.config.batch)
        squares = torch.cat([square(self.photos[i], self.config.size, rng) for i in chosen])
        tasks = [draw_task(rng, left_out=self.config.left_out) for _ in chosen]
        before, after = (
            perturb(squares, torch.from_numpy(np.stack([getattr(task, name) for task in tasks])))
            for name in ("before", "after")
        )
        device = self.model.device
        return Batch(
            before=before.to(device),
            after=after.to(device),
            ids=self.model.ids([task.prompt for task in tasks]),
        )


class References:
    """A photo of the taste with a random subset of the concepts changed, and the prompt of that subset's words."""

    def __init__(self, photos: Sequence[Pixels], model: OneStep, config: Config) -> None:
        self.photos, self.model, self.config = photos, model, config

    def __getitem__(self, step: int) -> Reference:
        rng = step_chance(self.config.seed, step)
        photo = square(self.photos[int(rng.integers(len(self.photos)))], self.config.size, rng)
        names = list(PLACEHOLDERS)
        chosen = rng.permutation(len(names))[: rng.integers(1, len(names) + 1)]
        concepts = tuple(names[i] for i in sorted(chosen.tolist()))
        before = perturb(photo, torch.from_numpy(draw_strengths(rng, concepts))[None])
        device = self.model.device
        return Reference(
            before=before.to(device),
            photo=photo.to(device),
            ids=self.model.ids([joined({concept: PLACEHOLDERS[concept] for concept in concepts})]),
            concepts=concepts,
        )


def train_editor(
    model: OneStep,
    photos: Sequence[Pixels],
    config: Config,
    folder: Path,
    report: Report,
    *,
    perceptual: "Perceptual | None",
    resume: bool,
) -> None:
    """The first training; `folder` is the run's."""
    train(
        model.trained(),
        PairsOfEdits(photos, model, config),
        lambda progress, step: editor_loss(model, step, config, perceptual),
        config.loop,
        folder,
        system=NAME,
        seed=config.seed,
        report=report,
        resume=resume,
    )


def editor_loss(
    model: OneStep, step: Batch, config: Config, perceptual: "Perceptual | None"
) -> dict[str, torch.Tensor]:
    """Squares, features and edges of the edited image against the wanted one: (22)."""
    _, edited = model.edit(step.before, step.ids)
    square_error = (edited - step.after).square().mean()
    edges = sum(((edited - step.after).diff(dim=axis)).abs().mean() for axis in (2, 3))
    losses = {"loss_square": square_error, "loss_edges": torch.as_tensor(edges)}
    total = square_error + config.edges * losses["loss_edges"]
    if perceptual is not None:
        losses["loss_perceptual"] = perceptual(edited, step.after)
        total = total + config.perceptual * losses["loss_perceptual"]
    return {"loss": total} | losses


def train_words(
    model: OneStep,
    photos: Sequence[Pixels],
    config: Config,
    folder: Path,
    report: Report = silent,
    *,
    resume: bool = False,
) -> torch.Tensor:
    """The second training: new word embeddings (8, D) for the photos; nothing else of the model moves.

    Where it diverges after its first step, the words as they were before are kept, with a warning and a NOTE in the folder.
    """
    model.freeze()
    with torch.no_grad():
        model.words.rows.copy_(model.words.start.expand_as(model.words.rows))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        train(
            _Rows(model.words.rows),
            References(photos, model, config),
            lambda progress, step: words_loss(model, step, config),
            config.inversion,
            folder,
            system=NAME,
            seed=config.seed,
            report=report,
            resume=resume,
        )
    except Diverged as error:
        if not error.steps:
            raise
        note = f"{error}. The words are those of the {error.steps} steps before"
        (folder / NOTE).write_text(note, encoding="utf-8")
        warnings.warn(note, stacklevel=2)
    return model.words.rows.detach().clone()


def words_loss(model: OneStep, step: Reference, config: Config) -> dict[str, torch.Tensor]:
    """Reconstruction where each concept shows (24), and where its word looks (25)."""
    _, edited = model.edit(step.before, step.ids)
    pixels = step.photo.movedim(1, -1)
    square_error = (edited - step.photo).square().mean(1)[..., None]  # (1, S, S, 1)
    rebuilt, looked = square_error.new_zeros(()), square_error.new_zeros(())
    for concept in step.concepts:
        weight = MAPS[concept](pixels)
        rebuilt = rebuilt + (weight * square_error).sum() / (weight.sum() + 1e-3)
        if config.attention:
            wanted = resized(weight.movedim(-1, 1), (ATTENTION_SIDE, ATTENTION_SIDE))[0, 0]
            looked = looked + (attention_of(model, step.ids, concept) - wanted).square().mean()
    total = rebuilt + config.attention * looked
    return {"loss": total, "loss_reconstruction": rebuilt, "loss_attention": looked}


def attention_of(model: OneStep, ids: torch.Tensor, concept: str) -> torch.Tensor:
    """Where the last pass looked for a concept's word: (16, 16) in [0, 1], mean of the layers nearest to that size."""
    token = model.tokenizer.convert_tokens_to_ids(PLACEHOLDERS[concept])
    at = int((ids[0] == token).nonzero()[0, 0])
    sides = [round(layer.shape[1] ** 0.5) for layer in model.attention]
    nearest = min(sides, key=lambda side: abs(side - ATTENTION_SIDE))
    maps = [
        layer[:1, :, at].reshape(1, 1, side, side)
        for layer, side in zip(model.attention, sides, strict=True)
        if side == nearest
    ]
    found = resized(torch.cat(maps).mean(0, keepdim=True), (ATTENTION_SIDE, ATTENTION_SIDE))[0, 0]
    return (found - found.min()) / (found.max() - found.min() + 1e-8)


def train_autoencoder(model: OneStep, photos: Sequence[Pixels], config: Config, report: Report) -> None:
    """A model from scratch learns to see and to draw first; then its decoder is frozen like a trained one's."""
    model.vae.requires_grad_(True)
    optimizer = torch.optim.Adam(model.vae.parameters(), lr=3e-3)
    for step in range(config.autoencoder_steps):
        rng = step_chance(config.seed + 1, step)
        chosen = rng.integers(len(photos), size=config.batch)
        squares = torch.cat([square(photos[i], config.size, rng) for i in chosen])
        strengths = torch.from_numpy(np.stack([draw_strengths(rng, tuple(PLACEHOLDERS)) for _ in chosen]))
        images = perturb(squares, strengths).to(model.device)
        latents = model.encode(images)
        # Without a bound on the latents the UNet would have to predict numbers of any size.
        loss = (model.decode(latents) - images).square().mean() + 1e-3 * latents.square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        report(step + 1, config.autoencoder_steps, "training the autoencoder")
    model.vae.requires_grad_(False)


def square(photo: Pixels, size: int, rng: np.random.Generator) -> torch.Tensor:
    """A random square of a photo, at least two thirds of its short side: (1, 3, size, size)."""
    height, width = photo.shape[:2]
    side = max(1, round(min(height, width) * rng.uniform(2 / 3, 1)))
    top, left = (int(rng.integers(0, n - side + 1)) for n in (height, width))
    part = fit_long_side(np.ascontiguousarray(photo[top : top + side, left : left + side]), 2 * size)
    return resized(tensor_of(part), (size, size)).clamp(0, 1)


class Perceptual(nn.Module):
    """Distance of VGG's features, each position's scaled to length 1; not LPIPS, whose layers are weighted."""

    LAYERS = (3, 8, 15, 22)
    """The last activations of the first four stages."""
    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.features = network.get_submodule("features").eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))

    @classmethod
    def of(cls, name: str) -> Self:
        """Raise WeightsMissing where the network is not on this machine."""
        from learning.backbones.networks import input_facts, load_network

        _, mean, deviation = input_facts(name)
        return cls(load_network(name), mean, deviation)

    def forward(self, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        x = (torch.cat([one, two]) - self.mean) / self.deviation
        total = x.new_zeros(())
        for number, layer in enumerate(self.features.children()):
            x = layer(x)
            if number in self.LAYERS:
                made, wanted = F.normalize(x, dim=1).chunk(2)
                total = total + (made - wanted).square().sum(1).mean()
            if number == self.LAYERS[-1]:
                break
        return total


class _Rows(nn.Module):
    def __init__(self, rows: nn.Parameter) -> None:
        super().__init__()
        self.rows = rows
