import dataclasses

import numpy as np
import pytest
import torch

from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeConfig, training_rows
from learning.data.views import ViewConfig
from learning.renderers import color_luts as luts
from learning.systems import make_config, preflut
from learning.systems.interface import ColorMapper, ReferencePair, Scorer
from learning.systems.load import load_run
from learning.systems.preflut.config import LossConfig, NetworkConfig, PretrainingConfig
from learning.systems.preflut.losses import Step, gate_loss, step_loss
from learning.systems.preflut.network import ImageEncoder, Network
from learning.systems.preflut.pretraining import AlignedPairs, Pretraining, fit_luts, pretrain
from learning.systems.preflut.system import PrefLut, pack, quantised, restored, unpack
from learning.systems.preflut.training import PRETRAINED, aligned_pairs
from learning.training.loop import LoopConfig
from learning.training.run_folder import RunError, read_weights
from learning.training.settings import from_json, to_json
from tests.learning.factories import make_dataset
from variants.progress import silent

SHAPE = NetworkConfig(
    channels=(8, 8), width=16, hidden=32, blocks=1, heads=2, volume=(8, 8), volume_size=2, lut_size=5
)
SMALL = dataclasses.replace(
    preflut.tiny(),
    image_size=16,
    network=SHAPE,
    pretraining=PretrainingConfig(
        pairs=24,
        fit_steps=10,
        autoencoder_epochs=8,
        latent_epochs=8,
        batch=12,
        view_size=8,
        learning_rate=1e-2,
    ),
    views=ViewConfig(count=2, size=16, jitter=0),
    episodes=EpisodeConfig(raters=6, targets=3, min_references=2, max_references=6),
    loop=LoopConfig(steps=12, learning_rate=3e-3, checkpoint_every=5, warmup=2),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = make_dataset(tmp_path_factory.mktemp("data") / "brightness", n_raters=10, n_answers=18)
    return PreferenceDataset.load(folder)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    preflut.fit(dataset, SMALL, folder, silent)
    return folder


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(SHAPE)


def photos(n=1, size=(12, 18), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((*size, 3), dtype=np.float32) for _ in range(n)]


def pairs(n=4, seed=0):
    return [
        ReferencePair(preferred=p, rejected=r)
        for p, r in zip(photos(n, seed=seed), photos(n, seed=seed + 1), strict=True)
    ]


def tensors(n, side=8, seed=0):
    return torch.rand((n, 3, side, side), generator=torch.Generator().manual_seed(seed))


# Sizes


def test_the_recipes_sizes_have_these_parameters():
    shape = preflut.paper().network
    of_system = sum(p.numel() for p in Network(shape).parameters())
    of_pretraining = sum(p.numel() for p in Pretraining(shape).parameters())
    assert of_system == 7_506_052
    # 10.26 million are reported; what is counted there is not said.
    assert of_system + of_pretraining == 10_407_812


def test_an_encoders_parameters_are_those_of_its_layers():
    convolutions = sum(9 * a * b + b for a, b in ((3, 32), (32, 64), (64, 128), (128, 256)))
    norms, linear = 2 * (32 + 64 + 128 + 256), 256 * 256 + 256
    encoder = ImageEncoder(preflut.paper().network)
    assert sum(p.numel() for p in encoder.parameters()) == convolutions + norms + linear


# LUTs


def test_the_identity_changes_nothing():
    images = tensors(2)
    tables = luts.identity(17).expand(2, -1, -1, -1, -1)
    torch.testing.assert_close(luts.look_up(tables, images), images, atol=1e-6, rtol=0)
    assert luts.roughness(tables).abs().max() < 1e-10
    assert luts.falls(tables).max() == 0


def test_each_image_is_looked_up_in_its_own_lut_with_red_first():
    images = tensors(2)
    swapped = luts.identity(9).flip(0)  # red and blue change places
    both = torch.stack([luts.identity(9), swapped])
    found = luts.look_up(both, images)
    torch.testing.assert_close(found[0], images[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(found[1], images[1].flip(0), atol=1e-6, rtol=0)


def test_a_lut_that_falls_is_told():
    tables = luts.identity(3)[None].clone()
    tables[0, 0] = 1 - tables[0, 0]  # red falls by 0.5 at every step
    assert luts.falls(tables).item() == pytest.approx(0.5)


def test_roughness_of_one_moved_point():
    tables = luts.identity(2)[None].clone()
    tables[0, 0, 0, 0, 0] += 0.6
    # Along each of three axes one of 12 differences (3 channels, 4 edges) is 0.6.
    assert luts.roughness(tables).item() == pytest.approx(3 * 0.36 / 12)


def test_color_statistics_by_hand():
    image = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]).reshape(1, 3, 1, 2)  # two pixels
    means = [0.5, 0.5, 0.0, (0.2126 + 0.3576 + 0.3576) / 2, (1.0 + 0.5) / 2]
    deviations = [0.5, 0.0, 0.0, 0.1063, 0.25]
    torch.testing.assert_close(luts.color_statistics(image)[0], torch.tensor(means + deviations))


def test_the_distance_of_statistics_needs_no_alignment():
    images = tensors(2)
    shuffled = images.flip(-1)
    assert luts.statistics_distance(images, shuffled).max() < 1e-6
    brighter = luts.statistics_distance(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5))
    assert brighter.item() == pytest.approx(4 * 0.5 / 10)  # four means of ten numbers


