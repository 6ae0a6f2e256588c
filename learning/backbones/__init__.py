"""Image features that learners stand on. This file names them and loads no torch.

`tone_statistics` needs no download. The DINOv2 models do, and so does every network of
timm or torchvision (`timm:NAME`, `torchvision:NAME`); weights come from a local file or by
`python -m learning.fetch NAME` and from nowhere else, so that nothing is ever
downloaded, or replaced by something else, unasked.
"""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TONE_STATISTICS = "tone_statistics"
HUB_NAMES = {
    "dinov2_small": "facebook/dinov2-small",
    "dinov2_small_reg": "facebook/dinov2-with-registers-small",
    "dinov2_base": "facebook/dinov2-base",
    "dinov2_base_reg": "facebook/dinov2-with-registers-base",
    "dinov2_large": "facebook/dinov2-large",
    "dinov2_large_reg": "facebook/dinov2-with-registers-large",
    "dinov2_giant": "facebook/dinov2-giant",
    "dinov2_giant_reg": "facebook/dinov2-with-registers-giant",
}
"""Our names → those of the Hugging Face hub; `_reg` has four register tokens."""
TIMM_NAMES = {
    "dinov2_small": "timm:vit_small_patch14_dinov2.lvd142m",
    "dinov2_small_reg": "timm:vit_small_patch14_reg4_dinov2.lvd142m",
    "dinov2_base": "timm:vit_base_patch14_dinov2.lvd142m",
    "dinov2_base_reg": "timm:vit_base_patch14_reg4_dinov2.lvd142m",
    "dinov2_large": "timm:vit_large_patch14_dinov2.lvd142m",
    "dinov2_large_reg": "timm:vit_large_patch14_reg4_dinov2.lvd142m",
    "dinov2_giant": "timm:vit_giant_patch14_dinov2.lvd142m",
    "dinov2_giant_reg": "timm:vit_giant_patch14_reg4_dinov2.lvd142m",
}
"""The same networks through timm, as `--backbone` takes them."""
BACKBONES = (TONE_STATISTICS, *HUB_NAMES)
LIBRARIES = ("timm", "torchvision")
"""Whose networks are named LIBRARY:NAME."""


class WeightsMissing(Exception):
    """A backbone's weights are not on this machine; the message says how to get them or do without."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneChoice:
    """What `--backbone` says: NAME, or NAME=PATH for weights in a local file or folder.

    A network's name in its library (timm:resnet18) is checked when it is loaded.
    """

    name: str
    path: Path | None = None

    def __post_init__(self) -> None:
        library, colon, network = self.name.partition(":")
        if colon:
            if library not in LIBRARIES:
                raise ValueError(
                    f"{self.name!r} names the library {library!r}; there are {', '.join(LIBRARIES)}"
                )
            if not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?", network):
                raise ValueError(
                    f"{self.name!r} has no network's name after the colon, as in {library}:resnet18"
                )
        elif self.name not in BACKBONES:
            near = difflib.get_close_matches(self.name, BACKBONES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BACKBONES)}"
            raise ValueError(f"there is no backbone {self.name!r}; {hint}, timm:NAME and torchvision:NAME")
        if self.path is not None and self.name == TONE_STATISTICS:
            raise ValueError(f"{TONE_STATISTICS} has no weights, so {self.path} means nothing to it")

    @property
    def library(self) -> str:
        """Timm or torchvision; empty for a name of our own."""
        return self.name.partition(":")[0] if ":" in self.name else ""

    @property
    def network(self) -> str:
        """The name without its library."""
        return self.name.rpartition(":")[2]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise ValueError for a name that is not known."""
        name, equals, path = text.partition("=")
        if equals and not path:
            raise ValueError(f"{text!r} has nothing after the equals sign; give NAME=PATH or NAME alone")
        return cls(name=name, path=Path(path) if path else None)
