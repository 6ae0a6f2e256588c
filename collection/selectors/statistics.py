"""A study's valid answers, as the statistics take them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Max

from collection.design.choices import Choices
from collection.models import Question, Study, Verdict
from variants.models import Rendition

CHOICES: dict[str, str] = {"left": "a", "right": "b", "tie": "tie"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidAnswers:
    n_judged: int
    """Raters with a verdict of the rule set; those whose answers may be used are the ones in the choices."""
    by_rendition: Choices
    by_recipe: Choices
    checks: list[tuple[int, int]]
    """Of each valid rater, the checks that agree, and those answered without a tie."""


def study_answers_now(study: Study) -> dict[str, Any]:
    """How many answers there are, and when the last one came: what tells whether a result is out of date."""
    asked = Question.objects.filter(session__study=study, session__rater__withdrawn_at=None)
    found = asked.exclude(kind=Question.Kind.PRACTICE).aggregate(
        answers=Count("answered_at"), last=Max("answered_at")
    )
    return {"answers": found["answers"], "last_answer": found["last"].isoformat() if found["last"] else None}


def study_valid_answers(study: Study, *, rule_set: str) -> ValidAnswers:
    """Main answers of the raters whose answers may be used by this rule set, in four queries."""
    verdicts = Verdict.objects.filter(rater__study=study, rater__withdrawn_at=None, rule_set=rule_set)
    valid = verdicts.filter(may_be_used=True).order_by("rater")
    rows = list(
        Question.objects.filter(session__study=study, kind=Question.Kind.MAIN, answered_at__isnull=False)
        .filter(session__rater__in=valid.values("rater"))
        .order_by("pk")
        .values_list("session__rater__public_id", "pair__scene__name", "left", "right", "chosen_side")
        .annotate(scene_key=F("pair__scene"))
    )
    names = _rendition_names({row[2] for row in rows} | {row[3] for row in rows})
    raters = [row[0] for row in rows]
    # Names of scenes need not differ.
    scenes = [f"{row[1]} ({row[5]})" for row in rows]
    chosen = [CHOICES[row[4]] for row in rows]

    def choices(kind: int) -> Choices:
        left, right = ([names[row[side]][kind] for row in rows] for side in (2, 3))
        return Choices.from_labels(raters, left, right, chosen, scenes)

    return ValidAnswers(
        n_judged=verdicts.count(),
        by_rendition=choices(0),
        by_recipe=choices(1),
        checks=list(valid.values_list("checks_agreed", "checks_answered")),
    )


def _rendition_names(keys: set[int]) -> dict[int, tuple[str, str]]:
    """Key → public ID, and recipe."""
    rows = Rendition.objects.filter(pk__in=keys).values_list("pk", "public_id", "recipe")
    return {key: (public_id, _recipe_name(recipe)) for key, public_id, recipe in rows}


def rendition_recipes(public_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Public ID → recipe, in a query for each 500; none for renditions that are gone."""
    wanted = sorted(public_ids)
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(wanted), 500):
        rows = Rendition.objects.filter(public_id__in=wanted[start : start + 500])
        found.update(rows.values_list("public_id", "recipe"))
    return found


def _recipe_name(recipe: dict[str, Any]) -> str:
    """The same over all scenes: who made a file, and any other recipe as it is."""
    file = recipe.get("file")
    return str(file["maker"]) if file else json.dumps(recipe, sort_keys=True)
