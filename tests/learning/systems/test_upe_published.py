"""The two published configurations of the preference embedding, and what can be set beside them."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from learning.data.dataset import DatasetError, PreferenceDataset
from learning.renderers.hiif import HiifConfig
from learning.systems import upe
from learning.systems.interface import ReferencePair
from learning.systems.upe import FixedReferences, Network
from learning.systems.upe.data import Step
from learning.systems.upe.losses import gate_losses, step_loss
from learning.systems.upe.sampling import FixedPairSampler, chance_of
from learning.training.loop import LoopConfig
from learning.training.objective import Curriculum
from learning.training.run_folder import read_weights
from tests.learning.factories import image_id, make_dataset
from variants.progress import silent

TINY_DINOV2 = Dinov2Config(
    hidden_size=24, num_hidden_layers=1, num_attention_heads=2, patch_size=14, image_size=224
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return PreferenceDataset.load(
        make_dataset(tmp_path_factory.mktemp("data") / "pairs", n_raters=6, n_answers=18)
    )


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory):
    """The real architecture, small and with random weights."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dinov2")
    Dinov2Model(TINY_DINOV2).save_pretrained(folder)
    return f"dinov2_base={folder}"


def small_steps(config, backbone, steps=2, pairs=2):
    """Fewer and narrower layers, small crops."""
    decoder = config.decoder
    return dataclasses.replace(
        config,
        backbone=backbone,
        reader=dataclasses.replace(config.reader, hidden=8 * config.reader.heads),
        decoder=dataclasses.replace(decoder, blocks=2, width=2 * decoder.heads, hidden=32),
        crops=dataclasses.replace(config.crops, size=8, short_side=(16, 32)),
        episodes=FixedReferences(references=3, pairs=pairs),
        loop=dataclasses.replace(config.loop, steps=steps),
    )


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("dim", [384, 768, 1024, 1536])
@pytest.mark.parametrize(
    ("preset", "encoder", "head", "reader_less_tokens", "token", "first"),
    [
        # EDSR 12 x 48: 1344 + 12 * 41 568 + 20 784. The reader's last number is its first layer's width, times
        # 2 dim + 1 parameters each; the head's first layer takes 4 * 48 + 2 + 2 + 48.
        ("paper", 520_944, 235_775, 165_584, 128, 244),
        # EDSR-baseline as published; 4 * 384 + 2 + 2 + 512.
        ("full", 1_220_416, 3_223_199, 9_983_744, 512, 2052),
    ],
)
def test_the_published_sizes(dim, preset, encoder, head, reader_less_tokens, token, first):
    network = Network(dim, upe.PRESETS[preset]())
    assert network.reader.token[0].in_features == 2 * dim
    assert len(network.reader.transformer.layers) == 3
    assert count(network.editor.encoder) == encoder
    assert network.editor.decoder.decoder.layers[0].inner.in_features == first
    assert count(network.editor.decoder) == head
    assert count(network.reader) == reader_less_tokens + token * (2 * dim + 1)
    assert network.gate is None


def test_presets_follow_the_published_text():
    for make in (upe.paper, upe.full):
        config = make()
        assert config.curriculum == Curriculum(schedule="linear", start=0.5, end=1.5, form="complement")
        assert config.crops.n_inputs == 4
        assert (config.loop.learning_rate, config.loop.weight_decay, config.loop.clip) == (1e-4, 0, 1)
    assert (upe.paper().crops.size, upe.paper().episodes.pairs) == (64, 64)
    assert (upe.full().crops.size, upe.full().episodes.pairs) == (128, 2)


@pytest.mark.parametrize("preset", ["paper", "full", "plus"])
def test_presets_train_and_resume_to_the_same_weights(preset, dataset, dinov2, tmp_path):
    config = small_steps(upe.PRESETS[preset](), dinov2)

    class Stopped(Exception):
        pass

    def stop(done, total, stage):
        if stage == "training":
            raise Stopped

    whole = upe.fit(dataset, config, tmp_path / "whole", silent)
    with pytest.raises(Stopped):
        upe.fit(dataset, config, tmp_path / "resumed", stop)
    upe.fit(dataset, config, tmp_path / "resumed", silent, resume=True)
    weights, resumed = (read_weights(tmp_path / name, system="upe") for name in ("whole", "resumed"))
    assert all(torch.equal(resumed[name], value) for name, value in weights.items())
    photo = dataset.image(image_id(3, 0), 32)
    pair = ReferencePair(preferred=photo, rejected=photo**2)
    loaded = upe.load(tmp_path / "resumed")
    rendered = loaded.render([photo], loaded.adapt([pair]))[0]
    np.testing.assert_array_equal(rendered, whole.render([photo], whole.adapt([pair]))[0])
    assert np.abs(rendered - photo).max() > 1e-6


