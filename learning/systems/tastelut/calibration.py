"""How strongly to edit and when to leave a photo alone, found on training raters and scenes kept out of training.

Half of a high CQS is knowing when to do nothing. Metric mode edits a photo by one strength where the gate says
that it needs it, and not at all elsewhere. Both numbers are those with the highest sum of CQS on ΔE00 and on PSNR,
each over doing nothing's: ΔE00 rewards edits that arrive, PSNR photos that stay untouched, and of strengths and
gates that are nearly as good on the one some are much better on the other.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from learning.data.alignment import Alignment
from learning.data.dataset import PreferenceDataset
from learning.data.views import ViewBank
from learning.systems.tastelut.answering import StandIns, questions
from learning.systems.tastelut.config import CalibrationConfig
from learning.systems.tastelut.network import Network
from learning.systems.tastelut.reading import Raters, read_pairs, tastes
from variants.progress import Report
from variants.tone.color import srgb_to_lab
from variants.tone.difference import ciede2000

Indices = npt.NDArray[np.integer[Any]]
Array = npt.NDArray[np.floating[Any]]

STRENGTHS = (0.4, 0.55, 0.7, 0.85, 1.0, 1.15)
GATES = np.linspace(-3, 3, 25)
CASE = (2, 3 + 4 * len(STRENGTHS))
"""Of one judgment, by ΔE00 and by PSNR: the pair's own, both logits, and the four distances at each strength."""
CAP = 100.0
"""PSNR of two images that are the same, in dB."""
REFERENCES = 16
PAIRS = 4
"""Of each held scene and rater: what was asked is too little to find two numbers on, so stand-ins answer more."""
LEAST_JUDGMENTS = 40
"""With fewer to find them on, strength and gate stay at 1 and 0."""


def split(
    dataset: PreferenceDataset, rows: Sequence[Indices], config: CalibrationConfig, seed: int
) -> tuple[list[Indices], list[Indices], npt.NDArray[np.bool_]]:
    """Keep raters and scenes out of training.

    Returns:
        rows of the raters to train on, on the scenes to train on; rows of the others, on all training scenes; and
        which of the dataset's scenes are kept out.
    """
    rng = np.random.default_rng([seed, 11])
    scenes = np.unique(dataset.judgments.scene[np.concatenate(rows)])
    n_scenes, n_raters = round(config.scenes * len(scenes)), round(config.raters * len(rows))
    held = np.zeros(len(dataset.scene_ids), bool)
    if not (n_scenes and n_raters):
        return list(rows), [], held
    held[rng.permutation(scenes)[:n_scenes]] = True
    order = rng.permutation(len(rows))
    kept = [rows[i][~held[dataset.judgments.scene[rows[i]]]] for i in sorted(order[n_raters:].tolist())]
    kept = [own for own in kept if len(own) > 1]
    if not kept:
        return list(rows), [], np.zeros_like(held)
    return kept, [rows[i] for i in sorted(order[:n_raters].tolist())], held


@torch.no_grad()
def calibrate(
    network: Network,
    raters: Raters,
    dataset: PreferenceDataset,
    rows: Sequence[Indices],
    everybody: Indices,
    held: npt.NDArray[np.bool_],
    stand_ins: StandIns,
    views: ViewBank,
    seed: int,
    report: Report,
) -> tuple[float, float, int]:
    """Strength, gate (a logit), and the number of answers that they were found on.

    Args:
        network: trained, on the CPU.
        raters: what was learnt of raters.
        dataset: whose judgments they are.
        rows: of each rater of the slice.
        everybody: rows of all training raters, whose questions are asked.
        held: the scenes of the slice; references are of the others.
        stand_ins: of the raters of the slice, in the same order.
        views: of all images; the whole image counts, view 0.
        seed: of the pairs that are answered.
        report: told of every rater.
    """
    alignment, rng = Alignment(dataset), np.random.default_rng([seed, 13])
    asked = questions(dataset, everybody[held[dataset.judgments.scene[everybody]]])
    found: list[Array] = []
    for rater, own in enumerate(rows):
        report(rater + 1, len(rows), "finding strength and gate")
        references = own[~held[dataset.judgments.scene[own]]][:REFERENCES]
        answers = [
            stand_ins.answer(rater, rng.choice(pairs), scene, rng)
            for scene, pairs in asked.items()
            for _ in range(PAIRS)
        ]
        pairs = np.array(answers).reshape(-1, 2)
        pairs = pairs[alignment(pairs[:, 0], pairs[:, 1])]
        if len(pairs) and len(references):
            found.append(_cases(network, raters, dataset, references, pairs, views))
    cases = np.concatenate(found) if found else np.zeros((0, *CASE))
    if len(cases) < LEAST_JUDGMENTS:
        return 1.0, 0.0, len(cases)
    scored = [
        (_score(cases, i, gate), strength, float(gate))
        for i, strength in enumerate(STRENGTHS)
        for gate in GATES
    ]
    return (*max(scored)[1:], len(cases))


