"""Random looks: colour maps as varied as films and filters, drawn rather than collected.

Each is smooth monotone curves, a colour matrix near the unit matrix, a shift and a gain of chroma that
hang on the hue, and split toning, in this order. They stand in for the several thousand LUT
files that Neural Preset was trained with and that were never given out.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

CURVE_POINTS = 65
_LUMA = (0.299, 0.587, 0.114)
_WAVES = 3
"""Cosines in the logarithm of a curve's slope."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookConfig:
    """How far looks go; each is a deviation or a largest value of what is drawn at strength 1."""

    curve: float = 0.35
    """Deviation of the logarithm of a curve's slope, for all channels together."""
    channel_curve: float = 0.12
    """The same for each channel by itself."""
    lift: float = 0.08
    """How far black may rise and white may fall."""
    matrix: float = 0.06
    """Deviation of what the colour matrix has beside the unit matrix; its rows sum to 1."""
    balance: float = 0.08
    """Deviation of the logarithm of the channels' gains."""
    saturation: float = 0.25
    """Deviation of the logarithm of the gain of chroma."""
    hue_shift: float = 0.25
    """Deviation of the turn of one range of hues, in radians."""
    hue_saturation: float = 0.3
    """Deviation of the logarithm of the gain of chroma in one range of hues."""
    toning: float = 0.05
    """Deviation of the tints of shadows and of highlights."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if self.lift > 0.4:
            raise ValueError(
                f"lift is {self.lift}; it must be from 0 to 0.4, or black might come above white"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomLooks:
    """B looks, ready to be applied to B images."""

    curves: torch.Tensor  # (B, 3, CURVE_POINTS), rising
    matrices: torch.Tensor  # (B, 3, 3)
    hues: torch.Tensor  # (B, 4): centre in radians, concentration, turn in radians, log gain of chroma
    saturation: torch.Tensor  # (B,)
    shadows: torch.Tensor  # (B, 3)
    highlights: torch.Tensor  # (B, 3)

    @classmethod
    def draw(cls, n: int, rng: np.random.Generator, config: LookConfig, *, strength: float = 1.0) -> Self:
        """Draw n looks; with strength 0 each is the identity.

        Raises:
            ValueError: strength is below 0 or no number.
        """
        if not (strength >= 0 and math.isfinite(strength)):
            raise ValueError(f"strength is {strength}; it must be 0 or more")

        def normal(deviation: float, *shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
            return strength * deviation * rng.normal(size=(n, *shape))

        mixing = normal(config.matrix, 3, 3)
        mixing -= mixing.mean(axis=2, keepdims=True)  # rows of the whole sum to 1: greys stay grey
        gains = normal(config.balance, 3)
        gains = np.exp(gains - gains.mean(axis=1, keepdims=True))
        hues = np.stack(
            [
                rng.uniform(-np.pi, np.pi, n),
                rng.uniform(1, 4, n),
                normal(config.hue_shift),
                normal(config.hue_saturation),
            ],
            axis=1,
        )
        tints = normal(config.toning, 2, 3)
        return cls(
            curves=_tensor(_curves(n, rng, config, strength)),
            matrices=_tensor((np.eye(3) + mixing) * gains[:, :, None]),
            hues=_tensor(hues),
            saturation=_tensor(normal(config.saturation)),
            shadows=_tensor(tints[:, 0]),
            highlights=_tensor(tints[:, 1]),
        )

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, H, W) sRGB in [0, 1] → the same shape, clipped to [0, 1]."""
        looked = torch.einsum("bij,bjhw->bihw", self.matrices, self._follow_curves(images))
        luma = _luma(looked)
        looked = luma + self._turned(looked - luma)
        luma = luma.clamp(0, 1)
        tints = self.shadows[:, :, None, None] * (1 - luma) ** 2 + self.highlights[:, :, None, None] * luma**2
        return (looked + tints).clamp(0, 1)

    def tables(self, size: int = 33) -> torch.Tensor:
        """All looks as LUTs (B, size, size, size, 3), indexed [red, green, blue]."""
        axis = torch.linspace(0, 1, size)
        lattice = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))  # (3, R, G, B)
        flat = lattice.reshape(1, 3, size, size * size).expand(len(self.curves), -1, -1, -1)
        return self.apply(flat).permute(0, 2, 3, 1).reshape(-1, size, size, size, 3)

    def _follow_curves(self, images: torch.Tensor) -> torch.Tensor:
        place = images.flatten(2).clamp(0, 1) * (CURVE_POINTS - 1)  # (B, 3, P)
        low = place.long().clamp(max=CURVE_POINTS - 2)
        before, after = (torch.gather(self.curves, 2, index) for index in (low, low + 1))
        return (before + (after - before) * (place - low)).reshape(images.shape)

    def _turned(self, chroma: torch.Tensor) -> torch.Tensor:
        """Chroma (B, 3, H, W), of luma 0: turned and scaled as its hue asks."""
        blue, red = chroma[:, 2], chroma[:, 0]
        centre, width, turn, gain = (column[:, None, None] for column in self.hues.unbind(1))
        # The gradient of atan2 at grey is not used: images carry no gradient here.
        near = torch.exp(width * (torch.cos(torch.atan2(red, blue) - centre) - 1))
        angle = turn * near
        scale = torch.exp(self.saturation[:, None, None] + gain * near)
        new_blue = scale * (blue * torch.cos(angle) - red * torch.sin(angle))
        new_red = scale * (blue * torch.sin(angle) + red * torch.cos(angle))
        green = -(_LUMA[0] * new_red + _LUMA[2] * new_blue) / _LUMA[1]  # luma stays 0
        return torch.stack([new_red, green, new_blue], dim=1)


def _luma(images: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) → (B, 1, H, W)."""
    red, green, blue = _LUMA
    return red * images[:, 0:1] + green * images[:, 1:2] + blue * images[:, 2:3]


def _curves(
    n: int, rng: np.random.Generator, config: LookConfig, strength: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(n, 3, CURVE_POINTS): sums of positive slopes, so they rise; smooth, since the slopes' logarithms are."""
    middles = (np.arange(CURVE_POINTS - 1) + 0.5) / (CURVE_POINTS - 1)
    order = np.arange(1, _WAVES + 1)
    waves = np.cos(np.pi * order[:, None] * middles) / order[:, None]  # (waves, points - 1)
    shared = config.curve * rng.normal(size=(n, 1, _WAVES))
    own = config.channel_curve * rng.normal(size=(n, 3, _WAVES))
    slopes = np.exp(strength * (shared + own) @ waves)
    risen = np.cumsum(slopes, axis=2)
    risen = np.concatenate([np.zeros((n, 3, 1)), risen], axis=2) / risen[:, :, -1:]
    black, white = min(strength * config.lift, 0.4) * rng.uniform(0, 1, (2, n, 1, 1))
    # Black rises and white falls rarely: most looks keep both.
    black, white = black * (rng.uniform(size=(n, 1, 1)) < 0.5), white * (rng.uniform(size=(n, 1, 1)) < 0.5)
    return np.asarray(black + (1 - black - white) * risen)


def _tensor(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)
