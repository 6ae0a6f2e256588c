"""DINOv2-S features a second on one core, through the backbone and by the bare model of transformers.

The backbone is given images of a dataset's size, brings them to 224 pixels and normalises them; the bare
model is given what is ready. Random weights: they take as long as the published ones. Seconds are the
core's own. bf16 is autocast for both; how far its features are from those of float32 is printed too.
"""

import os
import sys
import time
from pathlib import Path

import torch
from transformers import Dinov2Config, Dinov2Model

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, print_rows, row
from learning.backbones import TIMM_NAMES
from learning.backbones.dinov2 import Dinov2
from learning.backbones.networks import new_network

BATCH = 8
ROUNDS = 5
SIZE = (192, 256)
"""Height and width at which a dataset's images come to the backbone."""


def main():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
    model = Dinov2Model(Dinov2Config(**sizes, patch_size=14, image_size=224)).eval()
    images, ready = torch.rand(BATCH, 3, *SIZE), torch.rand(BATCH, 3, 224, 224)
    timm_model = new_network(TIMM_NAMES["dinov2_small"], 0)
    exact, rounded = (Dinov2(model, name="dinov2_small", bf16=bf16) for bf16 in (False, True))
    by_timm = Dinov2(timm_model, name=TIMM_NAMES["dinov2_small"], bf16=True)

    def bare(run, bf16):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return run(ready)

    functions = {
        "bare, fp32": lambda: bare(model, False),
        "ours, fp32": lambda: exact(images),
        "bare, bf16": lambda: bare(model, True),
        "ours, bf16": lambda: rounded(images),
        "bare timm, bf16": lambda: bare(timm_model.forward_features, True),
        "ours by timm, bf16": lambda: by_timm(images),
    }
    seconds = interleaved(functions, rounds=ROUNDS, clock=time.process_time)
    rate = {name: BATCH / taken for name, taken in seconds.items()}
    for name, each in rate.items():
        print(f"{name:20} {each:6.2f} images a second")
    wanted = exact(images)
    error = ((rounded(images) - wanted).norm() / wanted.norm()).item()
    print(f"bf16 differs from float32 by {error:.2%} of the features' length")
    print_rows(
        [
            measured("DINOv2-S features, fp32", rate["ours, fp32"], rate["bare, fp32"], "the bare model"),
            measured("DINOv2-S features, bf16", rate["ours, bf16"], rate["bare, bf16"], "the bare model"),
            measured(
                "DINOv2-S features by timm, bf16",
                rate["ours by timm, bf16"],
                rate["bare timm, bf16"],
                "the bare model",
            ),
        ]
    )


def measured(name, ours, peer, peer_name):
    return row(name, ours=ours, peer=peer, peer_name=peer_name, goal=0.9, better="higher", unit="images/s")


if __name__ == "__main__":
    main()
