"""Preference prediction: of two images of a held-out judgment, does the learner give the preferred one the higher score?

Only systems that can score images (`learning.systems.interface.Scorer`) have such rows. They are measured
with the rater's own references and, to be held against it, with everybody's mixed and with the mean
profile; the oracle of simulated raters ranks by the distance to the ideal it knows.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from evaluation.metrics.cqs import Floats
from evaluation.metrics.intervals import mean_interval
from evaluation.protocol import Episodes
from evaluation.report.contenders import Contender, Learner
from learning.systems.interface import Scorer
from variants.progress import Report, silent

SCORED = ("average_preference", "control:mean_profile")
"""Rows beside the learner's own that are scored."""


def predictions_of(
    learner: Learner,
    contenders: Sequence[Contender],
    episodes: Episodes,
    weights: Floats,
    report: Report = silent,
) -> tuple[list[dict[str, Any]], str]:
    """The rows of one learner on one kind of scenes, and why there are none where there are none."""
    if not isinstance(learner.system, Scorer):
        return [], "it does not score images"
    rows = []
    wanted = [c for c in contenders if c.run == learner.run and c.name in (learner.system.name, *SCORED)]
    for number, contender in enumerate(wanted):
        report(number, len(wanted), f"{learner.run}: predicting preferences, {episodes.scenes} scenes")
        try:
            right = _ranked_right(learner, contender.profiles, episodes)
        except ValueError as error:
            return [], str(error)
        rows.append(_row(contender, episodes, right, weights))
    return rows, ""


def _ranked_right(learner: Learner, profiles: Sequence[Hashable], episodes: Episodes) -> Floats:
    """1 for each judgment whose preferred image has the higher score, 0.5 for a tie, 0 else."""
    system, dataset, size = learner.system, learner.dataset, learner.protocol.edit_size
    assert isinstance(system, Scorer)
    found = []
    for profile, episode in zip(profiles, episodes.episodes, strict=True):
        images = [image for j in episode.evaluations for image in (j.preferred_image, j.rejected_image)]
        scores = system.score([dataset.image(image, size) for image in images], learner.profiles[profile])
        pairs = np.asarray(scores, np.float64).reshape(-1, 2)
        if not np.isfinite(pairs).all():
            raise ValueError(f"its scores for rater {episode.rater_id} are not all numbers")
        found.append((np.sign(pairs[:, 0] - pairs[:, 1]) + 1) / 2)
    return np.concatenate(found)


def oracle_prediction(
    contender: Contender,
    episodes: Episodes,
    weights: Floats,
) -> dict[str, Any] | None:
    """The ceiling: the image nearer to the ideal wins; what is left are the raters' own slips."""
    nearness = getattr(contender.editor, "nearness", None)
    if nearness is None:
        return None
    found = []
    for rater, episode in zip(contender.profiles, episodes.episodes, strict=True):
        for j in episode.evaluations:
            away = nearness(rater, j.rejected_image) - nearness(rater, j.preferred_image)
            found.append((np.sign(away) + 1) / 2)
    return _row(contender, episodes, np.array(found), weights)


def _row(contender: Contender, episodes: Episodes, right: Floats, weights: Floats) -> dict[str, Any]:
    rater = np.repeat(np.arange(len(episodes.episodes)), [len(e.evaluations) for e in episodes.episodes])
    interval = mean_interval(right, rater, weights)
    return {
        "run": contender.run,
        "name": contender.name,
        "scenes": episodes.scenes,
        "share": float(right.mean()),
        "interval": list(interval) if interval else None,
        "right": float(right.sum()),
        "n_judgments": int(right.size),
        "n_raters": len(episodes.episodes),
        "chance": 0.5,
    }
