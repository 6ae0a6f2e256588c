"""From an edit at a fixed size to photos of any size: what the systems of this package render with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from learning.renderers.lifting import (
    METHODS,
    apply_bilateral_grid,
    apply_lut,
    fit_bilateral_grid,
    fit_lut,
    identity_lut,
)
from learning.systems.interface import Pixels, Profile
from learning.systems.shared import pixels_of, resized, tensor_of

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class LiftingConfig:
    method: str = "lut"
    """lut: one colour map for the photo; bilateral_grid: maps that change over it."""
    lut_size: int = 17

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}; it must be one of {', '.join(METHODS)}")
        if not 2 <= self.lut_size <= 65:
            raise ValueError(f"lut_size is {self.lut_size}; it must be from 2 to 65")


def lifted(before: Pixels, after: Pixels, image: Pixels, config: LiftingConfig) -> Pixels:
    """The edit from `before` to `after`, done to an image of any size."""
    if config.method == "lut":
        return apply_lut(image, fit_lut(before, after, size=config.lut_size))
    return apply_bilateral_grid(image, fit_bilateral_grid(before, after))


class FixedSizeEditor:
    """`render` and `bake` of a system that edits squares of `edit_size` pixels."""

    edit_size: int
    _device: torch.device
    _lifting: LiftingConfig

    def _edited(self, squares: torch.Tensor, profile: Profile) -> torch.Tensor:
        """(1, 3, edit_size, edit_size) → the same to the profile's taste."""
        raise NotImplementedError

    @torch.inference_mode()
    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        """See `learning.systems.interface.System`: edited at the fixed size, then lifted to each image's own."""
        guides = images if guides is None else guides
        rendered = []
        for image, guide in zip(images, guides, strict=True):
            full = lifted(*self._small_edit(guide, profile), image, self._lifting)
            # In place: of a large photo each copy counts.
            full -= image
            full *= np.float32(strength)
            full += image
            rendered.append(np.clip(full, 0, 1, out=full))
        return rendered

    @torch.inference_mode()
    def bake(
        self, guide: Pixels, profile: Profile, *, size: int = 33, strength: float = 1.0
    ) -> npt.NDArray[np.float32]:
        """See `learning.systems.interface.ColorMapper`; ValueError where the edit depends on the place."""
        if self._lifting.method != "lut":
            raise ValueError(
                f"this run is lifted by {self._lifting.method}, which edits each place differently; "
                "no LUT can hold its edit"
            )
        before, after = self._small_edit(guide, profile)
        lattice = identity_lut(size)
        table = fit_lut(before, after, size=self._lifting.lut_size)
        edited = apply_lut(lattice.reshape(size, size * size, 3), table).reshape(lattice.shape)
        return np.clip(lattice + np.float32(strength) * (edited - lattice), 0, 1)

    def _small_edit(self, guide: Pixels, profile: Profile) -> tuple[Pixels, Pixels]:
        square = resized(tensor_of(guide, self._device), (self.edit_size,) * 2)
        return pixels_of(square), pixels_of(self._edited(square, profile))

    def _squares(self, images: Sequence[Pixels], size: int) -> torch.Tensor:
        """(n, 3, size, size)."""
        return torch.cat([resized(tensor_of(image, self._device), (size, size)) for image in images])


MOST_EXAMPLES = 512
"""In a profile of several raters together."""


def union_of_profiles(profiles: Sequence[Profile]) -> Profile:
    """All examples of several profiles as one, evenly thinned to `MOST_EXAMPLES`."""
    if not profiles:
        raise ValueError("profiles is empty; a mean needs at least one")
    joined = {name: np.concatenate([p[name] for p in profiles]) for name in profiles[0]}
    n = len(next(iter(joined.values())))
    kept = np.unique(np.linspace(0, n - 1, min(n, MOST_EXAMPLES)).round().astype(np.int64))
    return {name: examples[kept] for name, examples in joined.items()}
