"""Stable Diffusion as a one-step editor: from a photo and a prompt to the change that the prompt asks for.

With z the photo's latent and ᾱ of one fixed timestep, the clean latent that the network predicts
under a prompt P is ẑ(P) = (z - √(1 - ᾱ)·ε(z, P)) / √ᾱ; no noise is added. The edit is
z + [ẑ(P) - ẑ(∅)], ∅ being the empty prompt, and so nothing under ∅. Or, of the decoded: I + D(ẑ(P)) - D(ẑ(∅)).

Source: PIF (2025), (16) to (20). Where the residual is taken is not published; both are here.
"""

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from learning.backbones import WeightsMissing
from learning.systems.concepts import WORDS

MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"
FILES = (
    "model_index.json",
    "*/*config.json",
    "tokenizer/*",
    "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
)
"""Of the model's folder on the hub, which has each weight in several forms."""
PARTS = ("unet", "text_encoder", "tokenizer", "vae", "scheduler")
UNET_LAYERS = ["to_k", "to_q", "to_v", "to_out.0"]
TEXT_LAYERS = ["q_proj", "k_proj", "v_proj", "out_proj"]
PLACEHOLDERS = {concept: f"<{concept}-word>" for concept in WORDS}
"""Of each concept the word that is learned from references."""


class NewWords(nn.Module):
    """Token embeddings: those that there were, which never change, and one new row for each concept."""

    average: torch.Tensor

    def __init__(self, base: nn.Embedding, average: torch.Tensor) -> None:
        super().__init__()
        self.base = base
        self.register_buffer("average", average, persistent=False)
        self.rows = nn.Parameter(self.start.repeat(len(WORDS), 1))

    @property
    def start(self) -> torch.Tensor:
        """(D,): where every new word begins, the word `average`, the mean of its tokens where it has several."""
        return self.base.weight.detach()[self.average].mean(0)

    @property
    def weight(self) -> torch.Tensor:
        """What libraries ask the type and the device of."""
        return self.base.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        known = self.base.num_embeddings
        old = self.base(ids.clamp(max=known - 1))
        new = self.rows[(ids - known).clamp(min=0)]
        return torch.where((ids >= known)[..., None], new, old)


class Trained(nn.Module):
    """The parameters of a larger model that are trained, under its own names; nothing else is stored."""

    def __init__(self, parameters: dict[str, nn.Parameter]) -> None:
        super().__init__()
        for name, parameter in parameters.items():
            self.register_parameter(name.replace(".", "/"), parameter)


