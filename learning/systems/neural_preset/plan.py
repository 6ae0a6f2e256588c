"""An edit that is ready for pixels: two colour maps, applied in tiles of rows at any size."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from learning.renderers.dncm import PIXELS_AT_ONCE, Dncm, row_tiles
from learning.systems.interface import Pixels
from variants.tone.luts import Lut3D

Image = npt.NDArray[Any]
"""(H, W, 3): float32 in [0, 1], or uint8."""


class ColorMap:
    """One DNCM with a photo's numbers in it."""

    def __init__(self, dncm: Dncm, numbers: torch.Tensor) -> None:
        """Args: `numbers` (k²,): d for the normaliser, r for the stylist."""
        k = dncm.config.k
        self._dncm = dncm
        self._matrix = dncm.matrix(numbers.view(1, k, k))[0]  # (terms, 3)

    def __call__(self, colors: torch.Tensor) -> torch.Tensor:
        """Planes of colours (3, P) → (3, P), not clipped."""
        return self._dncm.planes(colors, self._matrix)


class Normalised:
    """A photo without its style, kept so that any number of presets can be tried on it at once.

    Attributes:
        image: the photo, (H, W, 3).
        colors: its normalised colours, (H, W, 3) float32, not clipped.
    """

    def __init__(self, image: Pixels, normalise: ColorMap, device: torch.device) -> None:
        self.image = image
        self.colors = np.empty(image.shape, np.float32)
        _in_tiles(image, self.colors, normalise, device)

    def stylised(self, style: ColorMap, strength: float, device: torch.device) -> Pixels:
        """Only the second map is worked out."""
        result = np.empty(self.image.shape, np.float32)
        for rows in _tiles(self.image, device):
            before = _planes(self.image[rows], device)
            after = style(_planes(self.colors[rows], device))
            _write(_blended(before, after, strength), result[rows])
        return result


class ColorPlan:
    """Both maps, one after the other. Memory beside the input and the output is that of one tile."""

    def __init__(
        self, normalise: ColorMap, style: ColorMap, device: torch.device, strength: float = 1.0
    ) -> None:
        self._normalise, self._style = normalise, style
        self._device, self._strength = device, strength

    def __call__(self, image: Image, out: Image | None = None) -> Image:
        """Edit (H, W, 3), float32 in [0, 1] or uint8; the same type comes out, clipped.

        Args:
            image: the photo, of any size.
            out: where the result goes: another array of the same shape and type, or `image` itself.

        Raises:
            ValueError: the image or `out` has another shape or type.
        """
        _check(image)
        if out is None:
            out = np.empty_like(image)
        if out.shape != image.shape or out.dtype != image.dtype:
            raise ValueError(
                f"out is {out.dtype} {out.shape}; it must be as the image, {image.dtype} {image.shape}"
            )
        _in_tiles(image, out, self._edit, self._device)
        return out

    def table(self, size: int = 33) -> npt.NDArray[np.float32]:
        """The edit as a LUT (size, size, size, 3), indexed [red, green, blue]."""
        axis = np.linspace(0, 1, size, dtype=np.float32)
        lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
        table: npt.NDArray[np.float32] = self(lattice.reshape(size, size * size, 3)).reshape(lattice.shape)
        return table

    def lut(self, size: int = 33, title: str = "") -> Lut3D:
        """The same with a title, as `variants.tone.cube.write_cube` takes it."""
        return Lut3D(table=self.table(size), title=title)

    def _edit(self, colors: torch.Tensor) -> torch.Tensor:
        return _blended(colors, self._style(self._normalise(colors)), self._strength)


def _blended(before: torch.Tensor, after: torch.Tensor, strength: float) -> torch.Tensor:
    edited = after if strength == 1 else before + strength * (after - before)
    return edited.clamp(0, 1)


def _tiles(image: Image, device: torch.device) -> Iterator[slice]:
    height, width, _ = image.shape
    return row_tiles(height, width, PIXELS_AT_ONCE if device.type == "cpu" else 64 * PIXELS_AT_ONCE)


@torch.inference_mode()
def _in_tiles(
    image: Image, out: Image, edit: Callable[[torch.Tensor], torch.Tensor], device: torch.device
) -> None:
    for rows in _tiles(image, device):
        _write(edit(_planes(image[rows], device)), out[rows])


def _planes(tile: Image, device: torch.device) -> torch.Tensor:
    """(h, w, 3) → (3, h·w) in [0, 1], a copy: the image may be read-only, or be written to."""
    planes = torch.from_numpy(tile.reshape(-1, 3).T.astype(np.float32, order="C")).to(device)
    return planes.div_(255) if tile.dtype == np.uint8 else planes


def _write(planes: torch.Tensor, tile: Image) -> None:
    """(3, h·w) → the rows of the result (h, w, 3)."""
    if tile.dtype == np.uint8:
        planes = planes.mul(255).add_(0.5).to(torch.uint8)
    tile[...] = planes.T.cpu().numpy().reshape(tile.shape)


def _check(image: Image) -> None:
    if image.dtype not in (np.uint8, np.float32) or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"an image is uint8 or float32 (H, W, 3), not {image.dtype} {image.shape}")
