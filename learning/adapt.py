"""Read a rater from their answers and keep the profile: `python -m learning.adapt`."""

import sys
from pathlib import Path

from learning import cli
from learning.data.dataset import PreferenceDataset
from learning.systems.load import load_run
from learning.training.run_folder import write_profile

EXAMPLE = """\
example
  python -m learning.adapt --run runs/first --dataset my-study --rater 4f0c2a...

The profile is kept as RUN/raters/ID.safetensors; learning.render finds it there.
The rater need not have been in training: nothing is trained here.
"""


def main(arguments: cli.Arguments = None) -> int:
    parser = cli.parser("adapt", "Read a rater from their answers and keep the profile in the run.", EXAMPLE)
    parser.add_argument("--run", required=True, type=Path, metavar="RUN", help="run folder of a training")
    parser.add_argument("--dataset", required=True, type=Path, metavar="DIR", help="folder with the answers")
    parser.add_argument("--rater", required=True, metavar="ID", help="rater_id in raters.parquet")
    parser.add_argument(
        "--references", type=cli.positive, default=16, metavar="N", help="read the first N answers (16)"
    )
    options = parser.parse_args(arguments)

    def work() -> cli.Result:
        system = load_run(options.run)
        dataset = PreferenceDataset.load(options.dataset)
        profile, n = cli.read_rater(system, dataset, options.rater, n=options.references, quiet=options.quiet)
        path = write_profile(options.run, options.rater, profile, system=system.name)
        return f"read from {n} answers: {path}", {
            "profile": str(path),
            "rater": options.rater,
            "references": n,
        }

    return cli.finish(work, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
