"""Peak signal-to-noise ratio, capped: an untouched image would be infinitely good."""

import torch

CAP_DB = 100.0
"""Per image, and printed wherever the number is: CQS of doing nothing depends on it."""


def psnr(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """PSNR in dB of images (B, H, W, 3) in [0, 1], shape (B,), at most CAP_DB."""
    error = (first - second).square().flatten(1).mean(1)
    # 100 dB is a mean squared error of 1e-10; the clamp is the cap.
    return -10 * torch.log10(error.clamp(min=10 ** (-CAP_DB / 10)))
