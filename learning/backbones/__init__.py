"""Image features that learners stand on. This file names them and loads no torch.

`tone_statistics` needs no download. The DINOv2 models do; their weights come by
`python -m learning.fetch NAME` and from nowhere else, so that nothing is ever
downloaded, or replaced by something else, unasked.
"""

import difflib
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
BACKBONES = (TONE_STATISTICS, *HUB_NAMES)


class WeightsMissing(Exception):
    """A backbone's weights are not on this machine; the message says how to get them or do without."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneChoice:
    """What `--backbone` says: NAME, or NAME=PATH for weights in a local folder."""

    name: str
    path: Path | None = None

    def __post_init__(self) -> None:
        if self.name not in BACKBONES:
            near = difflib.get_close_matches(self.name, BACKBONES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BACKBONES)}"
            raise ValueError(f"there is no backbone {self.name!r}; {hint}")
        if self.path is not None and self.name == TONE_STATISTICS:
            raise ValueError(f"{TONE_STATISTICS} has no weights, so {self.path} means nothing to it")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise ValueError for a name that is not known."""
        name, equals, path = text.partition("=")
        if equals and not path:
            raise ValueError(f"{text!r} has nothing after the equals sign; give NAME=PATH or NAME alone")
        return cls(name=name, path=Path(path) if path else None)
