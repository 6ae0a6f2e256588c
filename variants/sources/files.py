"""Types A and B: pictures that came as files, an editor's or a camera's, as recipes."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from variants.sources.alignment import warp
from variants.tone.images import Pixels, fit_size


@dataclass(frozen=True, kw_only=True)
class FileRecipe:
    """Show this file, in the frame that all files of its scene share.

    As JSON: {"file": {"maker": "expert C", "sha256": "3f…", "frame": [width, height]}}, and
    where it takes more than scaling also "matrix", nine numbers row by row.
    """

    maker: str
    sha256: str
    frame: tuple[int, int]
    """Width and height in pixels."""
    matrix: tuple[float, ...] | None = None
    """Homography from the frame's pixels to the file's; without one the file is scaled to the frame."""

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"maker": self.maker, "sha256": self.sha256, "frame": list(self.frame)}
        if self.matrix:
            data["matrix"] = list(self.matrix)
        return {"file": data}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "FileRecipe":
        file = data["file"]
        matrix = tuple(file["matrix"]) if "matrix" in file else None
        return cls(maker=file["maker"], sha256=file["sha256"], frame=tuple(file["frame"]), matrix=matrix)

    def apply(self, photo: Pixels, long_side: int) -> Pixels:
        """The file's pixels in the frame, which is scaled down to `long_side`; never up."""
        width, height = self.frame
        scale = min(1.0, long_side / max(self.frame))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if self.matrix is None:
            return fit_size(photo, size)
        matrix = np.array(self.matrix).reshape(3, 3) @ np.diag([width / size[0], height / size[1], 1.0])
        return warp(photo, matrix, size)
