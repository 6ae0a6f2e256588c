"""Images a second in training: the loop with everything around it, beside a bare torch loop of the same network.

Ours draws its data (crops, jitter, episodes), clips gradients, looks for numbers that are none, and keeps curves; the
peer has the very same batches ready and does forward, backward and AdamW. Both run UPE in the presets `tiny` and `paper`, on the
accelerator where there is one; on a CPU the published step of 64 pairs is cut to --pairs. Features come from
tone statistics: a backbone is frozen and its features are kept, so it takes no part in a step.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from bench.timing import interleaved, print_rows, row
from evaluation.simulation.dataset import write_simulated_dataset
from evaluation.simulation.photos import package_photos
from learning.data.alignment import Alignment, aligned_answers
from learning.data.dataset import PreferenceDataset
from learning.data.features import FeatureCache
from learning.systems.shared import best_device
from learning.systems.upe import PRESETS
from learning.systems.upe.data import CropData, Sampler, ViewData
from learning.systems.upe.losses import step_loss
from learning.systems.upe.network import new_network
from learning.systems.upe.system import backbone_of
from learning.training.batches import moved
from learning.training.loop import LoopConfig, train
from variants.progress import silent

PHOTO_SIDE = 384
STEPS = {"tiny": {"cpu": 40, "cuda": 200}, "paper": {"cpu": 2, "cuda": 30}}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, help="of a step of the preset paper (4 on a CPU, else 64)")
    parser.add_argument("--workers", type=int, help="that draw data for paper (0 on a CPU, else 8)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", choices=list(STEPS), action="append", help="only this one")
    options = parser.parse_args()
    device = best_device()
    name = (
        torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    )
    print(f"on {name}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        dataset = dataset_of_photos(Path(folder) / "dataset")
        rows = [
            one
            for preset in options.preset or STEPS
            for one in rows_of(preset, dataset, device, Path(folder), options)
        ]
    print_rows(rows)


def dataset_of_photos(folder):
    write_simulated_dataset(folder, package_photos(PHOTO_SIDE), n_raters=12, long_side=PHOTO_SIDE)
    return PreferenceDataset.load(folder)


def rows_of(preset, dataset, device, folder, options):
    config, on_cpu = PRESETS[preset](), device.type == "cpu"
    config = dataclasses.replace(config, backbone="tone_statistics")
    workers = 0
    if preset == "paper":
        pairs = options.pairs or (4 if on_cpu else 64)
        config = dataclasses.replace(config, episodes=dataclasses.replace(config.episodes, pairs=pairs))
        workers = options.workers if options.workers is not None else (0 if on_cpu else 8)
    backbone, sampler = backbone_of(config), Sampler(dataset, config)
    alignment = Alignment(dataset)
    aligned_answers(
        dataset, sampler.of.rows, alignment, silent
    )  # as every training does before its first step
    if config.crops:
        cache = FeatureCache(folder / "cache")
        data = CropData(dataset, sampler, backbone, config, cache, silent, alignment)
    else:
        data = ViewData(dataset, sampler, backbone, config, device, silent, alignment)
    network = new_network(backbone.dim, config, 0, data.features).to(device)
    steps = STEPS[preset]["cpu" if on_cpu else "cuda"]
    # All of them: batches differ in how many references they read, and with it in what they cost.
    batches = [moved(data[step], device) for step in range(steps)]

    def loss(progress, step):
        return step_loss(network, step, config, progress)

    def ours(precision):
        loop = LoopConfig(steps=steps, precision=precision, workers=workers, checkpoint_every=10**9)
        run = folder / f"run-{preset}"
        run.mkdir(exist_ok=True)
        train(network, data, loss, loop, run, system="upe", seed=0, report=silent, resume=False)

    def peer(precision):
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
        network.train()
        for batch in batches:
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                value = loss(0.5, batch)["loss"]
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        value.item()  # waits for the accelerator

    seconds = interleaved(
        {f"{who.__name__} {p}": lambda w=who, p=p: w(p) for who in (ours, peer) for p in ("fp32", "bf16")},
        rounds=options.rounds,
    )
    images = steps * len(batches[0].inputs)
    rate = {name: images / taken for name, taken in seconds.items()}
    size = f"{len(batches[0].inputs)} of {batches[0].inputs.shape[-1]} px"
    print(
        f"{preset}: {size} a step, {sum(p.numel() for p in network.parameters()):,} parameters, {workers} workers"
    )
    if device.type == "cuda":
        print(f"{preset}: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB of the accelerator at its peak")
    return [
        row(f"training, {preset}, {p}, {size}", ours=rate[f"ours {p}"], peer=rate[f"peer {p}"],
            peer_name="bare torch loop", goal=0.8, better="higher", unit="images/s")
        for p in ("fp32", "bf16")
    ]  # fmt: skip


if __name__ == "__main__":
    main()
