import dataclasses
import json
import shutil

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from learning.data.crops import CropConfig
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.renderers import tiles
from learning.renderers.hiif import HiifConfig
from learning.renderers.liif import LiifConfig
from learning.systems import PRESETS, make_config, user_decoder
from learning.systems.interface import ReferencePair, mean_of_profiles
from learning.systems.load import load_run
from learning.systems.user_decoder import AdaptConfig, Config, UserDecoder
from learning.systems.user_decoder.network import new_network
from learning.systems.user_decoder.training import HEADS, Schedule
from learning.training.loop import LoopConfig
from learning.training.run_folder import RunError, read_profile, read_weights
from learning.training.settings import from_json, to_json
from tests.learning.factories import edit_table, image_id, make_dataset
from variants.progress import silent

SMALL = dataclasses.replace(
    user_decoder.PRESETS["tiny"](),
    head=LiifConfig(channels=4, blocks=1, hidden=8, hidden_layers=1),
    crops=CropConfig(size=8, short_side=(12, 24)),
    batch=2,
    iterations=3,
    loop=LoopConfig(steps=30, learning_rate=5e-3, weight_decay=0, warmup=0, checkpoint_every=7),
    adapt=AdaptConfig(steps=5, batch=2, learning_rate=5e-3),
)
HIIF = dataclasses.replace(SMALL, head=HiifConfig(channels=4, blocks=1, width=8, heads=2, layers=3, hidden=8))


class Stopped(Exception):
    """What a cancelled run's report raises."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Raters with an even number like the brighter image, the others the darker one; 4 are trained on."""
    return PreferenceDataset.load(make_dataset(tmp_path_factory.mktemp("data") / "brightness"))


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    user_decoder.fit(dataset, SMALL, folder, silent)
    return folder


def references(dataset, rater, n=6):
    return [
        ReferencePair(
            preferred=dataset.image(j.preferred_image, 64), rejected=dataset.image(j.rejected_image, 64)
        )
        for j in dataset.judgments_of(rater)[:n]
    ]


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def untrained(config=SMALL):
    return UserDecoder(new_network(config), config)


def photo(*size, seed=0):
    return np.random.default_rng(seed).random((*size, 3), np.float32)


@pytest.mark.parametrize("config", [SMALL, HIIF], ids=["liif", "hiif"])
def test_an_untrained_system_leaves_photos_as_they_are(config):
    system, before = untrained(config), photo(9, 13)
    np.testing.assert_array_equal(system.render([before], system.mean_head())[0], before)


def test_a_raters_head_takes_the_published_bytes():
    """HIIF: 6 940 284 bytes of {decoder, freq}; LIIF: 346 883 numbers of 4 bytes."""
    for preset, expected in (("paper", 6_940_284), ("full", 4 * 346_883)):
        head = untrained(user_decoder.PRESETS[preset]()).mean_head()
        assert sum(array.nbytes for array in head.values()) == expected


def test_presets_are_those_that_are_promised():
    assert tuple(user_decoder.PRESETS) == PRESETS["user_decoder"]
    for preset in PRESETS["user_decoder"]:
        config = make_config("user_decoder", preset)
        assert config.preset == preset
        assert from_json(Config, json.loads(json.dumps(to_json(config)))) == config


def test_every_rater_has_a_turn_in_every_round():
    schedule = Schedule(5, SMALL)
    turns = [schedule.turn(step) for step in range(3 * 5 * 2)]
    for number in range(2):
        in_round = turns[number * 15 : (number + 1) * 15]
        assert sorted(in_round) == [(rater, number) for rater in range(5) for _ in range(3)]
        assert all(in_round[3 * n] == in_round[3 * n + 2] for n in range(5))
    had = schedule.turns_had(3 * 5 + 4)  # one round, a turn, and one step of another
    assert sorted(had.values()) == [1, 1, 1, 2, 2]
    assert schedule.turns_had(1) == {turns[0][0]: 1}


