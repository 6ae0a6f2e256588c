"""DINOv2 through transformers or timm: one vector an image, the class token after the last norm.

Weights are read from this machine only (a local folder or file, or the hub's cache that
`python -m learning.fetch` fills). Both libraries hold the same weights; at 224 pixels they bring the
positions of 518 pixels to that size by slightly different filters, so their features differ slightly.

Reference: M. Oquab et al. (2023), DINOv2, arXiv:2304.07193. Model card: patches of 14
pixels; at 224 x 224 there are 256 of them beside the class token, and 4 registers in `_reg`.
"""

import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, Dinov2Model, Dinov2WithRegistersModel
from transformers.utils import logging as transformers_logging

from learning.backbones import HUB_NAMES, BackboneChoice, WeightsMissing
from learning.backbones.inputs import IMAGENET_MEAN, IMAGENET_STD, Input
from learning.backbones.tensors import weights_hash

IMAGE_SIZE = 224
MODELS: dict[str, Any] = {"dinov2": Dinov2Model, "dinov2_with_registers": Dinov2WithRegistersModel}


class Dinov2(nn.Module):
    """Frozen DINOv2. See `learning.backbones.load.Backbone`.

    Attributes:
        registers: register tokens between the class token and the patches.
    """

    image_size = IMAGE_SIZE

    def __init__(
        self,
        model: Any,
        *,
        name: str,
        imagenet_norm: bool = True,
        patch_mean: bool = False,
        bf16: bool = False,
    ) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.name = name
        self.patch_mean = patch_mean
        self.bf16 = bf16
        self.token_dim, self.registers, self._run = _parts_of(model)
        self.dim = self.token_dim * (2 if patch_mean else 1)
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if imagenet_norm else ((0.0,) * 3, (1.0,) * 3)
        self.made_ready = Input(IMAGE_SIZE, mean, std)

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] → (B, dim): the class token, and the mean of the patches where asked for."""
        tokens = self.tokens(images)
        if not self.patch_mean:
            return tokens[:, 0]
        return torch.cat([tokens[:, 0], tokens[:, 1 + self.registers :].mean(dim=1)], dim=-1)

    @torch.no_grad()
    def patches(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] → (B, 256, token_dim), row by row."""
        return self.tokens(images)[:, 1 + self.registers :]

    @torch.no_grad()
    def tokens(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] → (B, 1 + registers + patches, token_dim), after the final norm."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.bf16):
            tokens: torch.Tensor = self._run(self.made_ready(images))
        return tokens.float()

    @cached_property
    def identity(self) -> str:
        options = f"{' patch_mean' if self.patch_mean else ''}{' bf16' if self.bf16 else ''}"
        return f"{self.name} {self.made_ready.identity}{options} {weights_hash(self.model)}"

    def train(self, mode: bool = True) -> Any:
        """It stays as it is: frozen."""
        return super().train(False)


def _parts_of(model: Any) -> tuple[int, int, Callable[[torch.Tensor], torch.Tensor]]:
    """Width, registers and all tokens after the norm, of a model of either library."""
    if hasattr(model, "forward_features"):  # timm
        return int(model.num_features), int(model.num_prefix_tokens) - 1, model.forward_features
    registers = int(getattr(model.config, "num_register_tokens", 0))

    def run(pixels: torch.Tensor) -> torch.Tensor:
        tokens: torch.Tensor = model(pixel_values=pixels).last_hidden_state
        return tokens

    return int(model.config.hidden_size), registers, run


def load_dinov2(
    choice: BackboneChoice, *, imagenet_norm: bool = True, patch_mean: bool = False, bf16: bool = False
) -> Dinov2:
    """By transformers. Raise WeightsMissing when the weights are not on this machine, are broken, or not DINOv2's."""
    source = str(choice.path or HUB_NAMES[choice.name])
    if choice.path is not None and not (choice.path / "config.json").is_file():
        raise WeightsMissing(
            f"{choice.name}: {choice.path} is not a folder with config.json and model.safetensors, as "
            f"transformers' save_pretrained writes it. {_ways_out(choice.name)}"
        )
    try:
        model = _from_disk(source, choice.name)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        where = str(choice.path) if choice.path else "the hub's cache on this machine"
        reason = str(error).strip().splitlines()[0]
        raise WeightsMissing(
            f"{choice.name}: its weights cannot be loaded from {where} ({reason}). {_ways_out(choice.name)}"
        ) from error
    return Dinov2(model, name=choice.name, imagenet_norm=imagenet_norm, patch_mean=patch_mean, bf16=bf16)


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
