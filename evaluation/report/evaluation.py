"""Evaluates systems on a dataset: rows, gains, verdict, as the report's data.

The result is what `report.json` holds; the page is drawn from the same numbers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluation.metrics.cqs import FOUR, Distances, Floats, Score, per_rater, score
from evaluation.metrics.intervals import (
    Interval,
    alignment_interval,
    bootstrap_weights,
    cqs_difference_interval,
    cqs_interval,
    mean_interval,
)
from evaluation.metrics.metric import Metric, MetricMissing, load_metrics
from evaluation.protocol import SCENES, Episodes, EvaluationProtocol, Scenes, episodes_of, reading
from evaluation.report.contenders import CONTROLS, Contender, Learner, Untouched
from evaluation.report.costs import costs_of, machine, run_facts
from evaluation.report.measuring import Measurer, measure_contenders
from evaluation.report.oracle import Oracle, oracle_is_possible
from evaluation.report.prediction import oracle_prediction, predictions_of
from evaluation.report.profiles import ProfileStore
from evaluation.report.verdict import verdict_of, verdicts_of
from evaluation.report_tables import is_above_0
from learning.data.alignment import Alignment
from learning.data.dataset import Judgment, PreferenceDataset
from learning.systems.interface import System
from variants.progress import Report, silent


class NothingToEvaluate(ValueError):
    """No rater of the dataset can be evaluated; the message says why and what mends it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contender on one kind of scenes, measured by one metric."""

    contender: Contender
    scenes: str
    metric: Metric
    distances: Distances
    score: Score


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    data: dict[str, Any]
    """What report.json holds."""
    rows: list[Row]
    episodes: list[Episodes]
    learners: list[Learner]


def evaluate(
    dataset: PreferenceDataset,
    systems: Mapping[str, System],
    protocol: EvaluationProtocol,
    report: Report = silent,
    *,
    folders: Mapping[str, Path] | None = None,
    profiles: Path | None = None,
    device: str | torch.device = "cpu",
    reads: int | None = None,
    on: Sequence[Scenes] = SCENES,
) -> Evaluation:
    """Evaluate each system of `systems` (run name → system) beside the floors and the ceiling.

    Args:
        dataset: whose validation raters are asked.
        systems: by the names that the report gives them.
        protocol: who is judged on what, at which sizes.
        report: told of progress; may cancel.
        folders: run folders of the systems, where they have one: costs and facts of training come from there.
        profiles: folder for profiles that take long, so that a stopped report can go on.
        device: where outputs are measured; systems choose their own.
        reads: how many of the protocol's references a system reads, the first ones; all by default. Evaluations
            that differ in it alone are of the same raters and judgments.
        on: which kinds of scenes.

    Raises:
        NothingToEvaluate: no validation rater has judgments enough.
    """
    folders = folders or {}
    is_aligned = _aligned_by(dataset)
    kinds = [episodes_of(dataset, scenes, protocol, is_aligned) for scenes in on]
    if not any(kind.episodes for kind in kinds):
        raise NothingToEvaluate(_why_nothing(dataset, protocol, kinds))
    kinds = [kind for kind in kinds if kind.episodes]
    if reads is not None:
        kinds = [reading(kind, reads) for kind in kinds]
        protocol = replace(protocol, references=reads)
    metrics, missing = load_metrics()
    learners = [
        Learner(
            run=run,
            system=system,
            dataset=dataset,
            protocol=protocol,
            folder=folders.get(run),
            store=ProfileStore.of_run(profiles, folders[run], dataset, system.reference_size)
            if profiles and run in folders
            else None,
        )
        for run, system in systems.items()
    ]
    oracle = Oracle(dataset, protocol) if oracle_is_possible(dataset, kinds) else None
    untouched = Untouched(dataset, protocol.edit_size)
    contenders = [_contenders(episodes, untouched, learners, oracle) for episodes in kinds]
    for learner in learners:
        learner.adapt_all(report)
    rows: list[Row] = []
    predictions: list[dict[str, Any]] = []
    not_scored: dict[str, str] = {}
    measurer = Measurer(dataset, metrics, protocol, device)
    weights: dict[str, Floats] = {
        kind.scenes: bootstrap_weights(len(kind.episodes), seed=protocol.seed) for kind in kinds
    }
    for episodes, compared in zip(kinds, contenders, strict=True):
        measured = measure_contenders(measurer, compared, episodes, metrics, report)
        rows += [
            Row(contender=contender, scenes=episodes.scenes, metric=metric, distances=d, score=score(d))
            for contender, by_metric in zip(compared, measured, strict=True)
            for metric in metrics
            for d in [by_metric[metric.name]]
        ]
        for learner in learners:
            found, why = predictions_of(learner, compared, episodes, weights[episodes.scenes], report)
            predictions += found
            if why:
                not_scored[learner.run] = why
        if oracle:
            ceiling = oracle_prediction(compared[-1], episodes, weights[episodes.scenes])
            predictions += [ceiling] if ceiling else []
    data = _data(dataset, protocol, kinds, rows, missing, learners, oracle, weights)
    data["predictions"] = predictions
    data["not_scored"] = [{"run": run, "why": why} for run, why in not_scored.items()]
    data["costs"] = [costs_of(learner) for learner in learners]
    data["machine"] = machine(str(device))
    return Evaluation(data=data, rows=rows, episodes=kinds, learners=learners)


def _aligned_by(dataset: PreferenceDataset) -> Callable[[Judgment], bool]:
    """Whether the images of a judgment lie on each other: without it no metric of pixels means anything."""
    alignment = Alignment(dataset)
    position = {image: index for index, image in enumerate(dataset.image_ids)}

    def is_aligned(judgment: Judgment) -> bool:
        pair = ([position[judgment.preferred_image]], [position[judgment.rejected_image]])
        return bool(alignment(np.array(pair[0]), np.array(pair[1]))[0])

    return is_aligned


def _contenders(
    episodes: Episodes, untouched: Untouched, learners: Sequence[Learner], oracle: Oracle | None
) -> list[Contender]:
    nobody = tuple("" for _ in episodes.episodes)
    found = [Contender(name="identity", run=None, editor=untouched, profiles=nobody)]
    for learner in learners:
        found += learner.contenders(episodes)
    return [*found, oracle.contender(episodes)] if oracle else found


def _data(
    dataset: PreferenceDataset,
    protocol: EvaluationProtocol,
    kinds: Sequence[Episodes],
    rows: Sequence[Row],
    missing: Sequence[MetricMissing],
    learners: Sequence[Learner],
    oracle: Oracle | None,
    weights: Mapping[str, Floats],
) -> dict[str, Any]:
    gains = _gains(rows, weights)
    data: dict[str, Any] = {
        "simulated": dataset.is_simulated,
        "dataset": {"path_name": dataset.name, "sha256": dataset.sha256, "ties": dataset.judgments.n_ties},
        "protocol": asdict(protocol),
        "episodes": {kind.scenes: _counts(kind, protocol) for kind in kinds},
        "systems": [_system(learner) for learner in learners],
        "metrics": [_metric(metric) for metric in _metrics_of(rows)],
        "rows": [_row(row, weights[row.scenes]) for row in rows],
        "gains": gains,
        "per_rater": _per_rater(rows, kinds),
        "oracle": _oracle(oracle, rows) if oracle else None,
        "missing": [{"metric": m.name, "why": m.why, "fix": m.fix} for m in missing],
        "warnings": _warnings(dataset, rows, learners),
    }
    return data | {"verdict": verdict_of(data), "verdicts": verdicts_of(data)}


def _row(row: Row, weights: Floats) -> dict[str, Any]:
    d = row.distances
    return {
        "run": row.contender.run,
        "name": row.contender.name,
        "metric": row.metric.name,
        "scenes": row.scenes,
        **{name: _json(value) for name, value in asdict(row.score).items() if name != "warnings"},
        "cqs_interval": _json_interval(cqs_interval(d, weights)),
        **_rater_mean(d, weights),
        "alignment_interval": _json_interval(alignment_interval(d, weights)),
        "d_np_interval": _json_interval(mean_interval(d.d_np, d.rater, weights)),
        "d_pp_interval": _json_interval(mean_interval(d.d_pp, d.rater, weights)),
    }


def _rater_mean(distances: Distances, weights: Floats) -> dict[str, Any]:
    """The mean of the raters' own CQS; usually above the pooled one, since the formula comes before the mean."""
    own = np.array([found.cqs for found in per_rater(distances).values()])
    interval = mean_interval(own, np.arange(own.size), weights) if np.isfinite(own).all() else None
    return {"cqs_per_rater": _json(float(own.mean())), "cqs_per_rater_interval": _json_interval(interval)}


