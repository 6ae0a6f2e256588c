"""Train and evaluate a system with less: `python -m evaluation.ablation`. No database, no Django."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from evaluation.ablation.curves import draw_curves
from evaluation.ablation.page import write_page
from evaluation.ablation.run import AS_IT_IS, Ablation, ablate
from evaluation.protocol import EvaluationProtocol
from learning.backbones import WeightsMissing
from learning.cli import system_words
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.systems import SYSTEMS
from learning.systems.shared import best_device
from learning.training.loop import TrainingError
from learning.training.overrides import parse_switch
from learning.training.run_folder import RunError
from variants.progress import terminal

DONE, FAILED, BAD_INPUT = 0, 1, 2
EXAMPLE = """\
example
  python -m evaluation.ablation --dataset my-study --system upe --preset tiny --out ablation \\
      --raters 50,100,200,471 --references 4,8,16,32 --set gate=false --set reader.log_length=false

Each --set is a part of its own, held against the preset as it is; several settings that belong together are
joined by commas. The folder gets ablation.json, curves as PNG and SVG, index.html, and the runs. Stop with
Ctrl-C at any time: finished cells are kept, and the same command goes on.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        dataset = PreferenceDataset.load(options.dataset)
        raters = options.raters or (len(dataset.training_raters()),)
        ablation = Ablation(
            system=options.system,
            preset=options.preset,
            raters=raters,
            references=options.references,
            switches={AS_IT_IS: {}} | {text: parse_switch(text) for text in options.set},
            protocol=EvaluationProtocol(
                references=max(options.references),
                evaluations=options.evaluations,
                edit_size=options.edit_size,
                metric_size=options.metric_size,
                seed=options.seed,
            ),
            steps=options.steps,
            backbone=options.backbone,
            seed=options.seed,
        )
        with terminal(quiet=options.quiet) as report:
            data = ablate(
                dataset, ablation, options.out, report, _teller(options.quiet), device=str(best_device())
            )
        write_page(data, draw_curves(data, options.out), options.out)
    except (DatasetError, RunError, WeightsMissing, ValueError) as error:
        return _failed(error, BAD_INPUT)
    except OSError as error:
        return _failed(system_words(error), FAILED)
    except (TrainingError, torch.OutOfMemoryError) as error:
        return _failed(error, FAILED)
    except KeyboardInterrupt:
        return _failed("stopped; finished cells are kept, and the same command goes on from here", FAILED)
    print(options.out / "index.html")
    if options.json:
        print(json.dumps({"ablation": str(options.out / "ablation.json"), "cells": len(data["cells"])}))
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.ablation",
        description="Say what raters, references and parts are worth: train and evaluate a system with less.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dataset", required=True, type=Path, metavar="DIR", help="the dataset folder")
    parser.add_argument("--system", required=True, choices=list(SYSTEMS), help="what learns")
    parser.add_argument("--preset", required=True, help="its size: tiny, paper, full")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where everything goes")
    parser.add_argument("--raters", type=_numbers, metavar="N,N", help="training raters (default: all)")
    parser.add_argument(
        "--references",
        type=_numbers,
        default=(16,),
        metavar="N,N",
        help="references that the finished system reads of each new rater (default 16)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a part to switch, by dotted names of config.json's settings; may be repeated",
    )
    protocol: Any = EvaluationProtocol()
    for name in ("evaluations", "edit_size", "metric_size", "seed"):
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, default=getattr(protocol, name), metavar="N"
        )
    parser.add_argument("--steps", type=int, metavar="N", help="of training, instead of the preset's")
    parser.add_argument("--backbone", metavar="NAME[=PATH]", help="instead of the preset's")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    """An argparse type: whole numbers from 1, with commas."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not whole numbers from 1 with commas, such as 4,8,16")
    return numbers


def _teller(quiet: bool) -> Any:
    return (lambda line: None) if quiet else (lambda line: print(line, file=sys.stderr, flush=True))


def _failed(error: object, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
