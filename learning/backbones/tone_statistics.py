"""A photo's colours in 44 robust numbers: a backbone that needs no download.

What raters answer about here is tone, to which features trained to recognise things
are nearly blind: DINOv2 saw every photo with its colours jittered. These numbers hold
tone and nothing else, so they say little of what is in the photo. The arithmetic stands in
`variants.tone.statistics`.
"""

import torch

from learning.backbones import TONE_STATISTICS
from variants.tone.statistics import IMAGE_SIZE, N_STATISTICS, VERSION, tone_statistics


class ToneStatistics:
    """See `learning.backbones.load.Backbone`."""

    name = TONE_STATISTICS
    dim = N_STATISTICS
    image_size = IMAGE_SIZE
    identity = f"{TONE_STATISTICS} {VERSION}"

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) sRGB in [0, 1], any size → (B, 44)."""
        # Products that bring pictures to their size would lose half of their digits in bfloat16.
        with torch.autocast(images.device.type, enabled=False):
            statistics: torch.Tensor = tone_statistics(images.permute(0, 2, 3, 1))
        return statistics

    def to(self, device: torch.device) -> "ToneStatistics":
        """It has no weights: it works wherever the images are."""
        return self
