"""A 33³ LUT on a photo of 12 megapixels, 8 bits in and out, decoding left out.

Ours is what a rendition at full size calls: apply_recipe on 8-bit levels. Pillow, colour-science and
torch do what their users do, colour-science in bands since it would take 6 GB else; bare OpenColorIO is
its 8-bit path by hand, on one core and on as many bands as there are cores.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import torch
from colour import LUT3D
from colour.algebra import table_interpolation_trilinear
from PIL import Image, ImageFilter
from skimage.data import astronaut

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, peak_extra_mb, print_rows, row
from variants.cores import usable_cores
from variants.tone.cube import rows_of
from variants.tone.looks import look_lut
from variants.tone.luts import apply
from variants.tone.recipes import Recipe, apply_recipe

HEIGHT, WIDTH = 3000, 4000
CORES = usable_cores()


def main():
    levels = np.array(Image.fromarray(astronaut()).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    lut = look_lut("golden")
    functions = {
        "ours": lambda: apply_recipe(levels, Recipe(lut=lut.key), {lut.key: lut}),
        "OpenColorIO, all cores": bare_opencolorio(levels, lut, CORES),
        "OpenColorIO, one core": bare_opencolorio(levels, lut, 1),
        "Pillow": pillow(levels, lut),
        "torch grid_sample": grid_sample(levels, lut),
    }
    slow = {"colour-science": colour_science(levels, lut)}
    wanted = {kind: apply(levels[:500] / 255, lut, kind) * 255 for kind in ("tetrahedral", "trilinear")}
    for name, function in (functions | slow).items():
        kind = "tetrahedral" if name == "ours" or name.startswith("OpenColorIO") else "trilinear"
        print(
            f"{name:25} {kind:11} off by at most {np.abs(function()[:500] - wanted[kind]).max():.3f} levels"
        )
    seconds = interleaved(functions, rounds=9) | interleaved(slow, rounds=1)
    for name, taken in seconds.items():
        print(f"{name:25} {taken * 1e3:8.1f} ms")
    print_rows(rows(seconds, peak_extra_mb(functions["ours"])))


def rows(seconds, extra_mb):
    rate = {name: HEIGHT * WIDTH / 1e6 / taken for name, taken in seconds.items()}
    bare = "OpenColorIO, all cores"
    return [
        *(speed(rate, peer, goal=2.2) for peer in ("Pillow", "colour-science", "torch grid_sample")),
        row(
            "33³ LUT on 12 MP, beside bare OpenColorIO",
            ours=seconds["ours"] * 1e3,
            peer=seconds[bare] * 1e3,
            peer_name="as many bands",
            goal=1.15,
            better="lower",
            unit="ms",
        ),
        row(
            "33³ LUT on 12 MP, peak extra memory",
            ours=extra_mb,
            peer=100,
            peer_name="the limit",
            goal=1,
            better="lower",
            unit="MB",
        ),
    ]


def speed(rate, peer, goal):
    return row(
        f"33³ LUT on 12 MP, beside {peer}",
        ours=rate["ours"],
        peer=rate[peer],
        peer_name=peer,
        goal=goal,
        better="higher",
        unit="MP/s",
    )


def bare_opencolorio(levels, lut, bands):
    transform = ocio.Lut3DTransform(lut.size)
    transform.setData(lut.table.reshape(-1))
    transform.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    depth = ocio.BIT_DEPTH_UINT8
    cpu = ocio.Config.CreateRaw().getProcessor(transform)
    cpu = cpu.getOptimizedCPUProcessor(depth, depth, ocio.OPTIMIZATION_DEFAULT)
    pool = ThreadPoolExecutor(bands)

    def describe(image):
        return ocio.PackedImageDesc(
            image, image.shape[1], image.shape[0], ocio.CHANNEL_ORDERING_RGB, depth, 1, 3, 3 * image.shape[1]
        )

    def run():
        result = np.empty_like(levels)
        parts = zip(np.array_split(levels, bands), np.array_split(result, bands), strict=True)
        list(pool.map(lambda part: cpu.apply(describe(part[0]), describe(part[1])), parts))
        return result

    return run


def pillow(levels, lut):
    table = ImageFilter.Color3DLUT(lut.size, rows_of(lut).reshape(-1).tolist())
    image = Image.fromarray(levels)

    def run():
        return np.asarray(image.filter(table))

    return run


def colour_science(levels, lut):
    theirs = LUT3D(lut.table)

    def run():
        result = np.empty_like(levels)
        for band in (slice(start, start + 250) for start in range(0, HEIGHT, 250)):
            looked_up = theirs.apply(levels[band] / 255, interpolator=table_interpolation_trilinear)
            result[band] = np.clip(looked_up, 0, 1) * 255 + 0.5
        return result

    return run


def grid_sample(levels, lut):
    volume = torch.from_numpy(lut.table.transpose(3, 0, 1, 2).copy())[None]  # (1, 3, red, green, blue)

    @torch.inference_mode()
    def run():
        colours = (
            torch.from_numpy(levels).flip(-1).float().div_(127.5).sub_(1)
        )  # its x is the last axis, blue
        looked_up = torch.nn.functional.grid_sample(
            volume, colours[None, None], mode="bilinear", padding_mode="border", align_corners=True
        )
        return looked_up[0, :, 0].movedim(0, -1).mul_(255).add_(0.5).clamp_(0, 255).byte().numpy()

    return run


if __name__ == "__main__":
    main()
