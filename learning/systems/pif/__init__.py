"""Personalized image filter (PIF): photographic concepts in words, learned from photos somebody likes.

words, model, training: the diffusion model's prompts, its one step, its two trainings
small: a model of the same form from scratch
"""

from learning.systems.pif.settings import NAME, PRESETS, TITLE, Config
from learning.systems.pif.system import Pif, fit, load

__all__ = ["NAME", "PRESETS", "TITLE", "Config", "Pif", "fit", "load"]
