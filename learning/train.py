"""Train a learner on a dataset folder: `python -m learning.train`. No database, no Django."""

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

from learning import cli
from learning.backbones import WeightsMissing
from learning.data.dataset import PreferenceDataset
from learning.data.feature_cache import CACHE
from learning.systems import PRESETS, SYSTEMS, make_config, system_module
from learning.training.loop import PRECISIONS
from learning.training.overrides import parse_switch, with_settings
from learning.training.processes import is_main
from learning.training.run_folder import RunError, is_finished, other_setting
from learning.training.settings import to_json
from learning.weights import weights_missing
from variants.progress import terminal

EXAMPLE = """\
presets
  tiny    small enough for a CPU: about a minute for 48 raters
  paper   as published; wants a GPU and the weights of its backbone
  full    the second published configuration, where there is one
  plus    upe alone: the paper's size, changed so that the rater cannot be ignored (our own variant)

example
  python -m learning.train --dataset my-study --system upe --preset tiny --out runs/first
  accelerate launch --num_processes 4 -m learning.train --dataset my-study --system upe --preset paper \
      --precision bf16 --workers 4 --out runs/paper

The run folder gets config.json, weights.safetensors, curves.parquet, log.txt and README.md.
Stop with Ctrl-C at any time: the same command with --resume goes on where it was.
"""


def main(arguments: cli.Arguments = None) -> int:
    parser = cli.parser("train", "Train a learner of personal taste on a dataset folder.", EXAMPLE)
    parser.add_argument("--dataset", required=True, type=Path, metavar="DIR", help="folder made by an export")
    parser.add_argument("--system", required=True, choices=list(SYSTEMS), help="what learns")
    parser.add_argument("--preset", required=True, help=f"its size: {', '.join(_all_presets())}")
    parser.add_argument("--out", required=True, type=Path, metavar="RUN", help="run folder to make")
    parser.add_argument(
        "--backbone",
        metavar="NAME[=PATH]",
        help="image features instead of the preset's: tone_statistics, dinov2_small, dinov2_base, ... "
        "(_reg: with registers); =PATH for a local folder of weights",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the preset said otherwise, such as reader.layers=1; config.json of a run lists them all",
    )
    parser.add_argument("--steps", type=cli.positive, metavar="N", help="instead of the preset's")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (0)")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of the arithmetic; bf16 pays on GPUs and on CPUs that have it",
    )
    parser.add_argument(
        "--accumulate", type=cli.positive, metavar="N", help="batches whose mean gradient makes one step"
    )
    parser.add_argument(
        "--ema", type=float, metavar="DECAY", help="keep the moving average of the weights, such as 0.999"
    )
    parser.add_argument("--workers", type=cli.count, metavar="N", help="processes that draw data ahead")
    parser.add_argument("--tensorboard", action="store_true", help="write event files beside curves.parquet")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help=f"for features of images (${CACHE}, else ~/.cache/tonalist)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in RUN")
    options = parser.parse_args(arguments)

    def work() -> cli.Result:
        config = _config(options)
        was_finished = options.resume and is_finished(options.out)
        if not was_finished:
            _require_weights(getattr(config, "backbone", None) or "")
        dataset = PreferenceDataset.load(options.dataset)
        if was_finished:
            _require_same(options.out, options.system, config)
        with terminal(quiet=options.quiet or not is_main()) as report:
            system_module(options.system).fit(dataset, config, options.out, report, resume=options.resume)
        simulated = " (SIMULATED raters)" if dataset.is_simulated else ""
        done = "nothing to do, it was trained already" if was_finished else "trained"
        return f"{done}{simulated}: {options.out}", {
            "run": str(options.out),
            "system": options.system,
            "preset": options.preset,
            "backbone": getattr(config, "backbone", None),
            "simulated": dataset.is_simulated,
            "was_finished": was_finished,
        }

    if options.cache:
        os.environ[CACHE] = str(options.cache)  # workers are told too
    return cli.finish(
        work,
        as_json=options.json,
        quiet=not is_main(),
        stopped="what is whole stays, and training goes on from there with --resume",
    )


def _all_presets() -> list[str]:
    return list(dict.fromkeys(name for names in PRESETS.values() for name in names))


def _config(options: argparse.Namespace) -> Any:
    """The preset's, with what the command says instead."""
    config = make_config(
        options.system, options.preset, backbone=options.backbone, steps=options.steps, seed=options.seed
    )
    for text in options.set:
        config = with_settings(config, parse_switch(text))
    names = ("precision", "accumulate", "ema", "workers")
    instead = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.tensorboard:
        instead["tensorboard"] = True
    return (
        dataclasses.replace(config, loop=dataclasses.replace(config.loop, **instead)) if instead else config
    )


def _require_weights(backbone: str) -> None:
    """Known at once; reading the data, and the library that loads the network, take up to a minute."""
    if backbone and "=" not in backbone and (missing := weights_missing(backbone)):
        raise WeightsMissing(f"{missing}; or name what you have with --backbone {backbone}=PATH")


def _require_same(folder: Path, system: str, config: Any) -> None:
    """A finished run has come to the end of its schedule: with other settings it would be another run."""
    wanted = {"system": system, "settings": to_json(config)}
    if other := other_setting(folder, wanted):
        raise RunError(
            f"{folder} is finished and cannot be trained on: it was trained with another {other}. "
            "Train with these settings into another --out"
        )


if __name__ == "__main__":
    sys.exit(main())
