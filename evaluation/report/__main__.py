"""Write a CQS report: `python -m evaluation.report`. No database, no Django."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from evaluation.arguments import add_protocol_arguments
from evaluation.protocol import EvaluationProtocol
from evaluation.report.build import report_build
from evaluation.report.gallery import PICTURES_OF_RATER
from learning.backbones import WeightsMissing
from learning.cli import system_words
from learning.data.dataset import DatasetError
from learning.training.loop import TrainingError
from learning.training.run_folder import RunError
from variants.progress import terminal

DONE, FAILED, BAD_INPUT = 0, 1, 2
EXAMPLE = """\
example
  python -m evaluation.report --run runs/first --dataset my-study --out reports/first

Several --run are evaluated side by side, on the same judgments. The folder gets report.html, one file
that needs no other, pages of pictures beside it, and report.json. Stop with Ctrl-C at any time: raters that
took long to adapt to are kept, and the same command goes on. LPIPS needs AlexNet's weights, fetched once with
`python -m learning.fetch lpips_alex`; without them the report says that it is missing.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        _check_out(options.out, force=options.force)
        protocol = EvaluationProtocol(
            references=options.references,
            evaluations=options.evaluations,
            edit_size=options.edit_size,
            metric_size=options.metric_size,
            seed=options.seed,
        )
        with terminal(quiet=options.quiet) as report:
            data = report_build(
                runs=_named(options.run),
                dataset_folder=options.dataset,
                out=options.out,
                protocol=protocol,
                report=report,
                device=options.device,
                pictures=options.pictures,
            )
    except (DatasetError, RunError, WeightsMissing, ValueError) as error:
        return _failed(error, BAD_INPUT)
    except OSError as error:
        return _failed(system_words(error), FAILED)
    except TrainingError as error:
        return _failed(error, FAILED)
    except KeyboardInterrupt:
        return _failed("stopped; there is no report yet, and the same command goes on from here", FAILED)
    except torch.OutOfMemoryError as error:
        return _failed(
            f"{error}; a smaller --edit-size or --metric-size, or --device cpu, takes less", FAILED
        )
    _tell(data, options.out, as_json=options.json)
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.report",
        description="Say whether trained learners read their raters: CQS beside its floors, controls and ceiling.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--run",
        required=True,
        action="append",
        type=Path,
        metavar="RUN",
        help="a run folder; may be repeated",
    )
    parser.add_argument("--dataset", required=True, type=Path, metavar="DIR", help="the dataset folder")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the report goes")
    parser.add_argument("--force", action="store_true", help="replace the report that stands there already")
    add_protocol_arguments(parser)
    parser.add_argument(
        "--device",
        type=_device,
        metavar="NAME",
        help="where outputs are measured: cpu, cuda, cuda:1, mps (default: the accelerator where there is one)",
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=PICTURES_OF_RATER,
        metavar="N",
        help=f"judgments of each rater on the pages of pictures (default {PICTURES_OF_RATER}; 0 for no pages)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser


def _device(text: str) -> str:
    """An argparse type: a device that this machine has."""
    try:
        torch.zeros(1, device=text)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be used here ({str(error).splitlines()[0]}); cpu always can"
        ) from error
    return text


def _check_out(out: Path, *, force: bool) -> None:
    """Before hours of work, and before an older report is lost."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; name a folder with --out")
    if (out / "report.json").exists() and not force:
        raise ValueError(f"{out} holds a report already; name another folder, or replace it with --force")


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    """Run folders by their own names, or by their paths where two are called the same."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError("the same --run is named twice")
    return dict(zip(names, folders, strict=True))


def _tell(data: dict[str, Any], out: Path, *, as_json: bool) -> None:
    print(data["verdict"])
    for missing in data["missing"]:
        print(f"{missing['metric']} is missing: {missing['why']}; {missing['fix']}")
    print(out / "report.html")
    if as_json:
        told = {name: data[name] for name in ("simulated", "verdict", "missing", "episodes")}
        print(json.dumps({"report": str(out / "report.json"), **told}, ensure_ascii=False))


def _failed(error: object, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
