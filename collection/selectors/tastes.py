"""What is known of a study's tastes: tones of its renditions, and the rater model learnt from its answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from collection.design.ideal_point import Answers, Floats, TasteModel
from collection.design.tone_space import Ints, ToneSpace, scene_means
from collection.models import RaterModel, RenditionTone, Study
from variants.tone.statistics import VERSION

STORED = np.dtype("<f4")


@dataclass(frozen=True, kw_only=True)
class Tastes:
    """A study's rater model with the tones that it reads, by the renditions' keys."""

    model: TasteModel
    images: Ints  # (n,) keys in ascending order
    tones: Floats  # (n, K), from the mean of the scene
    content: Floats  # (n, C), of the scene

    def has(self, images: Ints) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.isin(images, self.images)

    def knows(self, *images: int) -> bool:
        return bool(self.has(np.array(images)).all())

    def answers(self, preferred: Ints, rejected: Ints) -> Answers:
        """As the model sees them; images without tones count as nothing."""
        first, second = (
            np.searchsorted(self.images, x).clip(max=len(self.images) - 1) for x in (preferred, rejected)
        )
        return self.model.answers(self.tones[first], self.tones[second], self.content[first])


def study_tones(study: Study) -> tuple[Ints, Ints, Floats]:
    """Of the study's renditions that were measured: keys (n,) in ascending order, scenes from 0 (n,), statistics."""
    measured = RenditionTone.objects.filter(rendition__scene__studies=study, version=VERSION)
    rows = list(measured.order_by("rendition").values_list("rendition", "rendition__scene", "statistics"))
    images, scenes = np.array([row[:2] for row in rows], int).reshape(-1, 2).T
    statistics = np.array([np.frombuffer(row[2], STORED) for row in rows], float)
    return images, np.unique(scenes, return_inverse=True)[1], statistics


def study_tastes(study: Study) -> Tastes | None:
    """None before the study's answers have said enough."""
    found = RaterModel.objects.filter(study=study).values_list("arrays", flat=True).first()
    if not found:
        return None
    space, model = tastes_from_arrays(found)
    images, scenes, statistics = study_tones(study)
    means = scene_means(statistics, scenes)[scenes]
    return Tastes(
        model=model,
        images=images,
        tones=space.tones(statistics, means),
        content=space.content(means),
    )


def tastes_from_arrays(arrays: Mapping[str, Any]) -> tuple[ToneSpace, TasteModel]:
    model = arrays["model"]
    return (
        ToneSpace.from_arrays(arrays["space"]),
        TasteModel(
            metric=np.array(model["metric"]),
            mean=np.array(model["mean"]),
            covariance=np.array(model["covariance"]),
            lapse=model["lapse"],
        ),
    )
