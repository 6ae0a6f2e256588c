"""A whole dataset folder answered by simulated raters, made without a database.

Photos become renditions, renditions pairs, pairs questions by the site's own planner,
questions answers, answers verdicts by the site's own rules: what comes out is what an
export of a study would be. Used by tests, benches and anyone who wants to try a
learner before there are people.
"""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from collection.design.plan import PAIR, PlannedQuestion, plan_session
from collection.design.protocol import Protocol
from collection.design.rules import RaterAnswer, judge_rater
from collection.export.folder import write_folder
from evaluation.simulation.answers import Distances, SceneView
from evaluation.simulation.raters import (
    CROWDS,
    Crowd,
    SimulatedRater,
    choose,
    crowd_looks,
    simulate_rater,
)
from evaluation.simulation.scenes import MIN_DELTA_E as MIN_DELTA_E
from evaluation.simulation.scenes import SOURCE_TYPE, SimulatedScene, made_id, scene_of
from evaluation.simulation.scenes import ScenePhoto as ScenePhoto
from evaluation.simulation.scenes import SimulatedStudy as SimulatedStudy
from variants.progress import Report, silent
from variants.tone.cube import format_cube, parse_cube
from variants.tone.luts import Lut3D

FIRST_DAY = dt.datetime(2026, 1, 1, 9, tzinfo=dt.UTC)
"""Simulated sessions have made-up times that depend on nothing: the same seed gives the same folder."""


def write_simulated_dataset(
    folder: Path,
    photos: Sequence[ScenePhoto],
    *,
    n_raters: int = 48,
    n_main: int = 80,
    n_checks: int = 10,
    n_renditions: int = 12,
    near: float = 0.8,
    long_side: int = 256,
    crowd: Crowd = CROWDS["clear"],
    validation_scenes: float = 0.25,
    validation_raters: float = 0.2,
    seed: int = 0,
    report: Report = silent,
) -> None:
    """Write the folder of a study that simulated raters answered.

    Args:
        folder: must not be there yet.
        photos: the scenes; their names and categories also decide their renditions.
        n_raters: how many raters answer.
        n_main: main questions of each; fewer are asked where there are fewer pairs.
        n_checks: of them shown again, flipped.
        n_renditions: of each scene, the neutral one among them.
        near: part of the renditions that are near what the raters want.
        long_side: of the renditions, in pixels.
        crowd: whose tastes; see `CROWDS`.
        validation_scenes: share of the scenes held out of training.
        validation_raters: share of the valid raters held out of training.
        seed: of everything.
        report: told of the stages.
    """
    protocol = Protocol(
        phases=("main",),
        n_main=n_main,
        n_checks=min(n_checks, n_main),
        min_delta_e=MIN_DELTA_E,
        long_side=long_side,
        validation_scenes=validation_scenes,
        validation_raters=validation_raters,
        seed=seed,
    )
    study = SimulatedStudy(
        n_raters=n_raters, n_renditions=n_renditions, near=near, crowd=crowd, protocol=protocol, seed=seed
    )
    write_study(folder, photos, study, report=report)


def write_study(
    folder: Path, photos: Sequence[ScenePhoto], study: SimulatedStudy, report: Report = silent
) -> None:
    """`write_simulated_dataset` from one config."""
    if not photos:
        raise ValueError("there are no photos to make scenes of")
    scenes = []
    for done, photo in enumerate(photos):
        report(done, len(photos), "rendering scenes")
        scenes.append(scene_of(photo, study))
    report(len(photos), len(photos), "rendering scenes")
    splits = _scene_splits([photo.whole for photo in photos], study)
    raters, judgments = _answers(scenes, study, report)
    write_folder(
        folder,
        tables={
            "scenes": _scene_rows(scenes, splits),
            "images": (row for scene in scenes for row in scene.image_rows()),
            "pairs": (row for scene in scenes for row in scene.pair_rows()),
            "raters": raters,
            "judgments": judgments,
        },
        images=[(image.file_name, image.content) for scene in scenes for image in scene.images],
        documents={"protocol.json": _protocol_json(study)},
        report=report,
    )


