"""A preset: a name and the k² numbers of a style, in a file of its own."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

SUFFIXES = (".safetensors", ".npz")


class PresetError(ValueError):
    """A preset's file cannot be read, or is another network's; the message says which."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Preset:
    name: str
    style: npt.NDArray[np.float32]
    """r, (k²,)."""
    network: str
    """Fingerprint of the network that the numbers belong to: another one would read them otherwise."""

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 200:
            raise PresetError(f"a preset's name has from 1 to 200 characters, not {len(self.name.strip())}")
        k = round(self.style.size**0.5)
        if self.style.ndim != 1 or k * k != self.style.size or not np.isfinite(self.style).all():
            raise PresetError(f"a preset is k² finite numbers in a row, not {self.style.shape}")


def write_preset(preset: Preset, path: Path | str) -> None:
    """Write .safetensors or .npz, as the suffix says.

    Raises:
        PresetError: the suffix is another.
    """
    path = Path(path)
    style = np.ascontiguousarray(preset.style, np.float32)
    if _suffix(path) == ".safetensors":
        save_file({"style": style}, path, metadata={"name": preset.name, "network": preset.network})
        return
    with path.open("wb") as file:
        np.savez(file, style=style, about=json.dumps({"name": preset.name, "network": preset.network}))


def read_preset(path: Path | str) -> Preset:
    """Raise PresetError for a file that is missing, cut short, or no preset."""
    path = Path(path)
    read = _read_safetensors if _suffix(path) == ".safetensors" else _read_npz
    try:
        style, about = read(path)
        return Preset(name=about["name"], style=np.array(style, np.float32), network=about["network"])
    except PresetError:
        raise
    except OSError as error:
        raise PresetError(f"{path.name}: {error.strerror or error}") from error
    except (SafetensorError, ValueError, KeyError, TypeError, EOFError) as error:
        raise PresetError(f"{path.name} is not a preset, or was cut short: {error}") from error


def _read_safetensors(path: Path) -> tuple[npt.NDArray[np.float32], dict[str, str]]:
    with safe_open(path, framework="numpy") as file:
        return file.get_tensor("style"), file.metadata() or {}


def _read_npz(path: Path) -> tuple[npt.NDArray[np.float32], dict[str, str]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["style"], json.loads(str(file["about"]))
    except AttributeError as error:  # one bare array
        raise PresetError(f"{path.name} holds one array, not a preset") from error


def _suffix(path: Path) -> str:
    if path.suffix not in SUFFIXES:
        raise PresetError(f"{path.name}: a preset's file ends in {' or '.join(SUFFIXES)} (a LUT: write_cube)")
    return path.suffix
