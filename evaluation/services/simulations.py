"""Simulated raters answer a study through the same services as people.

They are known by a seed and a number, so that a second call goes on where the first
stopped. A study in which a person has answered is refused: their answers are never mixed.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.models import Rater, Session, Study
from collection.selectors.sessions import session_of
from collection.services.answers import answer_record
from collection.services.people import device_for, person_for, rater_for
from collection.services.sessions import display_record_store, questions_upcoming, session_start
from collection.services.verdicts import verdicts_compute
from evaluation.simulation.answers import Distances, SceneView, thumbnail
from evaluation.simulation.raters import CROWDS, Choice, Crowd, SimulatedRater, choose, simulate_rater
from variants.models import Rendition, Scene
from variants.progress import Report, silent
from variants.tone.images import decode_image, read_photo
from variants.tone.recipes import Recipe

PANEL = "pid"
"""The panel of links with `?pid=`: a rater who came through the front door is the same one."""
DISPLAY = {
    "screen_width": 1920,
    "screen_height": 1080,
    "pixel_ratio": 1,
    "color_depth": 24,
    "color_gamut": "srgb",
    "platform": "simulated",
}
LOOKING_AROUND_MS = 700
"""Between an answer and the next pair being painted."""
BEFORE_NOW = dt.timedelta(minutes=30)
"""When a simulated session began: its answers lie in the past."""


class SimulationRefused(ValueError):
    """Simulated raters may not or cannot answer this study; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulationResult:
    made: int
    """Raters who answered now."""
    found: int
    """Raters of this seed who had answered already."""
    answers: int
    """Stored now."""


def raters_simulate(
    study: Study,
    n_raters: int,
    *,
    seed: int = 0,
    crowd: Crowd = CROWDS["clear"],
    report: Report = silent,
) -> SimulationResult:
    """Let simulated raters 0 to `n_raters` - 1 of a seed answer a whole session each.

    Raises:
        SimulationRefused: people have answered the study, it is not open, or it holds images
            whose scene has no neutral rendition.
    """
    study_claim_for_simulation(study)
    views = StudyViews(study)
    made = answers = 0
    for index in range(n_raters):
        report(index, n_raters, "simulated raters answer")
        stored = _rater_answer(study, index, seed, crowd, views)
        made, answers = made + bool(stored), answers + stored
    report(n_raters, n_raters, "simulated raters answer")
    verdicts_compute(study, only_stale=True)
    return SimulationResult(made=made, found=n_raters - made, answers=answers)


@transaction.atomic
def study_claim_for_simulation(study: Study) -> None:
    """Mark a study as answered by simulated raters; raise SimulationRefused where it must not be."""
    study = Study.objects.select_for_update().get(pk=study.pk)
    if study.status != Study.Status.OPEN:
        raise SimulationRefused(
            f"the study {study.slug} is {study.status}; open it first (manage.py open_study {study.slug})"
        )
    people = Rater.objects.filter(study=study, simulation__isnull=True, person__is_simulated=False).count()
    if people:
        who = "a person has" if people == 1 else f"{people} people have"
        raise SimulationRefused(
            f"{who} begun to answer the study {study.slug}; simulated answers are never mixed "
            "with theirs: make another study (manage.py create_study)"
        )
    if not study.is_simulated:
        study.is_simulated = True
        study.save(update_fields=["is_simulated"])


class StudyViews:
    """What simulated raters see of a study: thumbnails of its renditions, and their distances to ideals."""

    def __init__(self, study: Study) -> None:
        renditions = _renditions_asked(study)
        if not renditions:
            raise SimulationRefused(f"the study {study.slug} has no pairs; generate its variants first")
        by_scene: dict[Scene, list[Rendition]] = {}
        for rendition in renditions:
            by_scene.setdefault(rendition.scene, []).append(rendition)
        self._scene_of = {r.public_id: r.scene.public_id for r in renditions}
        self._distances = Distances({s.public_id: _view(s, found) for s, found in by_scene.items()})

    def choice(
        self, rater: SimulatedRater, left: str, right: str, *, index: int, total: int, seed: int
    ) -> Choice:
        """The answer to the question with these two renditions (public IDs); the same at every call."""
        distances = self._distances.of(rater, self._scene_of[left])
        rng = np.random.default_rng([seed, 8, index])
        return choose(rater, distances[left], distances[right], rng, progress=index / max(total, 1))


