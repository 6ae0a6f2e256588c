import dataclasses
import os

import numpy as np
import pytest
import torch

from learning.data.dataset import DatasetError
from learning.training.batches import WorkerDied, as_plain, batches, moved, step_chance, torch_seed

CPU = torch.device("cpu")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    pixels: torch.Tensor
    name: str


class Data:
    def __getitem__(self, step):
        return Shown(pixels=torch.from_numpy(step_chance(3, step).random(4)), name=f"step {step}")


class Broken:
    def __getitem__(self, step):
        raise DatasetError(f"image {step} is missing")


class Killed:
    def __getitem__(self, step):
        os._exit(9)


def test_workers_draw_the_same_in_the_same_order():
    alone, drawn = (list(batches(Data(), range(5, 14), workers, CPU)) for workers in (0, 2))
    assert [shown.name for shown in drawn] == [f"step {n}" for n in range(5, 14)]
    for one, other in zip(alone, drawn, strict=True):
        assert torch.equal(one.pixels, other.pixels)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_the_data_raise_comes_through_as_it_is(workers):
    with pytest.raises(DatasetError, match=r"^image 7 is missing$"):
        next(batches(Broken(), [7], workers, CPU))


def test_a_worker_that_was_killed_is_named_with_what_mends_it():
    with pytest.raises(WorkerDied, match=r"fewer than 1 workers \(--workers\)"):
        next(batches(Killed(), [1, 2], 1, CPU))


def test_tensors_move_wherever_they_are_in_a_batch():
    inside = {"a": [torch.zeros(2), (torch.zeros(1), "text")], "b": Shown(pixels=torch.zeros(3), name="x")}
    there = moved(inside, torch.device("meta"))
    assert there["a"][0].device.type == there["a"][1][0].device.type == "meta"
    assert there["b"].pixels.device.type == "meta"
    assert (there["a"][1][1], there["b"].name) == ("text", "x")


def test_a_batch_as_plain_values_loads_without_running_code(tmp_path):
    batch = [Shown(pixels=torch.ones(2), name="x"), np.arange(3), None, {"n": 1}, object]
    torch.save(as_plain(batch), tmp_path / "batch.pt")
    loaded = torch.load(tmp_path / "batch.pt", weights_only=True)
    assert loaded[0]["name"] == "x"
    assert loaded[1].tolist() == [0, 1, 2]
    assert loaded[2:4] == [None, {"n": 1}]


def test_each_step_has_its_own_chance():
    seeds = {torch_seed(seed, step) for seed in range(5) for step in range(50)}
    assert len(seeds) == 250
