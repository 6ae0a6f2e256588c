"""Which examples an edit drew on: attention followed through the layers, as numbers and as a picture.

Source: S. Abnar, W. Zuidema (2020), Quantifying Attention Flow in Transformers: half of what a
token is at each layer is what it was before.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from learning.systems.interface import Pixels

Array = npt.NDArray[np.float32]
METHODS = ("flow", "rollout")
CAPACITY = 10**6
"""What an attention of 1 is in whole numbers, which the flow is computed in."""


def attention_weights(attention: Array, *, method: str = "flow") -> Array:
    """How much of the last token's output comes from each of the other tokens.

    Args:
        attention: (layers, n, n), rows sum to 1; the last token is the photo to edit.
        method: flow, the largest flow through the layers from the output to each input; or
            rollout, the product of the layers.

    Returns:
        (n - 1,), summing to 1.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    mixed = (attention.astype(np.float64) + np.eye(attention.shape[-1])) / 2
    reached = _flow(mixed) if method == "flow" else _rollout(mixed)
    total = reached.sum()
    if not total:
        return np.full(len(reached), 1 / len(reached), np.float32)
    weights: Array = (reached / total).astype(np.float32)
    return weights


def _rollout(mixed: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    through: npt.NDArray[np.float64] = np.eye(mixed.shape[-1])
    for layer in mixed:
        through = layer @ through
    reached: npt.NDArray[np.float64] = through[-1, :-1]
    return reached


def _flow(mixed: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Node layer · n + i is token i below that layer; the output is the last token above the last one."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_flow

    layers, n = mixed.shape[:2]
    rows, columns = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    above = np.concatenate([((number + 1) * n + rows).ravel() for number in range(layers)])
    below = np.concatenate([(number * n + columns).ravel() for number in range(layers)])
    capacity = np.round(mixed * CAPACITY).astype(np.int32).ravel()
    graph = csr_matrix((capacity, (above, below)), shape=((layers + 1) * n,) * 2)
    return np.array(
        [maximum_flow(graph, (layers + 1) * n - 1, i).flow_value for i in range(n - 1)], np.float64
    )


def attention_picture(
    photo: Pixels, edited: Pixels, references: Sequence[Pixels], weights: Array, *, side: int = 160
) -> Pixels:
    """A sheet: the photo and its edit, then the examples from the most to the least attended to.

    Args:
        photo: (H, W, 3).
        edited: (H, W, 3).
        references: one for each weight, of any sizes.
        weights: from `attention_weights`.
        side: of each picture on the sheet, in pixels.

    Returns:
        (H', W', 3); the bar under an example is as long as its weight is beside the largest.
    """
    if len(references) != len(weights):
        raise ValueError(f"there are {len(references)} references and {len(weights)} weights")
    columns, gap, bar = 5, 6, 18
    rows = 1 + -(-len(references) // columns)
    sheet = Image.new("RGB", (columns * (side + gap) + gap, rows * (side + gap + bar) + gap), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for column, image in enumerate((photo, edited)):
        sheet.paste(_thumbnail(image, side), (gap + column * (side + gap), gap))
    largest = max(float(np.max(weights)), 1e-12)
    for rank, index in enumerate(np.argsort(-weights, kind="stable").tolist()):
        left = gap + rank % columns * (side + gap)
        top = gap + (1 + rank // columns) * (side + gap + bar)
        sheet.paste(_thumbnail(references[index], side), (left, top))
        length = max(1, round(side * float(weights[index]) / largest))
        draw.rectangle((left, top + side + 2, left + length, top + side + 5), fill=(40, 40, 40))
        draw.text((left, top + side + 6), f"{100 * float(weights[index]):.1f} %", fill=(40, 40, 40))
    return np.asarray(sheet, np.float32) / np.float32(255)


def _thumbnail(image: Pixels, side: int) -> Image.Image:
    pixels = Image.fromarray((np.clip(image, 0, 1) * 255).round().astype(np.uint8))
    scale = side / max(pixels.size)
    size = (max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale)))
    canvas = Image.new("RGB", (side, side), (235, 235, 235))
    canvas.paste(
        pixels.resize(size, Image.Resampling.LANCZOS), ((side - size[0]) // 2, (side - size[1]) // 2)
    )
    return canvas
