"""Profiles of raters: adapted once each, counted, timed, and kept on disk while a long report is made.

Controls multiply adaptations: of every evaluated rater there are the own, the reversed and
the mismatched references. A system that trains a head for each takes seconds a time, so what
is adapted outlives a report that was stopped. Which file belongs to which references hangs
on the weights, the dataset and the references themselves: nothing else can be taken for them.
"""

import hashlib
import inspect
import json
import shutil
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from learning.data.dataset import PreferenceDataset
from learning.systems.interface import Profile, ReferencePair, System
from learning.tastes import reference_pair
from learning.training.run_folder import replace_file
from variants.progress import Report, silent

WORTH_KEEPING = 0.2
"""Seconds of one adaptation from which its result is kept on disk."""
MEMORY = 512 * 2**20
"""Bytes of profiles kept in memory; more are read from disk again."""
READING = 2
"""Raised when pairs are read differently, so that profiles of a stopped report are not taken up by another reading."""
References = Sequence[tuple[str, str]]
"""Image IDs of (preferred, rejected)."""


class ProfileStore:
    """A folder of profiles of one run on one dataset."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder, self._identity = folder, identity

    @classmethod
    def of_run(cls, folder: Path, run_folder: Path, dataset: PreferenceDataset, size: int) -> "ProfileStore":
        """For a run as it is now: other weights or settings never find what these made."""
        told = hashlib.sha256(f"{READING} {dataset.sha256} {size}".encode())
        for name in ("config.json", "weights.safetensors"):
            if (path := run_folder / name).is_file():
                told.update(hashlib.sha256(path.read_bytes()).digest())
        return cls(folder, told.hexdigest())

    def get(self, references: References) -> tuple[Profile, float] | None:
        """The profile and the seconds that it took; None where there is none, or a broken one."""
        path = self._path(references)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="numpy") as file:
                seconds = float((file.metadata() or {})["seconds"])
                return {name: file.get_tensor(name) for name in file.keys()}, seconds  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError):
            path.unlink(missing_ok=True)
            return None

    def put(self, references: References, profile: Profile, seconds: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        held = {name: value.copy() for name, value in profile.items()}
        replace_file(
            self._path(references), lambda path: save_file(held, path, metadata={"seconds": repr(seconds)})
        )

    def has(self, references: References) -> bool:
        return self._path(references).is_file()

    def _path(self, references: References) -> Path:
        text = json.dumps([self._identity, list(references)])
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.safetensors"


def remove_profiles(folder: Path) -> None:
    """What a whole report no longer needs."""
    shutil.rmtree(folder, ignore_errors=True)


class Profiles:
    """The profiles of one system that a report asks for, by keys."""

    def __init__(self, system: System, dataset: PreferenceDataset, store: ProfileStore | None = None) -> None:
        self._system, self._dataset, self._store = system, dataset, store
        self._references: dict[Hashable, References] = {}
        self._held: OrderedDict[References, Profile] = OrderedDict()
        self._bytes = 0
        self.seconds: list[float] = []
        """What each adaptation took, without reading the images."""
        self.bytes_per_rater = 0

    def know(self, key: Hashable, references: References) -> Hashable:
        """From now on the profile `key` is the one of these references."""
        self._references[key] = tuple(references)
        return key

    def keep(self, key: Hashable, profile: Profile) -> None:
        """A profile that is not adapted, such as a mean."""
        self._hold((("", str(key)),), profile)
        self._references[key] = (("", str(key)),)

    def knows(self, key: Hashable) -> bool:
        return key in self._references

    def adapt_all(self, report: Report = silent, stage: str = "") -> None:
        """Adapt to everything that is known and not yet adapted, telling how many there are and are done."""
        wanted = [
            references
            for references in dict.fromkeys(self._references.values())
            if references not in self._held
        ]
        for done, references in enumerate(wanted):
            report(done, len(wanted), stage)
            # A system that trains tells of its steps: a worker's heart beats on, and a cancel is heard.
            self._adapted(references, lambda *_, done=done: report(done, len(wanted), stage))
        if wanted:
            report(len(wanted), len(wanted), stage)

    def __getitem__(self, key: Hashable) -> Profile:
        return self._adapted(self._references[key])

    def _adapted(self, references: References, report: Report = silent) -> Profile:
        if references in self._held:
            self._held.move_to_end(references)
            return self._held[references]
        found = self._store.get(references) if self._store else None
        if found is None:
            pairs = self._pairs(references)
            started = time.perf_counter()
            profile = self._adapt(pairs, report)
            found = profile, time.perf_counter() - started
            if self._store and found[1] >= WORTH_KEEPING:
                self._store.put(references, *found)
        profile, seconds = found
        self.seconds.append(seconds)
        self.bytes_per_rater = sum(value.nbytes for value in profile.values())
        self._hold(references, profile)
        return profile

    def _adapt(self, pairs: list[ReferencePair], report: Report) -> Profile:
        if "report" in inspect.signature(self._system.adapt).parameters:
            profile: Profile = self._system.adapt(pairs, report=report)  # type: ignore[call-arg]
            return profile
        return self._system.adapt(pairs)

    def _hold(self, references: References, profile: Profile) -> None:
        self._held[references] = profile
        self._bytes += sum(value.nbytes for value in profile.values())
        if self._store is None:
            return
        for old in list(self._held):
            if self._bytes <= MEMORY:
                break
            if self._store.has(old) and old != references:
                self._bytes -= sum(value.nbytes for value in self._held.pop(old).values())

    def _pairs(self, references: References) -> list[ReferencePair]:
        size = self._system.reference_size
        return [
            reference_pair(self._dataset, preferred, rejected, size) for preferred, rejected in references
        ]
