import pytest
import torch
from torch import nn

from learning.training.ema import WeightAverage


def test_the_average_follows_its_formula():
    """With a decay above 0.25, d is (1 + t) / (10 + t): 0.1 and 2/11 for the first two steps."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 1.0)
    average = WeightAverage(network, 0.99)
    nn.init.constant_(network.weight, 2.0)
    average.update(network, 0)
    assert average.tensors["weight"].item() == pytest.approx(0.1 * 1 + 0.9 * 2)
    average.update(network, 1)
    assert average.tensors["weight"].item() == pytest.approx(2 / 11 * 1.9 + 9 / 11 * 2)


def test_after_many_steps_the_decay_is_the_one_asked_for():
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 0.0)
    average = WeightAverage(network, 0.5)
    nn.init.constant_(network.weight, 1.0)
    average.update(network, 10_000)
    assert average.tensors["weight"].item() == pytest.approx(0.5)


def test_counters_are_copied_and_the_average_goes_into_the_network():
    network = nn.BatchNorm1d(2)
    average = WeightAverage(network, 0.9)
    network(torch.randn(4, 2))
    average.update(network, 5)
    assert average.tensors["num_batches_tracked"].item() == 1
    average.put_into(network)
    assert torch.equal(network.running_mean, average.tensors["running_mean"])
