"""Rows of pictures: the best, the median, the worst and random judgments of a learner, never chosen by hand."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from evaluation.metrics.cqs import Floats
from evaluation.protocol import Episode, EvaluationProtocol
from evaluation.report.contenders import CONTROLS
from evaluation.report.evaluation import Evaluation, Row
from learning.data.dataset import Judgment, Pixels, PreferenceDataset

QUALITY = 86
"""Of WebP; the pictures are to be looked at, the numbers come from the pixels."""
N_RANDOM = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """One input with its output, the preferred image and the other one, as data: addresses."""

    title: str
    input: str
    output: str
    preferred: str
    other: str
    before: float
    """ΔE00 of the input to the preferred image."""
    after: float
    """ΔE00 of the output to it."""
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    run: str
    label: str
    """best, median, worst or random."""
    rater_id: str
    scenes: str
    strips: tuple[Strip, ...]


def choose_examples(
    evaluation: Evaluation, dataset: PreferenceDataset, protocol: EvaluationProtocol
) -> list[Example]:
    """Examples of every learner, on new scenes where there are such."""
    return [
        example
        for learner in evaluation.learners
        for example in _examples_of(headline_row(evaluation, learner.run), evaluation, dataset, protocol)
    ]


def headline_row(evaluation: Evaluation, run: str) -> Row:
    """The learner's own row by ΔE00; rows of new scenes come first."""
    return next(
        row
        for row in evaluation.rows
        if row.contender.run == run
        and row.metric.name == "delta_e"
        and row.contender.name not in (*CONTROLS, "average_preference")
    )


def _examples_of(
    row: Row, evaluation: Evaluation, dataset: PreferenceDataset, protocol: EvaluationProtocol
) -> list[Example]:
    labelled = _labelled(gains_of(row, evaluation), protocol.seed)
    return [_example(row, evaluation, dataset, protocol, label, index) for label, index in labelled]


def gains_of(row: Row, evaluation: Evaluation) -> Floats:
    """By how much each judgment's two outputs are nearer to the preferred image than the inputs were."""
    untouched = next(
        r
        for r in evaluation.rows
        if (r.contender.name, r.scenes, r.metric.name) == ("identity", row.scenes, "delta_e")
    )
    return np.asarray(untouched.distances.to_preferred - row.distances.to_preferred)


def _labelled(gain: Floats, seed: int) -> list[tuple[str, int]]:
    """(label, judgment), each judgment once."""
    order = np.argsort(-gain, kind="stable").tolist()
    shuffled = np.random.default_rng([seed, 10]).permutation(len(order)).tolist()
    wanted = [("best", order[0]), ("median", order[len(order) // 2]), ("worst", order[-1])]
    wanted += [("random", index) for index in shuffled]
    chosen: dict[int, str] = {}
    for label, index in wanted:
        if len(chosen) < 3 + N_RANDOM:
            chosen.setdefault(index, label)
    return [(label, index) for index, label in chosen.items()]


def _example(
    row: Row,
    evaluation: Evaluation,
    dataset: PreferenceDataset,
    protocol: EvaluationProtocol,
    label: str,
    index: int,
) -> Example:
    rater, episode, judgment = judgment_at(row, evaluation, index)
    preferred, other = (
        dataset.image(image, protocol.edit_size)
        for image in (judgment.preferred_image, judgment.rejected_image)
    )
    ids = [judgment.rejected_image, judgment.preferred_image]
    from_other, from_preferred = row.contender.editor.render(row.contender.profiles[rater], ids, ids)
    d = row.distances
    between = float(between_of(row, evaluation)[index])
    return Example(
        run=row.contender.run or "",
        label=label,
        rater_id=episode.rater_id,
        scenes=row.scenes,
        strips=(
            _strip("From the image not chosen", other, from_other, preferred, other, between, d.d_np[index]),
            _strip("From the image chosen", preferred, from_preferred, preferred, other, 0.0, d.d_pp[index]),
        ),
    )


def judgment_at(row: Row, evaluation: Evaluation, index: int) -> tuple[int, Episode, Judgment]:
    """Of the index-th evaluated judgment of a row: the rater's number, the episode, the judgment."""
    episodes = next(kind for kind in evaluation.episodes if kind.scenes == row.scenes)
    rater = int(row.distances.rater[index])
    episode = episodes.episodes[rater]
    return rater, episode, episode.evaluations[index - int((row.distances.rater < rater).sum())]


def between_of(row: Row, evaluation: Evaluation) -> Floats:
    """ΔE00 between the two images of each judgment."""
    untouched = next(
        r
        for r in evaluation.rows
        if (r.contender.name, r.scenes, r.metric.name) == ("identity", row.scenes, "delta_e")
    )
    return untouched.distances.d_np


def _strip(
    title: str,
    image: Pixels,
    output: Pixels,
    preferred: Pixels,
    other: Pixels,
    before: float,
    after: float,
) -> Strip:
    return Strip(
        title=title,
        input=data_address(image),
        output=data_address(output),
        preferred=data_address(preferred),
        other=data_address(other),
        before=float(before),
        after=float(after),
        width=image.shape[1],
        height=image.shape[0],
    )


def data_address(pixels: Pixels, quality: int = QUALITY) -> str:
    """The image itself as an address, so that the page needs no other file."""
    levels = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def distinct(examples: Sequence[Example]) -> list[str]:
    """Every picture once, in the order of its first use."""
    names = ("input", "output", "preferred", "other")
    return list(dict.fromkeys(getattr(s, name) for e in examples for s in e.strips for name in names))