def panel_id_of(seed: int, index: int) -> str:
    return f"simulated-{seed}-{index}"


def device_token_of(seed: int, index: int) -> str:
    return f"device of simulated rater {seed} {index}".replace(" ", "-")


def answer_seed(seed: int, index: int) -> int:
    """Of one rater's choices and of the plan of their session."""
    return int(np.random.SeedSequence([seed, 9, index]).generate_state(1)[0])


def _rater_answer(study: Study, index: int, seed: int, crowd: Crowd, views: StudyViews) -> int:
    """Let one rater answer what is still unanswered; return how many answers were stored."""
    with transaction.atomic():  # one commit a rater: thousands of small ones would take minutes
        rater = _rater_made(study, index, seed, crowd)
        session = session_of(rater)
        if session and session.finished_at:
            return 0
        taste = SimulatedRater.from_json(rater.simulation or {})
        now = timezone.now() - BEFORE_NOW
        session = session or session_start(
            study,
            rater,
            consent_version=Protocol.from_json(study.protocol).consent_version,
            now=now,
            seed=answer_seed(seed, index),
        )
        display_record_store(session, DISPLAY)
        return _session_answer(session, taste, views, now, answer_seed(seed, index))


def _rater_made(study: Study, index: int, seed: int, crowd: Crowd) -> Rater:
    return rater_for(
        study,
        person_for(panel=PANEL, panel_id=panel_id_of(seed, index), is_simulated=True),
        device_for(device_token_of(seed, index)),
        simulation=simulate_rater(index, seed=seed, crowd=crowd).to_json(),
        # Splits and episodes hang on the rater's ID: the same seed gives the same dataset.
        public_id=hashlib.sha256(f"{study.slug} {panel_id_of(seed, index)}".encode()).hexdigest()[:32],
    )


def _session_answer(
    session: Session, taste: SimulatedRater, views: StudyViews, now: dt.datetime, seed: int
) -> int:
    total = session.questions.count()
    questions = questions_upcoming(session, total, now=now)
    for question in questions:
        choice = views.choice(
            taste,
            question.left.public_id,
            question.right.public_id,
            index=question.index,
            total=total,
            seed=seed,
        )
        now += dt.timedelta(milliseconds=LOOKING_AROUND_MS + choice.response_ms)
        answer_record(session, question.token, choice.side, choice.response_ms, {}, now)
    return len(questions)


def _renditions_asked(study: Study) -> list[Rendition]:
    """Every rendition that stands in a pair of the study."""
    pairs = study.pairs.values_list("image_a", "image_b")
    keys = {key for pair in pairs for key in pair}
    found = Rendition.objects.filter(pk__in=keys, state=Rendition.State.RENDERED)
    return list(found.select_related("scene").order_by("pk"))


def _view(scene: Scene, renditions: Iterable[Rendition]) -> SceneView:
    thumbnails = {r.public_id: _thumbnail_of(r) for r in renditions}
    return SceneView(
        category=scene.category, neutral=_neutral(scene, renditions, thumbnails), renditions=thumbnails
    )


def _neutral(scene: Scene, renditions: Iterable[Rendition], thumbnails: Mapping[str, Any]) -> Any:
    """The neutral rendition, from which a rater's ideal is made; else the original photo."""
    for rendition in renditions:
        if Recipe.from_json(rendition.recipe).is_neutral:
            return thumbnails[rendition.public_id]
    if not scene.original:
        raise SimulationRefused(
            f"the scene {scene.name} has neither a neutral rendition nor its original; "
            "simulated raters know what they want only from one of them"
        )
    with scene.original.open("rb") as file:
        return thumbnail(read_photo(file.read(), name=scene.name).pixels)


def _thumbnail_of(rendition: Rendition) -> Any:
    with rendition.image.open("rb") as file:
        return thumbnail(decode_image(file.read(), name=f"rendition {rendition.public_id}"))
