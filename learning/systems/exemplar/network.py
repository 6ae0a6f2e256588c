"""Everything that a run of exemplar-based inference keeps."""

import torch

from learning.systems.exemplar.config import Config
from learning.systems.style_parts.masked import MaskedStyleNetwork
from learning.systems.style_parts.triplets import Triplets


class Network(MaskedStyleNetwork):
    """Reads triplets, as its config says."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.encoder, config.enhancer_width, config.predictor, styles=config.styles)

    def styles_of(self, triplets: Triplets, config: Config) -> torch.Tensor:
        """Of n references, (n, k, D)."""
        p, n, s = triplets.preferred, triplets.rejected, triplets.original
        if config.style == "triplet":
            return torch.stack(self.style.styles([p, n], s), dim=1)
        return self.style.style(p, n)[:, None]

    def contents_of(self, triplets: Triplets, config: Config) -> torch.Tensor:
        """Of n references, (n, D)."""
        contents: torch.Tensor = self.content(
            triplets.original if config.style == "triplet" else triplets.rejected
        )
        return contents
