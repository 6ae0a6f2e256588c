"""The quick methods: maps of colours, one for the photo or one for each of its segments."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from learning.renderers.color_transfer import (
    ColorMap,
    LinearMap,
    fitted_to_range,
    monge_kantorovich,
    reinhard,
    sliced_transport,
)
from learning.renderers.dncm import row_tiles
from learning.renderers.lifting import fit_lut, identity_lut
from learning.systems.deep_photo.config import Config
from learning.systems.deep_photo.losses import TransferLoss
from learning.systems.deep_photo.optimise import Outcome, minimise
from learning.systems.interface import Pixels
from variants.progress import Report
from variants.tone import luts
from variants.tone.luts import Lut3D

Table = npt.NDArray[np.float32]
PIXELS_AT_ONCE = 2**17
LEAST_SLOPE = 0.5
"""Of a LUT that L-BFGS fits: half of the photo's contrast stays, or busy photos would be flattened."""
MOST_COLORS = 20_000
"""That transport is worked out from."""
LUT_POINTS = 17
"""Of the LUTs that are fitted: 14,739 numbers. `bake` gives them with as many points as are asked for."""
SMOOTHNESS = 200.0
"""Of the LUT that stands for sliced transport, which by itself makes steps of smooth shades: looked at on
photos whose style is half black, 1 and 10 still showed them."""


def color_map(colors: Pixels, wanted: Pixels, config: Config) -> ColorMap:
    """The map of the config's method, from colours (n, 3) to those of the style (m, 3); it stays in [0, 1]."""
    mapped: ColorMap
    if config.method == "reinhard":
        mapped = reinhard(colors, wanted, max_gain=config.max_gain)
    elif config.method == "monge_kantorovich":
        mapped = monge_kantorovich(colors, wanted, max_gain=config.max_gain)
    else:
        mapped = _transport(colors, wanted, config)
    return lambda rows: fitted_to_range(mapped(rows))


def apply_maps(image: Pixels, maps: Sequence[ColorMap], masks: Pixels | None, strength: float) -> Pixels:
    """Each pixel by the maps of its segments, in tiles of rows.

    Args:
        image: (H, W, 3).
        maps: one for each segment.
        masks: (K, H, W) that sum to 1; None where there is one map.
        strength: of the change.
    """
    result = np.empty(image.shape, np.float32)
    for rows in row_tiles(image.shape[0], image.shape[1], PIXELS_AT_ONCE):
        tile = image[rows].reshape(-1, 3)
        if masks is None:
            edited = maps[0](tile)
        else:
            weights = masks[:, rows].reshape(len(maps), -1, 1)
            edited = np.sum([weight * map_(tile) for weight, map_ in zip(weights, maps, strict=True)], axis=0)
        result[rows] = np.clip(tile + strength * (edited - tile), 0, 1).reshape(image[rows].shape)
    return result


def table_of(map_: ColorMap, size: int) -> Table:
    """A map as a LUT (size, size, size, 3)."""
    lattice = identity_lut(size)
    return map_(lattice.reshape(-1, 3)).reshape(lattice.shape).astype(np.float32)


def fit_lut_to_style(
    content: torch.Tensor, loss: TransferLoss, start: LinearMap, config: Config, report: Report
) -> tuple[ColorMap, Outcome]:
    """L-BFGS on a LUT: whatever it finds, the photo's structure stays.

    Gram matrices alone would flatten a photo that has more texture than the style, so
    the LUT is held smooth, and rising along each channel.

    Args:
        content: (1, 3, H, W), small.
        loss: of an image of that size.
        start: the map to begin with.
        config: how long, and how smooth.
        report: told of the iterations.
    """
    lattice = identity_lut(LUT_POINTS)
    first = start(lattice.reshape(-1, 3)).reshape(lattice.shape)
    values = torch.tensor(first, dtype=torch.float32, device=content.device).permute(3, 0, 1, 2)[None]
    at = (2 * content - 1).permute(0, 2, 3, 1).flip(-1)[:, None]  # grid_sample wants blue, green, red

    def judged(table: torch.Tensor) -> torch.Tensor:
        image = F.grid_sample(table, at, mode="bilinear", padding_mode="border", align_corners=True)[:, :, 0]
        bent = torch.stack([table.diff(n=2, dim=axis).square().mean() for axis in (2, 3, 4)]).sum()
        outside = (image - image.clamp(0, 1)).square().mean()
        shape = LUT_POINTS**2 * (bent + _wrong_slopes(table, config.max_gain)) + outside
        return loss(image, with_matting=False) + config.losses.smoothness * shape

    outcome = minimise(values, judged, config.loop, report, "fitting a LUT")
    return _look_up(outcome.values[0].permute(1, 2, 3, 0).cpu().numpy()), outcome


def _wrong_slopes(table: torch.Tensor, max_gain: float) -> torch.Tensor:
    """How far (1, 3, n, n, n) rises too little or too much: each channel along its own axis, all along the greys'."""
    slopes = [table[:, channel].diff(dim=channel + 1) for channel in range(3)]
    slopes.append(table[..., 1:, 1:, 1:] - table[..., :-1, :-1, :-1])
    step = 1 / (table.shape[-1] - 1)
    low, high = LEAST_SLOPE * step, max_gain * step
    wrong = [(F.relu(low - s) + F.relu(s - high)).square().mean() for s in slopes]
    return torch.stack(wrong).sum()


def _transport(colors: Pixels, wanted: Pixels, config: Config) -> ColorMap:
    before = _some(colors)
    after = sliced_transport(before, _some(wanted), iterations=config.directions, seed=config.seed)
    rows = before[:, None].astype(np.float32), after[:, None].astype(np.float32)
    return _look_up(fit_lut(*rows, size=LUT_POINTS, smoothness=SMOOTHNESS))


def _look_up(table: Table) -> Callable[[npt.NDArray[np.floating]], npt.NDArray[np.float64]]:
    # What leaves the range is fitted into it at lattice points, so that no cell is cut off half-way.
    inside = fitted_to_range(table.reshape(-1, 3).astype(np.float64)).reshape(table.shape)
    lut = Lut3D(table=inside.astype(np.float32))
    return lambda rows: luts.apply(np.asarray(rows, np.float64), lut, "trilinear")


def _some(rows: Pixels) -> Pixels:
    """Evenly picked, where there are more than enough."""
    return rows[:: -(-len(rows) // MOST_COLORS)]
