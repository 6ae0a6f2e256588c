"""Earth mover's distance between the histograms of two images: how far their colours are apart, wherever they are.

Between distributions on a line it is the area between the two cumulative histograms
(L. N. Vaserstein 1969; as a distance of images: Y. Rubner, C. Tomasi, L. J. Guibas 2000,
IJCV 40(2)). Of each channel by itself, on values from 0 to 1, and the mean of the three.
The published table of PIF (2025) gives such a distance without its bins or channels; figures
computed here may be compared with one another, not with those.
"""

import torch

from evaluation.metrics.metric import Metric

BINS = 256
"""One for each level of 8 bits."""


def histograms(images: torch.Tensor) -> torch.Tensor:
    """Cumulative histograms (B, 3, BINS) of images (B, H, W, 3) in [0, 1]: the last is 1."""
    levels = (images.clamp(0, 1) * (BINS - 1)).round().long().flatten(1, 2).movedim(-1, 1)  # (B, 3, H·W)
    counts = torch.zeros(*levels.shape[:2], BINS, device=images.device)
    counts.scatter_add_(2, levels, torch.ones_like(levels, dtype=counts.dtype))
    return (counts / levels.shape[2]).cumsum(-1)


def emd(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Distance of cumulative histograms (B, 3, BINS), mean over the channels, shape (B,): from 0 to 1.

    The photos may be of different sizes; 1 is between black and white.
    """
    # Levels are 1 / (BINS - 1) apart, and the last of the cumulative values is 1 in both.
    return (first - second).abs().sum(-1).mean(-1) / (BINS - 1)


def emd_metric() -> Metric:
    """As the reports' metrics are used; not among the four that CQS is computed of."""
    return Metric(
        name="emd",
        title="EMD",
        unit="",
        lower_is_better=True,
        low=0,
        high=1,
        prepare=lambda images: (histograms(images),),
        compare=lambda first, second: emd(first[0], second[0]),
    )