def _warnings(dataset: PreferenceDataset, rows: Sequence[Row], learners: Sequence[Learner]) -> list[str]:
    """What has to be known before the figures are believed."""
    found = {f"{row.contender.name}, {row.metric.title}: {w}" for row in rows for w in row.score.warnings}
    for learner in learners:
        trained_on = run_facts(learner.folder)["trained_on_sha256"]
        if trained_on not in (None, dataset.sha256):
            found.add(
                f"{learner.run} was trained on another dataset (sha256 {trained_on[:12]}): whether its training "
                "met these raters or scenes is not known, so that new scenes may be known to it"
            )
    return sorted(found)


def _gains(rows: Sequence[Row], weights: Mapping[str, Floats]) -> list[dict[str, Any]]:
    """Each learner against the floors, its own controls, and the other learners of the report."""
    by_key = {(r.contender.run, r.contender.name, r.scenes, r.metric.name): r for r in rows}
    ours = [r for r in rows if r.contender.run and r.contender.name not in (*CONTROLS, "average_preference")]
    gains = []
    for row in ours:
        run, scenes, metric = row.contender.run, row.scenes, row.metric.name
        against = [("identity", by_key[None, "identity", scenes, metric])]
        against += [
            (name, by_key[run, name, scenes, metric])
            for name in ("average_preference", *CONTROLS)
            if (run, name, scenes, metric) in by_key
        ]
        against += [
            (f"run:{other.contender.run}", other)
            for other in ours
            if other.contender.run != run and (other.scenes, other.metric.name) == (scenes, metric)
        ]
        gains += [_gain(row, name, other, weights[scenes]) for name, other in against]
    return gains


