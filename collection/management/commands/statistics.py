from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from collection.design.choice_table import ChoiceTableError, read_choices
from collection.design.scales import LINKS
from collection.design.statistics import MAX_DRAWS, MIN_DRAWS, Found, Settings, study_statistics
from collection.management.common import StudyCommand, study_named
from collection.models import Study
from collection.services.statistics import statistics_compute
from collection.services.studies import StudyError
from variants.progress import Report, terminal

SHOWN = 12
"""So many items of a scale are printed; --json has all."""


class Command(StudyCommand):
    help = (
        "What the valid answers of a study say: agreement between raters, the ceiling for learners, one taste "
        "or many, outliers, and scales of recipes and of each scene's renditions. Or what a table of choices from "
        "elsewhere says (--choices FILE), of which no images are needed. See docs/statistics.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "study", metavar="STUDY", nargs="?", help="a study's slug, public ID or exact name"
        )
        parser.add_argument(
            "--choices",
            metavar="FILE",
            type=Path,
            help="instead of a study: a CSV with the columns of pwcmp or of Pick-a-Pic (with or without has_label), or rater, a, b, choice, scene",
        )
        parser.add_argument(
            "--model", choices=list(LINKS), default="thurstone", help="of the scales (default: in JOD)"
        )
        parser.add_argument(
            "--prior-sd", type=_above_zero, metavar="SD", help="normal prior on utilities (default: none)"
        )
        parser.add_argument("--resamples", type=_count, default=1000, help="for intervals (default 1000)")
        parser.add_argument(
            "--permutations", type=_count, default=199, help="for the test of one taste (default 199)"
        )
        parser.add_argument("--seed", type=int, default=0)
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["study"] is None) == (options["choices"] is None):
            raise CommandError("say either a STUDY or --choices FILE", returncode=2)
        settings = Settings(
            **{name: options[name] for name in ("model", "prior_sd", "resamples", "permutations", "seed")}
        )
        with terminal(quiet=options["quiet"]) as report:
            if options["choices"]:
                result, first = _of_table(options["choices"], settings, report)
            else:
                result, first = _of_study(study_named(options["study"]), settings, report)
        self.tell("\n".join([first, *_lines(result)]), result, options)


def _of_study(study: Study, settings: Settings, report: Report) -> tuple[Found, str]:
    """The statistics and the line above them."""
    try:
        used, found = statistics_compute(study, settings, report)
    except StudyError as error:
        raise CommandError(str(error)) from error
    result = {"study": study.slug, "simulated": study.is_simulated, "rule_set": used["rule_set"], **found}
    simulated = " All raters are simulated: this says nothing about people." if study.is_simulated else ""
    return result, (
        f"{study.slug}: {found['answers']} answers of {found['raters']} raters that may be used, of "
        f"{used['raters_judged']} judged.{simulated}"
    )


def _of_table(path: Path, settings: Settings, report: Report) -> tuple[Found, str]:
    """As `_of_study`; all answers count, since a table holds no checks and no verdicts."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = read_choices(file)
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8; save it with that encoding", returncode=2) from error
    except (OSError, ChoiceTableError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CommandError(f"{path}: {why}", returncode=2) from error
    found = study_statistics(table.choices, table.choices, [], settings, report)
    result = {"choices": path.name, "kind": table.kind, "without_answer": table.without_answer, **found}
    left_out = f"; {table.without_answer} rows without an answer are left out" if table.without_answer else ""
    return result, (
        f"{path.name} ({table.kind}): {found['answers']} answers of {found['raters']} raters on {found['scenes']} "
        f"scenes{left_out}. Nobody is judged: a table holds no checks."
    )


def _lines(result: Found) -> list[str]:
    by_scene = result["by_scene"]
    n_without = sum(bool(scene["without_scale"]) for scene in by_scene)
    items = "Items" if "choices" in result else "Recipes"
    return [
        _agreement(result["agreement"]),
        _ceiling(result["ceiling"]),
        _one_taste(result["one_taste"]),
        _outliers(result["outliers"]),
        *_recipes(result["recipes"], items, result["settings"]["model"]),
        f"Scenes: {len(by_scene) - n_without} with a scale of all renditions asked about, {n_without} with items that "
        "have none (--json has each)",
    ]


def _agreement(found: Found) -> str:
    if found["share"] is None:
        return "Agreement: not known, since no pair has answers of two raters"
    alpha = "not defined, since all say the same" if found["alpha"] is None else f"{found['alpha']:.3f}"
    return (
        f"Agreement on {found['n_pairs']} pairs: Krippendorff's alpha {alpha}{_interval(found['alpha_interval'])}; "
        f"two answers are the same in {found['share']:.1%}{_interval(found['share_interval'])}"
    )


def _ceiling(found: Found) -> str:
    if "missing" in found:
        return f"Ceiling for learners: {found['missing']}"
    return (
        f"Ceiling for learners: {found['low']:.1%} to {found['high']:.1%} of single answers; raters agree with "
        f"themselves in {found['consistency']:.1%}{_interval(found['consistency_interval'])} of {found['n_checks']} checks"
    )


def _one_taste(found: Found) -> str:
    if "missing" in found:
        return f"One taste or many: {found['missing']}"
    return (
        f"One taste or many: p = {found['p']:.3f} that one taste and noise give as much difference "
        f"({found['permutations']} permutations)"
    )


def _outliers(found: Found) -> str:
    if "missing" in found:
        return f"Raters unlike all others: {found['missing']}"
    return f"Raters unlike all others (score above 1.5): {', '.join(found['above_1.5']) or 'none'}"


def _recipes(found: Found, items: str, model: str) -> list[str]:
    unit = "JOD" if model == "thurstone" else "log odds"
    lines = []
    for scale in found["scales"]:
        fit = scale["fit"]
        p = "" if fit["p"] is None else f", p = {fit['p']:.3f}"
        lines.append(
            f"{items}, {unit} ({scale['answers']} answers; goodness of fit χ² {fit['chi2']:.1f} on {fit['df']} df{p}):"
        )
        lines += [
            f"  {item['utility']:+.2f}{_interval(item['interval'])} {_ranks(item['ranks'])} {item['item']}"
            for item in scale["items"][:SHOWN]
        ]
        if len(scale["items"]) > SHOWN:
            lines.append(f"  and {len(scale['items']) - SHOWN} more (--json has all)")
    lines += [
        f"Without a scale: {len(component['items'])} {items.lower()}, because {component['why']}"
        for component in found["without_scale"]
    ]
    return lines


def _interval(ends: list[float] | None) -> str:
    return " [no interval]" if ends is None else f" [{ends[0]:.3f}, {ends[1]:.3f}]"


def _ranks(ranks: list[int] | None) -> str:
    if ranks is None:
        return "rank not known"
    return f"rank {ranks[0]}" if ranks[0] == ranks[1] else f"rank {ranks[0]} to {ranks[1]}"


def _count(text: str) -> int:
    number = int(text)
    if not MIN_DRAWS <= number <= MAX_DRAWS:
        raise ArgumentTypeError(f"{text} is not a number from {MIN_DRAWS} to {MAX_DRAWS}")
    return number


def _above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text} is not a number above 0")
    return number
