import math
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from collection.design.planner import (
    StudyPlan,
    contest_half_width,
    contest_power,
    pair_half_width,
    pair_power,
    raters_for_contest_half_width,
    raters_for_contest_power,
    raters_for_pair_half_width,
    raters_for_pair_power,
)
from collection.management.common import StudyCommand

NUMBERS = {
    "preference": "the part of answers for the better side that is to be seen",
    "valid_share": "part of the raters whose answers may be used",
    "rater_correlation": "between two answers of one rater in one contest; 0 if all have one taste",
    "session_minutes": "length of a session",
    "pay_per_hour": "in any currency",
    "panel_fee": "part of the pay that the panel takes on top",
    "fixed_cost": "once",
}
DEFAULTS = StudyPlan(raters=1)


class Command(StudyCommand):
    help = (
        "Plan a study: judgments per pair, widths of intervals, power and cost of so many raters, and how many "
        "raters a wanted width or power takes. Needs no study. See docs/statistics.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--raters", type=int, required=True, help="who finish; all of them are paid")
        parser.add_argument(
            "--questions", type=int, default=DEFAULTS.questions, help="main ones of each rater"
        )
        parser.add_argument(
            "--pairs", type=int, default=DEFAULTS.pairs, help="of renditions, asked equally often"
        )
        parser.add_argument(
            "--recipes", type=int, default=DEFAULTS.recipes, help="that meet each other equally often"
        )
        for name, text in NUMBERS.items():
            flag = "--" + name.replace("_", "-")
            parser.add_argument(
                flag, type=float, default=getattr(DEFAULTS, name), help=f"{text} (default %(default)s)"
            )
        parser.add_argument("--half-width", type=float, default=0.05, help="wanted (default 0.05)")
        parser.add_argument("--power", type=float, default=0.8, help="wanted (default 0.8)")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan = StudyPlan(
                **{name: options[name] for name in ("raters", "questions", "pairs", "recipes", *NUMBERS)}
            )
            result = _result(plan, options["half_width"], options["power"])
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        self.tell(_text(plan, result), result, options)


def _result(plan: StudyPlan, half_width: float, power: float) -> dict[str, Any]:
    return {
        "judgments": plan.judgments,
        "judgments_per_pair": plan.judgments_per_pair,
        "pair": {
            "half_width": pair_half_width(plan),
            "power": pair_power(plan),
            "raters_for_half_width": raters_for_pair_half_width(plan, half_width),
            "raters_for_power": raters_for_pair_power(plan, power),
        },
        "contest": {
            "contests": plan.contests,
            "independent_answers": plan.independent_per_contest,
            "half_width": contest_half_width(plan),
            "power": contest_power(plan),
            "raters_for_half_width": raters_for_contest_half_width(plan, half_width),
            "raters_for_power": raters_for_contest_power(plan, power),
        },
        "wanted": {"half_width": half_width, "power": power, "preference": plan.preference},
        "cost": plan.cost,
        "cost_of_rater": plan.cost_of_rater,
    }


def _text(plan: StudyPlan, result: dict[str, Any]) -> str:
    wanted = result["wanted"]
    lines = [
        f"{plan.raters} raters with {plan.questions} questions give {result['judgments']:,.0f} judgments that may be "
        f"used, {result['judgments_per_pair']:.1f} a pair. Cost {result['cost']:,.2f}, "
        f"{result['cost_of_rater']:.2f} a rater.",
    ]
    for level, name in (("pair", "One pair of renditions"), ("contest", "One recipe against another")):
        found = result[level]
        lines.append(
            f"{name}: ± {100 * found['half_width']:.1f} points; {plan.preference:.0%} is seen with a power of "
            f"{found['power']:.0%}. ± {100 * wanted['half_width']:g} points take {found['raters_for_half_width']:,} "
            f"raters ({_cost(plan, found['raters_for_half_width'])}), a power of {wanted['power']:.0%} "
            f"{found['raters_for_power']:,} ({_cost(plan, found['raters_for_power'])})."
        )
    return "\n".join(lines)


def _cost(plan: StudyPlan, raters: int) -> str:
    return f"{math.ceil(plan.fixed_cost + raters * plan.cost_of_rater):,}"
