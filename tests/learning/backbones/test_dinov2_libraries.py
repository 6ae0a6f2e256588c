"""DINOv2 by transformers and by timm: the same sizes, the same features of the same weights."""

import pytest
import torch
from safetensors.torch import save_file
from timm.layers.mlp import GluMlp, SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from learning.backbones import TIMM_NAMES
from learning.backbones.dinov2 import Dinov2
from learning.backbones.load import load_backbone
from learning.backbones.networks import new_network

DIM, DEPTH = 24, 2
SIZES = {"hidden_size": DIM, "num_hidden_layers": DEPTH, "num_attention_heads": 2, "patch_size": 14}


def by_transformers(*, registers=False, swiglu=False, name="dinov2_small", **options):
    torch.manual_seed(0)
    sizes = SIZES | {"image_size": 224, "use_swiglu_ffn": swiglu, "layerscale_value": 0.7}
    if registers:
        model = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**sizes, num_register_tokens=4))
    else:
        model = Dinov2Model(Dinov2Config(**sizes))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return Dinov2(model, name=name, **options)


def by_timm(backbone, *, registers=False, swiglu=False):
    kind = {"reg_tokens": 4, "no_embed_class": True} if registers else {}
    if swiglu:
        kind |= {"mlp_ratio": 2.66667 * 2, "mlp_layer": SwiGLUPacked, "act_layer": torch.nn.SiLU}
    model = VisionTransformer(
        img_size=224, patch_size=14, embed_dim=DIM, depth=DEPTH, num_heads=2, num_classes=0, init_values=1e-5,
        dynamic_img_size=True, **kind
    )  # fmt: skip
    model.load_state_dict(converted(backbone.model.state_dict(), registers=registers))
    return Dinov2(model, name="timm:vit_small_patch14_dinov2")


def converted(state, *, registers):
    """Names and layout of timm; with registers it keeps the class token's position in the token itself."""
    positions = state["embeddings.position_embeddings"]
    new = {
        "cls_token": state["embeddings.cls_token"],
        "pos_embed": positions,
        "patch_embed.proj.weight": state["embeddings.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": state["embeddings.patch_embeddings.projection.bias"],
        "norm.weight": state["layernorm.weight"],
        "norm.bias": state["layernorm.bias"],
    }
    if registers:
        new["reg_token"] = state["embeddings.register_tokens"]
        new["cls_token"] = new["cls_token"] + positions[:, :1]
        new["pos_embed"] = positions[:, 1:]
    parts = {
        "norm1": ["norm1"],
        "attn.qkv": ["attention.q_proj", "attention.k_proj", "attention.v_proj"],
        "attn.proj": ["attention.o_proj"],
        "norm2": ["norm2"],
        "mlp.fc1": ["mlp.gate_proj", "mlp.up_proj"] if "encoder.layer.0.mlp.up_proj.bias" in state else ["mlp.fc1"],
        "mlp.fc2": ["mlp.down_proj"] if "encoder.layer.0.mlp.up_proj.bias" in state else ["mlp.fc2"],
    }  # fmt: skip
    for block in range(DEPTH):
        own = f"encoder.layer.{block}"
        for scale in (1, 2):
            new[f"blocks.{block}.ls{scale}.gamma"] = state[f"{own}.layer_scale{scale}.lambda1"]
        for name, sources in parts.items():
            for kind in ("weight", "bias"):
                new[f"blocks.{block}.{name}.{kind}"] = torch.cat(
                    [state[f"{own}.{s}.{kind}"] for s in sources]
                )
    return new


@pytest.fixture
def images():
    return torch.rand((2, 3, 224, 224), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("registers", "swiglu"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_both_libraries_give_the_same_features_of_the_same_weights(registers, swiglu, images):
    one = by_transformers(registers=registers, swiglu=swiglu)
    other = by_timm(one, registers=registers, swiglu=swiglu)
    assert one.registers == other.registers == (4 if registers else 0)
    tokens = one.tokens(images)
    assert tokens.shape == (2, 261 if registers else 257, DIM)
    torch.testing.assert_close(other.tokens(images), tokens, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("registers", [False, True])
def test_patches_follow_the_class_token_and_the_registers(registers, images):
    backbone = by_transformers(registers=registers, patch_mean=True)
    patches = backbone.patches(images)
    assert patches.shape == (2, 256, DIM)
    assert backbone.dim == 2 * DIM
    features = backbone(images)
    torch.testing.assert_close(features[:, :DIM], backbone.tokens(images)[:, 0])
    torch.testing.assert_close(features[:, DIM:], patches.mean(1))


def test_bfloat16_stays_near_and_is_another_identity(images):
    exact, rounded = by_transformers(), by_transformers(bf16=True)
    features = rounded(images)
    assert features.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(features, exact(images)).min() > 0.99
    identities = {
        exact.identity,
        rounded.identity,
        by_transformers(imagenet_norm=False).identity,
        by_transformers(patch_mean=True).identity,
        by_transformers(name="dinov2_base").identity,
    }
    assert len(identities) == 5
    assert by_transformers().identity == exact.identity


@pytest.mark.parametrize(
    ("size", "dim", "depth", "heads", "millions"),
    [("small", 384, 12, 6, 21), ("base", 768, 12, 12, 86), ("large", 1024, 24, 16, 300), ("giant", 1536, 40, 24, 1100)],
)  # fmt: skip
@pytest.mark.parametrize("registers", [False, True])
def test_the_published_sizes(size, dim, depth, heads, millions, registers):
    """Model card: 21 M, 86 M, 300 M and 1.1 B parameters; no memory is taken for them here."""
    with torch.device("meta"):
        model = new_network(TIMM_NAMES[f"dinov2_{size}{'_reg' if registers else ''}"], 0)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(millions * 1e6, rel=0.04)
    assert (model.num_features, len(model.blocks), model.blocks[0].attn.num_heads) == (dim, depth, heads)
    assert model.num_prefix_tokens == (5 if registers else 1)
    assert model.patch_embed.grid_size == (16, 16)
    assert isinstance(model.blocks[0].mlp, GluMlp) == (size == "giant")


def test_timms_dinov2_comes_from_a_file_of_any_position_size(tmp_path, images):
    """The published weights have positions for 518 pixels, 37 x 37; at 224 they are resampled."""
    name = TIMM_NAMES["dinov2_small"]
    state = new_network(name, 0).state_dict()
    state["pos_embed"] = torch.randn(1, 1 + 37 * 37, 384, generator=torch.Generator().manual_seed(2))
    save_file(state, tmp_path / "model.safetensors")
    backbone = load_backbone(f"{name}={tmp_path}")
    assert isinstance(backbone, Dinov2)
    assert backbone.model.pos_embed.shape == (1, 257, 384)
    assert backbone(images[:1]).shape == (1, 384)
    assert backbone.dim == 384
