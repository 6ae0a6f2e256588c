"""A JPEG of 12 megapixels to served renditions of 1600 pixels, on one core: five from one decode beside five alone.

The five are those that a study of five gets: the photo itself, single concepts, looks. Ours are the
functions that the worker calls for each; how many there are, and in which threads, is all that the worker
adds. Pillow's way is 8 bits throughout, with a table for whatever the edit is. Seconds are the core's own.
"""

import io
import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from skimage.data import astronaut

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, print_rows, row
from variants.sources.controlled import controlled_recipes
from variants.tone.cube import rows_of
from variants.tone.images import encode_image, fit_long_side, read_photo
from variants.tone.recipes import apply_recipe, bake_recipe

LONG_SIDE = 1600
RECIPES = controlled_recipes(5, seed=0)


def main():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    data = photo()
    print(f"a JPEG of {len(data) / 1e6:.1f} MB, {len(RECIPES)} renditions of {LONG_SIDE} pixels, one core")
    tables = [ImageFilter.Color3DLUT(33, rows_of(bake_recipe(r)).reshape(-1).tolist()) for r in RECIPES]
    functions = {"Pillow, one decode": lambda: by_pillow(data, tables)}
    for encoding in ("jpeg_444", "webp_lossless"):
        functions[f"{encoding}, one decode"] = lambda e=encoding: renditions(data, RECIPES, e)
        functions[f"{encoding}, alone"] = lambda e=encoding: [renditions(data, [r], e) for r in RECIPES]
    seconds = interleaved(functions, rounds=3, clock=time.process_time)
    rate = {name: len(RECIPES) / taken for name, taken in seconds.items()}
    for name, each in rate.items():
        print(f"{name:25} {each:6.2f} renditions a second, {1000 / each:5.0f} ms each")
    webp = rate["webp_lossless, one decode"] / rate["webp_lossless, alone"]
    print(f"WebP lossless gains {webp:.2f} from one decode: its encoder takes most of the time.")
    print_rows(
        [
            row(
                "12 MP JPEG to 1600 px, five from one decode",
                ours=rate["jpeg_444, one decode"],
                peer=rate["jpeg_444, alone"],
                peer_name="five alone",
                goal=2.5,
                better="higher",
                unit="renditions/s",
            )
        ]
    )


def renditions(data, recipes, encoding):
    pixels = fit_long_side(read_photo(data).pixels, LONG_SIDE)
    return [encode_image(apply_recipe(pixels, recipe), encoding) for recipe in recipes]


def by_pillow(data, tables):
    image = Image.open(io.BytesIO(data)).resize((LONG_SIDE, LONG_SIDE * 3 // 4), Image.Resampling.LANCZOS)
    for table in tables:
        image.filter(table).save(io.BytesIO(), "JPEG", quality=95, subsampling=0)


def photo():
    """As grainy as a camera's."""
    image = np.asarray(Image.fromarray(astronaut()).resize((4000, 3000), Image.Resampling.BICUBIC))
    grain = np.random.default_rng(0).normal(0, 4, image.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(image + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
    return file.getvalue()


if __name__ == "__main__":
    main()