def test_a_run_folder_holds_a_head_for_every_training_rater(dataset, run):
    names = {path.name for path in run.iterdir()}
    assert {"README.md", "config.json", "curves.parquet", "log.txt", "raters", "weights.safetensors"} <= names
    assert not names & {"checkpoint", HEADS}
    assert sorted(p.stem for p in (run / "raters").iterdir()) == ["rater2", "rater3", "rater4", "rater5"]
    config = json.loads((run / "config.json").read_text())
    assert config["dataset"]["training_raters"] == 4
    assert config["dataset"]["sha256"] == dataset.sha256
    assert "SIMULATED" in (run / "README.md").read_text()


def test_the_weights_hold_the_mean_of_the_heads(run):
    heads = [read_profile(run, f"rater{n}", system="user_decoder") for n in range(2, 6)]
    assert not same(heads[0], heads[1])
    mean, kept = mean_of_profiles(heads), user_decoder.load(run).mean_head()
    for name in mean:
        np.testing.assert_allclose(kept[name], mean[name], atol=1e-7)


def test_the_heads_optimiser_is_new_at_every_turn_and_the_encoders_is_not(dataset, tmp_path, monkeypatch):
    seen = []

    def watch(step, optimizer, network):
        ages = [
            {int(optimizer.state[p]["step"]) if p in optimizer.state else 0 for p in part.parameters()}
            for part in (network.head, network.encoder)
        ]
        seen.append((step, *ages))

    call = user_decoder.training._Turns.__call__

    def watched(turns, step, optimizer):
        call(turns, step, optimizer)
        watch(step, optimizer, turns._network)

    monkeypatch.setattr(user_decoder.training._Turns, "__call__", watched)
    config = dataclasses.replace(SMALL, loop=dataclasses.replace(SMALL.loop, steps=8))
    user_decoder.fit(dataset, config, tmp_path / "run", silent)
    assert seen == [(step, {step % 3}, {step}) for step in range(8)]


@pytest.mark.parametrize("stops", [(10, 12, 20)], ids=str)
def test_a_resumed_run_ends_with_the_same_weights_and_heads(dataset, run, tmp_path, stops):
    """Stopped inside a turn, at a turn's end, and in a later round."""

    def stop_at(step):
        def report(done, total, stage):
            if done == step:
                raise Stopped

        return report

    for step in stops:
        with pytest.raises(Stopped):
            user_decoder.fit(dataset, SMALL, tmp_path / "run", stop_at(step), resume=True)
    user_decoder.fit(dataset, SMALL, tmp_path / "run", silent, resume=True)
    _assert_same_run(tmp_path / "run", run)


def test_a_killed_run_goes_on_from_its_checkpoint(dataset, run, tmp_path):
    """The heads of turns after the last checkpoint are there already, and are not read."""

    def copy_at_26(done, total, stage):
        if done == 26:
            shutil.copytree(tmp_path / "run", tmp_path / "killed")
            raise Stopped

    with pytest.raises(Stopped):
        user_decoder.fit(dataset, SMALL, tmp_path / "run", copy_at_26)
    assert [path.name for path in (tmp_path / "killed/checkpoint").iterdir()] == ["step-00000021"]
    user_decoder.fit(dataset, SMALL, tmp_path / "killed", silent, resume=True)
    _assert_same_run(tmp_path / "killed", run)


def test_a_run_stopped_while_it_keeps_its_heads_keeps_them_when_it_is_resumed(dataset, run, tmp_path):
    def report(done, total, stage):
        if stage != "training" and done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        user_decoder.fit(dataset, SMALL, tmp_path / "run", report)
    assert (tmp_path / "run" / HEADS).is_dir()
    user_decoder.fit(dataset, SMALL, tmp_path / "run", silent, resume=True)
    _assert_same_run(tmp_path / "run", run)


