"""The room that simulated data leave: the oracle's CQS on ΔE00 beside identity's, at each level of difficulty.

Below 1.2 times a dataset cannot tell learners apart; at the clear level 1.3 is wanted.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import print_rows, row
from evaluation.protocol import EvaluationProtocol
from evaluation.report.evaluation import evaluate
from evaluation.simulation.dataset import write_simulated_dataset
from evaluation.simulation.photos import package_photos
from evaluation.simulation.raters import CROWDS
from learning.data.dataset import PreferenceDataset

SIZE = 96


def main():
    photos = package_photos(SIZE)
    measured = [(level, oracle_and_identity(level, photos)) for level in CROWDS]
    print(f"{'level':10} scenes  oracle  identity  ratio")
    for level, scenes, oracle, identity in [(lv, s, *pair) for lv, by in measured for s, pair in by.items()]:
        print(f"{level:10} {scenes:6}  {oracle:.3f}   {identity:.3f}     {oracle / identity:.2f}")
    print_rows([level_row(level, *by_scenes["new"]) for level, by_scenes in measured])


def level_row(level, oracle, identity):
    return row(
        f"oracle over identity, {level}, new scenes",
        ours=oracle,
        peer=identity,
        peer_name="identity",
        goal=1.3 if level == "clear" else 1.2,
        better="higher",
        unit="CQS",
    )


def oracle_and_identity(level, photos):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / level
        write_simulated_dataset(path, photos, long_side=SIZE, crowd=CROWDS[level])
        protocol = EvaluationProtocol(edit_size=SIZE, metric_size=SIZE)
        rows = evaluate(PreferenceDataset.load(path), {}, protocol).data["rows"]
    found = {(r["scenes"], r["name"]): r["cqs"] for r in rows if r["metric"] == "delta_e"}
    return {s: (found[s, "oracle"], found[s, "identity"]) for s in ("new", "known")}


if __name__ == "__main__":
    main()
