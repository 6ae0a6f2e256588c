"""A dataset folder as learners see it: scenes, images, raters, and who preferred what.

The folder is the seam between the site and the learners (collection.export.format);
nothing else is read. A million judgments are kept as four arrays, not as objects, and
images are decoded when they are asked for.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from collection.export import format as ppsd
from collection.export.folder import dataset_sha256
from learning.data.cache import BoundedCache
from learning.data.tables import DatasetError as DatasetError
from learning.data.tables import (
    Image,
    JudgmentArrays,
    Rater,
    Scene,
    open_table,
    read_images,
    read_judgments,
    read_raters,
    read_scenes,
)
from learning.data.tables import Indices as Indices

Pixels = npt.NDArray[np.float32]
"""(H, W, 3) sRGB in [0, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgment:
    """One main answer that is no tie: of two images of one scene, which the rater preferred."""

    rater_id: str
    scene_id: str
    preferred_image: str
    rejected_image: str


class PreferenceDataset:
    """The five tables of a dataset folder, checked, and its images on demand.

    Attributes:
        scenes, images, raters: by their ids, in the files' order.
        judgments: main answers (flipped checks and ties left out) as arrays.
        sha256: of the five tables; images count through their hashes in images.parquet.
    """

    def __init__(
        self,
        folder: Path,
        *,
        scenes: Mapping[str, Scene],
        images: Mapping[str, Image],
        raters: Mapping[str, Rater],
        judgments: JudgmentArrays,
        sha256: str,
        cache_bytes: int,
    ) -> None:
        self.folder = folder
        self.scenes = scenes
        self.images = images
        self.raters = raters
        self.judgments = judgments
        self.sha256 = sha256
        self.image_ids = list(images)
        self.scene_ids = list(scenes)
        self.rater_ids = list(raters)
        self._rater_index = {rater_id: index for index, rater_id in enumerate(raters)}
        self._neutral = {image.scene_id: image.id for image in images.values() if image.is_neutral}
        self._cache: BoundedCache[tuple[str, int], Pixels] = BoundedCache(cache_bytes)

    @classmethod
    def load(cls, folder: Path | str, *, cache_bytes: int = 512 * 2**20) -> Self:
        """Read and check a dataset folder.

        Args:
            folder: with the five Parquet tables and images/.
            cache_bytes: how much memory decoded images may take.

        Raises:
            DatasetError: a file or column is missing or broken, or a row names what is not there.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder; a dataset is the folder that an export makes")
        for name in ppsd.TABLES:
            open_table(folder, name).close()
        scenes = read_scenes(folder)
        images = read_images(folder, scenes)
        raters = read_raters(folder)
        return cls(
            folder,
            scenes=scenes,
            images=images,
            raters=raters,
            judgments=read_judgments(folder, scenes, images, raters),
            sha256=dataset_sha256(folder),
            cache_bytes=cache_bytes,
        )

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def is_simulated(self) -> bool:
        """Whether any rater is simulated: then every number made from it is marked so."""
        return any(rater.is_simulated for rater in self.raters.values())

    def judgments_of(self, rater_id: str) -> list[Judgment]:
        """A rater's main answers in the order in which they were given, flipped checks and ties left out."""
        rows = self.judgments.rows_of(self._rater_index[rater_id])
        return [
            Judgment(
                rater_id=rater_id,
                scene_id=self.scene_ids[scene],
                preferred_image=self.image_ids[preferred],
                rejected_image=self.image_ids[rejected],
            )
            for scene, preferred, rejected in zip(
                self.judgments.scene[rows].tolist(),
                self.judgments.preferred[rows].tolist(),
                self.judgments.rejected[rows].tolist(),
                strict=True,
            )
        ]

    def training_raters(self) -> list[str]:
        """Valid raters of the split `train`; all valid ones where raters are not split at all."""
        return self._raters_for("train")

    def validation_raters(self) -> list[str]:
        """Valid raters of the split `validation`: nothing of theirs is trained on."""
        return [r.id for r in self.raters.values() if r.valid and r.split == "validation"]

    def training_scenes(self) -> list[str]:
        """All scenes but those held out."""
        return [s.id for s in self.scenes.values() if s.split != "validation"]

    def validation_scenes(self) -> list[str]:
        """Scenes held out of all training; none where a dataset has no such split."""
        return [s.id for s in self.scenes.values() if s.split == "validation"]

    def neutral_image_of(self, scene_id: str) -> str | None:
        """The image that was rendered without any step, where the dataset has it."""
        return self._neutral.get(scene_id)

    def image(self, image_id: str, long_side: int) -> Pixels:
        """An image whose longer side is at most `long_side` pixels; never scaled up.

        The array is kept for the next time, so it is read-only: copy it before writing.

        Raises:
            DatasetError: the file is missing, is not an image, or is not the one exported.
        """
        key = (image_id, long_side)
        pixels = self._cache.get(key)
        if pixels is None:
            opened = self.opened(image_id)
            if max(opened.size) > long_side:
                opened = _scaled(opened, long_side / max(opened.size))
            pixels = np.asarray(opened, np.float32) / np.float32(255)
            pixels.setflags(write=False)
            self._cache.put(key, pixels, pixels.nbytes)
        return pixels

    def opened(self, image_id: str, *, short_side: int | None = None) -> PillowImage.Image:
        """An image decoded to 8-bit RGB, not kept; its shorter side is at most `short_side` pixels.

        Raises:
            DatasetError: the file is missing, is not an image, or is not the one exported.
        """
        image = self.images[image_id]
        path = self.folder / image.file_name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != image.sha256:
            raise DatasetError(
                f"{path} is not the file that was exported (its sha256 differs from images.parquet); "
                "copy the dataset again"
            )
        opened = _decoded(content, path)
        if short_side is not None and min(opened.size) > short_side:
            opened = _scaled(opened, short_side / min(opened.size))
        return opened

    def _raters_for(self, split: str) -> list[str]:
        is_split = any(rater.split != "none" for rater in self.raters.values())
        wanted = split if is_split else "none"
        return [r.id for r in self.raters.values() if r.valid and r.split == wanted]


def _decoded(content: bytes, path: Path) -> PillowImage.Image:
    try:
        with PillowImage.open(io.BytesIO(content)) as opened:
            return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"{path} is not an image that can be decoded: {error}") from error


def _scaled(image: PillowImage.Image, scale: float) -> PillowImage.Image:
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, PillowImage.Resampling.LANCZOS, reducing_gap=3.0)
