"""One encoder and the head of one rater at a time."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from learning.data.crops import PairBatch
from learning.renderers.edsr import EdsrEncoder
from learning.renderers.hiif import HiifConfig, HiifHead
from learning.renderers.liif import LiifDecoder
from learning.renderers.rdn import RdnEncoder
from learning.systems.interface import Profile
from learning.systems.user_decoder.config import Config
from learning.training.objective import Curriculum, pairwise_loss


class Network(nn.Module):
    """Photos (B, 3, H, W) in [0, 1] → edited, of the same size."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        encoder = RdnEncoder if config.encoder == "rdn" else EdsrEncoder
        self.encoder = encoder(config.head.channels, config.head.blocks)
        self.head = new_head(config)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        edited: torch.Tensor = edit(self.head, self.encoder(images), images)
        return edited


def new_network(config: Config) -> Network:
    """The same weights for the same seed; changes nothing until it is trained."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return Network(config)


def new_head(config: Config) -> HiifHead | LiifDecoder:
    """A head as every rater's starts: a residual of 0, and the same weights for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        head: HiifHead | LiifDecoder
        if isinstance(config.head, HiifConfig):
            head = HiifHead(0, config.head)
        else:
            head = LiifDecoder(0, config.head)
        head.start_as_identity()
    return head


def edit(head: HiifHead | LiifDecoder, features: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Features and images (B, …, H, W) of one size → edited images, not clipped."""
    height, width = images.shape[-2:]
    residual: torch.Tensor = head(features, images.new_zeros((len(images), 0)), (height, width))
    return images + residual


def batch_loss(
    edited: torch.Tensor, batch: PairBatch, curriculum: Curriculum, progress: float
) -> torch.Tensor:
    """The objective over B pairs of K inputs, those that are not aligned left out; `edited` is (B·K, 3, S, S)."""
    n_inputs = batch.inputs.shape[1]
    losses = pairwise_loss(
        edited,
        batch.preferred.repeat_interleave(n_inputs, dim=0),
        batch.rejected.repeat_interleave(n_inputs, dim=0),
        curriculum.weight(progress),
        form=curriculum.form,
    )
    counts = batch.aligned.repeat_interleave(n_inputs).to(losses.dtype)
    return (losses * counts).sum() / counts.sum().clamp(min=1)


def last_layer(head: HiifHead | LiifDecoder) -> nn.Linear:
    """The map that gives the residual."""
    last = head.decoder.layers[-1].out if isinstance(head, HiifHead) else head.mlp[-1]
    assert isinstance(last, nn.Linear)
    return last


def profile_of_head(head: nn.Module) -> Profile:
    """A head's weights as arrays of their own."""
    return {name: value.detach().cpu().float().numpy().copy() for name, value in head.state_dict().items()}


def fill_head(head: nn.Module, profile: Mapping[str, npt.NDArray[np.float32]]) -> None:
    """Raise ValueError where the profile is not of such a head."""
    own = head.state_dict()
    unlike = sorted(own.keys() ^ profile.keys()) or sorted(
        name for name, value in own.items() if tuple(value.shape) != profile[name].shape
    )
    if unlike:
        raise ValueError(
            f"the profile does not fit this run's heads ({unlike[0]} and {len(unlike) - 1} other arrays differ); "
            "it is of another run: read the rater again with learning.adapt"
        )
    head.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in profile.items()})
