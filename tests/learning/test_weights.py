import pytest
from django.urls import reverse

from learning import fetch
from learning.models import Run
from learning.systems import PRESETS, system_module
from learning.weights import PRESET_BACKBONES, weights_missing
from tests.factories import make_export, make_researcher, make_study

EVERY_PRESET = [(system, preset) for system, presets in PRESETS.items() for preset in presets]


@pytest.mark.parametrize(("system", "preset"), EVERY_PRESET)
def test_the_backbone_of_each_preset_is_known_without_its_module(system, preset):
    config = system_module(system).PRESETS[preset]()
    assert PRESET_BACKBONES.get((system, preset), "") == getattr(config, "backbone", "")


def test_weights_are_looked_for_where_the_loader_looks(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert weights_missing("tone_statistics") == ""
    assert "python -m learning.fetch dinov2_small" in weights_missing("dinov2_small")
    folder = tmp_path / "models--facebook--dinov2-small" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert weights_missing("dinov2_small")
    (folder / "model.safetensors").write_bytes(b"")
    assert weights_missing("dinov2_small") == weights_missing(f"dinov2_small={folder}") == ""


@pytest.mark.parametrize(
    ("name", "where", "file"),
    [
        ("timm:resnet18.a1_in1k", "hub/models--timm--resnet18.a1_in1k/snapshots/abc", "model.safetensors"),
        ("timm:resnet18", "hub/models--timm--resnet18.a1_in1k/snapshots/abc", "model.safetensors"),
        ("torchvision:resnet18", "torch/hub/checkpoints", "resnet18-f37072fd.pth"),
    ],
)
def test_weights_of_a_librarys_network_are_looked_for_in_its_cache(name, where, file, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    told = weights_missing(name)
    assert f"python -m learning.fetch {name}" in told
    assert ("torch's cache" if name.startswith("torchvision") else "the hub's cache") in told
    (tmp_path / where).mkdir(parents=True)
    (tmp_path / where / file).write_bytes(b"")
    assert weights_missing(name) == ""
    assert weights_missing(f"{name}={tmp_path / where / file}") == ""
    assert f"{tmp_path / 'nothing.pth'}" in weights_missing(f"{name}={tmp_path / 'nothing.pth'}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tone_statistics", "'tone_statistics' has no weights to fetch; name dinov2_small"),
        ("dinov2_smal", "did you mean dinov2_small?"),
        ("timm:resnet18=/w", "has no weights to fetch"),
        ("timm:resnet18.qq_in1k", "timm has no pretrained weights called 'resnet18.qq_in1k' on the hub"),
        ("torchvision:resnet81", "torchvision has no network 'resnet81'"),
    ],
)
def test_what_cannot_be_fetched_is_named(name, message, capsys):
    assert fetch.main([name]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.django_db
def test_missing_weights_are_told_before_the_run_starts(client, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    client.force_login(make_researcher())
    export = make_export(make_study(), folder=tmp_path)
    fields = {"export": export.public_id, "system": "upe", "preset": "full", "seed": 0}
    page = client.post(reverse("learning:run-create"), fields)
    assert page.status_code == 422
    assert "python -m learning.fetch dinov2_base" in page.content.decode()
    assert not Run.objects.exists()
    client.post(reverse("learning:run-create"), {**fields, "elsewhere": "on"})
    assert Run.objects.get().preset == "full"
