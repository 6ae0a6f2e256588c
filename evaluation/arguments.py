"""Options that `python -m evaluation.report` and `manage.py report` have in common."""

from argparse import ArgumentParser

from evaluation.protocol import EvaluationProtocol

PROTOCOL_OPTIONS = {
    "references": "judgments of each rater that the learner reads",
    "evaluations": "judgments of each rater that it is measured on, at most",
    "edit-size": "long side of the images that are edited, in pixels",
    "metric-size": "long side at which outputs are measured, in pixels",
    "seed": "decides which judgments are references, and the intervals' resamples",
}


def add_protocol_arguments(parser: ArgumentParser) -> None:
    """One whole number for each field of EvaluationProtocol, with its default."""
    numbers = EvaluationProtocol()
    for name, meaning in PROTOCOL_OPTIONS.items():
        default = getattr(numbers, name.replace("-", "_"))
        parser.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=f"{meaning} (default {default})"
        )
