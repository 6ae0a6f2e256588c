"""The systems by name. This file loads no torch; a system's module is imported when it is used.

A module has `Config` (a frozen dataclass that `learning.training.settings` can store), `PRESETS`
(name → function giving a Config), `fit(dataset, config, run_folder, report, *, resume)` and
`load(run_folder)`, which give what `learning.systems.interface.System` describes.
"""

import dataclasses
import importlib
from typing import Any

from learning.backbones import BACKBONES, TONE_STATISTICS

SYSTEMS: dict[str, str] = {
    "upe": "learning.systems.upe",
    "user_decoder": "learning.systems.user_decoder",
    "neural_preset": "learning.systems.neural_preset",
    "deep_photo": "learning.systems.deep_photo",
    "exemplar": "learning.systems.exemplar",
    "pienet": "learning.systems.pienet",
    "msm": "learning.systems.msm",
    "pif": "learning.systems.pif",
    "pif_lite": "learning.systems.pif_lite",
    "preflut": "learning.systems.preflut",
    "tastelut": "learning.systems.tastelut",
}
"""`--system` → module."""
PRESETS: dict[str, tuple[str, ...]] = {
    "upe": ("tiny", "paper", "full", "plus"),
    "user_decoder": ("tiny", "paper", "full"),
    "neural_preset": ("tiny", "paper", "full"),
    "deep_photo": ("tiny", "full", "paper"),
    "exemplar": ("tiny", "paper"),
    "pienet": ("tiny", "paper"),
    "msm": ("tiny", "paper"),
    "pif": ("tiny", "paper"),
    "pif_lite": ("tiny", "paper"),
    "preflut": ("tiny", "paper"),
    "tastelut": ("tiny", "full"),
}
"""The presets that each system's module has, known without importing it."""

TITLES: dict[str, str] = {
    "upe": "preference embedding",
    "user_decoder": "user-specific decoder",
    "exemplar": "exemplar-based inference",
    "preflut": "PrefLUT, from its recipe",
    "tastelut": "TasteLUT",
    "pienet": "PieNet",
    "msm": "masked style modeling",
    "pif": "personalized image filter",
    "pif_lite": "personalized image filter without diffusion",
    "neural_preset": "Neural Preset",
    "deep_photo": "Deep Photo Style Transfer",
}
"""What pages and model cards call them."""
RESNET_18 = ("torchvision:resnet18", "timm:resnet18")
BACKBONES_OF: dict[str, tuple[str, ...]] = {
    "upe": BACKBONES,
    "exemplar": RESNET_18,
    "pienet": RESNET_18,
    "msm": RESNET_18,
    "neural_preset": ("timm:efficientnet_b0",),
    "deep_photo": ("torchvision:vgg19",),
}
"""What each system may stand on or start from; upe takes any network of timm and torchvision besides."""
TAKE_BACKBONE = tuple(BACKBONES_OF)
"""The others read photos by a network of their own."""
PHOTO_READERS = ("pif_lite", "deep_photo", "neural_preset", "pienet", "msm", "pif")
"""Systems that read a taste from liked photos alone, as `learning.systems.interface.PhotoReader` describes."""
UNTRAINED = ("pif_lite", "deep_photo")
"""Of them those that need no training: their module's `untrained()` gives one."""
TAKE_MASKS = ("deep_photo",)
"""Of them those that edit segment by segment, by masks; see `learning.systems.interface.LongEditor`."""
MIXERS = ("pif_lite", "neural_preset", "pif")
"""Systems that make one taste of several, as `learning.systems.interface.Mixer` describes."""
KEEP_PRESETS = ("neural_preset",)
"""Systems whose taste is a preset, a small file that the same run takes again."""
MAX_STRENGTH = 1.5
"""Of an edit, in the commands, the API and the pages; 1 is the system's own measure, and above it colours run out."""
MODES = ("metric", "taste")
"""metric: leaves alone what is to taste already, by the strength with the highest CQS; taste: every photo is edited.
See `learning.systems.interface.ModeEditor`."""
HAVE_MODES = ("tastelut",)
"""Systems that render in one of MODES."""
TAKE_WORDS = ("pif",)
"""Systems that take a taste in words, as `learning.systems.interface.WordReader` describes."""

LOOK_MAKERS = ("tastelut", "upe", "preflut", "exemplar", "pienet", "msm", "neural_preset")
"""Systems that read somebody new from their answers without training, in a moment, and edit by one map of colours: a
study's participants can be shown their look with them. Presets that edit each place differently are refused by the worker.
pif_lite, which searches for each taste, takes too long for somebody who waits."""


def check_names(system: str, preset: str, backbone: str | None = None) -> None:
    """Raise ValueError naming what there is where a name is not known, or goes with another system."""
    if system not in SYSTEMS:
        raise ValueError(f"there is no system {system!r}; there are: {', '.join(SYSTEMS)}")
    if preset not in PRESETS[system]:
        raise ValueError(f"{system} has no preset {preset!r}; it has: {', '.join(PRESETS[system])}")
    if backbone and system not in TAKE_BACKBONE:
        raise ValueError(f"{system} reads photos by a network of its own and takes no backbone")


def backbones_offered(system: str, preset: str) -> tuple[str, ...]:
    """The backbones to choose from; none for a system or a preset that has a network of its own."""
    if (system, preset) == ("upe", "plus"):  # which sets colour statistics beside a network's features
        return tuple(name for name in BACKBONES if name != TONE_STATISTICS)
    return BACKBONES_OF.get(system, ()) if system == "upe" or preset != "tiny" else ()


def backbone_refusal(system: str, preset: str, backbone: str) -> str:
    """Why the preset cannot have a backbone, of those that are offered; empty where it can."""
    offered = backbones_offered(system, preset)
    if not backbone or backbone in offered:
        return ""
    kinds = f"takes one of {', '.join(offered)}" if offered else "takes no backbone"
    return f"{system} with the preset {preset} {kinds}."


def system_module(system: str) -> Any:
    """Import a system's module; torch comes with it."""
    if system not in SYSTEMS:
        raise ValueError(f"there is no system {system!r}; there are: {', '.join(SYSTEMS)}")
    return importlib.import_module(SYSTEMS[system])


def make_config(
    system: str, preset: str, *, backbone: str | None = None, steps: int | None = None, seed: int = 0
) -> Any:
    """A preset's config with what a command or a row says instead; ValueError names what is wrong."""
    check_names(system, preset, backbone)
    config = dataclasses.replace(system_module(system).PRESETS[preset](), seed=seed)
    if backbone:
        config = dataclasses.replace(config, backbone=backbone)
    if steps is not None:
        config = dataclasses.replace(config, loop=dataclasses.replace(config.loop, steps=steps))
    return config
