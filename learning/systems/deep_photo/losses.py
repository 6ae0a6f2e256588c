"""The losses: content, masked Gram matrices of style, total variation, and the Matting Laplacian's energy.

Source: F. Luan, S. Paris, E. Shechtman, K. Bala (2017), Deep Photo Style Transfer, CVPR; masks and
divisors as in the authors' code.
"""

import torch

from learning.renderers.matting import MattingEnergy
from learning.systems.deep_photo.config import LossConfig
from learning.systems.deep_photo.features import FeatureMaps


def masked_grams(features: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Gram matrices of the masked features, one for each class, over all images together.

    Args:
        features: (B, C, h, w).
        masks: (B, K, h, w) in [0, 1].

    Returns:
        (K, C, C), divided by C times the mask's sum: for one image C · h · w · its mean.
    """
    rows = features.flatten(2)  # (B, C, P)
    grams = []
    for mask in masks.flatten(2).unbind(1):  # (B, P) each
        masked = rows * mask[:, None]
        products = torch.einsum("bip,bjp->ij", masked, masked)
        grams.append(products / (features.shape[1] * mask.sum().clamp(min=1e-6)))
    return torch.stack(grams)


def total_variation(images: torch.Tensor) -> torch.Tensor:
    """Sum of the squared differences of neighbouring pixels of (B, 3, H, W)."""
    down, across = images.diff(dim=2), images.diff(dim=3)
    return down.square().sum() + across.square().sum()


class TransferLoss:
    """What an image of the content's size is judged by."""

    def __init__(
        self,
        features: FeatureMaps,
        config: LossConfig,
        *,
        content: torch.Tensor,
        content_masks: torch.Tensor,
        styles: torch.Tensor,
        style_masks: torch.Tensor,
        matting: MattingEnergy | None = None,
    ) -> None:
        """What is compared with.

        Args:
            features: of the network.
            config: the weights.
            content: (1, 3, H, W).
            content_masks: (1, K, H, W), one for each class.
            styles: (B, 3, S, S); their Gram matrices are pooled.
            style_masks: (B, K, S, S).
            matting: of the content; None where the image is a colour map of it anyway.
        """
        self._features, self._config, self._matting = features, config, matting
        size = (content.shape[-2], content.shape[-1])
        style_size = (styles.shape[-2], styles.shape[-1])
        with torch.no_grad():
            maps, _ = features(styles)
            masks = features.masks_of(style_masks, style_size)
            self._wanted = [masked_grams(f, m) for f, m in zip(maps, masks, strict=True)]
            own, self._content = features(content)
            self._masks = features.masks_of(content_masks, size)
            start = [masked_grams(f, m) for f, m in zip(own, self._masks, strict=True)]
        self._is_relative = config.balance == "energy"
        # Of a calm style and a busy photo, the style alone as the unit would drown all other losses.
        self._units = [(s.square() + w.square()).mean() / 2 for s, w in zip(start, self._wanted, strict=True)]
        self._content_unit = self._content.square().mean()

    def __call__(self, image: torch.Tensor, *, with_matting: bool = True) -> torch.Tensor:
        """(1, 3, H, W) → a scalar."""
        config = self._config
        maps, content = self._features(image)
        loss = config.content * self._error(content, self._content, self._content_unit)
        compared = zip(maps, self._masks, self._wanted, self._units, strict=True)
        for found, masks, wanted, unit in compared:
            shares = masks.mean(dim=(0, 2, 3))  # (K,)
            for gram, target, share in zip(masked_grams(found, masks), wanted, shares, strict=True):
                loss = loss + config.style * share * self._error(gram, target, unit)
        pixels = image.shape[-1] * image.shape[-2] if self._is_relative else 1
        loss = loss + config.variation * total_variation(image) / pixels
        if with_matting and self._matting is not None:
            loss = loss + config.matting * self._matting(image) / pixels
        return loss

    def _error(self, found: torch.Tensor, wanted: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        squared = (found - wanted).square().mean()
        return squared / unit.clamp(min=1e-12) if self._is_relative else squared
