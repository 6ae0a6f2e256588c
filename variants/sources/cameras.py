"""Type B without cameras: twelve simulated cameras, each a plausible image processor with numbers of our own.

They stand for no make. Each takes the photo back to linear light and does what a camera does from there:
exposure, white balance, colour matrix, tone curve, saturation, sharpening. Whatever they make is
called simulated wherever it appears.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from variants.tone.color import LUMINANCE, linear_to_srgb, srgb_to_linear
from variants.tone.concepts import gaussian_blur
from variants.tone.images import Pixels


@dataclass(frozen=True, kw_only=True)
class Camera:
    exposure: float = 0.0
    """In stops."""
    red: float = 1.0
    blue: float = 1.0
    """White balance: gains in linear light, green's being 1."""
    matrix: tuple[float, float, float, float, float, float] = (0, 0, 0, 0, 0, 0)
    """Colour matrix beside its diagonal: green and blue into red, red and blue into green, red and green into blue.
    Its rows make 1, so that greys stay grey."""
    shoulder: float = 0.0
    """How early highlights are held back, in linear light: (1 - exp(-s x)) / (1 - exp(-s))."""
    gamma: float = 1.0
    """Exponent on encoded values: below 1 opens the shadows."""
    contrast: float = 0.0
    """Slope at mid-grey less 1, -0.45 to 0.45: an S on encoded values."""
    black: float = 0.0
    """Encoded value that black becomes."""
    saturation: float = 1.0
    """Factor on the distance from luminance, in linear light."""
    sharpening: float = 0.0
    """Amount of unsharp masking on luma."""
    radius: float = 0.001
    """Of the sharpening, as a part of the long side."""


CAMERAS = {
    "phone_vivid": Camera(
        exposure=0.2, red=1.02, blue=1.03, matrix=(-0.08, 0.0, -0.04, -0.03, 0.0, -0.08), shoulder=1.2,
        contrast=0.12, saturation=1.28, sharpening=0.9,
    ),
    "phone_bright": Camera(
        exposure=0.35, red=1.0, blue=1.05, shoulder=2.0, gamma=0.9, saturation=1.12, sharpening=1.1, radius=0.0008
    ),
    "phone_warm": Camera(
        red=1.1, blue=0.88, matrix=(-0.05, 0.02, 0.0, 0.0, 0.02, -0.06), shoulder=0.8, contrast=0.05,
        saturation=1.1, sharpening=0.6,
    ),
    "phone_cool": Camera(red=0.93, blue=1.12, shoulder=1.0, contrast=0.15, saturation=1.05, sharpening=0.8),
    "compact_plain": Camera(
        exposure=-0.15, red=1.03, blue=0.97, contrast=0.22, saturation=0.95, sharpening=0.4, radius=0.0016
    ),
    "compact_green": Camera(
        exposure=0.05, red=0.94, blue=0.9, matrix=(0.06, 0.0, -0.06, -0.02, 0.0, 0.05), contrast=0.18,
        saturation=1.08, sharpening=0.7, radius=0.0016,
    ),
    "reflex_neutral": Camera(red=1.01, blue=0.99, matrix=(-0.03, 0.0, -0.02, 0.0, 0.0, -0.03), contrast=0.04, sharpening=0.25),
    "reflex_portrait": Camera(
        exposure=0.15, red=1.05, blue=0.95, matrix=(0.04, 0.0, 0.0, 0.02, 0.0, 0.03), shoulder=0.6,
        contrast=-0.1, saturation=0.92,
    ),
    "reflex_landscape": Camera(
        exposure=-0.2, red=1.0, blue=1.04, matrix=(-0.1, 0.0, -0.08, -0.06, 0.0, -0.12), contrast=0.28,
        saturation=1.3, sharpening=0.7,
    ),
    "mirrorless_flat": Camera(exposure=-0.05, gamma=0.92, contrast=-0.25, black=0.03, saturation=0.78),
    "mirrorless_rich": Camera(
        exposure=-0.1, red=1.04, blue=0.98, matrix=(-0.06, 0.0, -0.03, 0.0, 0.0, -0.06), gamma=1.05, contrast=0.2,
        saturation=1.18, sharpening=0.35,
    ),
    "old_film": Camera(
        red=1.07, blue=0.9, matrix=(0.05, 0.03, 0.04, 0.02, 0.04, 0.08), shoulder=1.5, contrast=0.1, black=0.045,
        saturation=0.8,
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CameraRecipe:
    """A photo as a simulated camera gives it. As JSON: {"simulated_camera": "phone_vivid", "numbers": "3f…"}."""

    camera: str

    def __post_init__(self) -> None:
        if self.camera not in CAMERAS:
            raise ValueError(f"{self.camera!r} is no simulated camera; there are {', '.join(CAMERAS)}")

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """`numbers` is a hash of the camera's: changed ones make other renditions."""
        numbers = dataclasses.asdict(CAMERAS[self.camera])
        digest = hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()
        return {"simulated_camera": self.camera, "numbers": digest[:16]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "CameraRecipe":
        recipe = cls(camera=data["simulated_camera"])
        if recipe.to_json() != data:
            raise ValueError(
                f"the simulated camera {recipe.camera} has other numbers now than when this rendition was ordered"
            )
        return recipe

    def apply(self, photo: Pixels) -> Pixels:
        return develop(photo, CAMERAS[self.camera])


def camera_recipes() -> list[CameraRecipe]:
    """Every simulated camera."""
    return [CameraRecipe(camera=name) for name in CAMERAS]


def develop(photo: Pixels, camera: Camera) -> Pixels:
    """What the camera makes of a scene of which `photo` (H, W, 3), sRGB in [0, 1], is a faithful picture."""
    linear = np.asarray(srgb_to_linear(photo), dtype=np.float32)
    gains = np.array([camera.red, 1.0, camera.blue]) * 2.0**camera.exposure
    linear = np.clip(linear @ (_matrix(camera) * gains).T.astype(np.float32), 0, None)
    if camera.shoulder:
        linear = (1 - np.exp(-camera.shoulder * linear)) / (1 - np.exp(-camera.shoulder))
    luminance = linear @ LUMINANCE.astype(np.float32)
    linear = luminance[..., None] + np.float32(camera.saturation) * (linear - luminance[..., None])
    encoded = np.asarray(linear_to_srgb(np.clip(linear, 0, 1)), dtype=np.float32) ** np.float32(camera.gamma)
    encoded = encoded + np.float32(4 * camera.contrast) * encoded * (1 - encoded) * (
        encoded - np.float32(0.5)
    )
    encoded = np.float32(camera.black) + np.float32(1 - camera.black) * encoded
    return np.clip(_sharpened(encoded, camera), 0, 1).astype(np.float32)


def _matrix(camera: Camera) -> np.ndarray[Any, np.dtype[np.float64]]:
    gr, br, rg, bg, rb, gb = camera.matrix
    return np.array([[1 - gr - br, gr, br], [rg, 1 - rg - bg, bg], [rb, gb, 1 - rb - gb]])


def _sharpened(encoded: Pixels, camera: Camera) -> Pixels:
    if not camera.sharpening:
        return encoded
    luma = encoded @ LUMINANCE.astype(np.float32)[:, None]
    detail = luma - gaussian_blur(luma, camera.radius * max(encoded.shape))
    return np.asarray(encoded + np.float32(camera.sharpening) * detail)
