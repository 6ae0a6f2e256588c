"""Which pairs are aligned: both images show the same thing at the same pixel.

Renditions of one photo are; photos of one scene by several cameras, or an image and its
generated edit, often are not, and then no loss or metric that compares pixels means
anything. The dataset's format has no such field, so it is found: two images are
aligned when they have one size and their edges lie at the same places.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from learning.data.cache import BoundedCache
from learning.data.dataset import DatasetError, PreferenceDataset
from variants.progress import Report, silent

THUMBNAIL = 128
"""Long side at which edges are compared, in pixels."""
LEAST_AGREEMENT = 0.865
"""Of edges' directions. Of 21,024 pairs of renditions of 159 scenes (concepts and film LUTs) all but 2 have more; of 600
pairs shifted by 1 or 1.5 % of the longer side none has (0.858 at most)."""
LEAST_SHARED = 0.5
"""Part of the edges of the image that has fewer: an edit hides some, and of two pictures' edges few meet."""
SAME_EDGES = 4
"""A gradient below this is noise of the encoding, in grey levels of 255."""
FLAT = 0.01
"""An image with fewer pixels at edges than this part says nothing about where things are."""
CACHE_BYTES = 64 * 2**20
BYTES_OF_A_PAIR = 250
"""In a dictionary, with its key."""
AT_ONCE = 64
"""Pairs between two reports."""


class Sized(Protocol):
    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


class Photos(Protocol):
    """Images by position, as a `PreferenceDataset` has them."""

    @property
    def image_ids(self) -> Sequence[str]: ...

    @property
    def images(self) -> Mapping[str, Sized]: ...

    def opened(self, image_id: str, *, short_side: int | None = None) -> PillowImage.Image: ...


class Alignment:
    """Finds aligned pairs; what was found, and the images' edges, are kept within 64 MB each.

    Args:
        dataset: where the images are.
        opened: gives an image by its position, for those who hold them decoded already.
    """

    def __init__(self, dataset: Photos, opened: Callable[[int], PillowImage.Image] | None = None) -> None:
        self._dataset = dataset
        self._opened = opened or self._open
        images = list(dataset.images.values())
        self._size = np.array([(image.width, image.height) for image in images], np.int64)
        self._found: BoundedCache[tuple[int, int], bool] = BoundedCache(CACHE_BYTES)
        self._edges: BoundedCache[int, npt.NDArray[np.complex64]] = BoundedCache(CACHE_BYTES)

    def __call__(self, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Positions in `dataset.image_ids`, both (B,) → (B,), True where the two images are aligned.

        Raises:
            DatasetError: an image is missing or broken.
        """
        pairs = zip(first.tolist(), second.tolist(), strict=True)
        return np.array([self._is_aligned(min(pair), max(pair)) for pair in pairs], bool)

    def _is_aligned(self, a: int, b: int) -> bool:
        found = self._found.get((a, b))
        if found is None:
            same_size = bool((self._size[a] == self._size[b]).all())
            found = same_size and edges_agree(self._edges_of(a), self._edges_of(b))
            self._found.put((a, b), found, BYTES_OF_A_PAIR)
        return found

    def _open(self, image: int) -> PillowImage.Image:
        return self._dataset.opened(self._dataset.image_ids[image])

    def _edges_of(self, image: int) -> npt.NDArray[np.complex64]:
        edges = self._edges.get(image)
        if edges is None:
            edges = edges_of(self._opened(image))
            self._edges.put(image, edges, edges.nbytes)
        return edges


def aligned_answers(
    dataset: PreferenceDataset, rows: npt.NDArray[Any], alignment: Alignment, report: Report = silent
) -> npt.NDArray[np.bool_]:
    """Which of these rows of the dataset's judgments compare aligned images, (n,); each pair is looked at once.

    Raises:
        DatasetError: none does, so that a system that compares pixels has nothing to learn from; or an image is
            missing or broken.
    """
    judgments = dataset.judgments
    pairs = np.sort(np.stack([judgments.preferred[rows], judgments.rejected[rows]], axis=1), axis=1)
    pairs, pair_of_row = np.unique(pairs, axis=0, return_inverse=True)
    found = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), AT_ONCE):
        report(start, len(pairs), "checking which pairs are aligned")
        some = pairs[start : start + AT_ONCE]
        found[start : start + AT_ONCE] = alignment(some[:, 0], some[:, 1])
    if not found.any():
        raise DatasetError(
            f"{dataset.folder}: of none of the {len(pairs)} pairs to train on do the two images show the same thing "
            "at the same pixel (one size, edges at the same places), and this system compares pixels; export pairs "
            "of renditions of one photo, or register the photos first"
        )
    aligned: npt.NDArray[np.bool_] = found[pair_of_row.reshape(-1)]
    return aligned


def edges_of(image: PillowImage.Image) -> npt.NDArray[np.complex64]:
    """(h, w) complex: how strong an edge is (root of the gradient in grey levels) and, doubled, in which direction.

    The doubled angle is the same whichever side is the brighter one, so that an edit which turns a step of
    brightness around moves no edge.
    """
    grey = image.convert("L")
    scale = THUMBNAIL / max(grey.size)
    grey = grey.resize(
        (max(3, round(grey.width * scale)), max(3, round(grey.height * scale))),
        PillowImage.Resampling.BOX if scale < 1 else PillowImage.Resampling.BILINEAR,
    )
    rows, columns = np.gradient(np.asarray(grey, np.float32))
    gradient = columns + 1j * rows
    strength = np.abs(gradient)
    unit = np.where(strength > SAME_EDGES, gradient / np.maximum(strength, SAME_EDGES), 0)
    edges: npt.NDArray[np.complex64] = (np.sqrt(strength) * unit**2).astype(np.complex64)
    return edges


def edges_agree(first: npt.NDArray[np.complex64], second: npt.NDArray[np.complex64]) -> bool:
    """Whether two fields of `edges_of` are of one picture; flat images are taken to be."""
    if first.shape != second.shape:
        return False
    if min(np.count_nonzero(first), np.count_nonzero(second)) < FLAT * first.size:
        return True
    shared = np.count_nonzero((first != 0) & (second != 0))
    if shared < LEAST_SHARED * min(np.count_nonzero(first), np.count_nonzero(second)):
        return False
    return agreement(first, second) >= LEAST_AGREEMENT


def agreement(first: npt.NDArray[np.complex64], second: npt.NDArray[np.complex64]) -> float:
    """Of directions where both have an edge, from -1 to 1, strong edges counting more; 0 where none meet.

    What only one of them has does not count: deep shadows hold edges that an edit lifts out of the noise.
    """
    weight = float((np.abs(first) * np.abs(second)).sum())
    return float(np.vdot(first, second).real) / weight if weight else 0.0
