"""What PrefLUT learns before it meets a rater: which LUTs there are, and which one makes one image of a pair the other.

1. A LUT is fitted to each aligned pair, from the rejected image to the preferred one.
2. An auto-encoder learns those LUTs: its decoder is the system's.
3. The image encoder learns to tell a pair's latent from the two images.

The encoders and the decoder are frozen afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from learning.renderers import color_luts as luts
from learning.systems.preflut.config import NetworkConfig, PretrainingConfig
from learning.systems.preflut.network import LutEncoder, Network, one_hidden_layer, pair_features
from variants.progress import Report

RECONSTRUCTION, IMAGE, SMOOTH, MONOTONE, RANGE = 1.0, 1.0, 1e-3, 1e-2, 0.1
"""Weights of the auto-encoder's losses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlignedPairs:
    """Pictures of pairs, each (P, 3, side, side) uint8."""

    rejected: torch.Tensor
    preferred: torch.Tensor

    def __len__(self) -> int:
        return len(self.rejected)

    def at(self, rows: torch.Tensor, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """(rejected, preferred) in [0, 1]."""
        return self.rejected[rows].to(device).float() / 255, self.preferred[rows].to(device).float() / 255


class Pretraining(nn.Module):
    """What only the pre-training has beside the system's network."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.lut_encoder = LutEncoder(config)
        self.latent_of_pair = one_hidden_layer(3 * config.width, config.hidden, config.width)


def pretrain(
    network: Network,
    pairs: AlignedPairs,
    config: PretrainingConfig,
    shape: NetworkConfig,
    *,
    seed: int,
    report: Report,
) -> dict[str, float]:
    """Train the network's pair encoder and decoder in place, copy the one to the query encoder, and freeze all three.

    Returns:
        the last epoch's mean loss of both trainings, for the log.
    """
    device = next(network.parameters()).device
    parts = Pretraining(shape).to(device)
    rng = np.random.default_rng([seed, 1])
    targets = fitted_luts(pairs, config, shape.lut_size, device, report)
    codes, auto_encoder_loss = _auto_encode(network, parts, targets, pairs, config, rng, report)
    latent_loss = _learn_latents(network, parts, codes, pairs, config, rng, report)
    network.query_encoder.load_state_dict(network.pair_encoder.state_dict())
    network.freeze_pretrained()
    return {"auto-encoder": auto_encoder_loss, "latents": latent_loss}


def fitted_luts(
    pairs: AlignedPairs, config: PretrainingConfig, size: int, device: torch.device, report: Report
) -> torch.Tensor:
    """One LUT a pair, (P, 3, size, size, size), by a few steps of Adam from the identity."""
    found = []
    for start in range(0, len(pairs), config.batch):
        rows = torch.arange(start, min(start + config.batch, len(pairs)))
        found.append(fit_luts(*pairs.at(rows, device), config, size).cpu())
        report(int(rows[-1]) + 1, len(pairs), "fitting LUTs to pairs")
    return torch.cat(found)


def fit_luts(before: torch.Tensor, after: torch.Tensor, config: PretrainingConfig, size: int) -> torch.Tensor:
    """LUTs (B, 3, size, size, size) that take the images `before` to those `after`, both (B, 3, H, W)."""
    neutral = luts.identity(size).to(before)
    change = torch.zeros((len(before), *neutral.shape), device=before.device, requires_grad=True)
    optimizer = torch.optim.Adam([change], lr=config.fit_rate)
    for _ in range(config.fit_steps):
        tables = neutral + change
        # Summed over the pairs: each is fitted as if it were alone.
        loss = (
            (luts.look_up(tables, before) - after).abs().mean(dim=(1, 2, 3))
            + config.smoothness * luts.roughness(tables)
            + config.monotonicity * luts.falls(tables)
            + config.identity * change.abs().mean(dim=(1, 2, 3, 4))
        ).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return (neutral + change.detach()).clamp(0, 1)


def _auto_encode(
    network: Network,
    parts: Pretraining,
    targets: torch.Tensor,
    pairs: AlignedPairs,
    config: PretrainingConfig,
    rng: np.random.Generator,
    report: Report,
) -> tuple[torch.Tensor, float]:
    """Latents of all targets (P, width), and the last epoch's loss."""
    device = next(network.parameters()).device
    trained = [*parts.lut_encoder.parameters(), *network.decoder.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate)
    mean = float("nan")
    for epoch in range(config.autoencoder_epochs):
        losses = []
        for rows in _batches(len(pairs), config.batch, rng):
            wanted = targets[rows].to(device)
            before, _ = pairs.at(rows, device)
            unclipped = network.decoder.unclipped(parts.lut_encoder(wanted))
            made = unclipped.clamp(0, 1)
            image = (luts.look_up(made, before) - luts.look_up(wanted, before)).abs().mean()
            loss = (
                RECONSTRUCTION * (made - wanted).abs().mean()
                + IMAGE * image
                + SMOOTH * luts.roughness(made).mean()
                + MONOTONE * luts.falls(made).mean()
                + RANGE * (unclipped - made).abs().mean()
            )
            _step(optimizer, loss, trained)
            losses.append(loss.item())
        mean = float(np.mean(losses))
        report(epoch + 1, config.autoencoder_epochs, "learning LUTs")
    with torch.no_grad():
        codes = [parts.lut_encoder(piece.to(device)).cpu() for piece in torch.split(targets, config.batch)]
    return torch.cat(codes), mean


def _learn_latents(
    network: Network,
    parts: Pretraining,
    codes: torch.Tensor,
    pairs: AlignedPairs,
    config: PretrainingConfig,
    rng: np.random.Generator,
    report: Report,
) -> float:
    """From a pair's pictures to its LUT's latent; the decoder stays as it is."""
    device = next(network.parameters()).device
    trained = [*network.pair_encoder.parameters(), *parts.latent_of_pair.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate)
    spread = codes.std(0, correction=0).clamp_min(1e-3).to(device)
    mean = float("nan")
    for epoch in range(config.latent_epochs):
        losses = []
        for rows in _batches(len(pairs), config.batch, rng):
            before, after = pairs.at(rows, device)
            told = pair_features(network.pair_encoder(after), network.pair_encoder(before))
            latent = parts.latent_of_pair(told)
            image = (luts.look_up(network.decoder(latent), before) - after).abs().mean()
            loss = F.l1_loss(latent / spread, codes[rows].to(device) / spread) + IMAGE * image
            _step(optimizer, loss, trained)
            losses.append(loss.item())
        mean = float(np.mean(losses))
        report(epoch + 1, config.latent_epochs, "learning to see LUTs in pairs")
    return mean


def _batches(n: int, size: int, rng: np.random.Generator) -> Iterator[torch.Tensor]:
    return iter(torch.split(torch.from_numpy(rng.permutation(n)), size))


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor, trained: list[nn.Parameter]) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
