import time

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from learning.backbones import WeightsMissing
from learning.backbones.load import load_backbone

SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 14,
    "image_size": 224,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The real architecture, small and with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("dinov2")
    Dinov2Model(Dinov2Config(**SIZES)).save_pretrained(path / "plain")
    Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**SIZES, num_register_tokens=4)).save_pretrained(
        path / "reg"
    )
    return path


@pytest.fixture
def images():
    return torch.rand((2, 3, 224, 224), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "part", "tokens"), [("_small", "plain", 257), ("_small_reg", "reg", 261)])
def test_token_counts_are_those_of_the_model_card(folder, images, name, part, tokens):
    """224 / 14 = 16 patches a side: 256 of them, the class token, and 4 registers."""
    backbone = load_backbone(f"dinov2{name}={folder / part}")
    assert backbone.tokens(images).shape == (2, tokens, 24)
    assert backbone.dim == 24


def test_features_are_the_class_token_after_the_last_norm(folder, images):
    backbone = load_backbone(f"dinov2_small={folder / 'plain'}")
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    model = Dinov2Model.from_pretrained(folder / "plain", local_files_only=True).eval()
    with torch.no_grad():
        output = model(pixel_values=(images - mean) / std)
    torch.testing.assert_close(backbone(images), output.last_hidden_state[:, 0])
    torch.testing.assert_close(backbone(images), output.pooler_output)


def test_without_imagenets_norm_pixels_go_in_as_they_are(folder, images):
    backbone = load_backbone(f"dinov2_small={folder / 'plain'}", imagenet_norm=False)
    model = Dinov2Model.from_pretrained(folder / "plain", local_files_only=True).eval()
    with torch.no_grad():
        expected = model(pixel_values=images).last_hidden_state[:, 0]
    torch.testing.assert_close(backbone(images), expected)


def test_other_sizes_are_brought_to_224(folder):
    backbone = load_backbone(f"dinov2_small={folder / 'plain'}")
    assert backbone(torch.rand(1, 3, 100, 333)).shape == (1, 24)


def test_it_is_frozen(folder, images):
    backbone = load_backbone(f"dinov2_small={folder / 'plain'}")
    assert not backbone(images).requires_grad
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_missing_weights_name_the_command_and_the_way_without(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path), raising=False)
    started = time.monotonic()
    with pytest.raises(WeightsMissing) as error:
        load_backbone("dinov2_giant_reg")
    assert time.monotonic() - started < 5
    for part in ("dinov2_giant_reg", "python -m learning.fetch dinov2_giant_reg", "tone_statistics"):
        assert part in str(error.value)


def test_a_folder_of_something_else_is_refused(folder, tmp_path):
    with pytest.raises(WeightsMissing, match=r"is not a folder with config\.json"):
        load_backbone(f"dinov2_small={tmp_path}")
    with pytest.raises(WeightsMissing, match="type dinov2_with_registers, not dinov2"):
        load_backbone(f"dinov2_small={folder / 'reg'}")


def test_weights_cut_short_are_refused(folder, tmp_path):
    (tmp_path / "config.json").write_bytes((folder / "plain/config.json").read_bytes())
    content = (folder / "plain/model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsMissing, match="cannot be loaded"):
        load_backbone(f"dinov2_small={tmp_path}")
