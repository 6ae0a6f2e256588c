"""What a study's raters have told of tastes so far: learnt by a worker, again and again as answers grow."""

import datetime as dt
import io
import logging
from collections import defaultdict
from typing import Any

import numpy as np
from celery import current_app
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError

from collection.design.ideal_point import TasteModel, learn_model
from collection.design.tone_space import ToneSpace, learn_tone_space, scene_means
from collection.models import Question, RaterModel, RenditionTone, Study
from collection.selectors.tastes import STORED, study_tones
from variants.models import Rendition
from variants.tone.images import read_photo
from variants.tone.statistics import VERSION, tone_statistics

logger = logging.getLogger(__name__)

TASK = "collection.tasks.taste_task"
FEWEST_RATERS, FEWEST_ANSWERS = 10, 200
"""Below them a model says less than chance questions do: see docs/active-questions.md."""
FEWEST_OF_A_RATER = 4
MOST_RATERS = 300
"""The latest ones; it takes a minute."""
GROWTH = 1.25
"""By how much answers grow until the model is learnt again."""
STALE_AFTER = dt.timedelta(minutes=30)
"""A worker that has been learning for so long is dead."""


def taste_is_due(study: Study) -> bool:
    """Whether the study has so many new answers that its rater model should be learnt again."""
    known = RaterModel.objects.filter(study=study).first()
    if known and known.claimed_at and known.claimed_at > timezone.now() - STALE_AFTER:
        return False
    return _told(study).count() >= max(FEWEST_ANSWERS, GROWTH * (known.n_answers if known else 0))


def taste_learn_soon(study_key: int) -> None:
    """Tell the workers, by a message that may be lost: the next answer sends another."""

    def send() -> None:
        try:
            current_app.send_task(TASK, [study_key], retry=False)
        except (OperationalError, OSError) as error:
            logger.warning("the broker does not answer (%s); the rater model stays as it is", error)

    transaction.on_commit(send)


def taste_learn(study_key: int) -> bool:
    """Measure the renditions that were not, and learn the rater model; whether it was."""
    study = Study.objects.filter(pk=study_key).first()
    if study is None or not _claim(study):
        return False
    try:
        tones_measure(study)
        return _learn(study)
    finally:
        RaterModel.objects.filter(study=study).update(claimed_at=None)


def tones_measure(study: Study) -> int:
    """Measure the tone of the study's renditions, each once; how many were."""
    lacking = Rendition.objects.filter(scene__studies=study, state=Rendition.State.RENDERED).exclude(
        tone__version=VERSION
    )
    keys = list(lacking.values_list("pk", flat=True))
    for key in keys:
        rendition = Rendition.objects.filter(pk=key).first()
        if rendition:  # it may be thrown out meanwhile
            with rendition.image.open() as file:
                pixels = read_photo(io.BytesIO(file.read())).pixels
            statistics = tone_statistics(pixels[None])[0].astype(STORED).tobytes()
            RenditionTone.objects.update_or_create(
                rendition=rendition, defaults={"version": VERSION, "statistics": statistics}
            )
    return len(keys)


def _claim(study: Study) -> bool:
    """True for one of those who try at once."""
    now = timezone.now()
    RaterModel.objects.get_or_create(study=study)
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - STALE_AFTER)
    return RaterModel.objects.filter(free, study=study).update(claimed_at=now) == 1


def _told(study: Study) -> QuerySet[Question]:
    """Main answers that prefer one of two, of those who did not withdraw and were not found invalid."""
    return Question.objects.filter(
        session__study=study,
        session__rater__withdrawn_at=None,
        kind=Question.Kind.MAIN,
        chosen_side__in=("left", "right"),
    ).order_by()


def _learn(study: Study) -> bool:
    answers = _told(study).values_list("session__rater", "left", "right", "chosen_side")
    by_rater: dict[int, list[tuple[int, int]]] = defaultdict(list)
    n_answers = 0
    for rater, left, right, side in answers.order_by("session__rater", "index"):
        n_answers += 1
        by_rater[rater].append((left, right) if side == "left" else (right, left))
    enough = [couples for couples in by_rater.values() if len(couples) >= FEWEST_OF_A_RATER]
    if len(enough) < FEWEST_RATERS or n_answers < FEWEST_ANSWERS:
        return False
    images, scenes, statistics = study_tones(study)
    space = learn_tone_space(statistics, scenes, seed=0)
    means = scene_means(statistics, scenes)[scenes]
    tones, content = space.tones(statistics, means), space.content(means)
    triples = []
    for couples in enough[-MOST_RATERS:]:
        preferred, rejected = np.searchsorted(images, np.array(couples)).T
        triples.append((tones[preferred], tones[rejected], content[preferred]))
    model = learn_model(triples, n_tones=space.n_tones, n_contents=space.n_contents)
    RaterModel.objects.filter(study=study).update(
        arrays=_arrays(space, model), n_raters=len(triples), n_answers=n_answers, learnt_at=timezone.now()
    )
    return True


def _arrays(space: ToneSpace, model: TasteModel) -> dict[str, Any]:
    return {
        "space": {name: values.tolist() for name, values in space.to_arrays().items()},
        "model": {
            "metric": model.metric.tolist(),
            "mean": model.mean.tolist(),
            "covariance": model.covariance.tolist(),
            "lapse": model.lapse,
        },
    }
