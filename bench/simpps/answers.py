"""How a learner fares with 0, 2, 4, ... answers of a rater, with careless answers among them, and whom it harms.

    python -m bench.simpps.answers --run RUN --dataset FOLDER

The raters of the validation split, on held-out scenes, all their judgments there; references are drawn by the
protocol's permutation, so that the first 4 of 16 are the same as the 4. CQS on each metric over doing nothing's; the
difference from the row before is paired over raters, 95 %. A rater is harmed if what the edits lose on the image that
they preferred is more than what they win on the other one, beyond chance: the whole 95 % interval over their judgments.
`careless` replaces one reference in ten by a coin's answer.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluation.metrics.cqs import Distances, aligned
from evaluation.metrics.intervals import bootstrap_weights, cqs_resampled, interval
from evaluation.metrics.metric import Metric, load_metrics, measure
from evaluation.protocol import Episode, EvaluationProtocol, episodes_of
from learning.data.dataset import Judgment, PreferenceDataset
from learning.systems.load import load_run
from learning.tastes import reference_pair

COUNTS = (0, 2, 4, 8, 16, 32, 64)
SIZE = 96
CARELESS = 0.1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)), metavar="N,N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset, system = PreferenceDataset.load(options.dataset), load_run(options.run)
    protocol = EvaluationProtocol(references=1, evaluations=64, edit_size=SIZE, metric_size=SIZE)
    episodes = _all_references(dataset, protocol)
    metrics = load_metrics()[0]
    weights = bootstrap_weights(len(episodes), seed=0)
    rows: list[dict[str, Any]] = []
    before: dict[str, Distances] = {}
    found_16: dict[str, Distances] = {}
    kinds = [(int(n), "") for n in options.counts.split(",")] + [(16, "careless")]
    nothing = _measured(dataset, None, [(e, []) for e in episodes], metrics)
    for n, kind in kinds:
        chosen = [(e, _references(e, n, careless=bool(kind))) for e in episodes]
        found = _measured(dataset, system, chosen, metrics)
        against = found_16 if kind else before
        for metric in metrics:
            name, ours, floor = metric.name, found[metric.name], nothing[metric.name]
            ratios = cqs_resampled(ours, weights) / cqs_resampled(floor, weights)
            facts = {
                "answers": n,
                "kind": kind or "as given",
                "metric": name,
                "over_identity": float(ratios.mean()),
                "interval": interval(ratios),
                "alignment": float(aligned(ours).mean()),
                "simulated": dataset.is_simulated,
            }
            if against:
                change = cqs_resampled(ours, weights) - cqs_resampled(against[name], weights)
                facts["change"] = interval(change / cqs_resampled(floor, weights).mean())
            if name == "delta_e":
                facts["harmed"], facts["raters"] = _harmed(ours, floor), len(episodes)
            rows.append(facts)
            _say(facts)
        before = found
        if n == 16 and not kind:
            found_16 = found
    if options.json:
        print(json.dumps({"rows": rows}))
    return 0


def _all_references(dataset: PreferenceDataset, protocol: EvaluationProtocol) -> Sequence[Episode]:
    """Episodes with as many references as each rater has."""
    most = max(len(dataset.judgments_of(rater)) for rater in dataset.validation_raters())
    by_length: dict[str, Episode] = {}
    for n in range(most, 0, -1):  # raters have about as many; those with fewer are found with fewer
        for episode in episodes_of(dataset, "new", replace(protocol, references=n)).episodes:
            by_length.setdefault(episode.rater_id, episode)
        if len(by_length) == len(episodes_of(dataset, "new", protocol).episodes):
            break
    return [by_length[rater] for rater in sorted(by_length)]


def _references(episode: Episode, n: int, *, careless: bool) -> list[Judgment]:
    references = list(episode.references[:n])
    if careless:
        rng = np.random.default_rng([*episode.rater_id.encode(), n])
        for i in range(len(references)):
            if rng.random() < CARELESS and rng.random() < 0.5:
                j = references[i]
                references[i] = replace(j, preferred_image=j.rejected_image, rejected_image=j.preferred_image)
    return references


def _measured(
    dataset: PreferenceDataset,
    system: Any,
    chosen: Sequence[tuple[Episode, Sequence[Judgment]]],
    metrics: Sequence[Metric],
) -> dict[str, Distances]:
    """The four distances of every evaluated judgment by each metric; without a system nothing is edited."""
    found: dict[str, list[list[float]]] = {metric.name: [] for metric in metrics}
    raters = []
    for number, (episode, references) in enumerate(chosen):
        profile = system and system.adapt(
            [
                reference_pair(dataset, j.preferred_image, j.rejected_image, system.reference_size)
                for j in references
            ]
        )
        for judgment in episode.evaluations:
            sides = [dataset.image(i, SIZE) for i in (judgment.preferred_image, judgment.rejected_image)]
            outputs = system.render(sides, profile) if system else sides
            ends = [(o, target) for o in outputs for target in sides]
            for metric in metrics:
                found[metric.name].append(_compared(metric, ends))
            raters.append(number)
    return {
        metric.name: Distances(
            **dict(zip(("d_pp", "d_pn", "d_np", "d_nn"), np.array(found[metric.name]).T, strict=True)),
            rater=np.array(raters, np.intp),
            lower_is_better=metric.lower_is_better,
        )
        for metric in metrics
    }


def _compared(metric: Metric, ends: Sequence[tuple[Any, Any]]) -> list[float]:
    values = [measure(metric, np.ascontiguousarray(a), np.ascontiguousarray(b)) for a, b in ends]
    return [min(v, metric.cap) if metric.cap else v for v in values]


def _harmed(ours: Distances, nothing: Distances) -> int:
    """Raters whose photos end farther from what they preferred than untouched ones, beyond chance."""
    lost = (ours.d_pp + ours.d_np) - (nothing.d_pp + nothing.d_np)
    rng, count = np.random.default_rng(0), 0
    for rater in np.unique(ours.rater):
        own = lost[ours.rater == rater]
        means = own[rng.integers(len(own), size=(1000, len(own)))].mean(1)
        count += bool(np.percentile(means, 2.5) > 0)
    return count


def _say(facts: dict[str, Any]) -> None:
    low, high = facts["interval"]
    change = (
        "" if "change" not in facts else f", change [{facts['change'][0]:+.3f}, {facts['change'][1]:+.3f}]"
    )
    harmed = f", harmed {facts['harmed']} of {facts['raters']}" if "harmed" in facts else ""
    print(
        f"{facts['answers']:3} answers, {facts['kind']:9} {facts['metric']:8} {facts['over_identity']:.3f} times "
        f"identity [{low:.3f}, {high:.3f}]{change}, alignment {facts['alignment']:.0%}{harmed}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
