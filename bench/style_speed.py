"""Styles on photos of FHD, 4K and 8K: time and peak memory beside Pillow's LUT filter on the same 8-bit picture.

Everything that claims speed: Neural Preset (normalising and styling in tiles, a preset switched on a
normalised photo, and its edit baked into a LUT), and the Monge-Kantorovich map of Deep Photo's quick methods,
by itself and as a LUT. Reading the style is measured apart; it does not hang on the size. Networks are
untrained, which costs the same.

    python bench/style_speed.py [--at-once | --lifted] [--sizes FHD 4K 8K]

Those that edit at a fixed size and lift the edit (PieNet, masked style modeling, PIF), and PIF-lite, come with
--lifted, from the 8-bit picture to the edited one: their networks are the `tiny` ones, so only what grows with
the picture is told by them.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from skimage.data import astronaut

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import forget_peak, interleaved, memory_mb, peak_extra_mb, print_rows, row
from learning.color_maps import edited, of_colors
from learning.systems import deep_photo, msm, neural_preset, pienet, pif, pif_lite
from learning.systems.concepts import NAMES
from learning.systems.msm.network import Network as MsmNetwork
from learning.systems.neural_preset.network import new_network
from learning.systems.pif.model import load_model
from learning.systems.pif.small import save_small_model
from learning.systems.pif_lite.population import population_of
from learning.systems.style_parts.editing import LiftingConfig
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
    parser.add_argument(
        "--sizes", nargs="+", choices=SIZES, default=list(SIZES), metavar="SIZE", help="FHD 4K 8K"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [] if options.lifted else measured_at_once(options.sizes)
    if not options.at_once:
        with tempfile.TemporaryDirectory() as folder:
            rows += measured_lifted(Path(folder), options.sizes)
    print_rows(rows)


def measured_at_once(sizes):
    systems = {preset: untrained(preset) for preset in ("tiny", "full")}
    quick = deep_photo.untrained()
    style = astronaut().astype(np.float32)[::4, ::4] / 255
    rows = []
    for name in sizes:
        height, width = SIZES[name]
        rows += measured(name, picture(height, width), style, systems, quick, rounds=1 if name == "8K" else 3)
    return rows


def picture(height, width):
    return np.array(Image.fromarray(astronaut()).resize((width, height), Image.Resampling.BICUBIC))


def measured_lifted(folder, sizes):
    """As the site and `learning.render` edit an 8-bit photo: through a LUT where the edit is one, else in floats."""
    functions = lifted_edits(folder)
    table = look_lut("golden")
    filter_ = ImageFilter.Color3DLUT(table.size, rows_of(table).reshape(-1).tolist())
    rows = []
    for edit in functions.values():
        edit(picture(600, 800))  # what is loaded once is loaded here
    for size in sizes:
        levels = picture(*SIZES[size])
        image = Image.fromarray(levels)
        for name, edit in {"Pillow": lambda _: None, **functions}.items():
            peer, peak_of_peer = timed_peak(lambda image=image: np.asarray(image.filter(filter_)))
            taken, peak = timed_peak(lambda edit=edit, levels=levels: edit(levels))
            if name == "Pillow":
                print(f"{size:4} {name:40} {peer * 1e3:9.1f} ms {peak_of_peer:19.1f} MB", flush=True)
                continue
            print(
                f"{size:4} {name:40} {taken * 1e3:9.1f} ms {taken / peer:8.2f} × {peak:8.1f} MB", flush=True
            )
            # None of them claims to keep up with a LUT but those that are one: what is told is what they take.
            rows.append(
                row(
                    f"{name}, {size}",
                    ours=taken * 1e3,
                    peer=peer * 1e3,
                    peer_name="Pillow's LUT",
                    goal=3.0 if name.endswith("LUT") else 100.0,
                    better="lower",
                    unit="ms",
                )
            )
    return rows


def lifted_edits(folder):
    """Name → what edits an 8-bit photo."""
    style = astronaut().astype(np.float32)[::2, ::2] / 255
    # Of one photo: what a population is does not hang on how long a photo takes.
    alone = dataclasses.replace(pif_lite.tiny(), photos=8, clusters=1)
    lite = pif_lite.PifLite(population_of([style], alone), alone)
    liked = {"strengths": np.full(len(NAMES), 0.3, np.float32)}
    small = pif.PRESETS["tiny"]()
    save_small_model(folder / "model", seed=0)
    model = load_model(
        str(folder / "model"), rank=0, timestep=small.timestep, residual_space="latent", seed=0, device="cpu"
    )
    editor = pif.Pif(model, small, folder)
    masked, by_lut = msm.PRESETS["tiny"](), pienet.tiny()
    by_grid = dataclasses.replace(by_lut, lifting=LiftingConfig(method="bilateral_grid"))
    systems = {
        "PieNet, by LUT": pienet.PieNet(pienet.Network(by_lut), by_lut),
        "masked style modeling, by LUT": msm.MaskedStyleModel(MsmNetwork(masked), masked),
        "PieNet, by grid": pienet.PieNet(pienet.Network(by_grid), by_grid),  # as masked style modeling
    }
    profiles = {name: system.adapt_to_photos([style]) for name, system in systems.items()}
    colors, words = of_colors(lite, liked), editor.adapt_to_words({"exposure": "dark"})
    return {
        "PIF-lite, seven strengths, by LUT": lambda photo: edited(lite, photo, colors),
        "PIF-lite, all nine strengths": lambda photo: edited(lite, photo, liked),
        **{
            name: lambda photo, system=system, name=name: edited(system, photo, profiles[name])
            for name, system in systems.items()
        },
        "PIF, by grid": lambda photo: edited(editor, photo, words),
    }


def timed_peak(function):
    """Seconds of one core, and MB by which the process grows at most meanwhile, of one and the same call."""
    forget_peak()
    before, started = memory_mb("VmRSS"), time.process_time()
    function()
    return time.process_time() - started, memory_mb("VmHWM") - before


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
