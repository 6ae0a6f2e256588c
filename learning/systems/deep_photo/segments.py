"""Segments: whole numbers for the pixels of a photo, of which equal ones are to have one style."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from learning.backbones import WeightsMissing
from learning.data.masks import segment_name
from learning.systems.interface import Pixels
from learning.systems.shared import tensor_of
from variants.tone.color import srgb_to_lab

Labels = npt.NDArray[np.int64]
"""(H, W)."""
ASPECT = 0.05
"""Largest relative difference of the shapes of a mask and its photo: beyond it, the mask is another photo's."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SEGMENTED_AT = 512


class SegmentError(ValueError):
    """Masks that do not fit; the message says which and what would."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairing:
    """Classes that photo and style both have."""

    classes: tuple[int, ...]
    labels: Labels
    """Of the photo, each now one of the classes."""
    notes: tuple[str, ...]


def fitted_labels(labels: npt.ArrayLike, size: tuple[int, int], whose: str) -> tuple[Labels, str]:
    """Labels at (height, width), and a note where they had to be resized.

    Raises:
        SegmentError: they are not whole numbers in rows and columns, or of another shape than the photo.
    """
    found = np.asarray(labels)
    if found.ndim != 2 or not found.size:
        raise SegmentError(f"the mask of {whose} has the shape {found.shape}; it must be (height, width)")
    if not np.isfinite(found).all() or (found != np.round(found)).any():
        raise SegmentError(f"the mask of {whose} holds numbers that are not whole; each names a segment")
    found = found.astype(np.int64)
    if found.shape == size:
        return found, ""
    ratio = (found.shape[1] / found.shape[0]) / (size[1] / size[0])
    if abs(ratio - 1) > ASPECT:
        raise SegmentError(
            f"the mask of {whose} is {found.shape[1]}×{found.shape[0]} and the photo {size[1]}×{size[0]}: "
            "it has another shape, so it is not of this photo"
        )
    note = f"the mask of {whose} was resized from {found.shape[1]}×{found.shape[0]} to {size[1]}×{size[0]}"
    return resized_labels(found, size), note


def resized_labels(labels: Labels, size: tuple[int, int]) -> Labels:
    """To (height, width); each pixel takes the label nearest to its centre."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, labels.shape, strict=True)
    )
    return np.asarray(labels[rows[:, None], columns])


def paired(
    photo: Pixels, labels: Labels, styles: Sequence[Pixels], style_labels: Sequence[Labels], missing: str
) -> Pairing:
    """Give each of the photo's segments a partner in the style.

    Args:
        photo: (H, W, 3).
        labels: of the photo.
        styles: liked photos.
        style_labels: of each.
        missing: remap or refuse, for segments that no liked photo has.

    Raises:
        SegmentError: a segment has no partner and is to be refused.
    """
    there = np.unique(np.concatenate([found.ravel() for found in style_labels]))
    own = np.unique(labels)
    alone = [int(label) for label in own if label not in there]
    if alone and missing == "refuse":
        raise SegmentError(
            f"the segments {', '.join(map(segment_name, alone))} are in the photo alone; the liked photos have "
            f"{', '.join(map(segment_name, there))}. Set missing_labels to remap, or mark them in a liked photo"
        )
    colors = {int(label): _mean_lab(styles, style_labels, label) for label in there}
    result, notes = labels.copy(), []
    for label in alone:
        color = _mean_lab([photo], [labels], label)
        partner = min(colors, key=lambda other: float(np.linalg.norm(colors[other] - color)))
        result[labels == label] = partner
        notes.append(
            f"segment {segment_name(label)} is in the photo alone; it took the style of segment {segment_name(partner)}"
        )
    return Pairing(classes=tuple(int(c) for c in np.unique(result)), labels=result, notes=tuple(notes))


def _mean_lab(photos: Sequence[Pixels], labels: Sequence[Labels], label: int) -> npt.NDArray[np.float64]:
    rows = np.concatenate([photo[found == label] for photo, found in zip(photos, labels, strict=True)])
    return np.asarray(srgb_to_lab(rows.astype(np.float64)).mean(axis=0))


def soft_masks(photo: Pixels, labels: Labels, classes: Sequence[int], *, epsilon: float = 1e-3) -> Pixels:
    """(K, H, W) float32 that sum to 1 at each pixel: masks with edges softened along the photo's own.

    By the guided filter of K. He, J. Sun, X. Tang (2010), on luma, with a radius of a fiftieth of the shorter
    side; further than two radii from an edge a mask is 0 or 1.
    """
    from scipy.ndimage import uniform_filter

    if len(classes) == 1:
        return np.ones((1, *labels.shape), np.float32)
    width = 2 * max(1, min(labels.shape) // 50) + 1
    luma = photo.astype(np.float64) @ np.array([0.2126, 0.7152, 0.0722])
    mean = uniform_filter(luma, width)
    variance = uniform_filter(luma * luma, width) - mean * mean
    masks = []
    for label in classes:
        mask = (labels == label).astype(np.float64)
        mask_mean = uniform_filter(mask, width)
        slope = (uniform_filter(luma * mask, width) - mean * mask_mean) / (np.maximum(variance, 0) + epsilon)
        offset = mask_mean - slope * mean
        masks.append(np.clip(uniform_filter(slope, width) * luma + uniform_filter(offset, width), 0, 1))
    stacked = np.stack(masks)
    stacked[stacked < 1e-6] = 0  # what sums in a row leave of nothing
    return np.asarray(stacked / np.maximum(stacked.sum(axis=0), 1e-6), np.float32)


class Segmenter:
    """A transformers model for semantic segmentation, from this machine's disk only."""

    def __init__(self, source: str) -> None:
        """Raise WeightsMissing where the model is not on this machine or is of another kind."""
        from transformers import AutoModelForSemanticSegmentation
        from transformers.utils import logging as transformers_logging

        verbosity = transformers_logging.get_verbosity()
        transformers_logging.set_verbosity(logging.ERROR)
        try:
            model: Any = AutoModelForSemanticSegmentation.from_pretrained(
                source, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise WeightsMissing(
                f"the segmentation model {source!r} is not on this machine ({reason}). Get it with `hf download {source}` "
                "(this needs the network), name a folder, give masks, or leave `segmentation` empty"
            ) from error
        finally:
            transformers_logging.set_verbosity(verbosity)
        self._model = model.eval().requires_grad_(False)

    @torch.inference_mode()
    def __call__(self, photo: Pixels) -> Labels:
        """The class of each pixel, at the photo's size."""
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        x = F.interpolate(tensor_of(photo), (SEGMENTED_AT,) * 2, mode="bilinear", antialias=True)
        logits = self._model(pixel_values=(x - mean) / std).logits
        large = F.interpolate(logits, photo.shape[:2], mode="bilinear", align_corners=False)
        return np.asarray(large.argmax(dim=1)[0].numpy(), np.int64)
