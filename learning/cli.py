"""What the learning commands have in common: exit codes, errors on one line, results as JSON."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from learning.backbones import WeightsMissing
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.systems.interface import Profile, System
from learning.tastes import references_of
from learning.training.loop import TrainingError
from learning.training.processes import LaunchError
from learning.training.run_folder import RunError
from variants.progress import terminal
from variants.tone.images import ImageError

DONE, FAILED, BAD_INPUT = 0, 1, 2
Arguments = Sequence[str] | None
Result = tuple[str, Mapping[str, Any]]
"""A sentence for people, and the same for programs."""


def parser(command: str, does: str, epilog: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m learning.{command}",
        description=does,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--quiet", action="store_true", help="no progress bars")
    made.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return made


def finish(
    work: Callable[[], Result],
    *,
    as_json: bool,
    quiet: bool = False,
    stopped: str = "nothing of it is kept",
) -> int:
    """Do the work, print its result unless quiet, and turn what can go wrong into a line and an exit code.

    Args:
        work: what is done; a KeyboardInterrupt of its own with words says what is kept.
        as_json: print the result for programs.
        quiet: print nothing but errors.
        stopped: what is kept when it is stopped, and how it goes on.
    """
    try:
        sentence, result = work()
    except (DatasetError, RunError, WeightsMissing, ImageError, ValueError) as error:
        return _failed(error, BAD_INPUT)
    except OSError as error:
        return _failed(system_words(error), FAILED)
    except (TrainingError, LaunchError) as error:
        return _failed(error, FAILED)
    except KeyboardInterrupt as stop:
        return _failed(f"stopped; {str(stop) or stopped}", FAILED)
    if not quiet:
        sys.stdout.write((json.dumps(result) if as_json else sentence) + "\n")
    return DONE


def system_words(error: OSError) -> str:
    """What the system would not do, without its number: which file, and why."""
    if error.strerror is None:
        return str(error)
    where = f"{error.filename2 or error.filename}: " if error.filename else ""
    return f"{where}{error.strerror[:1].lower()}{error.strerror[1:]}"


def _failed(error: object, code: int) -> int:
    sys.stderr.write(f"error: {error}\n")
    return code


def read_rater(
    system: System, dataset: PreferenceDataset, rater_id: str, *, n: int, quiet: bool
) -> tuple[Profile, int]:
    """The profile of a rater, and from how many answers it was read."""
    with terminal(quiet=quiet) as report:
        report(0, 1, "reading the rater's answers")
        references = references_of(dataset, rater_id, n=n, long_side=system.reference_size)
        profile = system.adapt(references)
        report(1, 1, "reading the rater's answers")
    return profile, len(references)


def positive(text: str) -> int:
    """An argparse type: a whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return number


def count(text: str) -> int:
    """An argparse type: a whole number from 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0")
    return number
