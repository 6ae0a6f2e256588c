"""All statistics of a study's answers in one report, as data that is JSON.

What cannot be computed stands there as {"missing": why}; no figure is made up for it. Docs: docs/statistics.md.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from collection.design.agreement import agreement_between_raters, measure_agreement
from collection.design.ceiling import raters_ceiling
from collection.design.choices import Choices, NotComputable
from collection.design.heterogeneity import one_taste_test
from collection.design.observers import score_outliers
from collection.design.scales import Component, Model, Scale, fit_scales, scale_intervals
from variants.progress import Report, silent

Found = dict[str, Any]
MIN_DRAWS, MAX_DRAWS = 19, 10_000
"""Resamples and permutations: with 19 the smallest p is 0.05, and the most take minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    model: Model = "thurstone"
    prior_sd: float | None = None
    """Of the scales; None for maximum likelihood."""
    resamples: int = 1000
    permutations: int = 199
    seed: int = 0


def study_statistics(
    by_rendition: Choices,
    by_recipe: Choices,
    checks: Sequence[tuple[int, int]],
    settings: Settings,
    report: Report = silent,
) -> Found:
    """Everything that the valid answers of a study say.

    Args:
        by_rendition: answers whose items are renditions, each of one scene.
        by_recipe: the same answers with recipes for items, which come back over the scenes.
        checks: of each rater, how many checks agree with the first answer, and how many were answered.
        settings: of the scales, and how much is drawn again.
        report: told of each resample, permutation and scene.
    """
    seed = settings.seed
    return {
        "answers": len(by_rendition),
        "ties": by_rendition.n_ties,
        "raters": len(by_rendition.raters),
        "scenes": len(by_rendition.scenes),
        "settings": dataclasses.asdict(settings),
        "agreement": _agreement(by_rendition, settings, report),
        "ceiling": _or_missing(lambda: _ceiling(checks, seed)),
        "one_taste": _or_missing(
            lambda: dataclasses.asdict(
                one_taste_test(by_recipe, seed=seed, permutations=settings.permutations, report=report)
            )
        ),
        "outliers": _or_missing(lambda: _outliers(by_rendition)),
        "recipes": _scales(by_recipe, settings),
        "by_scene": list(_by_scene(by_rendition, settings, report)),
    }


def _by_scene(choices: Choices, settings: Settings, report: Report) -> Iterator[Found]:
    for done, (scene, answers) in enumerate(choices.by_scene(), start=1):
        yield {"scene": scene, **_scales(answers, settings)}
        report(done, len(choices.scenes), "scales of scenes")


def _agreement(choices: Choices, settings: Settings, report: Report) -> Found:
    found = measure_agreement(choices, seed=settings.seed, resamples=settings.resamples, report=report)
    between = agreement_between_raters(choices)
    with_others = zip(between.raters, between.with_others.tolist(), strict=True)
    of_raters = {rater: None if math.isnan(share) else round(share, 4) for rater, share in with_others}
    return {**dataclasses.asdict(found), "with_others": of_raters}


def _ceiling(checks: Sequence[tuple[int, int]], seed: int) -> Found:
    agreed, answered = [k for k, _ in checks], [n for _, n in checks]
    return dataclasses.asdict(raters_ceiling(agreed, answered, seed=seed))


def _outliers(choices: Choices) -> Found:
    found = score_outliers(choices)
    known = zip(found.raters, found.score.tolist(), strict=True)
    scores = {rater: round(score, 3) for rater, score in known if score > 0}
    return {"above_1.5": list(found.outliers), "scores": scores}


def _scales(choices: Choices, settings: Settings) -> Found:
    found = fit_scales(choices, model=settings.model, prior_sd=settings.prior_sd)
    return {
        "scales": [_scale(choices.among(scale.items), scale, settings) for scale in found.scales],
        "without_scale": [_component(component, settings.prior_sd) for component in found.unscaled],
    }


def _scale(choices: Choices, scale: Scale, settings: Settings) -> Found:
    """The items from best to worst. Without intervals the ranks are not known either."""
    intervals = scale_intervals(choices, scale, seed=settings.seed, resamples=settings.resamples)
    items = []
    for k in (-scale.utility).argsort(kind="stable").tolist():
        item: Found = {
            "item": scale.items[k],
            "utility": float(scale.utility[k]),
            "interval": None,
            "ranks": None,
        }
        if intervals:
            item["interval"] = [float(intervals.low[k]), float(intervals.high[k])]
            item["ranks"] = [int(intervals.rank_low[k]), int(intervals.rank_high[k])]
        items.append(item)
    return {
        "items": items,
        "answers": scale.n_answers,
        "ties": scale.n_ties,
        "raters": scale.n_raters,
        "fit": dataclasses.asdict(scale.fit),
        "unscaled_resamples": intervals.unscaled if intervals else None,
    }


def _component(component: Component, prior_sd: float | None) -> Found:
    return {"items": list(component.items), "why": component.why_no_scale(prior_sd)}


def _or_missing(compute: Callable[[], Found]) -> Found:
    try:
        return compute()
    except NotComputable as error:
        return {"missing": str(error)}