def _gain(row: Row, against: str, other: Row, weights: Floats) -> dict[str, Any]:
    interval = cqs_difference_interval(row.distances, other.distances, weights)
    return {
        "run": row.contender.run,
        "against": against,
        "metric": row.metric.name,
        "scenes": row.scenes,
        "cqs_difference": _json(row.score.cqs - other.score.cqs),
        "interval": _json_interval(interval),
        "passed": is_above_0(row.metric.name, interval),
    }


def _per_rater(rows: Sequence[Row], kinds: Sequence[Episodes]) -> list[dict[str, Any]]:
    """CQS of every rater by themselves, of the rows that are no controls."""
    raters: dict[str, list[str]] = {
        kind.scenes: [episode.rater_id for episode in kind.episodes] for kind in kinds
    }
    return [
        {
            "run": row.contender.run,
            "name": row.contender.name,
            "metric": row.metric.name,
            "scenes": row.scenes,
            "rater_id": raters[row.scenes][index],
            "cqs": _json(found.cqs),
            "alignment": found.alignment,
            "n_judgments": found.n_judgments,
            **{name: getattr(found, name) for name in FOUR},
        }
        for row in rows
        if row.contender.name not in CONTROLS
        for index, found in per_rater(row.distances).items()
    ]


def _oracle(oracle: Oracle, rows: Sequence[Row]) -> dict[str, Any]:
    """How it was made, and how much room the data leaves: its CQS on ΔE00 over identity's."""
    by_key = {(row.contender.name, row.scenes): row.score.cqs for row in rows if row.metric.name == "delta_e"}
    ratios = {
        scenes: _json(value / by_key["identity", scenes])
        for (name, scenes), value in by_key.items()
        if name == "oracle"
    }
    return {"strength": oracle.strength, "gate": oracle.gate, "ratio": ratios}


def _counts(kind: Episodes, protocol: EvaluationProtocol) -> dict[str, Any]:
    evaluated = [len(episode.evaluations) for episode in kind.episodes]
    return {
        "raters": len(kind.episodes),
        "judgments": sum(evaluated),
        "scenes": len({j.scene_id for e in kind.episodes for j in e.evaluations}),
        "fewest_evaluations": min(evaluated),
        "raters_with_fewer_than_wanted": sum(n < protocol.evaluations for n in evaluated),
        "unaligned": kind.n_unaligned,
        "queries_sha256": kind.queries_sha256,
        "left_out": [{"rater_id": rater, "why": why} for rater, why in kind.left_out.items()],
    }


def _system(learner: Learner) -> dict[str, Any]:
    config = learner.system.config
    return {
        "run": learner.run,
        "name": learner.system.name,
        "backbone": getattr(config, "backbone", None),
        "reference_size": learner.system.reference_size,
        "edit_size": learner.system.edit_size,
        **run_facts(learner.folder),
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "lower_is_better": metric.lower_is_better,
        "range": [_json(metric.low), _json(metric.high)],
        "cap": metric.cap,
    }


def _metrics_of(rows: Sequence[Row]) -> list[Metric]:
    return list({row.metric.name: row.metric for row in rows}.values())


def _json_interval(interval: Interval | None) -> list[Any] | None:
    return [_json(end) for end in interval] if interval else None


def _json(value: Any) -> Any:
    """JSON has no infinity: it stands as the text `inf`, which `float()` reads."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _why_nothing(dataset: PreferenceDataset, protocol: EvaluationProtocol, kinds: Sequence[Episodes]) -> str:
    raters = dataset.validation_raters()
    if not raters:
        return (
            f"{dataset.name} has no valid rater of the split `validation`; "
            "set validation_raters in the study's protocol and export again"
        )
    judgments = [dataset.judgments_of(rater) for rater in raters]
    if len(dataset.scenes) < 2 or len({judgment.scene_id for own in judgments for judgment in own}) == 1:
        return (
            f"the {len(raters)} validation raters of {dataset.name} answered about one scene; references and "
            "evaluated judgments must be of different scenes, so that at least two are needed"
        )
    most = max(map(len, judgments))
    unaligned = sum(kind.n_unaligned for kind in kinds)
    if unaligned:
        return (
            f"none of the {len(raters)} validation raters of {dataset.name} can be evaluated: {unaligned} "
            "judgments are of pairs whose images do not lie on each other, and metrics of pixels need that"
        )
    return (
        f"none of the {len(raters)} validation raters of {dataset.name} has {protocol.references} references "
        f"and something to evaluate (the most judgments of one rater are {most}); try fewer --references"
    )
