"""Styles on photos of FHD, 4K and 8K: time and peak memory beside Pillow's LUT filter on the same 8-bit picture.

Everything that claims speed: Neural Preset (normalising and styling in tiles, a preset switched on a
normalised photo, and its edit baked into a LUT), and the Monge-Kantorovich map of Deep Photo's quick methods,
by itself and as a LUT. Reading the style is measured apart; it does not hang on the size. Networks are
untrained, which costs the same.

    python bench/style_speed.py [--at-once | --lifted]

Those that edit at a fixed size and lift the edit (PieNet, masked style modeling, PIF), and PIF-lite's own
pixels, come with --lifted, on float pictures of FHD and 4K: their networks are the `tiny` ones, so only what
grows with the picture is told by them.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from skimage.data import astronaut

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, peak_extra_mb, print_rows, row
from learning.systems import deep_photo, msm, neural_preset, pienet, pif, pif_lite
from learning.systems.concepts import NAMES
from learning.systems.msm.network import Network as MsmNetwork
from learning.systems.neural_preset.network import new_network
from learning.systems.pif.model import load_model
from learning.systems.pif.small import save_small_model
from variants.tone import lut_engine
from variants.tone.cube import rows_of
from variants.tone.looks import look_lut
from variants.tone.luts import Lut3D

SIZES = {"FHD": (1080, 1920), "4K": (2160, 3840), "8K": (4320, 7680)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--at-once", action="store_true", help="only those that edit pixels as they are")
    which.add_argument("--lifted", action="store_true", help="only those whose edit is lifted, and PIF-lite")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [] if options.lifted else measured_at_once()
    if not options.at_once:
        with tempfile.TemporaryDirectory() as folder:
            rows += measured_lifted(Path(folder))
    print_rows(rows)


def measured_at_once():
    systems = {preset: untrained(preset) for preset in ("tiny", "full")}
    quick = deep_photo.untrained()
    style = astronaut().astype(np.float32)[::4, ::4] / 255
    rows = []
    for name, (height, width) in SIZES.items():
        rows += measured(name, picture(height, width), style, systems, quick, rounds=1 if name == "8K" else 3)
    return rows


def picture(height, width):
    return np.array(Image.fromarray(astronaut()).resize((width, height), Image.Resampling.BICUBIC))


def measured_lifted(folder):
    style = astronaut().astype(np.float32)[::2, ::2] / 255
    lite = pif_lite.untrained()
    strengths = {"strengths": np.full(len(NAMES), 0.3, np.float32)}
    small = dataclasses.replace(pif.PRESETS["tiny"](), edit_size=512)
    save_small_model(folder / "model", seed=0)
    model = load_model(
        str(folder / "model"), rank=0, timestep=small.timestep, residual_space="latent", seed=0, device="cpu"
    )
    lifted = {
        "PieNet": pienet.PieNet(pienet.Network(pienet.tiny()), pienet.tiny()),
        "masked style modeling": msm.MaskedStyleModel(
            MsmNetwork(msm.PRESETS["tiny"]()), msm.PRESETS["tiny"]()
        ),
        "PIF": pif.Pif(model, small, folder),
    }
    profiles = {name: system.adapt_to_photos([style]) for name, system in lifted.items() if name != "PIF"}
    profiles["PIF"] = lifted["PIF"].adapt_to_words({"exposure": "dark"})
    table = look_lut("golden")
    filter_ = ImageFilter.Color3DLUT(table.size, rows_of(table).reshape(-1).tolist())
    rows = []
    for size in ("FHD", "4K"):
        levels = picture(*SIZES[size])
        image, pixels = Image.fromarray(levels), levels.astype(np.float32) / 255
        functions = {
            "Pillow": lambda image=image: np.asarray(image.filter(filter_)),
            "PIF-lite, all nine strengths (float)": lambda p=pixels: lite.render([p], strengths),
        } | {
            f"{name}, tiny, lifted (float)": lambda p=pixels, n=name: lifted[n].render([p], profiles[n])
            for name in lifted
        }
        seconds = interleaved(functions, rounds=1)
        for name, taken in seconds.items():
            peak = peak_extra_mb(functions[name])
            print(f"{size:4} {name:40} {taken * 1e3:9.1f} ms {peak:8.1f} MB")
            if name != "Pillow":
                # None of them claims to keep up with a LUT: what is told is what they take.
                rows.append(
                    row(
                        f"{name}, {size}",
                        ours=taken * 1e3,
                        peer=seconds["Pillow"] * 1e3,
                        peer_name="Pillow's LUT",
                        goal=100.0,
                        better="lower",
                        unit="ms",
                    )
                )
    return rows


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
