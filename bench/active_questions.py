"""Active questions beside random ones: what a few answers say of a rater, on simulated raters.

A rater model is learnt from the training raters of SimPPS. Each held-out rater is then asked about training scenes, by
chance or by expected information (`collection/design/active.py`), and answers as the simulation has it. After each
number of answers: the share of choices on held-out scenes that the posterior predicts right (over all their pairs, chances
of the answers known), and how far the ideal points are from those that 400 random answers give, in deviations of the tones
and weighted by the metric. Intervals are of raters drawn again, 95 %.

`ahead` is how many questions are handed out before the answers to those before them are known.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import print_rows, row
from collection.design.active import draw_pair
from collection.design.ideal_point import TasteModel, learn_model
from collection.design.tone_space import learn_tone_space, scene_means
from evaluation.simulation.answers import Distances, SceneView, thumbnail
from evaluation.simulation.dataset import luts_of
from evaluation.simulation.raters import SimulatedRater, chance_of_left
from evaluation.simulation.simpps import LEVELS, make_dataset
from variants.tone.statistics import tone_statistics

ASKED = (0, 2, 4, 6, 8, 12, 16)
REFERENCE = 400
UNIFORM = 0.15
DRAWS = 1000
RULES = {
    "random": {"active": False},
    "active": {"active": True, "ahead": 0},
    "active, 2 ahead": {"active": True, "ahead": 2},
    "active, 4 ahead": {"active": True, "ahead": 4},
    "active, wide prior": {"active": True, "ahead": 2, "wide": True},
    "random, wide prior": {"active": False, "wide": True},
}


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.active_questions", description=__doc__)
    parser.add_argument("--levels", nargs="+", default=["clear", "realistic"], choices=list(LEVELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="from 1 up; 0 is the published one")
    parser.add_argument("--folder", type=Path, help="where datasets are kept between runs")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for level in options.levels:
            folder = options.folder or Path(scratch)
            studies = [study(folder / f"{level}{seed}", level, seed) for seed in options.seeds]
            rows += measured(level, studies)
    print_rows([*rows, *speed(studies[-1])])


def measured(level, studies):
    found = {name: [] for name in RULES}
    for one in studies:
        for name, rule in RULES.items():
            found[name] += [asked(one, rater, rule, seed=k) for k, rater in enumerate(one.held_out)]
    found = {name: np.array(values) for name, values in found.items()}  # (raters, len(ASKED), 2)
    n = len(found["random"])
    print(f"\n{level}: {n} held-out raters of seeds {', '.join(str(one.seed) for one in studies)}\n")
    for what, column, percent in (("choices predicted", 0, True), ("error of the ideal point", 1, False)):
        print(f"| {what} | " + " | ".join(map(str, ASKED)) + " |")
        print("| --- " * (len(ASKED) + 1) + "|")
        for name, values in found.items():
            print(f"| {name} | " + " | ".join(shown(v, percent) for v in values[:, :, column].mean(0)) + " |")
        print()
    rows = []
    at8, at16 = ASKED.index(8), ASKED.index(16)
    for name in ("active", "active, 2 ahead"):
        ours, theirs = found[name][:, at8], found["random"][:, at16]
        for column, what in enumerate(("choices predicted", "error")):
            low, high = interval(ours[:, column] - theirs[:, column])
            print(f"{name} with 8 less random with 16, {what}: {low:+.3f} to {high:+.3f}", flush=True)
        rows.append(
            row(
                f"{level}: choices predicted, {name}, 8 answers",
                ours=float(ours[:, 0].mean()),
                peer=float(theirs[:, 0].mean()),
                peer_name="random, 16 answers",
                goal=1.0,
                better="higher",
                unit="",
            )
        )
    return rows


def shown(value, percent):
    return f"{100 * value:.1f} %" if percent else f"{value:.2f}"


def interval(values):
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(DRAWS, len(values)))].mean(1)
    return np.percentile(means, [2.5, 97.5])


@dataclass
class Study:
    seed: int
    tones: np.ndarray  # (images, K)
    content: np.ndarray  # (images, C)
    pairs: np.ndarray  # (pairs, 2) images
    is_train: np.ndarray  # (pairs,)
    model: object
    held_out: list  # of (chance that the first of each pair is preferred)


def study(folder, level, seed):
    if not folder.exists():
        make_dataset(level, folder, seed=seed)
    tables = {
        name: pq.read_table(folder / f"{name}.parquet").to_pylist()
        for name in ("scenes", "images", "pairs", "raters", "judgments")
    }
    at_scene = {s["scene_id"]: k for k, s in enumerate(tables["scenes"])}
    at_image = {i["image_id"]: k for k, i in enumerate(tables["images"])}
    scene = np.array([at_scene[i["scene_id"]] for i in tables["images"]])
    pixels = [thumbnail(_pixels(folder / i["file_name"]), 160) for i in tables["images"]]
    statistics = np.concatenate([tone_statistics(p[None]) for p in pixels]).astype(float)
    train = np.array([s["split"] == "train" for s in tables["scenes"]])
    known = np.flatnonzero(train[scene])
    space = learn_tone_space(statistics[known], np.unique(scene[known], return_inverse=True)[1])
    means = scene_means(statistics, scene)[scene]
    tones, content = space.tones(statistics, means), space.content(means)
    pairs = np.array([(at_image[p["image_a"]], at_image[p["image_b"]]) for p in tables["pairs"]])
    answers = {}
    for j in tables["judgments"]:
        if not j["is_check"] and j["preferred_image"] and train[at_scene_of(j, at_image, scene)]:
            answers.setdefault(j["rater_id"], []).append(
                (at_image[j["preferred_image"]], at_image[j["rejected_image"]])
            )
    raters = [np.array(answers[r["rater_id"]]) for r in tables["raters"] if r["split"] == "train"]
    model = learn_model(
        [(tones[x[:, 0]], tones[x[:, 1]], content[x[:, 0]]) for x in raters],
        n_tones=space.n_tones,
        n_contents=space.n_contents,
    )
    views = _views(tables, pixels, scene)
    distances = Distances(views, luts_of(folder))
    held_out = []
    for r in tables["raters"]:
        if r["split"] == "validation":
            held_out.append(
                _chances(SimulatedRater.from_json(json.loads(r["simulation"])), distances, tables, pairs)
            )
            print(f"{folder.name}: {len(held_out)} held-out raters", end="\r", flush=True, file=sys.stderr)
    return Study(seed, tones, content, pairs, train[scene[pairs[:, 0]]], model, held_out)


def wide_model(n_tones, n_contents):
    """Of raters of whom nothing is known but the scale of tones; kinds of content share most of a taste."""
    shared = np.kron(0.8 + 0.2 * np.eye(n_contents), np.eye(n_tones))
    return TasteModel(metric=np.full(n_tones, 0.25), mean=np.zeros(len(shared)), covariance=shared)


def at_scene_of(judgment, at_image, scene):
    return scene[at_image[judgment["preferred_image"]]]


def _pixels(path):
    return np.asarray(Image.open(path).convert("RGB"), np.float32) / np.float32(255)


def _views(tables, pixels, scene):
    views = {}
    for k, s in enumerate(tables["scenes"]):
        own = np.flatnonzero(scene == k)
        small = {tables["images"][i]["image_id"]: thumbnail(pixels[i]) for i in own}
        neutral = next(i for i in own if not json.loads(tables["images"][i]["recipe"])["steps"])
        views[s["scene_id"]] = SceneView(
            category=s["category"], neutral=small[tables["images"][neutral]["image_id"]], renditions=small
        )
    return views


def _chances(rater, distances, tables, pairs):
    far = {}
    for s in tables["scenes"]:
        far |= distances.of(rater, s["scene_id"])
    names = [i["image_id"] for i in tables["images"]]
    return np.array([chance_of_left(rater, far[names[a]], far[names[b]]) for a, b in pairs])


def asked(one, chances, rule, seed):
    """(len(ASKED), 2): share predicted and error after so many answers."""
    rng = np.random.default_rng([one.seed, seed])
    model = one.model
    if rule.get("wide"):
        model = wide_model(model.n_tones, model.n_contents)
    pool = np.flatnonzero(one.is_train)
    first_won = rng.random(len(pool)) < chances[pool]
    questions = _answers(one, model, pool, np.ones(len(pool), bool))
    given = _answers(one, model, pool, first_won)
    order = asked_in_order(model, questions, given, rule, rng)
    reference_rng = np.random.default_rng([one.seed, seed, 1])
    reference = reference_rng.permutation(len(pool))[:REFERENCE]
    truth = one.model.taste(_answers(one, one.model, pool, first_won)[reference])
    held_out = np.flatnonzero(~one.is_train)
    unseen = _answers(one, model, held_out, np.ones(len(held_out), bool))
    return [
        _judged(one, model.taste(given[np.array(order[:n], int)]), unseen, chances[held_out], held_out, truth)
        for n in ASKED
    ]


def _judged(one, taste, unseen, chances, held_out, truth):
    says_first = taste.predict(unseen) > 0.5
    content = one.content[np.unique(one.pairs[held_out, 0])]
    size = (taste.model.n_contents, taste.model.n_tones)
    off = content @ taste.mean.reshape(size) - content @ truth.mean.reshape(size)
    metric = one.model.metric / one.model.metric.sum()
    return np.where(says_first, chances, 1 - chances).mean(), np.sqrt((off**2 @ metric).mean())


def asked_in_order(model, questions, given, rule, rng):
    n = len(questions)
    if not rule["active"]:
        return rng.permutation(n)[: ASKED[-1]]
    may = np.ones(n, bool)
    order = []
    for k in range(ASKED[-1]):
        n_known = max(0, k - rule["ahead"])
        taste = model.taste(given[np.array(order[:n_known], int)])
        taste = taste.expecting(questions[np.array(order[n_known:], int)])
        drawn = draw_pair(taste.information(questions), may, np.zeros(n, bool), uniform=UNIFORM, rng=rng)
        order.append(drawn.position)
        may[drawn.position] = False
    return np.array(order)


def _answers(one, model, positions, first_won):
    a, b = one.pairs[positions].T
    won, lost = np.where(first_won, a, b), np.where(first_won, b, a)
    return model.answers(one.tones[won], one.tones[lost], one.content[won])


def speed(one):
    """Milliseconds of one core for the next question, and for one more answer."""
    pool = np.flatnonzero(one.is_train)
    rng = np.random.default_rng(0)
    questions = _answers(one, one.model, pool, rng.random(len(pool)) < 0.5)
    choosing, updating = [], []
    for k in range(20):
        answers = questions[rng.permutation(len(pool))[: 1 + k % 16]]
        began = time.process_time()
        taste = one.model.taste(answers)
        then = time.process_time()
        taste.information(questions)
        choosing.append(time.process_time() - then)
        updating.append(then - began)
    update, choice = 1000 * np.median(updating), 1000 * np.median(choosing)
    common = {"peer_name": "limit", "goal": 1.0, "better": "lower", "unit": "ms"}
    return [
        row("posterior after one more answer, up to 16", ours=float(update), peer=5.0, **common),
        row(f"information of {len(pool)} pairs", ours=float(choice), peer=100.0, **common),
    ]


if __name__ == "__main__":
    main()