@dataclass(frozen=True, kw_only=True, eq=False)
class OneStep:
    unet: Any
    text_encoder: Any
    tokenizer: Any
    vae: Any
    words: NewWords
    alpha: float
    """ᾱ of the timestep."""
    timestep: int
    residual_space: str
    attention: "list[torch.Tensor]"
    """Cross-attention of the last pass: (B, positions, tokens) of each layer, heads averaged."""

    @property
    def device(self) -> torch.device:
        return self.words.rows.device

    @property
    def multiple(self) -> int:
        """Sides of images are whole multiples of so many pixels."""
        by_vae = 2 ** (len(self.vae.config.block_out_channels) - 1)
        return int(by_vae * 2 ** (len(self.unet.config.block_out_channels) - 1))

    def trained(self) -> Trained:
        """What the first stage trains: the UNet's and the text encoder's (adapters), and the VAE's encoder."""
        parts = {"unet": self.unet, "text_encoder": self.text_encoder, "vae": self.vae}
        return Trained(
            {
                f"{part}.{name}": parameter
                for part, module in parts.items()
                for name, parameter in module.named_parameters()
                if parameter.requires_grad and parameter is not self.words.rows
            }
        )

    def freeze(self) -> None:
        """Leave the new words alone to be trained."""
        for module in (self.unet, self.text_encoder, self.vae):
            module.requires_grad_(False)
        self.words.rows.requires_grad_(True)

    def ids(self, prompts: Sequence[str]) -> torch.Tensor:
        """(B, tokens)."""
        found = self.tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        )
        ids: torch.Tensor = found.input_ids
        return ids.to(self.device)

    def context(self, ids: torch.Tensor) -> torch.Tensor:
        """(B, tokens) → (B, tokens, D), what the UNet attends to."""
        states: torch.Tensor = self.text_encoder(ids).last_hidden_state
        return states

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] → latents; the mode, so that a photo has one."""
        latents: torch.Tensor = self.vae.encode(2 * images - 1).latent_dist.mode()
        return latents * float(self.vae.config.scaling_factor)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Not clipped."""
        images: torch.Tensor = self.vae.decode(latents / float(self.vae.config.scaling_factor)).sample
        return (images + 1) / 2

    def edit(
        self, images: torch.Tensor, ids: torch.Tensor, strength: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The images as the model sees them without an edit, and edited, both (B, 3, H, W) and not clipped.

        Args:
            images: (B, 3, H, W) in [0, 1], sides in multiples of `multiple`.
            ids: a prompt for each.
            strength: factor of the residual.
        """
        latents = self.encode(images)
        empty = self.context(self.ids([""])).expand(len(images), -1, -1)
        nothing = self._noise(latents, empty)
        asked = self._noise(latents, self.context(ids))  # last, since its attention is kept
        scale = math.sqrt((1 - self.alpha) / self.alpha)
        if self.residual_space == "pixel":
            base = latents / math.sqrt(self.alpha)
            change = self.decode(base - scale * asked) - self.decode(base - scale * nothing)
            return images, images + strength * change
        # ẑ(P) - ẑ(∅): what the two have in common falls out.
        residual = scale * (nothing - asked)
        return self.decode(latents), self.decode(latents + strength * residual)

    def _noise(self, latents: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        self.attention.clear()
        predicted: torch.Tensor = self.unet(latents, self.timestep, encoder_hidden_states=context).sample
        return predicted


class _KeptAttention:
    """Cross-attention as diffusers computes it without fused kernels, with its probabilities kept."""

    def __init__(self, kept: list[torch.Tensor]) -> None:
        self._kept = kept

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **others: Any,
    ) -> torch.Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(context))
        value = attn.head_to_batch_dim(attn.to_v(context))
        shares = attn.get_attention_scores(query, key, attention_mask)  # (B·heads, positions, tokens)
        self._kept.append(shares.reshape(-1, attn.heads, *shares.shape[1:]).mean(1))
        made: torch.Tensor = attn.batch_to_head_dim(shares @ value)
        projected: torch.Tensor = attn.to_out[1](attn.to_out[0](made)) / attn.rescale_output_factor
        return projected


def load_model(
    name: str, *, rank: int, timestep: int, residual_space: str, seed: int, device: torch.device | str = "cpu"
) -> OneStep:
    """Load Stable Diffusion 1.5, or a folder of its form, and prepare it for training.

    Args:
        name: of the hub's cache on this machine, or a folder.
        rank: of the adapters (LoRA); 0 trains the UNet and the text encoder themselves.
        timestep: the fixed one.
        residual_space: latent or pixel.
        seed: of the adapters' first weights; torch's own chance stays as it was.
        device: where it runs.

    Raises:
        WeightsMissing: a part is not on this machine, or a package is not installed.
    """
    for package in ("diffusers", "peft", "accelerate"):
        if importlib.util.find_spec(package) is None:
            raise WeightsMissing(f'{package} is not installed; run: pip install "tonalist[diffusion]"')
    unet, text_encoder, tokenizer, vae, scheduler = _parts(name)
    if len(scheduler.alphas_cumprod) <= timestep:
        raise WeightsMissing(
            f"{name}: its scheduler has {len(scheduler.alphas_cumprod)} timesteps, not {timestep + 1}"
        )
    for module in (unet, text_encoder, vae):
        module.eval().requires_grad_(rank == 0)
    vae.requires_grad_(False)
    vae.encoder.requires_grad_(True)
    if vae.quant_conv is not None:
        vae.quant_conv.requires_grad_(True)
    words = _with_new_words(text_encoder, tokenizer)
    if rank:
        _add_adapters(unet, text_encoder, rank, seed)
        words.requires_grad_(False)
    kept: list[torch.Tensor] = []
    processors = unet.attn_processors
    crossing = {key: _KeptAttention(kept) for key in processors if key.endswith("attn2.processor")}
    unet.set_attn_processor(processors | crossing)
    for module in (unet, text_encoder, vae):
        module.to(device)
    return OneStep(
        unet=unet,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        vae=vae,
        words=words,
        alpha=float(scheduler.alphas_cumprod[timestep]),
        timestep=timestep,
        residual_space=residual_space,
        attention=kept,
    )


def _parts(name: str) -> list[Any]:
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from safetensors import SafetensorError
    from transformers import CLIPTextModel, CLIPTokenizer

    folder = _folder_of(name)
    kinds: tuple[Any, ...] = (
        UNet2DConditionModel,
        CLIPTextModel,
        CLIPTokenizer,
        AutoencoderKL,
        DDIMScheduler,
    )
    loaded = []
    for part, kind in zip(PARTS, kinds, strict=True):
        try:
            loaded.append(kind.from_pretrained(folder, subfolder=part, local_files_only=True))
        except (OSError, ValueError, SafetensorError) as error:
            raise WeightsMissing(missing(name, part)) from error
    return loaded


def _folder_of(name: str) -> Path:
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError) as error:  # not in the cache; no name that could be
        raise WeightsMissing(missing(name)) from error


def missing(name: str, part: str = "") -> str:
    """Why a model or a part of it cannot be loaded, and what mends it."""
    if Path(name).is_dir():
        return f"{name} has no {part} that can be loaded; copy the model's folder there whole"
    files = " ".join(f"'{pattern}'" for pattern in FILES)
    return (
        f"{f'the {part} of ' if part else ''}{name} is not on this machine. `hf download {name} --include {files}` "
        "gets it (this needs the network), or name a folder that holds it as `model`. pif_lite learns a taste without it"
    )


def _with_new_words(text_encoder: Any, tokenizer: Any) -> NewWords:
    base = text_encoder.get_input_embeddings()
    added = tokenizer.add_tokens(list(PLACEHOLDERS.values()))
    first = int(tokenizer.convert_tokens_to_ids(PLACEHOLDERS["exposure"]))
    if added != len(PLACEHOLDERS) or first != base.num_embeddings:
        raise WeightsMissing(
            f"the tokenizer has {first} words and the text encoder {base.num_embeddings}; they are not of one model"
        )
    average = torch.tensor(tokenizer("average", add_special_tokens=False).input_ids)
    words = NewWords(base, average)
    text_encoder.set_input_embeddings(words)
    return words


def _add_adapters(unet: Any, text_encoder: Any, rank: int, seed: int) -> None:
    from peft import LoraConfig

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=UNET_LAYERS))
        text_encoder.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=TEXT_LAYERS))
