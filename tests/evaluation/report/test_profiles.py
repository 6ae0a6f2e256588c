"""Adapting once for each set of references, and not again after a report was stopped."""

import numpy as np
import pytest

from evaluation.report import profiles as module
from evaluation.report.profiles import Profiles, ProfileStore
from learning.data.dataset import PreferenceDataset
from tests.evaluation.doubles import MeanColour
from tests.learning.factories import make_dataset


class Counting(MeanColour):
    def __init__(self):
        self.adapted = 0

    def adapt(self, references):
        self.adapted += 1
        return super().adapt(references)


@pytest.fixture
def dataset(tmp_path):
    return PreferenceDataset.load(make_dataset(tmp_path / "data", n_scenes=2, n_raters=2, n_answers=4))


@pytest.fixture(autouse=True)
def _all_are_worth_keeping(monkeypatch):
    monkeypatch.setattr(module, "WORTH_KEEPING", 0)


def references(dataset, rater):
    return [(j.preferred_image, j.rejected_image) for j in dataset.judgments_of(rater)]


def test_the_same_references_are_adapted_to_once(dataset):
    system = Counting()
    profiles = Profiles(system, dataset)
    profiles.know("own", references(dataset, "rater0"))
    profiles.know("again", references(dataset, "rater0"))
    profiles.know("other", references(dataset, "rater1"))
    told = []
    profiles.adapt_all(lambda done, total, stage: told.append((done, total)), "adapting")
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert (profiles["own"]["shift"] == profiles["again"]["shift"]).all()
    assert system.adapted == 2
    assert len(profiles.seconds) == 2
    assert profiles.bytes_per_rater == 12


class Asked(MeanColour):
    """Remembers what it was shown."""

    def adapt(self, references):
        self.references = references
        return super().adapt(references)


def test_the_original_goes_with_the_preferred_image(dataset):
    """Reversed it stays; of mismatched pairs it is that of the preferred image's scene."""
    system, own = Asked(), references(dataset, "rater0")
    shown = {
        "own": own,
        "reversed": [(rejected, preferred) for preferred, rejected in own],
        "mismatched": [
            (preferred, other) for (preferred, _), (_, other) in zip(own, own[1:] + own[:1], strict=True)
        ],
    }
    profiles = Profiles(system, dataset)
    for key, pairs in shown.items():
        profiles.know(key, pairs)
        profiles[key]
        for (preferred, _), (answered, _), pair in zip(pairs, own, system.references, strict=True):
            scene = dataset.images[preferred].scene_id
            assert scene == dataset.images[answered].scene_id
            neutral = dataset.neutral_image_of(scene)
            assert np.array_equal(pair.original, dataset.image(neutral, system.reference_size))


def test_a_stopped_report_goes_on_with_what_was_adapted(dataset, tmp_path):
    own = references(dataset, "rater0")
    first, second = Counting(), Counting()
    profile = {}
    for system in (first, second):
        profiles = Profiles(system, dataset, ProfileStore(tmp_path / "profiles", "weights"))
        profiles.know("own", own)
        profile[system] = profiles["own"]["shift"]
        assert profiles.seconds[0] > 0  # the time that it took, not the time of reading it
    assert (first.adapted, second.adapted) == (1, 0)
    assert np.array_equal(profile[first], profile[second])


def test_other_weights_references_or_broken_files_are_adapted_anew(dataset, tmp_path):
    own = references(dataset, "rater0")
    store = ProfileStore(tmp_path, "weights")
    store.put(own, {"shift": np.ones(3, np.float32)}, 1.5)
    assert store.get(own)[1] == 1.5
    assert ProfileStore(tmp_path, "other weights").get(own) is None
    assert store.get(own[::-1]) is None
    (file,) = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-4])
    assert store.get(own) is None
    assert not file.exists()


def test_memory_is_bounded_where_the_disk_holds_the_rest(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MEMORY", 20)  # bytes: one profile and a half
    system = Counting()
    profiles = Profiles(system, dataset, ProfileStore(tmp_path, "weights"))
    for rater in ("rater0", "rater1"):
        profiles.know(rater, references(dataset, rater))
    profiles.adapt_all()
    assert len(profiles._held) == 1
    before = profiles["rater0"]["shift"]
    assert (profiles["rater0"]["shift"] == before).all()
    assert system.adapted == 2


class Training(MeanColour):
    """Tells of its steps, as systems do that train a head."""

    def adapt(self, references, report=lambda done, total, stage: None):
        report(1, 2, "training the head")
        return super().adapt(references)


class Stop(Exception):
    pass


def test_a_cancel_is_heard_inside_a_long_adaptation(dataset):
    profiles = Profiles(Training(), dataset)
    profiles.know("own", references(dataset, "rater0"))
    told = []

    def stop(done, total, stage):
        told.append((done, total, stage))
        if len(told) == 2:
            raise Stop

    with pytest.raises(Stop):
        profiles.adapt_all(stop, "adapting")
    assert told == [(0, 1, "adapting")] * 2
