"""Who is evaluated on what: episodes of references and evaluated judgments.

Every system sees the same episodes: which judgments are references is decided by a
permutation seeded from the rater's ID and the report's seed alone. No scene is on both
sides of an episode, and flipped checks are on neither.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from learning.data.dataset import Judgment, PreferenceDataset

Scenes = Literal["new", "known"]
"""`new`: evaluated on scenes held out of all training. `known`: on scenes that training raters answered."""
SCENES: tuple[Scenes, ...] = ("new", "known")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationProtocol:
    references: int = 16
    """Judgments of each rater that a system reads (N)."""
    evaluations: int = 16
    """Judgments of each rater that it is measured on, at most (M)."""
    edit_size: int = 512
    """Long side of the images that a system edits, in pixels."""
    metric_size: int = 256
    """Long side at which outputs are measured, in pixels."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("references", "evaluations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("edit_size", "metric_size"):
            if not 16 <= getattr(self, name) <= 8192:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 16 to 8192 pixels")
        if self.metric_size > self.edit_size:
            raise ValueError(
                f"metric_size ({self.metric_size}) is above edit_size ({self.edit_size}); "
                "outputs are never scaled up to be measured"
            )
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be 0 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    rater_id: str
    references: tuple[Judgment, ...]
    evaluations: tuple[Judgment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Episodes:
    scenes: Scenes
    episodes: tuple[Episode, ...]
    left_out: dict[str, str]
    """Raters who could not be evaluated, and why."""
    n_unaligned: int = 0
    """Judgments that were passed over because the two images do not lie on each other pixel by pixel."""

    @property
    def n_judgments(self) -> int:
        return sum(len(episode.evaluations) for episode in self.episodes)

    @property
    def queries_sha256(self) -> str:
        """Of who is measured on which judgments: equal for two evaluations that can be paired."""
        lines = [
            f"{e.rater_id} {j.preferred_image} {j.rejected_image}"
            for e in self.episodes
            for j in e.evaluations
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


IsAligned = Callable[[Judgment], bool]
"""Whether the two images of a judgment can be compared pixel by pixel."""


def episodes_of(
    dataset: PreferenceDataset,
    scenes: Scenes,
    protocol: EvaluationProtocol,
    is_aligned: IsAligned | None = None,
) -> Episodes:
    """The episodes of a dataset's validation raters; see `make_episodes`."""
    judgments = {rater: dataset.judgments_of(rater) for rater in dataset.validation_raters()}
    return make_episodes(judgments, dataset.validation_scenes(), scenes, protocol, is_aligned)


def make_episodes(
    judgments: Mapping[str, Sequence[Judgment]],
    held_out: Iterable[str],
    scenes: Scenes,
    protocol: EvaluationProtocol,
    is_aligned: IsAligned | None = None,
) -> Episodes:
    """Divide each rater's judgments into references and evaluated ones.

    Args:
        judgments: main judgments of each rater to evaluate, without the flipped checks.
        held_out: IDs of the scenes that nothing was trained on.
        scenes: `new` evaluates on the held-out scenes and takes references from the others;
            `known` does both on the others, on different scenes.
        protocol: how many of each, and the seed.
        is_aligned: asked of judgments to evaluate; those that are not aligned are passed over and counted.
            References may be of any pairs: systems read their features. None takes all.

    A rater with fewer references than wanted, or nothing to evaluate, is left out and
    named. With fewer evaluations than wanted a rater stays: small datasets have few.
    """
    held_out = frozenset(held_out)
    episodes, left_out, n_unaligned = [], {}, 0
    for rater_id in sorted(judgments):
        rng = _rng_of(rater_id, protocol.seed)
        shuffled = _shuffled(judgments[rater_id], rng)
        known = [j for j in shuffled if j.scene_id not in held_out]
        if scenes == "new":
            references, evaluations = known, [j for j in shuffled if j.scene_id in held_out]
        else:
            references, evaluations = _divided_by_scene(known, protocol)
        passed_over = 0
        if is_aligned and len(references) >= protocol.references:
            evaluations, passed_over = _aligned(evaluations, protocol.evaluations, is_aligned)
            n_unaligned += passed_over
        if why := _why_not(shuffled, references, evaluations, protocol, passed_over):
            left_out[rater_id] = why
            continue
        episodes.append(
            Episode(
                rater_id=rater_id,
                references=tuple(references[: protocol.references]),
                evaluations=tuple(evaluations[: protocol.evaluations]),
            )
        )
    return Episodes(scenes=scenes, episodes=tuple(episodes), left_out=left_out, n_unaligned=n_unaligned)


def reading(episodes: Episodes, n: int) -> Episodes:
    """The same episodes, of whose references only the first `n` are read; ValueError where one has fewer."""
    fewest = min((len(episode.references) for episode in episodes.episodes), default=n)
    if not 1 <= n <= fewest:
        raise ValueError(f"{n} references cannot be read of episodes that have {fewest}")
    shorter = (replace(episode, references=episode.references[:n]) for episode in episodes.episodes)
    return replace(episodes, episodes=tuple(shorter))


def references_of(
    judgments: Sequence[Judgment], rater_id: str, protocol: EvaluationProtocol
) -> list[Judgment]:
    """References of a training rater, of whom nothing is evaluated; fewer where there are fewer."""
    return _shuffled(judgments, _rng_of(rater_id, protocol.seed))[: protocol.references]


def mixed_references(episodes: Sequence[Episode], protocol: EvaluationProtocol) -> list[Judgment]:
    """One set of references for everybody: drawn from all raters' references, each rater in turn."""
    order = _rng_of("everybody", protocol.seed).permutation(len(episodes)).tolist()
    mixed = []
    for turn in range(protocol.references):
        references = episodes[order[turn % len(order)]].references
        mixed.append(references[(turn // len(order)) % len(references)])
    return mixed


def _divided_by_scene(
    shuffled: Sequence[Judgment], protocol: EvaluationProtocol
) -> tuple[list[Judgment], list[Judgment]]:
    """Whole scenes to one side or the other, each to the side that lacks more of what it wants."""
    references: list[Judgment] = []
    evaluations: list[Judgment] = []
    for scene in dict.fromkeys(j.scene_id for j in shuffled):  # in the order of the permutation
        wants_reference = len(references) * protocol.evaluations <= len(evaluations) * protocol.references
        side = references if wants_reference else evaluations
        side += [j for j in shuffled if j.scene_id == scene]
    # The first N would otherwise all be of the scenes that came first.
    rng = _rng_of("".join(sorted({j.scene_id for j in shuffled})), protocol.seed)
    return _shuffled(references, rng), _shuffled(evaluations, rng)


def _aligned(
    evaluations: Sequence[Judgment], wanted: int, is_aligned: IsAligned
) -> tuple[list[Judgment], int]:
    """The first `wanted` aligned ones, and how many others were passed over on the way."""
    found: list[Judgment] = []
    passed_over = 0
    for judgment in evaluations:
        if len(found) == wanted:
            break
        if is_aligned(judgment):
            found.append(judgment)
        else:
            passed_over += 1
    return found, passed_over


def _why_not(
    judgments: Sequence[Judgment],
    references: Sequence[Judgment],
    evaluations: Sequence[Judgment],
    protocol: EvaluationProtocol,
    passed_over: int,
) -> str:
    if not judgments:
        return "has no answer that prefers one image: ties and checks say nothing about a taste"
    if len(references) < protocol.references:
        return f"has {len(references)} judgments for references, {protocol.references} are wanted"
    if not evaluations and passed_over:
        return f"has {passed_over} judgments on such scenes, all of pairs that do not lie on each other"
    if not evaluations:
        return "has no judgment to evaluate on such scenes"
    return ""


def _shuffled(judgments: Sequence[Judgment], rng: np.random.Generator) -> list[Judgment]:
    return [judgments[i] for i in rng.permutation(len(judgments)).tolist()]


def _rng_of(rater_id: str, seed: int) -> np.random.Generator:
    """Seeded by md5(rater_id_seed) mod 2³², as the authors' code does."""
    digest = hashlib.md5(f"{rater_id}_{seed}".encode(), usedforsecurity=False).digest()
    return np.random.default_rng(int.from_bytes(digest, "big") % 2**32)
