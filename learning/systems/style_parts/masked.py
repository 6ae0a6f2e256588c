"""What systems that predict a masked style keep, and how they learn to: `exemplar` and `msm`."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from learning.systems.interface import Profile
from learning.systems.style_parts.encoders import ContentEncoder, EncoderConfig, StyleEncoder
from learning.systems.style_parts.enhancer import Enhancer
from learning.systems.style_parts.losses import shrunk
from learning.systems.style_parts.predictor import MaskedStyle, PredictorConfig, weighted_average
from learning.systems.style_parts.stages import freeze
from learning.systems.style_parts.whitening import Whitening

STYLES_PER_COMPONENT = 8
"""How many the principal components are learned from."""


class MaskedStyleNetwork(nn.Module):
    """Style and content encoders, the predictor of the masked style, and the enhancer that edits to it."""

    def __init__(
        self, encoder: EncoderConfig, enhancer_width: int, predictor: PredictorConfig, *, styles: int
    ) -> None:
        super().__init__()
        size = encoder.embedding
        self.style = StyleEncoder(encoder)
        self.enhancer = Enhancer(enhancer_width, size)
        self.content = ContentEncoder(encoder)
        self.masked = MaskedStyle(size, styles, predictor) if predictor.kind == "transformer" else None
        self.whitening = Whitening(size)

    @property
    def predicting(self) -> nn.ModuleDict:
        """The parts that are trained to predict, the others frozen."""
        parts: dict[str, nn.Module] = {"content": self.content}
        if self.masked is not None:
            parts["masked"] = self.masked
        return nn.ModuleDict(parts)

    def predict(
        self,
        styles: torch.Tensor,
        contents: torch.Tensor,
        query: torch.Tensor,
        absent: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Principal components of the style that is masked, (B, D).

        Args:
            styles: (B, N, k, D), k of each reference.
            contents: (B, N, D).
            query: (B, D), the content of the photo to edit.
            absent: (B, N), true for references that are not to be seen.
        """
        if self.masked is None:
            mean = styles[:, :, 0]
            if absent is not None:
                # An absent reference counts for nothing, and the mean is over those that are there.
                present = ~absent
                share = present.shape[1] / present.sum(dim=1, keepdim=True)
                mean = mean * (present * share)[..., None]
            return self.whitening.project(weighted_average(mean, contents, query))
        answer: torch.Tensor = self.masked(styles, contents, query, absent)
        return answer * self.whitening.deviation

    def prediction_loss(
        self,
        styles: torch.Tensor,
        contents: torch.Tensor,
        query: torch.Tensor,
        aim: torch.Tensor,
        absent: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """L1 to the components of the style that is masked, `aim` (B, D); the others as in `predict`."""
        loss = F.l1_loss(self.predict(styles, contents, query, absent), self.whitening.project(aim))
        return {"loss": loss, "loss_masked": loss}

    @torch.no_grad()
    def learn_components(self, draw: Callable[[int], list[torch.Tensor]]) -> None:
        """Freeze style and enhancer, and learn the PCA of the styles (n, D) that `draw` gives.

        Args:
            draw: called with 0, and then with how many lists of styles there are; must give the same on every
                start, because the components are no part of a checkpoint.
        """
        freeze(self.style, self.enhancer)
        found: list[torch.Tensor] = []
        while sum(map(len, found)) < STYLES_PER_COMPONENT * len(self.whitening.mean):
            found += draw(len(found))
        self.whitening.fit(torch.cat(found))

    def inputs_of(
        self, squares: torch.Tensor, profile: Profile, embed_size: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Styles (1, N, k, D) and contents (1, N, D) of a profile, and the query's content (1, D).

        Args:
            squares: (1, 3, S, S), the photo to edit.
            profile: styles (N, k, D), or (N, D) for one of each reference; contents (N, D).
            embed_size: side at which a content is read.
        """
        query = self.content(shrunk(squares, embed_size))
        styles, contents = (
            torch.tensor(profile[name], device=query.device) for name in ("styles", "contents")
        )
        return styles.reshape(1, len(contents), -1, styles.shape[-1]), contents[None], query

    def edited(self, squares: torch.Tensor, profile: Profile, embed_size: int) -> torch.Tensor:
        """(1, 3, S, S) → the same with the predicted style; not clipped."""
        components = self.predict(*self.inputs_of(squares, profile, embed_size))
        style = components @ self.whitening.components + self.whitening.mean
        edited: torch.Tensor = self.enhancer(squares, style)
        return edited
