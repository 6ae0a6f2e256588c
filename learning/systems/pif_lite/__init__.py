"""Personalized image filter without a diffusion model (PIF-lite): nine strengths, fitted to reference photos.

What PIF asks of a diffusion model's prior, how photos look on average, is here a population of
photos: reduced to samples, in scene clusters, with the mean and the spread of their statistics.
The strengths of a taste are those with which the population, edited, has the references'
statistics; how far the statistics of unedited photos lie apart says how much to believe a few
references. From pairs the strengths are those that lead from the rejected image to the preferred
one. Both are fitted by descent; in each step a random subset of the eight concepts moves.

Source of the concepts, the average as anchor, the weight maps and the random subsets: PIF (2025),
arXiv 2510.16791. The statistics and the spread are our own.
"""

from learning.systems.pif_lite.config import NAME, PRESETS, SUBSETS, TITLE, Config, paper, tiny
from learning.systems.pif_lite.system import PifLite, fit, load, untrained

__all__ = [
    "NAME",
    "PRESETS",
    "SUBSETS",
    "TITLE",
    "Config",
    "PifLite",
    "fit",
    "load",
    "paper",
    "tiny",
    "untrained",
]
