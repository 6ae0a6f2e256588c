"""Mean CIEDE2000 of two photos of a megapixel, from sRGB, beside scikit-image and colour-science.

Ours works on all cores; the CPU time, which other programs hardly touch, says what it takes on one.
"""

import sys
import time
from pathlib import Path

import colour
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, print_rows, row
from variants.tone.difference import mean_ciede2000

HEIGHT, WIDTH = 1000, 1000


def scikit_image(one, other):
    return float(deltaE_ciede2000(rgb2lab(one), rgb2lab(other)).mean())


def colour_science(one, other):
    def lab(image):
        return colour.XYZ_to_Lab(colour.sRGB_to_XYZ(image))

    return float(colour.delta_E(lab(one), lab(other), method="CIE 2000").mean())


def main():
    rng = np.random.default_rng(0)
    one = rng.random((HEIGHT, WIDTH, 3), dtype=np.float32)
    other = np.clip(one + rng.normal(0, 0.05, one.shape), 0, 1).astype(np.float32)
    functions = {"ours": mean_ciede2000, "scikit-image": scikit_image, "colour-science": colour_science}
    for name, function in functions.items():
        print(f"{name:15} finds {function(one, other):.4f}")
    seconds = interleaved({name: lambda f=f: f(one, other) for name, f in functions.items()}, rounds=9)
    cpu = interleaved(
        {n: lambda f=functions[n]: f(one, other) for n in ("ours", "scikit-image")}, 5, time.process_time
    )
    print(f"CPU time: ours {cpu['ours'] * 1e3:.0f} ms, scikit-image {cpu['scikit-image'] * 1e3:.0f} ms")
    rate = {name: HEIGHT * WIDTH / 1e6 / taken for name, taken in seconds.items()}
    print_rows(
        [
            row(
                f"CIEDE2000, beside {peer}",
                ours=rate["ours"],
                peer=rate[peer],
                peer_name=peer,
                goal=4.5,
                better="higher",
                unit="MP/s",
            )
            for peer in ("scikit-image", "colour-science")
        ]
    )


if __name__ == "__main__":
    main()
