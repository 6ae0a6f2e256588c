from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from collection.design.comparison import Comparison, Judged, Kept
from collection.design.protocol import RuleSet
from collection.design.rules import RaterJudgment
from collection.design.wording import judgment_words, percent, percents
from collection.management.common import StudyCommand, add_study_argument, study_named
from collection.selectors.comparison import study_rules_compare
from collection.selectors.rules import rules_in_force
from collection.services.studies import StudyError
from collection.services.verdicts import rules_use

SHOWN = 20
"""So many raters are printed; --json has all."""


class Command(StudyCommand):
    help = (
        "Judge a study's raters by other rules beside those in force: how many raters and judgments each keeps, "
        "and which raters they disagree on. Nothing is stored, unless --use puts the other rules in force."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        parser.add_argument(
            "--set",
            action="append",
            required=True,
            metavar="NAME=VALUE",
            help="one threshold of the other rules, such as min_consistency=0.8; may be given many times, the "
            "rest is as in the rules in force",
        )
        parser.add_argument(
            "--use", action="store_true", help="put the other rules in force; verdicts by the old ones stay"
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        ours = rules_in_force(study)
        try:
            other = ours.with_settings(options["set"])
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        found = study_rules_compare(study, ours, other)
        if found.other_excludes_everybody:
            self.stderr.write(
                f"Warning: the other rules leave out all {found.other.n_raters} raters; nothing could be trained on a dataset"
            )
        if options["use"]:
            try:
                rules_use(study, other)
            except StudyError as error:
                raise CommandError(str(error), returncode=2) from error
        result = {"study": study.slug, "simulated": study.is_simulated, **_found(ours, other, found)}
        result["in_force"] = other.name if options["use"] else ours.name
        self.tell("\n".join(_lines(ours, other, found, used=options["use"])), result, options)


def _found(ours: RuleSet, other: RuleSet, found: Comparison) -> dict[str, Any]:
    return {
        "ours": _kept(ours, found.ours),
        "other": _kept(other, found.other),
        "excludes_everybody": found.other_excludes_everybody,
        "apart": [
            {"rater": name, "ours": _judgment(first), "other": _judgment(second)}
            for name, first, second in found.apart
        ],
    }


def _kept(rules: RuleSet, kept: Kept) -> dict[str, Any]:
    return {
        "rule_set": rules.name,
        "rules": rules.to_json(),
        "raters": kept.raters,
        "of_raters": kept.n_raters,
        "interval": list(kept.interval),
        "judgments": kept.judgments,
        "of_judgments": kept.n_judgments,
        "should_be_paid": kept.paid,
        "reasons": dict(kept.reasons),
    }


def _judgment(found: RaterJudgment) -> dict[str, Any]:
    return {
        "may_be_used": found.may_be_used,
        "should_be_paid": found.should_be_paid,
        "reasons": {name: found.evidence[name] for name in found.reasons},
        "unpaid": found.evidence["pay"]["reasons"],
    }


def _lines(ours: RuleSet, other: RuleSet, found: Comparison, *, used: bool) -> list[str]:
    more = len(found.apart) - SHOWN
    return [
        *(
            f"{title:9} {rules.name}: {_shares(kept)}"
            for title, rules, kept in (("in force", ours, found.ours), ("other", other, found.other))
        ),
        f"{found.only_ours} raters are used by the rules in force alone, {found.only_other} by the other alone",
        *(_line(judged) for judged in found.apart[:SHOWN]),
        *([f"and {more} more; --json has all"] if more > 0 else []),
        *([f"{other.name} is in force now; verdicts by {ours.name} stay"] if used else []),
    ]


def _shares(kept: Kept) -> str:
    share = percent(kept.raters / kept.n_raters) if kept.n_raters else "–"
    return (
        f"{kept.raters} of {kept.n_raters} raters ({share}, 95 % interval {percents(kept.interval)}), "
        f"{kept.judgments} of {kept.n_judgments} judgments, {kept.paid} to be paid"
    )


def _line(judged: Judged) -> str:
    name, first, second = judged
    return f"  {name[:8]}  {judgment_words(first)}  →  {judgment_words(second)}"
