"""A trained PrefLUT: reads a rater into 260 bytes, and makes one LUT of them and a photo."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from learning.renderers.lifting import apply_lut
from learning.systems import TITLES
from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles
from learning.systems.preflut.config import Config
from learning.systems.preflut.network import Network
from learning.systems.shared import best_device, described, read_settings, resized, tensor_of
from learning.training import run_folder as runs

NAME = "preflut"
TITLE = TITLES[NAME]
IMAGES_AT_ONCE = 64


class PrefLut:
    """See `learning.systems.interface.System` and `ColorMapper`.

    A profile has whole numbers from -127 to 127 (`codes`) and what they are multiplied by (`scale`).
    """

    name: ClassVar[str] = NAME
    reference_size: ClassVar[int] = 256

    def __init__(self, network: Network, config: Config) -> None:
        self.config = config
        self.edit_size = config.edit_size
        self._network = network.eval()
        self._device = next(network.parameters()).device

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        network = Network(config.network)
        runs.fill(network, runs.read_weights(run_folder, system=NAME), run_folder)
        return cls(network.to(best_device()), config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), self._network.state_dict(), system=NAME)

    @torch.inference_mode()
    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """Raise ValueError without references: a profile of nothing would be made up."""
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        preferred = self._seen([pair.preferred for pair in references], self._network.pair_encoder)
        rejected = self._seen([pair.rejected for pair in references], self._network.pair_encoder)
        return quantised(self._network.reader(preferred[None], rejected[None])[0].cpu().numpy())

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        return quantised(mean_of_profiles([{"profile": restored(p)} for p in profiles])["profile"])

    @staticmethod
    def profile_bytes(profile: Profile) -> int:
        """What a rater takes when stored."""
        return len(pack(profile))

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        guides = images if guides is None else guides
        tables = self._tables(guides, profile, strength)
        return [apply_lut(image, table) for image, table in zip(images, tables, strict=True)]

    def bake(
        self, guide: Pixels, profile: Profile, *, size: int = 33, strength: float = 1.0
    ) -> npt.NDArray[np.float32]:
        """See `learning.systems.interface.ColorMapper`; lattices of 17, 33 and 65 points hold the edit exactly."""
        axis = np.linspace(0, 1, size, dtype=np.float32)
        lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)  # (R, G, B, 3)
        (table,) = self._tables([guide], profile, strength)
        return apply_lut(lattice.reshape(size, size * size, 3), table).reshape(size, size, size, 3)

    @torch.inference_mode()
    def score(self, images: Sequence[Pixels], profile: Profile) -> npt.NDArray[np.float32]:
        """How little each image needs the edit, as a logit: the strength was trained on which one was rejected."""
        query = self._seen(images, self._network.query_encoder)
        logits = self._network.plan(self._profile(profile, len(query)), query)[1]
        scores: npt.NDArray[np.float32] = -logits.cpu().numpy()
        return scores

    @torch.inference_mode()
    def _tables(
        self, guides: Sequence[Pixels], profile: Profile, strength: float
    ) -> list[npt.NDArray[np.float32]]:
        """A LUT (S, S, S, 3) for each guide."""
        query = self._seen(guides, self._network.query_encoder)
        tables, logits = self._network.plan(self._profile(profile, len(query)), query)
        tables = self._network.weakened(tables, strength * self.config.strength * logits.sigmoid())
        return list(tables.permute(0, 2, 3, 4, 1).float().cpu().numpy())

    def _seen(self, images: Sequence[Pixels], encoder: torch.nn.Module) -> torch.Tensor:
        """Features (n, width)."""
        size = (self.config.image_size,) * 2
        squares = [resized(tensor_of(image, self._device), size) for image in images]
        pieces = [torch.cat(squares[i : i + IMAGES_AT_ONCE]) for i in range(0, len(squares), IMAGES_AT_ONCE)]
        return torch.cat([encoder(piece) for piece in pieces])

    def _profile(self, profile: Profile, n: int) -> torch.Tensor:
        return torch.tensor(restored(profile), device=self._device).expand(n, -1)


def quantised(values: npt.NDArray[np.float32]) -> Profile:
    """A vector (width,) as whole numbers from -127 to 127 and a scale."""
    scale = np.float32(max(float(np.abs(values).max()) / 127, 1e-12))
    codes = np.clip(np.round(values / scale), -127, 127).astype(np.float32)
    return {"codes": codes, "scale": np.array([scale], np.float32)}


def restored(profile: Profile) -> npt.NDArray[np.float32]:
    """The vector of a profile, within half a scale of what it was."""
    vector: npt.NDArray[np.float32] = profile["codes"] * profile["scale"]
    return vector


def pack(profile: Profile) -> bytes:
    """A byte for each code, then the scale as a little-endian float: 260 bytes at the recipe's width of 256."""
    return profile["codes"].astype(np.int8).tobytes() + profile["scale"].astype("<f4").tobytes()


def unpack(content: bytes) -> Profile:
    """What `pack` made."""
    codes = np.frombuffer(content[:-4], np.int8).astype(np.float32)
    return {"codes": codes, "scale": np.frombuffer(content[-4:], "<f4").astype(np.float32)}


def load(run_folder: Path) -> PrefLut:
    """Raise RunError where the folder holds no whole run of this system."""
    return PrefLut.load(run_folder)
