"""Pairs, plans and questions for the tests of a session's design."""

import numpy as np

from collection.design.plan import PAIR, plan_session
from collection.design.protocol import Protocol


def askable(per_scene, exposures=None, source_types="D"):
    """Pairs 0, 1, … with images 2k and 2k+1; `per_scene[s]` of them are of scene s.

    `exposures` and `source_types` are gone through again and again.
    """
    scenes = np.repeat(np.arange(len(per_scene)), per_scene)
    pairs = np.zeros(len(scenes), PAIR)
    pairs["pair"] = np.arange(len(scenes))
    pairs["scene"] = scenes
    pairs["image_a"] = 2 * pairs["pair"]
    pairs["image_b"] = 2 * pairs["pair"] + 1
    pairs["source_type"] = np.resize(list(source_types), len(scenes))
    pairs["exposures"] = np.resize(exposures or [0], len(scenes))
    return pairs


def plan(pairs, seed=0, **settings):
    return plan_session(pairs, Protocol(**settings), np.random.default_rng(seed))


def of_kind(questions, kind):
    return [q for q in questions if q.kind == kind]
