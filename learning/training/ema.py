"""The exponential moving average of a network's weights, which is often better than the last ones."""

from collections.abc import Mapping

import torch
from torch import nn


class WeightAverage:
    """average ← d·average + (1 - d)·weights after every step, d growing to `decay` as min(decay, (1 + t) / (10 + t)).

    Without that growth the random weights of the start would weigh in for long (TensorFlow's
    ExponentialMovingAverage, `num_updates`). Buffers that are no floats are copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """After step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            held = self.tensors[name]
            if held.is_floating_point():
                held.lerp_(value, 1 - decay)
            else:
                held.copy_(value)

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        for name, value in tensors.items():
            self.tensors[name].copy_(value)

    def put_into(self, network: nn.Module) -> None:
        network.load_state_dict(self.tensors)