def _assert_same_run(one, other):
    raters = sorted(path.stem for path in (other / "raters").iterdir())
    assert sorted(path.stem for path in (one / "raters").iterdir()) == raters
    for rater in raters:
        assert same(*(read_profile(f, rater, system="user_decoder") for f in (one, other)))
    weights = [read_weights(folder, system="user_decoder") for folder in (one, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_adapting_leaves_the_encoder_and_the_mean_head_as_they_are(dataset, run):
    system = user_decoder.load(run)
    before = {name: value.clone() for name, value in system._network.state_dict().items()}
    profile = system.adapt(references(dataset, "rater0"))
    assert not same(profile, system.mean_head())
    assert all(torch.equal(before[name], value) for name, value in system._network.state_dict().items())


def test_adapting_hangs_on_the_seed_and_the_references_alone(dataset, run):
    system, read = user_decoder.load(run), references(dataset, "rater0")
    torch.manual_seed(1)
    first = system.adapt(read)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert same(first, system.adapt(read[::-1]))
    assert torch.equal(torch.get_rng_state(), state)
    assert not same(first, system.adapt(read[:-1]))


def test_a_new_head_starts_from_the_mean_or_from_scratch(dataset, run):
    """After one step of a learning rate that moves nothing, it is still what it started as."""
    for start, expected in (
        ("mean", user_decoder.load(run).mean_head()),
        ("scratch", untrained().mean_head()),
    ):
        system = user_decoder.load(run)
        system.config = dataclasses.replace(
            SMALL, adapt=AdaptConfig(steps=1, batch=1, learning_rate=1e-30, start=start)
        )
        profile = system.adapt(references(dataset, "rater0", 1))
        assert all(np.allclose(profile[name], expected[name], rtol=0, atol=1e-20) for name in expected)


def test_the_last_layer_alone_can_be_trained(dataset, run):
    system = user_decoder.load(run)
    system.config = dataclasses.replace(SMALL, adapt=dataclasses.replace(SMALL.adapt, trains="last_layer"))
    profile, mean = system.adapt(references(dataset, "rater0")), system.mean_head()
    moved = {name for name in mean if not np.array_equal(mean[name], profile[name])}
    assert moved == {"mlp.2.weight", "mlp.2.bias"}


def test_adapting_tells_how_far_it_is(dataset, run):
    told = []
    user_decoder.load(run).adapt(references(dataset, "rater0"), lambda *progress: told.append(progress))
    assert [done for done, _, _ in told] == [1, 2, 3, 4, 5]
    assert {total for _, total, _ in told} == {5}


@pytest.mark.parametrize(("config", "steps"), [(SMALL, 250), (HIIF, 100)], ids=["liif", "hiif"])
def test_overfitting_one_pair_approaches_the_preferred_image(config, steps):
    """A head from scratch over an encoder that was never trained; both images of the pair end at the preferred one."""
    flat = 0.3 + 0.4 * photo(3, 4).repeat(8, axis=0).repeat(8, axis=1)
    pair = ReferencePair(preferred=flat, rejected=0.6 * flat)
    config = dataclasses.replace(
        config, adapt=AdaptConfig(steps=steps, batch=2, learning_rate=1e-2, start="scratch")
    )
    system = untrained(config)
    profile = system.adapt([pair])
    edited, kept = system.render([pair.rejected, pair.preferred], profile)
    before = np.abs(pair.rejected - pair.preferred).mean()
    assert np.abs(edited - pair.preferred).mean() < 0.35 * before
    assert np.abs(kept - pair.preferred).mean() < 0.35 * before


def test_tiles_give_the_same_photo_as_one_piece(dataset, run, monkeypatch):
    system, before = user_decoder.load(run), photo(30, 41)
    profile = system.adapt(references(dataset, "rater1"))
    whole = system.render([before], profile)[0]
    monkeypatch.setattr(tiles, "TILE", 11)
    np.testing.assert_allclose(system.render([before], profile)[0], whole, atol=1e-6)


def test_strength_and_guides(dataset, run):
    system, before = user_decoder.load(run), 0.25 + 0.5 * photo(12, 10)
    profile = system.adapt(references(dataset, "rater0"))
    nothing, half, full = (system.render([before], profile, strength=s)[0] for s in (0, 0.5, 1))
    np.testing.assert_array_equal(nothing, before)
    np.testing.assert_allclose(half - before, (full - before) / 2, atol=1e-6)
    by_guide = system.render([before], profile, [photo(7, 9)])[0]
    assert by_guide.shape == before.shape
    assert np.abs(by_guide - full).max() > 1e-5


def test_mean_profile_is_the_mean_head(dataset, run):
    system = user_decoder.load(run)
    heads = [system.adapt(references(dataset, f"rater{n}")) for n in (0, 1)]
    mean = system.mean_profile(heads)
    for name in mean:
        np.testing.assert_allclose(mean[name], (heads[0][name] + heads[1][name]) / 2, rtol=1e-6)


def test_a_saved_run_is_the_same(dataset, run, tmp_path):
    system = user_decoder.load(run)
    system.save(tmp_path / "copy")
    copy, before = load_run(tmp_path / "copy"), dataset.image(image_id(0, 1), 32)
    profile = system.adapt(references(dataset, "rater0"))
    assert same(profile, copy.adapt(references(dataset, "rater0")))
    np.testing.assert_array_equal(*(s.render([before], profile)[0] for s in (system, copy)))


def test_pairs_that_do_not_show_the_same_thing_teach_nothing(dataset, run):
    system, read = user_decoder.load(run), references(dataset, "rater0", 2)
    crossed = ReferencePair(preferred=photo(20, 30), rejected=photo(31, 17, seed=1))
    assert same(system.adapt([crossed]), system.mean_head())
    with_crossed = system.adapt([*read, crossed])
    assert not same(with_crossed, system.mean_head())


def test_no_references_are_refused(run):
    with pytest.raises(ValueError, match="references is empty"):
        user_decoder.load(run).adapt([])


def test_raters_with_few_answers_are_counted_and_left_out(tmp_path, dataset):
    config = dataclasses.replace(SMALL, min_answers=13)
    with pytest.raises(DatasetError, match="none of the 4 valid training raters has 13 answers"):
        user_decoder.fit(dataset, config, tmp_path / "run", silent)
    assert not (tmp_path / "run").exists()


def test_a_rater_with_too_few_answers_is_named(tmp_path):
    folder = make_dataset(tmp_path / "dataset")

    def without_most_of_rater3(table):
        others = pc.not_equal(table["rater_id"], "rater3")
        return table.filter(pc.or_(others, pc.less(table["question_index"], 3)))

    edit_table(folder, "judgments", without_most_of_rater3)
    config = dataclasses.replace(SMALL, loop=dataclasses.replace(SMALL.loop, steps=2))
    user_decoder.fit(PreferenceDataset.load(folder), config, tmp_path / "run", silent)
    told = json.loads((tmp_path / "run/config.json").read_text())["dataset"]
    assert (told["training_raters"], told["left_out"]) == (3, ["rater3"])
    assert not (tmp_path / "run/raters/rater3.safetensors").exists()


def test_a_run_of_another_system_is_refused(trained, dataset):
    _, run = trained
    with pytest.raises(RunError, match="is a run of the system 'upe', not of 'user_decoder'"):
        user_decoder.load(run)


def test_a_head_cut_short_is_named(run, tmp_path):
    whole = (run / "raters/rater2.safetensors").read_bytes()
    (tmp_path / "raters").mkdir()
    (tmp_path / "raters/rater2.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"rater2\.safetensors is cut short or broken"):
        read_profile(tmp_path, "rater2", system="user_decoder")


def test_a_head_of_another_run_is_refused(run, dataset):
    with pytest.raises(ValueError, match="does not fit this run's heads"):
        user_decoder.load(run).render([photo(8, 8)], untrained(HIIF).mean_head())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"encoder": "swinir"}, "encoder is 'swinir'; it must be one of edsr, rdn"),
        ({"iterations": 0}, "iterations is 0; it must be 1 or more"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **setting)


def test_impossible_settings_of_adapting_are_named():
    with pytest.raises(ValueError, match="start is 'meta'; it must be one of mean, scratch"):
        AdaptConfig(start="meta")
    with pytest.raises(ValueError, match="takes no backbone"):
        make_config("user_decoder", "tiny", backbone="dinov2_small")