def _cases(
    network: Network,
    raters: Raters,
    dataset: PreferenceDataset,
    references: Indices,
    pairs: Indices,
    views: ViewBank,
) -> Array:
    """Of n pairs, the preferred image first, (n, 2, 3 + 4·strengths); see CASE."""
    judgments = dataset.judgments

    def features(images: Indices) -> torch.Tensor:
        return network.scaled(views.features_of(images, np.zeros(len(images), np.int64)))

    read = read_pairs(
        network, features(judgments.preferred[references]), features(judgments.rejected[references])
    )
    point = raters.taste(read)
    memory = network.reads(read.tokens[None], torch.ones(1, len(references), dtype=torch.bool))
    taste = tastes(memory, [point.mean], [point.covariance], network.sizes.contents)
    images = pairs.T.reshape(-1)  # all preferred ones, then all rejected ones
    seen = network.sees(features(images)[None])
    edit, logits = network.plans(seen, taste)
    inputs = views.pixels_of(images, np.zeros(len(images), np.int64))
    edited = edit(inputs)
    n = len(pairs)
    sides = inputs[:n], inputs[n:]
    both = logits[0].double().numpy().reshape(2, n)
    columns = [np.stack([how_far(*sides), *both]) for how_far in METRICS]
    for strength in STRENGTHS:
        outputs = torch.lerp(inputs, edited, strength).clamp(0, 1)
        ends = [(o, target) for o in (outputs[:n], outputs[n:]) for target in sides]
        for index, how_far in enumerate(METRICS):
            columns[index] = np.concatenate([columns[index], [how_far(*end) for end in ends]])
    return np.stack(columns).transpose(2, 0, 1)


def _score(cases: Array, strength: int, gate: float) -> float:
    """CQS over doing nothing's, the sum of both metrics; cases (n, 2, 3 + 4·strengths), the strength by its number."""
    moves_p, moves_n = cases[:, 0, 1] > gate, cases[:, 0, 2] > gate
    total = 0.0
    for metric, itself in enumerate((0.0, CAP)):
        between = cases[:, metric, 0]
        d_pp, d_pn, d_np, d_nn = cases[:, metric, 3 + 4 * strength : 7 + 4 * strength].T
        d_p = (np.where(moves_p, d_pp, itself) + np.where(moves_n, d_np, between)).mean() / 2
        d_n = (np.where(moves_p, d_pn, between) + np.where(moves_n, d_nn, itself)).mean() / 2
        nothing = (between.mean() + itself) / 2
        total += _cqs(d_p, d_n, higher=bool(itself)) / _cqs(nothing, nothing, higher=bool(itself))
    return total


def _cqs(d_p: float, d_n: float, *, higher: bool) -> float:
    """As `evaluation.metrics.cqs`, which this package must not import."""
    if d_p <= 0 or d_n <= 0:
        return 0.0
    margin = (d_p - d_n if higher else d_n - d_p) / (d_p + d_n)
    fidelity = np.sqrt(d_p * d_n) if higher else 1 / np.sqrt(d_p * d_n)
    return float(fidelity * (1 + margin))


def _delta_e(a: torch.Tensor, b: torch.Tensor) -> Array:
    """Mean ΔE00 of each image (n, 3, H, W) to the same of the other; (n,)."""
    found: Array = ciede2000(_lab(a), _lab(b)).mean(dim=(1, 2)).numpy()
    return found


def _psnr(a: torch.Tensor, b: torch.Tensor) -> Array:
    """In dB, at most CAP; (n,)."""
    error = (a - b).double().square().mean(dim=(1, 2, 3)).clamp(min=10 ** (-CAP / 10))
    found: Array = (-10 * error.log10()).numpy()
    return found


def _lab(images: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = srgb_to_lab(images.double().permute(0, 2, 3, 1))
    return found


METRICS = (_delta_e, _psnr)
