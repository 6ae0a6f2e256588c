"""Tensors from files of any usual kind, without running what is in them; and what tells weights apart."""

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from learning.backbones.caches import TENSOR_FILES, tensor_file

Tensors = dict[str, torch.Tensor]
NESTED = ("state_dict", "model", "model_state")
"""Under which names training scripts put the weights in what they save."""


def read_tensors(path: Path) -> Tensors:
    """The named tensors of a .safetensors, .pth, .pt, .bin or .npz file, or of the one in a folder.

    Raises:
        OSError: there is no such file.
        ValueError: it is cut short, or holds something else.
    """
    file = tensor_file(Path(path))
    if file is None:
        there = "has none of" if Path(path).is_dir() else "is not there; give a folder or one of"
        raise OSError(f"{path} {there} {', '.join(TENSOR_FILES)}")
    try:
        found = _read(file)
    except (SafetensorError, RuntimeError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{file} is cut short or broken: {reason}") from error
    if not found or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ValueError(f"{file} does not hold named tensors")
    return found


def _read(file: Path) -> Tensors:
    if file.suffix == ".safetensors":
        return load_file(file)
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    if file.suffix not in TENSOR_FILES:
        raise ValueError(f"{file} ends with {file.suffix!r}; weights are in {', '.join(TENSOR_FILES)}")
    held: Any = torch.load(file, map_location="cpu", weights_only=True)
    for name in NESTED:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
    if not isinstance(held, Mapping):
        raise ValueError(f"{file} does not hold named tensors")
    return {str(name): value for name, value in held.items()}


def weights_hash(network: torch.nn.Module) -> str:
    """sha256 of a network's weights and their names, types and shapes: the same on every device."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        flat = value.detach().cpu().contiguous().flatten()
        if flat.numel():
            digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()
