import os
import signal
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from learning.training import loop
from learning.training.loop import LoopConfig, TrainingError, step_chance, train
from learning.training.run_folder import RunError, read_weights
from variants.progress import silent

CONFIG = LoopConfig(steps=20, learning_rate=0.05, warmup=2, checkpoint_every=6, log_every=5)


class Stopped(Exception):
    pass


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))


class Data:
    def __init__(self, seed=7):
        self.seed = seed

    def __getitem__(self, step):
        return torch.from_numpy(step_chance(self.seed, step).normal(size=(16, 4))).float()


def step_loss_of(model, spoil_at=None):
    """A loss that needs both sources of chance: data by numpy's, dropout by torch's."""
    calls = 0

    def step_loss(progress, x):
        nonlocal calls
        calls += 1
        loss = (model(x)[:, 0] - x.sum(1)).square().mean()
        return {"loss": loss * float("nan") if calls == spoil_at else loss}

    return step_loss


def run(folder, config=CONFIG, *, report=silent, resume=False, spoil_at=None, seed=7):
    folder.mkdir(exist_ok=True)
    model = network()
    train(
        model,
        Data(seed),
        step_loss_of(model, spoil_at),
        config,
        folder,
        system="test",
        seed=seed,
        report=report,
        resume=resume,
    )
    return model.state_dict()


def train_plainly(folder, model, step_loss, config, *, data=None, **keywords):
    folder.mkdir(exist_ok=True)
    train(
        model,
        data or Data(),
        step_loss,
        config,
        folder,
        system="test",
        seed=7,
        report=silent,
        resume=False,
        **keywords,
    )


def stop_at(step):
    def report(done, total, stage):
        if done == step:
            raise Stopped

    return report


@pytest.mark.parametrize("step", [1, 6, 13])
def test_a_run_that_was_stopped_and_resumed_ends_the_same(tmp_path, step):
    whole = run(tmp_path / "whole")
    with pytest.raises(Stopped):
        run(tmp_path / "halved", report=stop_at(step))
    resumed = run(tmp_path / "halved", resume=True)
    for name, value in whole.items():
        assert torch.equal(resumed[name], value), name
    losses = [pq.read_table(tmp_path / f / "curves.parquet")["loss"].to_pylist() for f in ("whole", "halved")]
    assert losses[0] == losses[1]


def test_a_killed_run_goes_on_from_its_last_whole_checkpoint(tmp_path, monkeypatch):
    """Killed means that nothing could be saved at the end: only the checkpoint of step 12 is there."""
    whole = run(tmp_path / "whole")
    monkeypatch.setattr(loop, "_report", lambda state, *rest: stop_at(15)(state.step, 20, ""))
    with pytest.raises(Stopped):
        run(tmp_path / "killed")
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "killed/checkpoint").iterdir()] == ["step-00000012"]
    resumed = run(tmp_path / "killed", resume=True)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


