"""Liked photos as a dataset folder: `python -m learning.favourites`. No database, no Django."""

import sys
from collections.abc import Callable
from pathlib import Path

from learning import cli
from learning.data.favourites import read_favourites, write_favourites
from learning.systems.interface import Pixels
from variants.progress import Report, terminal
from variants.sources.packaged import PHOTOS
from variants.tone.images import fit_long_side, read_photo

EXAMPLE = """\
DIR is a folder of photos that one person likes, or has one folder for each person.

Style is read as the difference between a photo that somebody likes and its original. Where only
the liked photos are there, a degrading model makes pseudo originals: it is trained backwards, from
the results of 25 rules of retouching to the photos they were applied to. That takes about a minute;
--degrader takes the model of a trained run of msm instead.

example
  python -m learning.favourites photos-we-like --out liked
  python -m learning.train --dataset liked --system msm --preset tiny --out runs/msm
"""
ORIGINAL_SIDE = 512
"""Long side at which originals are read, in pixels."""


def main(arguments: cli.Arguments = None) -> int:
    parser = cli.parser(
        "favourites", "Make a dataset folder of photos that people like, for msm and pienet.", EXAMPLE
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="liked photos, or one folder per person")
    parser.add_argument("--out", required=True, type=Path, metavar="DATASET", help="dataset folder to make")
    parser.add_argument(
        "--originals",
        type=Path,
        metavar="DIR",
        help="photos retouched by nobody that the degrading model is trained on; by default those that "
        "scikit-image and scikit-learn carry",
    )
    parser.add_argument("--degrader", type=Path, metavar="RUN", help="run folder of a trained msm")
    parser.add_argument(
        "--long-side", type=cli.positive, default=1024, metavar="N", help="of the images (1024)"
    )
    parser.add_argument("--steps", type=cli.positive, metavar="N", help="of training the degrading model")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (0)")
    options = parser.parse_args(arguments)

    def work() -> cli.Result:
        if options.degrader and (options.originals or options.steps):
            raise ValueError("--degrader is trained already; leave --originals and --steps out")
        people = read_favourites(options.folder)
        if options.out.exists():
            raise ValueError(f"{options.out} is already there; a dataset folder is never overwritten")
        with terminal(quiet=options.quiet) as report:
            make, how = (
                _of_run(options.degrader)
                if options.degrader
                else _trained(options.originals, options.steps, options.seed, report)
            )
            total, skipped = write_favourites(
                people, options.out, make, long_side=options.long_side, how=how, report=report
            )
        said = [f"passed over: {reason}" for reason in skipped]
        count = f", {len(skipped)} passed over" if skipped else ""
        return "\n".join([*said, f"{total} photos of {len(people)} people{count}: {options.out}"]), {
            "dataset": str(options.out),
            "people": len(people),
            "photos": total,
            "skipped": skipped,
        }

    return cli.finish(work, as_json=options.json)


def _of_run(run_folder: Path) -> tuple[Callable[[Pixels], Pixels], str]:
    from learning.systems import msm

    return msm.load(run_folder).pseudo_original, "Here it is the degrading model of a run of msm."


def _trained(
    folder: Path | None, steps: int | None, seed: int, report: Report
) -> tuple[Callable[[Pixels], Pixels], str]:
    import dataclasses

    from learning.systems.style_parts.degrading import DegraderConfig, fit_degrader

    paths = (
        [path for person in read_favourites(folder) for path in person.photos]
        if folder
        else [photo.path for photo in PHOTOS]
    )
    config = DegraderConfig(seed=seed)
    if steps:
        config = dataclasses.replace(config, loop=dataclasses.replace(config.loop, steps=steps))
    originals = [fit_long_side(read_photo(path).pixels, ORIGINAL_SIDE) for path in paths]
    model = fit_degrader(originals, config, report)
    return (
        model.pseudo_original,
        f"Here it was trained on {len(originals)} photos with 25 rules of retouching, "
        f"{config.loop.steps} steps, seed {seed}.",
    )


if __name__ == "__main__":
    sys.exit(main())
