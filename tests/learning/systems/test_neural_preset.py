import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from learning.backbones import WeightsMissing
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.renderers.dncm import DncmConfig
from learning.systems import neural_preset
from learning.systems.interface import ColorMapper, PhotoReader, ReferencePair, Scorer
from learning.systems.load import load_run
from learning.systems.neural_preset import (
    NeuralPreset,
    Preset,
    PresetError,
    read_preset,
    write_preset,
)
from learning.systems.neural_preset.config import Config, EncoderConfig, PhotoConfig
from learning.systems.neural_preset.network import Looks, Network, swap_loss
from learning.systems.neural_preset.photos import DatasetPhotos, FolderPhotos
from learning.systems.neural_preset.similarity import (
    edge_structure_similarity,
    encoder_style_similarity,
    lab_color_distance,
)
from learning.systems.shared import reduced
from learning.training.loop import LoopConfig
from learning.training.run_folder import RunError
from learning.training.settings import from_json, to_json
from tests.learning.factories import in_a_frame, make_dataset
from variants.progress import silent
from variants.tone.cube import read_cube, write_cube
from variants.tone.luts import apply as apply_lut

SMALL = dataclasses.replace(
    neural_preset.PRESETS["tiny"](),
    encoder=EncoderConfig(kind="conv", image_size=16, hidden=32),
    dncm=DncmConfig(k=8, lift="poly"),
    photos=PhotoConfig(photo_size=32, crop=16, batch=8),
    loop=LoopConfig(steps=120, learning_rate=3e-3, weight_decay=0.0, warmup=10),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return PreferenceDataset.load(make_dataset(tmp_path_factory.mktemp("data") / "brightness"))


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    neural_preset.fit(dataset, SMALL, folder, silent)
    return folder


@pytest.fixture(scope="module")
def system(run):
    return neural_preset.load(run)


def photo(seed=0, size=(20, 24)):
    """Smooth random colours."""
    coarse = np.random.default_rng(seed).uniform(0.1, 0.9, (4, 4, 3)).astype(np.float32)
    tensor = torch.from_numpy(coarse).permute(2, 0, 1)[None]
    up = torch.nn.functional.interpolate(tensor, size, mode="bilinear", align_corners=True)
    return np.ascontiguousarray(up[0].permute(1, 2, 0).numpy())


def untrained(config=SMALL):
    return NeuralPreset(Network(config), config)


def stirred(config=SMALL, seed=0):
    """Untrained, but not the identity."""
    network = Network(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        network.encoder.head.weight.normal_(std=0.1, generator=generator)
    return NeuralPreset(network, config)


@pytest.mark.parametrize("lift", ["none", "poly", "mlp"])
def test_an_untrained_network_leaves_photos_as_they_are(lift):
    config = dataclasses.replace(SMALL, dncm=DncmConfig(k=8, lift=lift))
    system = untrained(config)
    profile = system.adapt_to_photos([photo(1), photo(2)])
    np.testing.assert_allclose(system.render([photo()], profile)[0], photo(), atol=2e-6)


def test_the_paper_preset_has_the_published_size():
    """5.15 M parameters; an EfficientNet-B0 without classifier is 4,007,548 of them."""
    network = Network(neural_preset.PRESETS["paper"]())
    assert sum(p.numel() for p in network.encoder.trunk.parameters()) == 4_007_548
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(5.15e6, rel=0.002)
    assert network.normaliser.into.shape == (3, 16)
    assert network.stylist.out.shape == (16, 3)
    assert network.normaliser.into is not network.stylist.into


def test_the_paper_preset_trains_a_step():
    config = neural_preset.PRESETS["paper"]()
    config = dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, image_size=32))
    network = Network(config).train()
    images = torch.rand((2, 2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    losses = swap_loss(network, Looks(photos=images[0], one=images[0], other=images[1]), config)
    losses["loss"].backward()
    assert losses["loss"].item() == pytest.approx(
        losses["loss_reconstruction"].item() + 10 * losses["loss_consistency"].item(), rel=1e-5
    )
    assert network.encoder.head.weight.grad.abs().max() > 0


def test_the_loss_of_the_identity_by_hand():
    """Nothing is changed yet: Y_i = I_j, so the swap misses twice by the difference of the looks."""
    network = Network(SMALL)
    one, other = torch.full((2, 3, 16, 16), 0.2), torch.full((2, 3, 16, 16), 0.5)
    losses = swap_loss(network, Looks(photos=one, one=one, other=other), SMALL)
    assert losses["loss_anchor"].item() == pytest.approx(0.15, abs=1e-5)
    assert losses["loss_reconstruction"].item() == pytest.approx(0.6, abs=1e-5)
    assert losses["loss_consistency"].item() == pytest.approx(0.09, abs=1e-5)


def test_training_teaches_the_style_of_a_photo(system, dataset):
    """Photos of which one half are dark, the other bright: a style brings an unseen photo towards it."""
    dark, bright = 0.35 * photo(5), 1 - 0.45 * (1 - photo(6))
    content = photo(7)
    to_dark, to_bright = (system.render([content], system.adapt_to_photos([s]))[0] for s in (dark, bright))
    assert to_dark.mean() < content.mean() - 0.05
    assert to_bright.mean() > content.mean() + 0.05
    losses = [swap_loss(s._network, _two_looks(), SMALL)["loss"].item() for s in (untrained(), system)]
    assert losses[1] < 0.75 * losses[0]


def _two_looks():
    images = torch.cat([torch.from_numpy(photo(seed, (16, 16))).permute(2, 0, 1)[None] for seed in range(4)])
    return Looks(photos=images, one=images**0.6, other=images**1.5 * 0.9)


def test_without_the_bottleneck_training_collapses_and_with_it_does_not():
    """A free second stage sees the style photo and learns to give it back, whatever the content is.

    Both are trained in the same way, on pairs of looks of one photo; then content and style are
    two photos. What the free one gives has the style photo's structure.
    """
    torch.manual_seed(0)
    free = torch.nn.Sequential(torch.nn.Conv2d(6, 16, 1), torch.nn.SiLU(), torch.nn.Conv2d(16, 3, 1))
    config = dataclasses.replace(SMALL, dncm=DncmConfig(k=8, lift="none"), anchor=0.0)
    network = Network(config)
    optimizers = [torch.optim.Adam(free.parameters(), 1e-2), torch.optim.Adam(network.parameters(), 3e-3)]
    generator = torch.Generator().manual_seed(1)
    for _ in range(150):
        content = torch.rand((8, 3, 16, 16), generator=generator)
        tints = 0.4 + 0.6 * torch.rand((2, 8, 3, 1, 1), generator=generator)
        one, other = content * tints
        losses = [
            (free(torch.cat([one, other], 1)) - other).abs().mean(),
            swap_loss(network, Looks(photos=content, one=one, other=other), config)["loss"],
        ]
        for loss, optimizer in zip(losses, optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    content, style = torch.rand((2, 1, 3, 16, 16), generator=generator)
    with torch.no_grad():
        normal, _ = network.encoder(content)
        _, r = network.encoder(style)
        with_bottleneck = network.stylised(network.normalised(content, normal), r)
        without = free(torch.cat([content, style], 1))

    def likeness(a, b):
        return float(np.corrcoef(a.mean(1).ravel().numpy(), b.mean(1).ravel().numpy())[0, 1])

    assert likeness(without, style) > 0.9 > 0.4 > likeness(without, content)
    assert likeness(with_bottleneck, content) > 0.9 > 0.4 > likeness(with_bottleneck, style)


def test_it_is_a_system_in_all_that_it_says(system):
    assert isinstance(system, ColorMapper)
    assert isinstance(system, PhotoReader)
    assert not isinstance(system, Scorer)


def test_tiles_are_the_whole(monkeypatch):
    system = stirred()
    profile = system.adapt_to_photos([photo(1)])
    image = photo(2, (37, 29))
    whole = system.render([image], profile)[0]
    monkeypatch.setattr("learning.systems.neural_preset.plan.PIXELS_AT_ONCE", 1)
    np.testing.assert_allclose(system.render([image], profile)[0], whole, atol=1e-6)


def test_the_guide_says_what_is_done_so_a_crop_is_edited_like_the_whole():
    system = stirred()
    profile = system.adapt_to_photos([photo(1)])
    image = photo(2, (40, 30))
    whole = system.render([image], profile)[0]
    crop = system.render([image[5:20, 3:11]], profile, guides=[image])[0]
    np.testing.assert_allclose(crop, whole[5:20, 3:11], atol=1e-6)


def test_8_bits_are_the_same_edit_in_place_and_out_of_it():
    system = stirred()
    plan = system.plan(photo(2), system.adapt_to_photos([photo(1)]), strength=0.7)
    levels = (photo(2) * 255 + 0.5).astype(np.uint8)
    edited = plan(levels)
    assert edited.dtype == np.uint8
    assert np.abs(edited - 255 * plan(levels.astype(np.float32) / 255)).max() <= 0.51
    assert plan(levels, out=levels) is levels
    np.testing.assert_array_equal(levels, edited)


def test_what_is_no_image_is_refused():
    plan = stirred().plan(photo(), {"style": np.eye(8, dtype=np.float32).ravel()})
    with pytest.raises(ValueError, match="uint8 or float32"):
        plan(np.zeros((4, 4), np.float32))
    with pytest.raises(ValueError, match="it must be as the image"):
        plan(photo(), out=np.zeros((4, 4, 3), np.float32))


def test_a_large_photo_is_read_small_and_without_a_copy_of_it():
    image = photo(3, (64, 97))
    small = reduced(image, 16)
    assert small.shape == (16, 24, 3)
    np.testing.assert_allclose(small[0, 0], image[:4, :4].mean(axis=(0, 1)), atol=1e-6)
    levels = (image * 255 + 0.5).astype(np.uint8)
    np.testing.assert_allclose(reduced(levels, 16), small, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(reduced(image, 65), image)


def test_results_stay_inside():
    system = stirred()
    style = 5 * np.random.default_rng(0).normal(size=64).astype(np.float32)
    result = system.render([photo()], {"style": style})[0]
    assert result.min() >= 0
    assert result.max() <= 1


def test_one_normalised_photo_serves_many_presets(monkeypatch):
    system = stirred()
    profiles = [system.adapt_to_photos([photo(seed)]) for seed in (1, 2, 3)]
    separately = [system.render([photo()], profile, strength=0.8)[0] for profile in profiles]
    together = system.render_profiles(photo(), profiles, strength=0.8)
    np.testing.assert_allclose(together, separately, atol=1e-6)
    normalised = system.normalise(photo())
    # A switch needs neither the encoder nor the first map.
    monkeypatch.setattr(system, "_encoded", None)
    monkeypatch.setattr(system, "_normaliser", None)
    np.testing.assert_allclose(
        system.stylise(normalised, profiles[1], strength=0.8), separately[1], atol=1e-6
    )


def test_strength_0_leaves_the_photo():
    system = stirred()
    profile = system.adapt_to_photos([photo(1)])
    np.testing.assert_array_equal(system.render([photo()], profile, strength=0.0)[0], photo())


def test_the_baked_lut_is_the_edit(tmp_path):
    system = stirred()
    profile = system.adapt_to_photos([photo(1)])
    lut = system.plan(photo(), profile).lut(33, "stirred")
    np.testing.assert_array_equal(lut.table, system.bake(photo(), profile))
    write_cube(lut, tmp_path / "stirred.cube")
    again = read_cube(tmp_path / "stirred.cube")
    edited = apply_lut(photo().astype(np.float64), again)
    assert np.abs(edited - system.render([photo()], profile)[0]).max() < 0.01


def test_a_rater_is_the_mean_style_of_what_they_preferred():
    system = stirred()
    pairs = [ReferencePair(preferred=photo(s), rejected=photo(s + 10)) for s in range(3)]
    profile = system.adapt(pairs)
    wanted = system.adapt_to_photos([pair.preferred for pair in pairs])
    np.testing.assert_allclose(profile["style"], wanted["style"], atol=1e-6)
    np.testing.assert_allclose(system.adapt(pairs[::-1])["style"], profile["style"], atol=1e-6)
    mean = system.mean_profile([system.adapt(pairs[:1]), system.adapt(pairs[1:2])])
    np.testing.assert_allclose(mean["style"], system.adapt(pairs[:2])["style"], atol=1e-6)


def test_contrast_pushes_on_from_what_was_rejected():
    pushed = stirred(dataclasses.replace(SMALL, contrast=0.5))
    pairs = [ReferencePair(preferred=photo(0), rejected=photo(1))]
    p, r = pushed.styles([photo(0), photo(1)])
    np.testing.assert_allclose(pushed.adapt(pairs)["style"], p + 0.5 * (p - r), atol=1e-6)


@pytest.mark.parametrize("adapt", [NeuralPreset.adapt, NeuralPreset.adapt_to_photos])
def test_no_references_are_refused(adapt):
    with pytest.raises(ValueError, match="is empty"):
        adapt(untrained(), [])


def test_grey_and_tiny_references_are_read(system):
    for reference in (np.full((9, 9, 3), 0.5, np.float32), np.zeros((1, 1, 3), np.float32)):
        result = system.render([photo()], system.adapt_to_photos([reference]))[0]
        assert np.isfinite(result).all()


def test_a_frame_of_one_colour_does_not_count(system):
    plain, framed = (system.adapt_to_photos([p])["style"] for p in (photo(), in_a_frame(photo())))
    np.testing.assert_array_equal(framed, plain)


@pytest.mark.parametrize("name", ["warm.safetensors", "warm.npz"])
def test_presets_come_back_from_files(tmp_path, name):
    system = stirred()
    profile = system.adapt_to_photos([photo(1)])
    write_preset(system.preset("Warm evening", profile), tmp_path / name)
    preset = read_preset(tmp_path / name)
    assert preset.name == "Warm evening"
    np.testing.assert_array_equal(system.profile_of(preset)["style"], profile["style"])


def test_a_preset_of_another_network_is_refused():
    preset = stirred().preset("warm", stirred().adapt_to_photos([photo()]))
    with pytest.raises(PresetError, match="another trained network"):
        stirred(seed=1).profile_of(preset)


def test_files_that_are_no_presets_are_refused(tmp_path):
    with pytest.raises(PresetError, match=r"ends in \.safetensors or \.npz"):
        read_preset(tmp_path / "warm.json")
    with pytest.raises(PresetError, match=r"warm\.npz"):
        read_preset(tmp_path / "warm.npz")
    for name in ("broken.npz", "broken.safetensors"):
        (tmp_path / name).write_bytes(b"1234567890")
        with pytest.raises(PresetError, match="is not a preset"):
            read_preset(tmp_path / name)
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    with pytest.raises(PresetError, match="is not a preset"):
        read_preset(tmp_path / "other.npz")
    with pytest.raises(PresetError, match="k² finite numbers"):
        Preset(name="x", style=np.full(4, np.nan, np.float32), network="")


def test_a_run_comes_back_whole(run, system, dataset):
    loaded = load_run(run)
    assert loaded.config == SMALL
    profile = system.adapt_to_photos([photo(1)])
    np.testing.assert_array_equal(loaded.render([photo()], profile)[0], system.render([photo()], profile)[0])
    config = json.loads((run / "config.json").read_text())
    assert config["dataset"]["training_judgments"] == 0
    assert config["dataset"]["training_images"] == 3
    assert from_json(Config, to_json(SMALL)) == SMALL
    assert "SIMULATED" in (run / "README.md").read_text()


def test_a_stopped_run_ends_as_one_that_was_not(dataset, tmp_path):
    config = dataclasses.replace(SMALL, loop=dataclasses.replace(SMALL.loop, steps=6, checkpoint_every=2))

    def stop(done, total, stage):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        neural_preset.fit(dataset, config, tmp_path / "a", stop)
    resumed = neural_preset.fit(dataset, config, tmp_path / "a", silent, resume=True)
    whole = neural_preset.fit(dataset, config, tmp_path / "b", silent)
    assert resumed.fingerprint == whole.fingerprint


def test_a_folder_of_photos_is_enough_to_train_on(tmp_path):
    for seed in range(3):
        Image.fromarray((photo(seed) * 255).astype(np.uint8)).save(tmp_path / f"{seed}.png")
    (tmp_path / "notes.txt").write_text("not a photo")
    config = dataclasses.replace(SMALL, loop=dataclasses.replace(SMALL.loop, steps=2))
    neural_preset.fit(tmp_path, config, tmp_path / "run", silent)
    card = (tmp_path / "run" / "README.md").read_text()
    assert "SIMULATED" not in card
    assert "3 images" in card


def test_photos_that_are_not_there_are_named(tmp_path, dataset):
    with pytest.raises(DatasetError, match="is not a folder"):
        FolderPhotos(tmp_path / "nowhere", 32)
    with pytest.raises(DatasetError, match="has no photos"):
        FolderPhotos(tmp_path, 32)
    (tmp_path / "broken.png").write_bytes(b"no")
    with pytest.raises(DatasetError, match=r"broken\.png"):
        FolderPhotos(tmp_path, 32)[0]
    assert len(DatasetPhotos(dataset, 32)) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone": "dinov2_small"}, "may start from timm:efficientnet_b0"),
        ({"backbone": "timm:efficientnet_b0"}, "a conv starts from random weights"),
        ({"consistency": -1.0}, "consistency is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **settings)


def test_missing_weights_to_start_from_are_told(tmp_path, dataset, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    config = dataclasses.replace(neural_preset.PRESETS["paper"](), backbone="timm:efficientnet_b0")
    with pytest.raises(WeightsMissing, match=r"learning\.fetch timm:efficientnet_b0"):
        neural_preset.fit(dataset, config, tmp_path / "run", silent)
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_system_is_refused(run):
    config = json.loads((run / "config.json").read_text())
    assert config["system"] == "neural_preset"
    with pytest.raises(RunError):
        neural_preset.load(run.parent)


def test_similarity_measures_know_what_they_compare():
    image = photo(3, (32, 32))
    assert lab_color_distance(image, image) == 0
    assert lab_color_distance(image, image[::-1, ::-1].copy()) == pytest.approx(0, abs=1e-9)
    assert edge_structure_similarity(image, image) == pytest.approx(1)
    assert edge_structure_similarity(0.8 * image, image) > edge_structure_similarity(
        image[::-1].copy(), image
    )
    system = stirred()
    assert encoder_style_similarity(system, image, image) == pytest.approx(1, abs=1e-5)
    assert encoder_style_similarity(untrained(), image, photo(4)) == 1
    with pytest.raises(ValueError, match="compared at one size"):
        edge_structure_similarity(image, image[1:])


def test_the_colour_distance_of_a_shift_in_lightness_by_hand():
    """Two greys 10 L* apart: on direction d the projections are 10·|d_L| apart, 5 on average over the sphere."""
    from variants.tone.color import lab_to_srgb

    a, b = (np.full((8, 8, 3), lab_to_srgb(np.array([lightness, 0.0, 0.0]))) for lightness in (50.0, 60.0))
    assert lab_color_distance(a, b) == pytest.approx(5, rel=0.15)
