"""TasteLUT's network: what sees a photo, what reads a rater's pairs, and what makes an edit of both."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from learning.renderers.color_luts import identity, look_up
from learning.systems.tastelut.config import LookConfig, NetworkConfig


class Sizes(NamedTuple):
    """What the data decide of a network's shapes."""

    statistics: int
    tones: int
    contents: int


class Seen(NamedTuple):
    """What is seen of images: (..., hidden), (..., K) tones as departures from the usual look, (..., C) with a sum of 1."""

    features: torch.Tensor
    tones: torch.Tensor
    content: torch.Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Taste:
    """What is known of R raters. Content is a photo's: an ideal point is a mixture over the kinds of scenes."""

    memory: torch.Tensor  # (R, M, width)
    ideal: torch.Tensor  # (R, C, K)
    variance: torch.Tensor  # (R, C, C, K): between kinds of scenes, for each tone

    def at(self, content: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Content (R, Q, C) → ideal tones and their deviations, both (R, Q, K)."""
        mean = torch.einsum("rqc,rck->rqk", content, self.ideal)
        variance = torch.einsum("rqc,rqd,rcdk->rqk", content, content, self.variance)
        return mean, variance.clamp(min=1e-6).sqrt()


class Edit(NamedTuple):
    """Of B photos: curves (B, 3, knots + 1) that rise from 0 to 1, then LUTs (B, 3, S, S, S)."""

    curves: torch.Tensor
    luts: torch.Tensor

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] → the same shape."""
        return look_up(self.luts, along_curves(self.curves, images))


class Network(nn.Module):
    feature_mean: torch.Tensor
    feature_deviation: torch.Tensor
    metric: torch.Tensor
    axes: torch.Tensor
    dial: torch.Tensor
    eye: torch.Tensor

    def __init__(self, sizes: Sizes, config: NetworkConfig, look: LookConfig) -> None:
        super().__init__()
        statistics, tones, contents = sizes
        self.sizes, self.config = sizes, config
        hidden, width = config.hidden, config.width
        self.look = Look(sizes, look)
        self.see = _layers(statistics, hidden, hidden, config.dropout)
        self.token = _layers(self.token_inputs, hidden, width, config.dropout)
        self.nobody = nn.Parameter(0.02 * torch.randn(1, 1, width))
        layer = nn.TransformerEncoderLayer(
            width,
            config.heads,
            2 * width,
            config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.pool = nn.Parameter(0.02 * torch.randn(1, config.memory, width))
        self.pooling = _attention(config)
        self.query = nn.Linear(hidden + tones + contents, width)
        self.asking = _attention(config)
        self.asked = nn.LayerNorm(width)
        known = hidden + 4 * tones + contents + width
        self.plan = _layers(known, hidden + width, config.lut_basis + 3 * config.knots, config.dropout)
        self.gate = _layers(known + 2, width, 1, config.dropout)
        last = self.plan[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.basis = nn.Parameter(0.02 * torch.randn(config.lut_basis, 3, *(config.basis_size,) * 3))
        self.register_buffer("eye", identity(config.lut_size), persistent=False)
        self.register_buffer("feature_mean", torch.zeros(statistics))
        self.register_buffer("feature_deviation", torch.ones(statistics))
        self.register_buffer("metric", torch.ones(tones))
        self.register_buffer("axes", torch.zeros(statistics, tones))
        self.register_buffer("dial", torch.tensor([1.0, 0.0]))

    def train(self, mode: bool = True) -> "Network":
        """`look` stays as it was learnt: what is known of raters was read with it."""
        super().train(mode)
        self.look.eval()
        return self

    @property
    def token_inputs(self) -> int:
        """A pair's difference; with `sides` also both images; where the pair stands, its tones' difference, its content."""
        statistics, tones, contents = self.sizes
        return (3 if self.config.sides else 1) * statistics + 2 * tones + contents

    def scaled(self, statistics: torch.Tensor) -> torch.Tensor:
        return (statistics - self.feature_mean) / self.feature_deviation

    def tones(self, difference: torch.Tensor) -> torch.Tensor:
        """A difference of scaled statistics (..., S) of two renditions of one scene, in tones (..., K): exact."""
        return (difference * self.feature_deviation) @ self.axes

    def sees(self, features: torch.Tensor) -> Seen:
        """Scaled statistics (..., S); what departs from the usual look is taken from them with the frozen `look`."""
        with torch.no_grad():
            tones, content = self.look(features)
        return Seen(self.see(features), tones, content)

    def reads(self, tokens: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
        """Pairs (R, N, ·) and which of them are there (R, N) → memory (R, M, width), whatever their order."""
        embedded = torch.cat([self.nobody.expand(len(tokens), -1, -1), self.token(tokens)], dim=1)
        absent = ~F.pad(counted, (1, 0), value=True)
        encoded = self.encoder(embedded, src_key_padding_mask=absent)
        pool = self.pool.expand(len(tokens), -1, -1)
        read, _ = self.pooling(pool, encoded, encoded, key_padding_mask=absent, need_weights=False)
        memory: torch.Tensor = pool + read
        return memory

    def plans(
        self, seen: Seen, taste: Taste, told: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[Edit, torch.Tensor]:
        """Edits of the photos (R·Q of them, rater by rater), and logits (R, Q): above 0 a photo rather needs its edit.

        Args:
            seen: of photos, each (R, Q, ...).
            taste: of the raters.
            told: which of the photos (R, Q) are told their target tone instead, and that tone (R, Q, K).
        """
        ideal, deviation = taste.at(seen.content)
        asked = seen.features.new_zeros((*seen.features.shape[:2], self.config.width))
        if self.config.attention:
            query = self.query(torch.cat([seen.features, seen.tones, seen.content], dim=-1))
            found, _ = self.asking(query, taste.memory, taste.memory, need_weights=False)
            asked = self.asked(found)
        if not self.config.ideal_point:
            ideal, deviation = seen.tones, torch.zeros_like(deviation)
        if told is not None:
            is_told, target = told[0][..., None], told[1]
            ideal, deviation = torch.where(is_told, target, ideal), deviation * ~is_told
            asked = asked * ~is_told
        way = ideal - seen.tones
        known = torch.cat([seen.features, seen.tones, ideal, way, deviation, seen.content, asked], dim=-1)
        far = (self.metric * way.square()).sum(-1, keepdim=True)
        unsure = (self.metric * deviation.square()).sum(-1, keepdim=True)
        logits = self.gate(torch.cat([known, (far + 1e-6).sqrt() / 3, unsure], dim=-1))[..., 0]
        return self._edit(self.plan(known).flatten(0, 1)), logits

    def _edit(self, plan: torch.Tensor) -> Edit:
        """(B, lut_basis + 3·knots) → edits; a plan of zeros is no edit."""
        config = self.config
        steps = plan[:, config.lut_basis :].view(-1, 3, config.knots).softmax(-1)
        size = (config.lut_size,) * 3
        basis = F.interpolate(self.basis, size, mode="trilinear", align_corners=True).flatten(1)
        shift = torch.tanh(plan[:, : config.lut_basis] @ basis).view(-1, 3, *size)
        return Edit(F.pad(steps.cumsum(-1), (1, 0)), self.eye + config.largest_shift * shift)


class Look(nn.Module):
    """How an image departs from its scene's usual look, and what kind of scene it shows, from the image alone."""

    def __init__(self, sizes: Sizes, config: LookConfig) -> None:
        super().__init__()
        self.n_tones = sizes.tones
        outputs = sizes.tones + sizes.contents
        self.members = nn.ModuleList(
            _layers(sizes.statistics, config.hidden, outputs, config.dropout) for _ in range(config.members)
        )

    def each(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scaled statistics (..., S) → what each of M members finds: tones (M, ..., K) and content (M, ..., C)."""
        found = torch.stack([member(features) for member in self.members])
        return found[..., : self.n_tones], found[..., self.n_tones :].softmax(-1)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scaled statistics (..., S) → tones (..., K) and content (..., C), the members' means."""
        tones, content = self.each(features)
        return tones.mean(0), content.mean(0)


def along_curves(curves: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Each channel of (B, 3, H, W) through its own curve (B, 3, knots + 1), straight between knots."""
    pieces = curves.shape[-1] - 1
    place = images.clamp(0, 1).flatten(2) * pieces
    below = place.detach().floor().clamp(max=pieces - 1)
    index = below.long()
    start, end = curves.gather(2, index), curves.gather(2, index + 1)
    return (start + (place - below) * (end - start)).view_as(images)


def _layers(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(dropout)),
        *(nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout)),
        nn.Linear(hidden, outputs),
    )


def _attention(config: NetworkConfig) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(config.width, config.heads, dropout=config.dropout, batch_first=True)
