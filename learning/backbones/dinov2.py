"""DINOv2 through transformers: one vector an image, the class token after the last norm.

Weights are read from this machine only (a local folder, or the hub's cache that
`python -m learning.fetch` fills).

Reference: M. Oquab et al. (2023), DINOv2, arXiv:2304.07193. Model card: patches of 14
pixels; at 224 x 224 there are 256 of them beside the class token, and 4 registers in `_reg`.
"""

import logging
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, Dinov2Model, Dinov2WithRegistersModel
from transformers.utils import logging as transformers_logging

from learning.backbones import HUB_NAMES, BackboneChoice, WeightsMissing

IMAGE_SIZE = 224
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MODELS: dict[str, Any] = {"dinov2": Dinov2Model, "dinov2_with_registers": Dinov2WithRegistersModel}


class Dinov2(nn.Module):
    """Frozen DINOv2. See `learning.backbones.load.Backbone`."""

    image_size = IMAGE_SIZE

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: Any, *, name: str, imagenet_norm: bool = True) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.name = name
        self.dim = int(model.config.hidden_size)
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if imagenet_norm else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.tokens(images)[:, 0]

    @torch.no_grad()
    def tokens(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] → (B, 1 + registers + patches, dim), after the final norm."""
        if images.shape[-2:] != (IMAGE_SIZE, IMAGE_SIZE):
            size = (IMAGE_SIZE, IMAGE_SIZE)
            # Bicubic rings beyond the range at hard edges.
            images = F.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)
        output = self.model(pixel_values=(images - self.mean) / self.std)
        tokens: torch.Tensor = output.last_hidden_state
        return tokens


def load_dinov2(choice: BackboneChoice, *, imagenet_norm: bool = True) -> Dinov2:
    """Raise WeightsMissing when the weights are not on this machine, are broken, or are not DINOv2's."""
    source = str(choice.path or HUB_NAMES[choice.name])
    if choice.path is not None and not (choice.path / "config.json").is_file():
        raise WeightsMissing(
            f"{choice.name}: {choice.path} is not a folder with config.json and model.safetensors, as "
            f"transformers' save_pretrained writes it. {_ways_out(choice.name)}"
        )
    try:
        return Dinov2(_from_disk(source, choice.name), name=choice.name, imagenet_norm=imagenet_norm)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        where = str(choice.path) if choice.path else "the hub's cache on this machine"
        reason = str(error).strip().splitlines()[0]
        raise WeightsMissing(
            f"{choice.name}: its weights cannot be loaded from {where} ({reason}). {_ways_out(choice.name)}"
        ) from error


def _from_disk(source: str, name: str) -> Any:
    config = AutoConfig.from_pretrained(source, local_files_only=True)
    wanted = "dinov2_with_registers" if name.endswith("_reg") else "dinov2"
    if config.model_type != wanted:
        raise ValueError(f"it holds a model of the type {config.model_type}, not {wanted}")
    if Path(source).is_dir() and not any(Path(source).glob("*.safetensors")):
        raise OSError("there is no .safetensors file in it")
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        model, found = MODELS[wanted].from_pretrained(
            source, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    finally:
        transformers_logging.set_verbosity(verbosity)
    # transformers fills what is missing with random numbers and goes on.
    if found["missing_keys"]:
        raise ValueError(f"{len(found['missing_keys'])} of its tensors are missing")
    return model


def _ways_out(name: str) -> str:
    return (
        f"Fetch them with `python -m learning.fetch {name}` (this needs the network), name a local folder with "
        f"--backbone {name}=FOLDER, or train with --backbone tone_statistics, which needs no weights."
    )