def test_references_are_never_in_the_loss(dataset):
    sampler = FixedPairSampler(dataset, FixedReferences(references=4, pairs=5), seed=1)
    references, targets = {}, {}
    n_targets = sampler.n_judgments - 4 * sampler.n_raters
    for step in range(-(-n_targets // 5)):
        drawn = sampler.draw(step)
        for row in range(5):
            own = frozenset(zip(drawn.reference_preferred[row], drawn.reference_rejected[row], strict=True))
            references.setdefault(own, set()).add(own)
            targets.setdefault(own, []).append(
                (drawn.target_preferred[row, 0], drawn.target_rejected[row, 0])
            )
    assert len(references) == sampler.n_raters
    for own, shown in targets.items():
        assert len(own) == 4
        assert not own & set(shown)


def test_every_pair_is_seen_once_in_an_epoch(dataset):
    sampler = FixedPairSampler(dataset, FixedReferences(references=4, pairs=1), seed=1)
    n = sampler.n_judgments - 4 * sampler.n_raters

    def epoch(number):
        return [
            (*drawn.reference_preferred[0], *drawn.target_preferred[0], *drawn.target_rejected[0])
            for drawn in map(sampler.draw, range(number * n, (number + 1) * n))
        ]

    first, second = epoch(0), epoch(1)
    assert sorted(first) == sorted(second)
    assert first != second
    assert len({tuple(map(int, row)) for row in first}) == n


def test_a_raters_references_hang_on_the_rater_and_the_seed():
    drawn = [
        chance_of(rater, seed).permutation(50).tolist()
        for rater, seed in (("a", 0), ("a", 0), ("b", 0), ("a", 1))
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0] != drawn[3]


def test_raters_with_too_few_answers_are_named(tmp_path):
    dataset = PreferenceDataset.load(make_dataset(tmp_path / "few", n_answers=12))
    with pytest.raises(DatasetError, match="none of the 4 valid training raters has 17 answers"):
        FixedPairSampler(dataset, FixedReferences(), seed=0)


def made_step(n_raters=2, n_targets=2, n_inputs=2, dim=44, size=8):
    chance = torch.Generator().manual_seed(5)
    pairs = n_raters * n_targets
    preferred, rejected = torch.rand((2, pairs, 3, size, size), generator=chance)
    return Step(
        preferred_references=torch.randn((n_raters, 3, dim), generator=chance),
        rejected_references=torch.randn((n_raters, 3, dim), generator=chance),
        preferred=preferred,
        rejected=rejected,
        inputs=torch.cat([rejected, preferred] * (n_inputs // 2)),
        input_features=torch.randn((n_inputs * pairs, dim), generator=chance),
    )


def made_network(config, dim=44):
    """Where a new network is 0, and so leaves photos alone, this one is not."""
    torch.manual_seed(0)
    network = Network(dim, config).eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.15)
    return network


CONTRAST = dataclasses.replace(upe.tiny(), feature_noise=0.0, contrast_weight=0.5)


def test_unaligned_pairs_are_left_out_of_the_loss():
    network, step = made_network(CONTRAST), made_step()
    kept = dataclasses.replace(
        step,
        aligned=torch.tensor([True, False, True, False]),
    )
    changed = dataclasses.replace(
        kept, preferred=torch.where(kept.aligned[:, None, None, None], kept.preferred, 1 - kept.preferred)
    )
    losses, same = (step_loss(network, s, CONTRAST, 0.3) for s in (kept, changed))
    torch.testing.assert_close(same, losses)
    assert step_loss(network, step, CONTRAST, 0.3)["loss_pairwise"] != losses["loss_pairwise"]
    none = dataclasses.replace(step, aligned=torch.zeros(4, dtype=torch.bool))
    assert step_loss(network, none, CONTRAST, 0.3)["loss_pairwise"] == 0


def test_the_contrast_asks_for_another_edit_of_another_rater():
    step = made_step(n_inputs=4)
    network = made_network(CONTRAST)
    losses = step_loss(network, step, CONTRAST, 0.5)
    own = losses["loss"] - 0.5 * losses["loss_contrast"]
    torch.testing.assert_close(
        own, step_loss(network, step, dataclasses.replace(CONTRAST, contrast_weight=0.0), 0.5)["loss"]
    )
    same = dataclasses.replace(
        step,
        preferred_references=step.preferred_references[:1].repeat(2, 1, 1),
        rejected_references=step.rejected_references[:1].repeat(2, 1, 1),
    )
    ignored = step_loss(network, same, CONTRAST, 0.5)["loss_contrast"]
    torch.testing.assert_close(ignored, torch.tensor(CONTRAST.contrast_margin))


def test_the_gates_losses_know_which_input_is_which():
    perfect = torch.tensor([20.0, 20, -20, -20] * 2)
    for losses in (gate_losses(perfect, 4), gate_losses(perfect[:4], 2)):
        torch.testing.assert_close(torch.stack(losses), torch.zeros(2), atol=1e-6, rtol=0)
    assert gate_losses(-perfect, 4)[0] > 10


def test_a_token_can_also_tell_the_difference_of_the_colours():
    config = upe.plus().reader
    preferred, rejected = torch.randn((2, 5, 100), generator=torch.Generator().manual_seed(0))
    token, swapped = (
        upe.pair_token(a, b, config, 44) for a, b in ((preferred, rejected), (rejected, preferred))
    )
    assert token.shape == (5, 2 * 56 + 1 + 44)
    torch.testing.assert_close(swapped[:, :56], token[:, :56])
    torch.testing.assert_close(swapped[:, 56:112], -token[:, 56:112])
    torch.testing.assert_close(swapped[:, 112], token[:, 112])
    torch.testing.assert_close(token[:, 113:], (preferred - rejected)[:, 56:])
    torch.testing.assert_close(swapped[:, 113:], -token[:, 113:])
    network = Network(100, upe.plus(), 44)
    assert network.reader.token[0].in_features == 2 * 56 + 1 + 44
    network.learn_scale(3 * preferred + 1, colors_only=True)
    torch.testing.assert_close(network.scaled(preferred)[:, :56], preferred[:, :56])
    scaled = network.scaled(3 * preferred + 1)[:, 56:]
    torch.testing.assert_close(scaled.mean(0), torch.zeros(44), atol=1e-5, rtol=0)


@pytest.mark.parametrize("injection", ["concat", "film"])
def test_the_embedding_reaches_every_pixel(injection):
    config = dataclasses.replace(
        upe.paper(),
        decoder=HiifConfig(channels=4, blocks=1, width=8, heads=2, hidden=8, injection=injection),
    )
    network = made_network(config)
    image = torch.full((1, 3, 6, 6), 0.5)
    outputs = [
        network.editor(image, network.editor.plan(torch.full((1, 48), value), torch.zeros(1, 44), image))
        for value in (-1.0, 1.0)
    ]
    assert ((outputs[0] - outputs[1]).abs() > 1e-5).all()


def test_large_photos_are_edited_at_a_bounded_size():
    config = dataclasses.replace(
        upe.paper(),
        decoder=HiifConfig(channels=4, blocks=1, width=8, heads=2, hidden=8),
        largest_short_side=16,
    )
    network = made_network(config)
    generator = torch.Generator().manual_seed(0)
    large = torch.rand((1, 3, 64, 96), generator=generator)
    embedding, features = torch.ones(1, 48), torch.zeros(1, 44)
    with torch.no_grad():
        plan = network.editor.plan(embedding, features, large)
        edited = network.editor(large, plan)
    assert plan.shape == (1, 3, 16, 24)
    assert edited.shape == large.shape
    wanted = torch.nn.functional.interpolate(plan, (64, 96), mode="bilinear", antialias=True)
    torch.testing.assert_close(edited - large, wanted, atol=1e-6, rtol=0)


def test_tiles_give_what_the_whole_gives():
    config = dataclasses.replace(
        upe.paper(), decoder=HiifConfig(channels=4, blocks=1, width=8, heads=2, hidden=8)
    )
    network = made_network(config)
    image = torch.rand((1, 3, 20, 530), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        tiled = network.editor.plan(torch.ones(1, 48), torch.zeros(1, 44), image)
    whole = network.editor.plan(torch.ones(1, 48), torch.zeros(1, 44), image).detach()
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=1e-4)


def test_a_large_photo_goes_through_a_table_of_the_colour_map(monkeypatch):
    system = upe.Upe(made_network(upe.tiny()), upe.system.load_backbone("tone_statistics"), upe.tiny())
    photo = np.random.default_rng(0).random((40, 50, 3), np.float32)
    profile = {"embedding": np.ones(48, np.float32)}
    exact = system.render([photo], profile)[0]
    monkeypatch.setattr(upe.system, "LARGE", 100)
    by_engine = system.render([photo], profile)[0]
    monkeypatch.setattr("learning.renderers.lifting.find_spec", lambda name: None)
    by_torch = system.render([photo], profile)[0]
    assert np.abs(exact - photo).max() > 0.1
    np.testing.assert_allclose(by_engine, by_torch, atol=1e-5)
    np.testing.assert_allclose(by_engine, exact, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"color_tokens": True}, "color_tokens adds nothing to tone_statistics"),
        ({"contrast_weight": -1.0}, "contrast_weight is -1.0"),
        ({"largest_short_side": 8}, "largest_short_side is 8; it must be from 16 to 8192 pixels"),
        ({"crops": upe.paper().crops, "target_views": upe.tiny().views}, "crops and target_views are both set"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(upe.tiny(), **change)
    with pytest.raises(ValueError, match="pairs is 0"):
        FixedReferences(pairs=0)


def test_steps_are_the_published_epochs():
    """31 400 answers of 471 raters less 16 references each, 500 epochs of 64 pairs, 200 epochs of 2."""
    per_epoch = 31_400 - 471 * 16
    assert upe.paper().loop.steps == pytest.approx(500 * per_epoch / 64, rel=0.01)
    assert upe.full().loop.steps == pytest.approx(200 * per_epoch / 2, rel=0.01)
    assert LoopConfig().steps == upe.tiny().loop.steps