def test_a_fitted_lut_takes_one_image_to_the_other():
    before = tensors(3, side=16)
    after = (before * 0.8 + 0.05).clamp(0, 1)
    tables = fit_luts(before, after, PretrainingConfig(fit_steps=30), 9)
    far, near = (before - after).abs().mean(), (luts.look_up(tables, before) - after).abs().mean()
    assert near < 0.35 * far
    assert luts.falls(tables).max() < 0.02


# The network


def test_it_starts_as_the_identity(network):
    tables, _ = network.plan(torch.randn(3, 16), torch.randn(3, 16))
    assert torch.equal(tables, network.decoder.neutral.expand_as(tables))


def test_no_lut_moves_a_channel_farther_than_allowed(network):
    last = network.decoder.convolutions[-1]
    torch.nn.init.normal_(last.weight, std=100.0)
    tables, _ = network.plan(torch.randn(3, 16), torch.randn(3, 16))
    assert (tables - network.decoder.neutral).abs().max() <= SHAPE.largest_shift + 1e-6
    assert 0 <= tables.min() <= tables.max() <= 1


def test_strength_weakens_a_lut_towards_the_identity(network):
    tables = torch.rand((2, 3, 5, 5, 5))
    none, whole = network.weakened(tables, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(none, network.decoder.neutral)
    torch.testing.assert_close(whole, tables[1])


def test_the_order_of_references_does_not_matter(network):
    preferred, rejected = torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    order = torch.tensor([3, 0, 4, 2, 1])
    one, other = network.reader(preferred, rejected), network.reader(preferred[:, order], rejected[:, order])
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    assert (one - network.reader(rejected, preferred)).abs().max() > 1e-2


# Training


def test_the_gates_loss_by_hand():
    even = gate_loss(torch.zeros(2), torch.zeros(2))
    assert even.item() == pytest.approx(np.log(2))
    assert gate_loss(torch.full((2,), 20.0), torch.full((2,), -20.0)) < 1e-6


def step_of(network, aligned=1.0):
    features = torch.randn((2, 3, 16), generator=torch.Generator().manual_seed(1))
    targets = torch.randn((4, 16), generator=torch.Generator().manual_seed(2))
    return Step(
        preferred_references=features,
        rejected_references=-features,
        preferred=tensors(4, seed=3),
        preferred_features=targets,
        rejected=tensors(4, seed=4),
        rejected_features=-targets,
        aligned=torch.full((4,), aligned),
    )


def test_the_seven_terms_of_doing_nothing(network):
    """Edited by the identity the rejected image stays as far from the preferred one as it was."""
    step = step_of(network)
    losses = step_loss(network, step, LossConfig())
    apart = luts.statistics_distance(step.rejected, step.preferred)
    assert losses["loss_distance"].item() == pytest.approx((apart / (apart + 0.05)).mean().item(), abs=1e-6)
    assert losses["loss_margin"].item() == pytest.approx((0.02 + apart).mean().item(), abs=1e-6)
    difference = (step.rejected - step.preferred).abs().mean().item()
    assert losses["loss_to_preferred"].item() == pytest.approx(difference, abs=1e-6)
    assert losses["loss_keep"].item() == pytest.approx(0, abs=1e-6)
    assert losses["loss_identity"].item() == 0
    assert losses["loss_wrong_rater"].item() == pytest.approx(0.02)
    weights = dataclasses.asdict(LossConfig())
    total = sum(
        weights[name.removeprefix("loss_")] * value.item() for name, value in losses.items() if name != "loss"
    )
    assert losses["loss"].item() == pytest.approx(total, abs=1e-5)


def test_unaligned_pairs_are_not_compared_pixel_by_pixel(network):
    assert step_loss(network, step_of(network, aligned=0.0), LossConfig())["loss_to_preferred"] == 0


def test_pretraining_learns_the_luts_of_pairs_and_freezes(network):
    before = (tensors(24, side=8) * 255).round().byte()
    after = (before.float() * 0.7).round().byte()
    data = AlignedPairs(rejected=before, preferred=after)
    config = PretrainingConfig(
        fit_steps=20, autoencoder_epochs=30, latent_epochs=3, batch=12, view_size=8, learning_rate=1e-2
    )
    found = pretrain(network, data, config, SHAPE, seed=0, report=silent)
    assert found["auto-encoder"] < 0.1  # the LUTs depart from the identity by 0.15 on average
    assert not any(p.requires_grad for p in network.decoder.parameters())
    assert not any(p.requires_grad for p in network.pair_encoder.parameters())
    assert all(p.requires_grad for p in network.reader.parameters())
    for one, other in zip(network.pair_encoder.parameters(), network.query_encoder.parameters(), strict=True):
        assert torch.equal(one, other)


def test_each_pair_is_fitted_once_and_at_most_so_many(dataset):
    config = dataclasses.replace(SMALL, pretraining=dataclasses.replace(SMALL.pretraining, pairs=5711))
    rows = np.concatenate(training_rows(dataset, 1)[0])
    found = aligned_pairs(dataset, rows, config, silent)
    assert 0 < len(found) <= 3 * 6  # three training scenes of four renditions
    few = dataclasses.replace(SMALL, pretraining=PretrainingConfig(pairs=4))
    assert len(aligned_pairs(dataset, rows, few, silent)) == 4


def test_training_leaves_what_was_pretrained_as_it_was(run):
    tensors_of_run = read_weights(run, system="preflut")
    for name, value in tensors_of_run.items():
        if name.startswith("pair_encoder."):
            assert torch.equal(value, tensors_of_run[name.replace("pair_encoder", "query_encoder")])
    assert not (run / PRETRAINED).exists()


def test_a_stopped_training_goes_on_to_the_same_weights(dataset, run, tmp_path):
    def stop(done, total, stage):
        if stage == "training" and done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preflut.fit(dataset, SMALL, tmp_path / "run", stop)
    assert (tmp_path / "run" / PRETRAINED).is_file()
    preflut.fit(dataset, SMALL, tmp_path / "run", silent, resume=True)
    whole, resumed = (read_weights(folder, system="preflut") for folder in (run, tmp_path / "run"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


# The system


def test_what_it_can_do(run):
    system = load_run(run)
    assert isinstance(system, PrefLut)
    assert isinstance(system, ColorMapper)
    assert isinstance(system, Scorer)


def test_strength_0_leaves_the_photo_and_the_guide_decides_the_edit(run):
    system = load_run(run)
    profile = system.adapt(pairs())
    image, guide = photos(2, seed=5)
    np.testing.assert_allclose(system.render([image], profile, strength=0.0)[0], image, atol=1e-6)
    own, other = system.render([image], profile)[0], system.render([image], profile, [guide])[0]
    assert own.shape == image.shape
    assert np.abs(own - other).max() > 0


def test_outside_of_training_the_strength_counts_07(run):
    system = load_run(run)
    profile = system.adapt(pairs())
    image = photos(seed=5)[0]
    full = PrefLut(system._network, dataclasses.replace(system.config, strength=1.0))
    weak, strong = (
        s.bake(image, profile, size=5) - luts.identity(5).movedim(0, -1).numpy() for s in (system, full)
    )
    np.testing.assert_allclose(weak, 0.7 * strong, atol=1e-6)


def test_the_baked_lut_is_the_edit(run):
    system = load_run(run)
    profile, image = system.adapt(pairs()), photos(seed=6)[0]
    table = torch.from_numpy(system.bake(image, profile, size=9)).permute(3, 0, 1, 2)[None]
    looked_up = luts.look_up(table, torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(looked_up.numpy(), system.render([image], profile)[0], atol=1e-5)


def test_a_profile_takes_a_byte_a_number_and_four_for_the_scale():
    values = np.random.default_rng(0).normal(size=256).astype(np.float32)
    profile = quantised(values)
    assert PrefLut.profile_bytes(profile) == 260
    np.testing.assert_allclose(restored(profile), values, atol=float(profile["scale"][0]) / 2 + 1e-7)
    back = unpack(pack(profile))
    assert all(np.array_equal(back[name], profile[name]) for name in profile)


def test_a_profile_of_nothing_is_nothing():
    assert not restored(quantised(np.zeros(4, np.float32))).any()


def test_the_mean_profile_is_the_mean_of_what_profiles_stand_for(run):
    system = load_run(run)
    profiles = [system.adapt(pairs(seed=seed)) for seed in (0, 7)]
    mean = restored(system.mean_profile(profiles))
    wanted = (restored(profiles[0]) + restored(profiles[1])) / 2
    np.testing.assert_allclose(mean, wanted, atol=np.abs(wanted).max() / 254 + 1e-6)


def test_a_rater_without_answers_is_an_error(run):
    with pytest.raises(ValueError, match="references is empty"):
        load_run(run).adapt([])


def test_weights_cut_short_are_an_error(run, tmp_path):
    for name in ("config.json", "weights.safetensors"):
        content = (run / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2] if name.startswith("w") else content)
    with pytest.raises(RunError, match="cut short or broken"):
        preflut.load(tmp_path)


@pytest.mark.parametrize("preset", ["tiny", "paper"])
def test_presets_are_stored_and_read_back(preset):
    config = make_config("preflut", preset)
    assert from_json(preflut.Config, to_json(config)) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strength": 1.5}, "strength is 1.5; it must be from 0 to 1"),
        ({"image_size": 8}, "image_size is 8; 4 halvings need at least 16"),
    ],
)
def test_settings_that_cannot_be_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(preflut.tiny(), **change)
