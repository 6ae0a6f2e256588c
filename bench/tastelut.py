"""TasteLUT: a profile from 16 answers, and 8-bit photos of four sizes edited beside Pillow's LUT filter of the same table.

An edit is all that is done for a photo once it is decoded: the guide, the table of 33 points, the table over the photo.
The network is that of `tiny`, untrained, with edits drawn by chance: figures depend on its sizes alone. With an
accelerator, also the time on it.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from skimage.data import astronaut

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, peak_extra_mb, print_rows, row
from collection.design.ideal_point import TasteModel
from collection.design.tone_space import learn_tone_space
from learning.color_maps import CUBE_POINTS, edited, guide_of
from learning.renderers.color_luts import look_up
from learning.systems import tastelut
from learning.systems.interface import ReferencePair
from learning.systems.shared import best_device
from learning.systems.tastelut.network import Network, Sizes
from learning.systems.tastelut.preparing import CONCEPT_STEPS
from learning.systems.tastelut.reading import Raters
from learning.systems.tastelut.system import TasteLut
from variants.tone import lut_engine
from variants.tone.cube import rows_of
from variants.tone.luts import Lut3D
from variants.tone.statistics import N_STATISTICS

SIZES = {"512²": (512, 512), "12 MP": (3000, 4000), "4K": (2160, 3840), "8K": (4320, 7680)}
THREADS = 2
MOST_MEMORY = 400
"""MB above what the process had, while a photo of 8K is edited."""


def main():
    torch.set_num_threads(THREADS)
    if sys.argv[1:] == ["memory"]:
        return memory()
    system = untrained()
    rng = np.random.default_rng(0)
    sides = rng.random((32, 256, 192, 3), dtype=np.float32)
    answers = [ReferencePair(preferred=a, rejected=b) for a, b in zip(sides[:16], sides[16:], strict=True)]
    profile = system.with_mode(system.adapt(answers), "taste")
    seconds = interleaved({"profile": lambda: system.adapt(answers)})
    rows = [told("TasteLUT, profile from 16 answers of 256 px", seconds["profile"], 0.2, "200 ms", 1.0)]
    for name, size in SIZES.items():
        rows += measured(name, size, system, profile)
    command = [sys.executable, __file__, "memory"]
    grown = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    rows.append(
        row(
            "TasteLUT, peak extra memory, 8K",
            **{"ours": grown, "peer": MOST_MEMORY, "peer_name": "the limit", "goal": 1.0},
            better="lower",
            unit="MB",
        )
    )
    print_rows(rows + on_the_card(system, profile))


def untrained():
    """A TasteLUT as large as the preset's, whose edits are drawn by chance and far from none."""
    config = tastelut.tiny()
    rng = np.random.default_rng(0)
    space = learn_tone_space(
        rng.random((400, N_STATISTICS)),
        np.repeat(np.arange(40), 10),
        seed=0,
        n_tones=config.n_tones,
        n_contents=config.n_contents,
    )
    unknowns = space.n_contents * space.n_tones
    raters = Raters(
        space=space,
        prior=TasteModel(metric=np.ones(space.n_tones), mean=np.zeros(unknowns), covariance=np.eye(unknowns)),
        concepts=rng.standard_normal((len(CONCEPT_STEPS), space.n_tones)),
        neutral=np.zeros(space.n_tones),
    )
    torch.manual_seed(0)
    network = Network(Sizes(N_STATISTICS, space.n_tones, space.n_contents), config.network, config.look)
    torch.nn.init.normal_(network.plan[-1].weight, std=0.1)
    return TasteLut(network.to(best_device()), raters, config)


def told(name, ours, peer, peer_name, goal):
    return row(
        name, ours=ours * 1e3, peer=peer * 1e3, peer_name=peer_name, goal=goal, better="lower", unit="ms"
    )


def picture(size):
    return np.array(Image.fromarray(astronaut()).resize(size[::-1], Image.Resampling.BICUBIC))


def measured(name, size, system, profile):
    levels = picture(size)
    lut = Lut3D(table=system.bake(guide_of(levels), profile, size=CUBE_POINTS))
    image = Image.fromarray(levels)
    filter_ = ImageFilter.Color3DLUT(CUBE_POINTS, rows_of(lut).reshape(-1).tolist())

    def ours():
        table = system.bake(guide_of(levels), profile, size=CUBE_POINTS)
        return lut_engine.apply(levels, Lut3D(table=table))

    functions = {
        "ours": ours,
        "as the commands do": lambda: edited(system, levels, profile),
        "its table alone": lambda: lut_engine.apply(levels, lut),
        "Pillow": lambda: np.asarray(image.filter(filter_)),
    }
    seconds = interleaved(functions, rounds=3 if name == "8K" else 7)
    for each, taken in seconds.items():
        print(f"{name:6} {each:20} {taken * 1e3:9.1f} ms")
    # A table takes its time at any size: a small photo is not where it is gained back.
    goal = 30.0 if name == "512²" else 0.6
    return [
        told(f"TasteLUT, edit of {name}", seconds["ours"], seconds["Pillow"], "Pillow's LUT", goal),
    ]


def memory():
    """MB by which the process grows while it edits a photo of 8K that it has decoded."""
    system = untrained()
    profile = system.with_mode(system.adapt([]), "taste")
    levels = np.zeros((*SIZES["8K"], 3), np.uint8)
    levels[:] = picture((1, 7680))
    print(peak_extra_mb(lambda: edited(system, levels, profile)))


def on_the_card(system, profile):
    """The table over an 8K picture that is on the accelerator, in half precision."""
    if not torch.cuda.is_available():
        print("No accelerator is at hand: its milliseconds are not measured.")
        return []
    table = torch.tensor(system.bake(guide_of(picture((600, 800))), profile), device="cuda")
    lut = table.permute(3, 0, 1, 2)[None].half()
    image = torch.rand(1, 3, *SIZES["8K"], device="cuda").half()

    def once():
        look_up(lut, image)
        torch.cuda.synchronize()

    seconds = interleaved({"card": once}, clock=time.perf_counter)["card"]
    print(f"on {torch.cuda.get_device_name()}: {seconds * 1e3:.2f} ms")
    return [told("TasteLUT, 8K on the card", seconds, 0.003, "3 ms", 1.0)]


if __name__ == "__main__":
    main()
