"""Styles in the space of their principal components, where each component has deviation 1."""

import torch
from torch import nn


class Whitening(nn.Module):
    """PCA of all training styles, kept with the weights. Before `fit` it changes nothing."""

    mean: torch.Tensor
    components: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("components", torch.eye(size))
        self.register_buffer("deviation", torch.ones(size))

    def fit(self, styles: torch.Tensor) -> None:
        """Learn from (n, D); fewer styles than components leave components without deviation."""
        centred = styles.double() - styles.double().mean(dim=0)
        _, values, rows = torch.linalg.svd(centred, full_matrices=True)
        deviation = torch.zeros_like(self.mean, dtype=torch.float64)
        deviation[: len(values)] = values / max(1, len(styles) - 1) ** 0.5
        self.mean.copy_(styles.double().mean(dim=0))
        self.components.copy_(rows)
        self.deviation.copy_(deviation)

    def project(self, styles: torch.Tensor) -> torch.Tensor:
        """(…, D) → its principal components, in the styles' own unit."""
        return (styles - self.mean) @ self.components.T

    def whiten(self, styles: torch.Tensor) -> torch.Tensor:
        """(…, D) → components of deviation 1; those without deviation are 0."""
        known = self.deviation > 1e-6 * self.deviation.max()
        return torch.where(known, self.project(styles) / self.deviation.clamp_min(1e-12), 0.0)

    def restore(self, whitened: torch.Tensor) -> torch.Tensor:
        """Undo `whiten`."""
        return (whitened * self.deviation) @ self.components + self.mean