@pytest.fixture
def ctrl_c():
    """As in a terminal: what is started in the background of a script has it switched off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_the_middle_of_a_step_keeps_the_whole_step(tmp_path, ctrl_c):
    whole = run(tmp_path / "whole")
    folder = tmp_path / "interrupted"
    folder.mkdir()
    model = network()
    step_loss = step_loss_of(model)
    steps = 0

    def interrupted(progress, batch):
        nonlocal steps
        steps += 1
        if steps == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return step_loss(progress, batch)

    with pytest.raises(KeyboardInterrupt):
        train(
            model, Data(7), interrupted, CONFIG, folder, system="test", seed=7, report=silent, resume=False
        )  # fmt: skip
    assert [p.name for p in (folder / "checkpoint").iterdir()] == ["step-00000004"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = run(folder, resume=True)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path):
    one, same, other = (run(tmp_path / f"{i}", seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_training_leaves_the_chance_of_others_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = network()
    torch.manual_seed(5)
    tmp_path.joinpath("run").mkdir()
    train(
        model,
        Data(),
        step_loss_of(model),
        CONFIG,
        tmp_path / "run",
        system="test",
        seed=1,
        report=silent,
        resume=False,
    )
    assert torch.equal(torch.rand(3), expected)


def test_at_the_end_weights_and_curves_stand_and_no_checkpoint(tmp_path):
    weights = run(tmp_path / "run", replace(CONFIG, steps=100))
    stored = read_weights(tmp_path / "run", system="test")
    assert all(torch.equal(stored[name], value) for name, value in weights.items())
    curves = pq.read_table(tmp_path / "run/curves.parquet").to_pylist()
    assert [row["step"] for row in curves] == list(range(5, 101, 5))
    losses = [row["loss"] for row in curves]
    assert sum(losses[-5:]) < sum(losses[:5]) / 2
    assert not (tmp_path / "run/checkpoint").exists()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match=r"step 16: .*loss nan.*step-00000012, is kept.*learning rate"):
        run(tmp_path / "run", spoil_at=16)
    kept = read_weights(tmp_path / "run/checkpoint/step-00000012", system="test")
    assert all(value.isfinite().all() for value in kept.values())
    assert not (tmp_path / "run/weights.safetensors").exists()


def test_the_data_of_a_step_that_is_no_number_are_kept(tmp_path):
    with pytest.raises(TrainingError, match=r"its data are in not-a-number-step-00000003-process-0\.pt"):
        run(tmp_path / "run", spoil_at=3)
    kept = torch.load(tmp_path / "run/not-a-number-step-00000003-process-0.pt", weights_only=True)
    assert kept["step"] == 3
    assert torch.equal(kept["batches"][0], Data()[2])


def test_a_step_that_does_not_fit_into_memory_says_which_size_does(tmp_path):
    """The data have 16 rows; 8 to the power of the rows floats are a petabyte, with 8 rows 64 MB."""
    model = network()

    def step_loss(progress, x):
        torch.empty(8 ** len(x))
        return {"loss": model(x).square().mean()}

    with pytest.raises(
        TrainingError, match=r"step 1: out of memory .* 16 .*; 8 fit \(measured\).*--accumulate 2"
    ):
        train_plainly(tmp_path, model, step_loss, CONFIG)


@pytest.mark.parametrize("settings", [{"workers": 2}, {"tensorboard": True}])
def test_what_decides_nothing_changes_no_weight(tmp_path, settings):
    one = run(tmp_path / "one")
    other = run(tmp_path / "other", replace(CONFIG, **settings))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_with_workers_average_and_accumulation_resumes_exactly(tmp_path):
    config = replace(CONFIG, workers=1, ema=0.9, accumulate=2)
    whole = run(tmp_path / "whole", config)
    with pytest.raises(Stopped):
        run(tmp_path / "halved", config, report=stop_at(13))
    resumed = run(tmp_path / "halved", config, resume=True)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_two_halves_of_a_batch_accumulate_to_the_whole(tmp_path):
    """Without dropout the mean gradient of two batches is the gradient of both at once."""

    class Whole:
        def __getitem__(self, step):
            return torch.cat([Data()[2 * step], Data()[2 * step + 1]])

    ends = []
    for name, data, accumulate in (("halves", Data(), 2), ("whole", Whole(), 1)):
        model = network()
        model[1].p = 0.0
        train_plainly(
            tmp_path / name, model, step_loss_of(model), replace(CONFIG, accumulate=accumulate), data=data
        )
        ends.append(model.state_dict())
    assert all(torch.allclose(ends[0][name], ends[1][name], atol=1e-5) for name in ends[0])


def test_the_average_of_the_weights_is_what_stays(tmp_path):
    last, average = run(tmp_path / "last"), run(tmp_path / "average", replace(CONFIG, ema=0.9))
    assert not any(torch.equal(last[name], average[name]) for name in last)
    stored = read_weights(tmp_path / "average", system="test")
    assert all(torch.equal(stored[name], average[name]) for name in stored)


def test_bf16_computes_in_bfloat16_and_keeps_weights_in_float32(tmp_path):
    model, seen = network(), set()

    def step_loss(progress, x):
        y = model(x)
        seen.add(y.dtype)
        return {"loss": (y[:, 0] - x.sum(1)).square().mean()}

    train_plainly(tmp_path, model, step_loss, replace(CONFIG, precision="bf16"))
    assert seen == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_loss_below_zero_is_no_reason_to_stop(tmp_path):
    """The pairwise objective has a negative minimum where the preferred image weighs more than 1."""
    model = network()
    train_plainly(tmp_path, model, lambda progress, x: {"loss": model(x).abs().mean() - 5}, CONFIG)
    losses = pq.read_table(tmp_path / "curves.parquet")["loss"].to_pylist()
    assert len(losses) == 4
    assert max(losses) < 0


def test_what_trains_weights_in_turn_goes_with_one_batch_a_step(tmp_path):
    with pytest.raises(TrainingError, match=r"test trains other weights in turn: .* accumulate 1 and ema 0"):
        train_plainly(
            tmp_path, network(), None, replace(CONFIG, ema=0.9), before_step=lambda step, optimizer: None
        )


def test_a_full_disk_at_a_checkpoint_keeps_the_last_good_one(tmp_path, monkeypatch):
    real = torch.save
    saved = []

    def fills_up(*arguments, **keywords):
        if saved:
            raise OSError(28, "No space left on device")
        saved.append(real(*arguments, **keywords))

    monkeypatch.setattr(torch, "save", fills_up)
    with pytest.raises(
        RunError, match=r"step-00000012 cannot be written .*No space left.*step-00000006, is kept"
    ):
        run(tmp_path / "run")
    assert [p.name for p in (tmp_path / "run/checkpoint").iterdir()] == ["step-00000006"]


def test_a_checkpoint_cut_short_is_named(tmp_path):
    with pytest.raises(Stopped):
        run(tmp_path / "run", report=stop_at(8))
    state = tmp_path / "run/checkpoint/step-00000008/state.pt"
    state.write_bytes(state.read_bytes()[:200])
    with pytest.raises(RunError, match=r"state\.pt is cut short or broken"):
        run(tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"system": "other", "format": "1"}, r"weights of the system 'other', not of 'test'"),
        ({"system": "test", "format": "0"}, r"is of format 0, and this version reads format 1"),
    ],
)
def test_a_checkpoint_of_another_system_or_version_is_refused(tmp_path, stored, message):
    with pytest.raises(Stopped):
        run(tmp_path / "run", report=stop_at(8))
    weights = tmp_path / "run/checkpoint/step-00000008/weights.safetensors"
    save_file(load_file(weights), weights, metadata=stored)
    with pytest.raises(RunError, match=message):
        run(tmp_path / "run", resume=True)


def test_the_learning_rate_warms_up_and_falls_to_nothing():
    config = LoopConfig(steps=100, learning_rate=1.0, warmup=10)
    assert config.rate(0) == pytest.approx(0.1)
    assert config.rate(50) == pytest.approx(0.5)
    assert config.rate(99) == pytest.approx(0, abs=1e-3)
    assert LoopConfig(steps=100, learning_rate=1.0, schedule="constant", warmup=0).rate(99) == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"schedule": "step"}, "schedule is 'step'"),
        ({"warmup": -1}, "warmup is -1"),
        ({"precision": "fp16"}, "precision is 'fp16'; it must be one of fp32, bf16"),
        ({"ema": 1.0}, "ema is 1"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"workers": -1}, "workers is -1"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        LoopConfig(**settings)