def luts_of(folder: Path) -> dict[str, Lut3D]:
    """LUTs that the simulated raters of a dataset folder want, by their keys; none where no look has one."""
    path = Path(folder) / "protocol.json"
    if not path.is_file():
        return {}
    simulation = json.loads(path.read_text(encoding="utf-8")).get("simulation") or {}
    found = {}
    for key, text in simulation.get("luts", {}).items():
        lut = parse_cube(text.encode(), f"{path.name}, LUT {key[:8]}")
        assert isinstance(lut, Lut3D)
        found[key] = lut
    return found


def _answers(
    scenes: list[SimulatedScene], study: SimulatedStudy, report: Report
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the raters and of the judgments."""
    asked = _Questionnaire(scenes, study)
    rater_rows, judgment_rows = [], []
    for index in range(study.n_raters):
        report(index, study.n_raters, "simulated raters answer")
        rater = simulate_rater(index, seed=study.seed, crowd=study.crowd, luts=list(study.luts))
        rows = asked.session(index, rater)
        judgment_rows += rows
        rater_rows.append(_rater_row(index, rater, rows, study))
    report(study.n_raters, study.n_raters, "simulated raters answer")
    _split_raters(rater_rows, study)
    return rater_rows, judgment_rows


class _Questionnaire:
    """Plans the sessions over all pairs and lets raters answer them."""

    def __init__(self, scenes: list[SimulatedScene], study: SimulatedStudy) -> None:
        self.study = study
        self.scenes = scenes
        self.pairs = [(s, pair) for s, scene in enumerate(scenes) for pair in scene.pairs]
        if not self.pairs:
            raise ValueError(
                "no two renditions differ by as much as the protocol wants; the photos are too alike"
            )
        n_main = min(study.protocol.n_main, len(self.pairs))
        self.protocol = Protocol.from_json(
            study.protocol.to_json() | {"n_main": n_main, "n_checks": min(study.protocol.n_checks, n_main)}
        )
        first_image = np.cumsum([0, *(len(scene.images) for scene in scenes)]).tolist()
        self.candidates = np.array(
            [
                (number, s, first_image[s] + pair[0], first_image[s] + pair[1], SOURCE_TYPE, 0)
                for number, (s, pair) in enumerate(self.pairs)
            ],
            PAIR,
        )
        self.images = [image for scene in scenes for image in scene.images]
        self.distances = Distances({scene.id: _view(scene) for scene in scenes}, study.luts)

    def session(self, index: int, rater: SimulatedRater) -> list[dict[str, Any]]:
        """One rater's judgments as rows of the table."""
        rng = np.random.default_rng([self.study.seed, 5, index])
        questions = plan_session(self.candidates, self.protocol, rng)
        now = FIRST_DAY + dt.timedelta(hours=index)
        rows: list[dict[str, Any]] = []
        for question in questions:
            now += dt.timedelta(milliseconds=700)
            row = self._judgment(index, rater, question, len(questions), rng)
            now += dt.timedelta(milliseconds=row["response_ms"])
            rows.append({**row, "answered_at": now})
            if question.kind == "main":
                self.candidates["exposures"][question.pair] += 1
        return rows

    def _judgment(
        self,
        index: int,
        rater: SimulatedRater,
        question: PlannedQuestion,
        n_questions: int,
        rng: np.random.Generator,
    ) -> dict[str, Any]:
        scene_number, pair = self.pairs[question.pair]
        scene = self.scenes[scene_number]
        left, right = self.images[question.left].id, self.images[question.right].id
        distances = self.distances.of(rater, scene.id, (left, right))
        choice = choose(
            rater,
            distances[left],
            distances[right],
            rng,
            progress=question.index / n_questions,
            allow_tie=self.protocol.allow_tie,
        )
        preferred, rejected = {"left": (left, right), "right": (right, left), "tie": (None, None)}[
            choice.side
        ]
        is_check = question.repeats is not None
        return {
            "judgment_id": self._judgment_id(index, question.index),
            "rater_id": _rater_id(self.study, index),
            "pair_id": scene.pair_id(pair),
            "preferred_image": preferred,
            "rejected_image": rejected,
            "left_image": left,
            "right_image": right,
            "chosen_side": choice.side,
            "response_ms": choice.response_ms,
            "is_check": is_check,
            "repeats_judgment": self._judgment_id(index, question.repeats) if is_check else None,
            "question_index": question.index,
            "policy": question.policy,
            "propensity": question.propensity,
        }

    def _judgment_id(self, index: int, question: int | None) -> str:
        return made_id(self.study.seed, "judgment", index, question)


def _view(scene: SimulatedScene) -> SceneView:
    return SceneView(
        category=scene.photo.category,
        neutral=scene.images[0].thumbnail,
        renditions={image.id: image.thumbnail for image in scene.images},
    )


def _scene_rows(scenes: list[SimulatedScene], splits: list[str]) -> Iterator[dict[str, Any]]:
    for scene, split in zip(scenes, splits, strict=True):
        yield {
            "scene_id": scene.id,
            "category": scene.photo.category or None,
            "source_type": "E",
            "width": scene.width,
            "height": scene.height,
            "licence": scene.photo.licence or None,
            "attribution": scene.photo.attribution or None,
            "split": split,
        }


def _rater_row(
    index: int, rater: SimulatedRater, rows: list[dict[str, Any]], study: SimulatedStudy
) -> dict[str, Any]:
    judgment = judge_rater(_rater_answers(rows), study.protocol.rules)
    return {
        "rater_id": _rater_id(study, index),
        "person_id": made_id(study.seed, "person", index),
        "device_id": made_id(study.seed, "device", index),
        "platform": "simulated",
        "n_answers": len(rows),
        "consistency": judgment.consistency,
        "median_response_ms": judgment.median_response_ms,
        "valid": judgment.may_be_used,
        "exclusion_reason": ",".join(judgment.reasons) or None,
        "split": "none",
        "simulated": True,
        "simulation": json.dumps(rater.to_json(), sort_keys=True),
    }


def _rater_answers(rows: list[dict[str, Any]]) -> list[RaterAnswer]:
    preferred = {row["judgment_id"]: row["preferred_image"] for row in rows}
    return [
        RaterAnswer(
            side=row["chosen_side"],
            response_ms=row["response_ms"],
            is_check=row["is_check"],
            agrees=_agrees(row["preferred_image"], preferred.get(row["repeats_judgment"])),
        )
        for row in rows
    ]


def _agrees(image: str | None, first: str | None) -> bool | None:
    """Whether a check chose the image of the first answer; unknown where either is a tie, or nothing is repeated."""
    return image == first if image and first else None


def _scene_splits(wholes: Sequence[str], study: SimulatedStudy) -> list[str]:
    """`validation` for the wanted share of the photos, at random; all `none` where nothing is held out.

    Args:
        wholes: of each scene the photo that it is, or is a part of.
        study: with the share and the seed.
    """
    photos = list(dict.fromkeys(wholes))
    n_held_out = round(len(photos) * study.protocol.validation_scenes)
    if not n_held_out:
        return ["none"] * len(wholes)
    order = np.random.default_rng([study.seed, 6]).permutation(len(photos))
    held_out = {photos[i] for i in order[:n_held_out].tolist()}
    return ["validation" if whole in held_out else "train" for whole in wholes]


def _split_raters(rows: list[dict[str, Any]], study: SimulatedStudy) -> None:
    """Valid raters are split; the others are in none."""
    valid = [row for row in rows if row["valid"]]
    n_held_out = round(len(valid) * study.protocol.validation_raters)
    if not n_held_out:
        return
    order = np.random.default_rng([study.seed, 7]).permutation(len(valid)).tolist()
    for place, i in enumerate(order):
        valid[i]["split"] = "validation" if place < n_held_out else "train"


def _protocol_json(study: SimulatedStudy) -> str:
    simulation = {"seed": study.seed, "near": study.near, "spread": study.spread}
    wanted = {look.lut for look in crowd_looks(study.seed, study.crowd, list(study.luts)) if look.lut}
    luts = {key: format_cube(study.luts[key]) for key in sorted(wanted)}
    facts = {
        "simulated": True,
        "protocol": study.protocol.to_json(),
        "simulation": simulation | ({"luts": luts} if luts else {}),
    }
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def _rater_id(study: SimulatedStudy, index: int) -> str:
    return made_id(study.seed, "rater", index)
