"""Neural Preset: a photo is brought to normal colours, then styled; a style is k² numbers, a preset.

An encoder reads two things of a photo: d, how to take its style away, and r, its style. Either
is the matrix of a deterministic colour mapping (`learning.renderers.dncm`), so that the same edit is done at
every place, at any size. It learns from photos alone: of one photo in two random looks,
either normalised version must take on the other's look, and both must normalise to the same.

A rater's taste is the mean style of the photos that they preferred.

Source: Z. Ke, Y. Liu, L. Zhu, N. Zhao, R. W. H. Lau (2023), Neural Preset for Color Style
Transfer, CVPR. Ours: the lifted maps, the random looks, and the start at the identity.
"""

from learning.systems.neural_preset.config import NAME, PRESETS, TITLE, Config
from learning.systems.neural_preset.presets import Preset, PresetError, read_preset, write_preset
from learning.systems.neural_preset.system import NeuralPreset, load
from learning.systems.neural_preset.training import fit

__all__ = [
    "NAME",
    "PRESETS",
    "TITLE",
    "Config",
    "NeuralPreset",
    "Preset",
    "PresetError",
    "fit",
    "load",
    "read_preset",
    "write_preset",
]
