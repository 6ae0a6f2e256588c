"""What tests start in two processes: a network of each, trained with data of each."""

import json
import os
import sys
from pathlib import Path

import torch
from torch import nn

from learning.systems.shared import best_device
from learning.training.loop import LoopConfig, train
from learning.training.run_folder import open_run
from variants.progress import silent


def main(folder: Path) -> None:
    """Trains into folder/run; each process tells what it saw in folder/seen-<rank>.json."""
    rank, seen = int(os.environ.get("RANK", 0)), []
    device = best_device()
    torch.manual_seed(rank)  # only the first one's weights count
    network = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1)).to(device)

    class Data:
        def __getitem__(self, number: int) -> torch.Tensor:
            seen.append(number)
            return torch.full((2, 3), float(number))

    run = folder / "run"
    settings: dict[str, object] = {"system": "test", "preset": "tiny", "backbone": None, "settings": {}}
    open_run(run, settings, resume=False)
    train(
        network,
        Data(),
        lambda progress, x: {"loss": network(x).square().mean()},
        LoopConfig(steps=6, learning_rate=0.01, log_every=2, ema=0.5),
        run,
        system="test",
        seed=5,
        report=silent,
        resume=False,
    )
    weights = {name: value.flatten().tolist() for name, value in network.state_dict().items()}
    told = {"seen": seen, "weights": weights, "device": str(device)}
    (folder / f"seen-{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
