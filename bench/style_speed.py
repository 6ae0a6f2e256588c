"""Styles on photos of FHD, 4K and 8K: time and peak memory beside Pillow's LUT filter on the same 8-bit picture.

Everything that claims speed: Neural Preset (normalising and styling in tiles, a preset switched on a
normalised photo, and its edit baked into a LUT), and the Monge-Kantorovich map of Deep Photo's quick methods,
by itself and as a LUT. Reading the style is measured apart; it does not hang on the size. Networks are
untrained, which costs the same.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from skimage.data import astronaut

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, peak_extra_mb, print_rows, row
from learning.systems import deep_photo, neural_preset
from learning.systems.neural_preset.network import new_network
from variants.tone import lut_engine
from variants.tone.cube import rows_of
from variants.tone.looks import look_lut
from variants.tone.luts import Lut3D

SIZES = {"FHD": (1080, 1920), "4K": (2160, 3840), "8K": (4320, 7680)}


def main():
    torch.set_num_threads(1)
    systems = {preset: untrained(preset) for preset in ("tiny", "full")}
    quick = deep_photo.untrained()
    style = astronaut().astype(np.float32)[::4, ::4] / 255
    rows = []
    for name, (height, width) in SIZES.items():
        levels = np.array(Image.fromarray(astronaut()).resize((width, height), Image.Resampling.BICUBIC))
        rows += measured(name, levels, style, systems, quick, rounds=1 if name == "8K" else 3)
    print_rows(rows)


def untrained(preset):
    config = neural_preset.PRESETS[preset]()
    return neural_preset.NeuralPreset(new_network(dataclasses.replace(config, seed=1)), config)


def measured(size, levels, style, systems, quick, rounds):
    small = np.ascontiguousarray(levels[:: levels.shape[0] // 270, :: levels.shape[0] // 270])
    guide = small.astype(np.float32) / 255
    tiny, full = systems["tiny"], systems["full"]
    profile = tiny.adapt_to_photos([style])
    liked = quick.adapt_to_photos([style])
    plan = tiny.plan(levels, profile)
    out = np.empty_like(levels)
    lut = plan.lut()
    quick_lut = Lut3D(table=quick.bake(guide, liked))
    table = look_lut("golden")
    filter_ = ImageFilter.Color3DLUT(table.size, rows_of(table).reshape(-1).tolist())
    image = Image.fromarray(levels)
    functions = {
        "Pillow": lambda: np.asarray(image.filter(filter_)),
        "Neural Preset, all of it (tiny)": lambda: tiny.plan(levels, profile)(levels, out=out),
        "Neural Preset, reading a photo (full)": lambda: full.plan(levels, {"style": np.eye(16).ravel()}),
        "Neural Preset, as a LUT": lambda: lut_engine.apply(levels, lut),
        "Monge-Kantorovich, as a LUT": lambda: lut_engine.apply(levels, quick_lut),
    }
    if size != "8K":  # float pictures of 8K take more memory than the question is worth
        pixels = levels.astype(np.float32) / 255
        normalised = tiny.normalise(pixels)
        functions["Neural Preset, another preset (float)"] = lambda: tiny.stylise(normalised, profile)
        functions["Monge-Kantorovich, pixels (float)"] = lambda: quick.render([pixels], liked)
    seconds = interleaved(functions, rounds=rounds)
    peaks = {name: peak_extra_mb(function) for name, function in functions.items()}
    for name, taken in seconds.items():
        print(f"{size:4} {name:40} {taken * 1e3:9.1f} ms {peaks[name]:8.1f} MB")
    return [
        row(
            f"{name}, {size}",
            ours=taken * 1e3,
            peer=seconds["Pillow"] * 1e3,
            peer_name="Pillow's LUT",
            # A map of pixels one by one is exact and makes no claim; whoever is in a hurry takes the LUT.
            goal=1.0 if "LUT" in name else 8.0 if "pixels" in name else 3.0,
            better="lower",
            unit="ms",
        )
        for name, taken in seconds.items()
        if name != "Pillow"
    ] + [
        row(
            f"Neural Preset, peak extra memory, {size}",
            ours=peaks["Neural Preset, all of it (tiny)"],
            peer=64,
            peer_name="the limit at any size",
            goal=1,
            better="lower",
            unit="MB",
        )
    ]


if __name__ == "__main__":
    main()
