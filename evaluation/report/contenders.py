"""What a report compares: editors, and the rows that are made with them.

An editor turns an image of the dataset into an output for a profile. One editor
serves many rows: a learner with the rater's own references, with another rater's, and
so on. Rows name profiles by keys, so that an output that two rows share is made once.
"""

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from evaluation.protocol import Episode, Episodes, EvaluationProtocol, mixed_references, references_of
from evaluation.report.profiles import Profiles, ProfileStore
from learning.data.dataset import Judgment, Pixels, PreferenceDataset
from learning.systems.interface import System
from variants.progress import Report, silent

CONTROLS = (
    "control:wrong_rater",
    "control:reversed_pairs",
    "control:mismatched_pairs",
    "control:mean_profile",
    "control:wrong_query",
)

MAX_TRAINING_PROFILES = 64
"""Training raters whose profiles make the mean one; more change it little."""


class Editor(Protocol):
    def render(self, profile: Hashable, images: Sequence[str], guides: Sequence[str]) -> list[Pixels]:
        """Outputs at the edit size for image IDs; each edit is computed from the guide's ID."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """One row of the report on one kind of scenes."""

    name: str
    run: str | None
    editor: Editor
    profiles: tuple[Hashable, ...]
    """One for each episode."""
    wrong_rater: bool = False
    """Whether each edit is made for another rater, all the others in turn."""
    wrong_query: bool = False
    """Whether each edit is computed from another photo than the one it is applied to."""

    def edits(self, index: int, episode: Episode) -> list[tuple["Edit", "Edit"]]:
        """For each evaluated judgment the edit of the preferred and of the other image."""
        judgments = episode.evaluations
        guides = _other_photos(episode) if self.wrong_query else judgments
        profiles = [self._profile(index, number) for number in range(len(judgments))]
        return [
            (
                Edit(profile, judgment.preferred_image, guide.preferred_image),
                Edit(profile, judgment.rejected_image, guide.rejected_image),
            )
            for profile, judgment, guide in zip(profiles, judgments, guides, strict=True)
        ]

    def _profile(self, index: int, judgment: int) -> Hashable:
        if not self.wrong_rater:
            return self.profiles[index]
        # One other rater alone may happen to want the same; all in turn are what others want.
        shift = 1 + judgment % (len(self.profiles) - 1)
        return self.profiles[(index + shift) % len(self.profiles)]


@dataclass(frozen=True, slots=True)
class Edit:
    profile: Hashable
    image: str
    guide: str


class Untouched:
    """Doing nothing: the floor that every learner has to leave below itself."""

    def __init__(self, dataset: PreferenceDataset, edit_size: int) -> None:
        self._dataset, self._edit_size = dataset, edit_size

    def render(self, profile: Hashable, images: Sequence[str], guides: Sequence[str]) -> list[Pixels]:
        return [self._dataset.image(image, self._edit_size) for image in images]


@dataclass(kw_only=True, eq=False)
class Learner:
    """A trained system with the profiles that the rows ask for, each adapted once."""

    run: str
    system: System
    dataset: PreferenceDataset
    protocol: EvaluationProtocol
    folder: Path | None = None
    """The run folder, where it is one."""
    store: ProfileStore | None = None
    """Where profiles are kept that took long."""
    render_seconds: list[float] = field(default_factory=list)
    """For each image that was rendered."""
    profiles: Profiles = field(init=False)

    def __post_init__(self) -> None:
        self.profiles = Profiles(self.system, self.dataset, self.store)

    def contenders(self, episodes: Episodes) -> list[Contender]:
        """The learner as it is, with everybody's references mixed, and the five controls."""
        know, scenes = self.profiles.know, episodes.scenes
        own = [know((scenes, e.rater_id, "own"), _pairs(e.references)) for e in episodes.episodes]
        everybody = know((scenes, "everybody"), _pairs(mixed_references(episodes.episodes, self.protocol)))
        rows: dict[str, Sequence[Hashable]] = {
            self.system.name: own,
            "average_preference": [everybody] * len(own),
            "control:wrong_rater": own,
            "control:reversed_pairs": [
                know((scenes, e.rater_id, "reversed"), _reversed(_pairs(e.references)))
                for e in episodes.episodes
            ],
            "control:mismatched_pairs": [
                know((scenes, e.rater_id, "mismatched"), _mismatched(_pairs(e.references)))
                for e in episodes.episodes
            ],
            "control:mean_profile": ["mean"] * len(own),
            "control:wrong_query": own,
        }
        if len(own) < 2:  # there is no other rater
            del rows["control:wrong_rater"]
        return [
            Contender(
                name=name,
                run=self.run,
                editor=self,
                profiles=tuple(profiles),
                wrong_rater=name == "control:wrong_rater",
                wrong_query=name == "control:wrong_query",
            )
            for name, profiles in rows.items()
        ]

    def adapt_all(self, report: Report = silent) -> None:
        """Adapt to all that the contenders ask for, and to training raters for the mean profile.

        A system that knows its training raters' mean (`mean_head`) is asked for it instead.
        """
        mean_head = getattr(self.system, "mean_head", None)
        raters = [] if mean_head else self.dataset.training_raters()[:MAX_TRAINING_PROFILES]
        training = []
        for rater in raters:
            known = references_of(self.dataset.judgments_of(rater), rater, self.protocol)
            if known:
                training.append(self.profiles.know(("training", rater), _pairs(known)))
        self.profiles.adapt_all(report, f"{self.run}: adapting to raters and their controls")
        mean = (
            mean_head() if mean_head else self.system.mean_profile([self.profiles[key] for key in training])
        )
        self.profiles.keep("mean", mean)

    def render(self, profile: Hashable, images: Sequence[str], guides: Sequence[str]) -> list[Pixels]:
        load = self.dataset.image
        size = self.protocol.edit_size
        shown = [load(image, size) for image in images]
        seen = None if list(images) == list(guides) else [load(guide, size) for guide in guides]
        own = self.profiles[profile]
        started = time.perf_counter()
        outputs = self.system.render(shown, own) if seen is None else self.system.render(shown, own, seen)
        self.render_seconds += [(time.perf_counter() - started) / len(images)] * len(images)
        return outputs


def _pairs(judgments: Sequence[Judgment]) -> list[tuple[str, str]]:
    return [(j.preferred_image, j.rejected_image) for j in judgments]


def _reversed(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(rejected, preferred) for preferred, rejected in pairs]


def _mismatched(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The preferred image of each pair with the other image of the next."""
    others = [rejected for _, rejected in pairs]
    return [(preferred, other) for (preferred, _), other in zip(pairs, others[1:] + others[:1], strict=True)]


def _other_photos(episode: Episode) -> list[Judgment]:
    """For each evaluated judgment the next one of another scene; a reference where there is none."""
    judgments = episode.evaluations
    found = []
    for index, judgment in enumerate(judgments):
        later = (*judgments[index + 1 :], *judgments[:index], *episode.references)
        found.append(next((other for other in later if other.scene_id != judgment.scene_id), judgment))
    return found
