"""Read raters from their answers and keep their profiles: `python -m learning.adapt`."""

import sys
from argparse import Namespace
from pathlib import Path

from learning import cli
from learning.data.dataset import PreferenceDataset
from learning.rater_profiles import has_profile, keep_profile, raters_to_read
from learning.systems.interface import System
from learning.systems.load import load_run
from variants.progress import Report, terminal

EXAMPLE = """\
example
  python -m learning.adapt --run runs/first --dataset my-study --rater 4f0c2a...
  python -m learning.adapt --run runs/first --dataset my-study --rater all

A profile is kept as RUN/raters/ID.safetensors; learning.render finds it there.
A rater need not have been in training. For most systems nothing is trained here;
user_decoder trains a head for the rater, its encoder stays as it is.

`all` are the dataset's valid raters. Those who have a profile are passed over, so a command that
was stopped goes on where it was; --again reads them anew. Those with fewer than N answers are named.
"""
ALL = "all"


def main(arguments: cli.Arguments = None) -> int:
    parser = cli.parser(
        "adapt", "Read raters from their answers and keep their profiles in the run.", EXAMPLE
    )
    parser.add_argument("--run", required=True, type=Path, metavar="RUN", help="run folder of a training")
    parser.add_argument("--dataset", required=True, type=Path, metavar="DIR", help="folder with the answers")
    parser.add_argument("--rater", required=True, metavar="ID", help="rater_id in raters.parquet, or all")
    parser.add_argument(
        "--references", type=cli.positive, default=16, metavar="N", help="read the first N answers (16)"
    )
    parser.add_argument("--again", action="store_true", help="with all: also those who have a profile")
    options = parser.parse_args(arguments)

    def work() -> cli.Result:
        system = load_run(options.run)
        dataset = PreferenceDataset.load(options.dataset)
        with terminal(quiet=options.quiet) as report:
            adapt = _adapt_all if options.rater == ALL else _adapt_one
            return adapt(system, dataset, options, report)

    return cli.finish(
        work,
        as_json=options.json,
        stopped="nothing was read yet; the same command begins again",
    )


def _adapt_one(system: System, dataset: PreferenceDataset, options: Namespace, report: Report) -> cli.Result:
    path, n = keep_profile(
        options.run, system, dataset, options.rater, references=options.references, report=report
    )
    fewer = f" (of the {options.references} asked for; they gave no more)" if n < options.references else ""
    return f"read from {n} answers{fewer}: {path}", {
        "profile": str(path),
        "rater": options.rater,
        "references": n,
    }


def _adapt_all(system: System, dataset: PreferenceDataset, options: Namespace, report: Report) -> cli.Result:
    raters = raters_to_read(dataset, references=options.references)
    waiting = [
        rater
        for rater in raters.ready
        if options.again or not has_profile(options.run, rater, system=system.name)
    ]
    for number, rater in enumerate(waiting):
        try:
            keep_profile(
                options.run,
                system,
                dataset,
                rater,
                references=options.references,
                report=_within(report, number, len(waiting)),
            )
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(_kept(number, len(waiting), options)) from stop
    had = len(raters.ready) - len(waiting)
    sentences = [
        f"read {len(waiting)} raters from {options.references} answers each: {options.run / 'raters'}"
    ]
    if had:
        sentences.append(f"{had} had a profile already")
    if raters.too_few:
        sentences.append(
            f"left out with fewer than {options.references} answers ({len(raters.too_few)}): "
            f"{', '.join(raters.too_few)}"
        )
    return "\n".join(sentences), {
        "read": waiting,
        "had_profile": had,
        "left_out": raters.too_few,
        "references": options.references,
    }


def _within(report: Report, number: int, n_raters: int) -> Report:
    """One bar for all raters, which moves with the steps of each; all take as many."""

    def told(done: int, total: int, _: str) -> None:
        report(
            number * total + done, n_raters * total, f"reading {n_raters} rater{'s' if n_raters > 1 else ''}"
        )

    return told


def _kept(done: int, n_raters: int, options: Namespace) -> str:
    then = (
        "--again begins with the first once more"
        if options.again
        else "the same command goes on with the others"
    )
    return f"{done} of {n_raters} raters were read and are kept in {options.run / 'raters'}; {then}"


if __name__ == "__main__":
    sys.exit(main())
