import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from learning.backbones import TIMM_NAMES, BackboneChoice, WeightsMissing
from learning.backbones.load import load_backbone
from learning.backbones.networks import input_facts, load_network, new_network
from learning.backbones.tensors import read_tensors, weights_hash

SMALL = "timm:resnet10t"
"""5 M parameters; of its kind the smallest."""


@pytest.fixture(scope="module")
def network():
    return new_network(SMALL, 3)


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet10t.safetensors"
    save_file(network.state_dict(), path)
    return path


def image():
    return torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "dim", "parameters"),
    [
        # The published counts less those of the classifiers: 11,689,512 - 513,000; 20,024,384 convolutions;
        # 5,288,548 - 1,281,000; 1,235,496 - 513,000.
        ("timm:resnet18", 512, 11_176_512),
        ("torchvision:resnet18", 512, 11_176_512),
        ("torchvision:vgg19", 512, 20_024_384),
        ("torchvision:efficientnet_b0", 1280, 4_007_548),
        ("torchvision:squeezenet1_1", 512, 722_496),
    ],
)
def test_networks_without_their_classifier_give_pooled_features(name, dim, parameters):
    with torch.device("meta"):  # shapes alone: random weights of this size take seconds
        made = new_network(name, 0).eval()
    assert sum(p.numel() for p in made.parameters()) == parameters
    with torch.no_grad():
        assert made(image().to("meta")).shape == (1, dim)


def test_the_seed_makes_the_weights_and_leaves_torchs_chance_alone(network):
    before = torch.get_rng_state()
    again, other = new_network(SMALL, 3), new_network(SMALL, 4)
    assert torch.equal(torch.get_rng_state(), before)
    assert weights_hash(again) == weights_hash(network) != weights_hash(other)
    assert again.training
    assert all(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.parametrize("kind", ["safetensors", "pth", "npz", "folder"])
def test_weights_come_from_a_local_file(kind, network, file, tmp_path):
    path = tmp_path / f"weights.{kind}"
    if kind == "pth":
        torch.save({"state_dict": network.state_dict()}, path)
    elif kind == "npz":
        np.savez(path, **{name: value.numpy() for name, value in network.state_dict().items()})
    else:
        path = file if kind == "safetensors" else file.parent
    loaded = load_network(f"{SMALL}={path}")
    assert weights_hash(loaded) == weights_hash(network)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_classifier_in_the_file_is_left_out(network, tmp_path):
    whole = new_network(SMALL, 3, features_only=False)
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    loaded = load_network(f"{SMALL}={tmp_path / 'whole.safetensors'}")
    assert loaded.state_dict().keys() == network.state_dict().keys()
    with torch.no_grad():
        assert loaded(image()).shape == (1, 512)


def test_weights_in_the_hubs_cache_are_found(file, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--timm--resnet10t.c3_in1k"
    for commit in ("aaa", "bbb"):
        (folder / "snapshots" / commit).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("bbb")
    (folder / "snapshots" / "bbb" / "model.safetensors").write_bytes(file.read_bytes())
    assert load_network(SMALL).state_dict().keys() == load_network(f"{SMALL}.c3_in1k").state_dict().keys()


def test_weights_in_torchs_cache_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    made = new_network("torchvision:squeezenet1_1", 0, features_only=False)
    torch.save(made.state_dict(), tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth")
    loaded = load_network("torchvision:squeezenet1_1", features_only=False)
    assert weights_hash(loaded) == weights_hash(made)


@pytest.mark.parametrize(
    "name", ["timm:resnet18", "torchvision:vgg19", "timm:vit_giant_patch14_dinov2.lvd142m"]
)
def test_missing_weights_name_the_command_that_fetches_them(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with torch.device("meta"), pytest.raises(WeightsMissing, match=f"python -m learning.fetch {name}`"):
        load_network(name)


def test_weights_that_do_not_fit_are_refused(network, file, tmp_path):
    with pytest.raises(WeightsMissing, match="does not hold this network's weights"):
        load_network(f"timm:resnet18={file}")
    with pytest.raises(WeightsMissing, match=r"nowhere\.pth is not there"):
        load_network(f"{SMALL}={tmp_path / 'nowhere.pth'}")
    short = tmp_path / "short.safetensors"
    short.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsMissing, match="is cut short or broken"):
        load_network(f"{SMALL}={short}")
    (tmp_path / "code.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match="is cut short or broken"):
        read_tensors(tmp_path / "code.pth")
    some = dict(list(network.state_dict().items())[3:])
    save_file(some, tmp_path / "some.safetensors")
    with pytest.raises(WeightsMissing, match=r"3 are missing .*conv1"):
        load_network(f"{SMALL}={tmp_path / 'some.safetensors'}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:resnet81", "timm has no network 'resnet81'; did you mean timm:resnet"),
        ("torchvision:qqqqqqq", "torchvision has no network 'qqqqqqq'; see torchvision's documentation"),
        ("keras:resnet18", "names the library 'keras'; there are timm, torchvision"),
        ("timm:", "has no network's name after the colon"),
        ("dinov2_small", "is no network of a library; give timm:NAME or torchvision:NAME"),
        ("timm:resnet18=/w", "a new network has random weights"),
    ],
)
def test_names_that_are_none_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        new_network(name, 0)


def test_a_network_is_a_backbone_known_by_its_weights(network, file, tmp_path):
    backbone = load_backbone(f"{SMALL}={file}")
    assert (backbone.name, backbone.dim, backbone.image_size) == (SMALL, 512, input_facts(SMALL)[0])
    features = backbone.train()(torch.rand(2, 3, 40, 90))
    assert features.shape == (2, 512)
    assert not features.requires_grad
    changed = {name: value.clone() for name, value in network.state_dict().items()}
    changed["fc.weight" if "fc.weight" in changed else "conv1.0.weight"][0] += 1e-3
    save_file(changed, tmp_path / "changed.safetensors")
    other = load_backbone(f"{SMALL}={tmp_path / 'changed.safetensors'}")
    assert backbone.identity == load_backbone(f"{SMALL}={file}").identity != other.identity
    assert load_backbone(f"{SMALL}={file}", bf16=True).identity != backbone.identity


def test_dinov2_has_its_name_in_both_libraries():
    assert all(BackboneChoice.parse(name).library == "timm" for name in TIMM_NAMES.values())
    assert [input_facts(name)[0] for name in TIMM_NAMES.values()] == [224] * 8
