"""Simulated raters answer a study through the same services as people.

They are known by a seed and a number, so that a second call goes on where the first
stopped. A study in which a person has answered is refused: their answers are never mixed.
A blind test for a simulated rater's taste is answered by that rater first, and whoever
answered the study that its run learnt from has the taste that they had there.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from django.db import transaction
from django.utils import timezone

from collection.design.protocol import PHASES, Protocol
from collection.models import Rater, Session, Study
from collection.selectors.sessions import session_of, session_phase
from collection.services.answers import answer_record, session_finish
from collection.services.audit import audit_record
from collection.services.displays import display_record_store
from collection.services.people import device_for, person_for, rater_for
from collection.services.phases import PLATES, phase_record
from collection.services.questions import questions_upcoming
from collection.services.sessions import SessionRefused, session_start
from collection.services.texts import consent_version_in
from collection.services.verdicts import verdicts_compute
from evaluation.simulation.answers import Distances, SceneView, thumbnail
from evaluation.simulation.phases import plate_answers, questionnaire_answers
from evaluation.simulation.raters import CROWDS, Choice, Crowd, SimulatedRater, choose, simulate_rater
from learning.models import TasteStudy
from learning.selectors import scene_rendered
from variants.models import Rendition, Scene
from variants.progress import Report, silent
from variants.tone.images import decode_image, fit_long_side, read_photo
from variants.tone.recipes import NEUTRAL

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
ENDS = ("finished", "screened_out", "paused", "closed")
"""Phases in which nothing is asked any more."""
MOST_QUESTIONS = 2000
"""More than any session has."""
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
    screened_out: int
    """Of those made: turned away because they failed a screening."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who a simulated rater is, in whichever study."""

    seed: int
    index: int

    @property
    def panel_id(self) -> str:
        return f"simulated-{self.seed}-{self.index}"

    @property
    def device_token(self) -> str:
        return f"device-of-simulated-rater-{self.seed}-{self.index}"

    @property
    def answer_seed(self) -> int:
        """Of their choices and of the plan of their session."""
        return int(np.random.SeedSequence([self.seed, 9, self.index]).generate_state(1)[0])


class Visit(NamedTuple):
    """What came of one rater's visit."""

    answers: int
    screened_out: bool


def raters_simulate(
    study: Study,
    n_raters: int,
    *,
    seed: int = 0,
    crowd: Crowd = CROWDS["clear"],
    report: Report = silent,
) -> SimulationResult:
    """Let `n_raters` simulated raters (`study_visitors`) answer a whole session each.

    Raises:
        SimulationRefused: people have answered the study, it is not open, or it holds images
            whose scene has neither a neutral rendition nor a photo.
    """
    study_claim_for_simulation(study)
    views = StudyViews(study)
    visits = []
    for done, visitor in enumerate(study_visitors(study, n_raters, seed)):
        report(done, n_raters, "simulated raters answer")
        if visit := _rater_answer(study, visitor, crowd, views):
            visits.append(visit)
    report(n_raters, n_raters, "simulated raters answer")
    verdicts_compute(study, only_stale=True)
    return SimulationResult(
        made=len(visits),
        found=n_raters - len(visits),
        answers=sum(visit.answers for visit in visits),
        screened_out=sum(visit.screened_out for visit in visits),
    )


@transaction.atomic
def study_claim_for_simulation(study: Study) -> None:
    """Mark a study as answered by simulated raters; raise SimulationRefused where it must not be."""
    study.refresh_from_db(from_queryset=Study.objects.select_for_update())
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
        audit_record("study.simulated", study)


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

    def distances(self, rater: SimulatedRater, left: str, right: str) -> tuple[float, float]:
        """Of two renditions of one scene (public IDs) to what the rater wants of it."""
        found = self._distances.of(rater, self._scene_of[left])
        return found[left], found[right]


@dataclass(frozen=True, kw_only=True, slots=True)
class Respondent:
    """A simulated rater in a session: the same at every call, whichever way the answers go."""

    rater: SimulatedRater
    views: StudyViews
    protocol: Protocol
    session_seed: int
    seed: int

    def phase_body(self, phase: str) -> dict[str, Any]:
        """What is sent of a phase without questions."""
        rng = np.random.default_rng([self.seed, 10, PHASES.index(phase)])
        if phase in PLATES:
            return {"answers": plate_answers(self.rater, PLATES[phase](self.session_seed), rng)}
        return questionnaire_answers(rng) if phase == "questionnaire" else {}

    def choice(self, left: str, right: str, *, index: int, instructed_side: str) -> Choice:
        """The answer to the question with this index, which shows these renditions (public IDs)."""
        protocol = self.protocol
        n_questions = protocol.n_practice_planned + protocol.n_main + protocol.n_checks
        return choose(
            self.rater,
            *self.views.distances(self.rater, left, right),
            np.random.default_rng([self.seed, 8, index]),
            progress=index / n_questions,
            allow_tie=protocol.allow_tie,
            instructed_side=instructed_side,
        )


def study_visitors(study: Study, n: int, seed: int) -> list[Visitor]:
    """Raters 0 to n - 1 of the seed; in a blind test the one whose taste it shows, then the seed's others."""
    usual = [Visitor(seed, index) for index in range(n)]
    owner = _owner(study)
    return [owner, *(visitor for visitor in usual if visitor != owner)][:n] if owner else usual


def visitor_taste(study: Study, visitor: Visitor, crowd: Crowd) -> dict[str, Any]:
    """A new rater's `simulation`: in a blind test the one of the study that its run learnt from."""
    source = TasteStudy.objects.filter(study=study).values("test__learner__export__study")
    rater = Rater.objects.filter(
        study__in=source,
        person__panel=PANEL,
        person__panel_id=visitor.panel_id,
        simulation__isnull=False,
    ).first()
    known: dict[str, Any] | None = rater.simulation if rater else None
    return known or simulate_rater(visitor.index, seed=visitor.seed, crowd=crowd).to_json()


def _owner(study: Study) -> Visitor | None:
    """The simulated rater whose taste a blind test shows; None in other studies, and for people's tastes."""
    owners = Rater.objects.filter(
        public_id__in=TasteStudy.objects.filter(study=study).values("rater_id"),
        person__panel=PANEL,
        simulation__isnull=False,
    )
    panel_id = owners.values_list("person__panel_id", flat=True).first()
    found = re.fullmatch(r"simulated-(\d+)-(\d+)", panel_id or "")
    return Visitor(int(found[1]), int(found[2])) if found else None


def _rater_answer(study: Study, visitor: Visitor, crowd: Crowd, views: StudyViews) -> Visit | None:
    """Let one rater answer what is still unanswered; None where they had come to an end before."""
    with transaction.atomic():  # one commit a rater: thousands of small ones would take minutes
        rater = _rater_made(study, visitor, crowd)
        session = session_of(rater)
        if session and (session.finished_at or session.screened_out_at):
            return None
        now = timezone.now() - BEFORE_NOW
        session = session or _session_begun(study, rater, now, visitor.answer_seed)
        respondent = Respondent(
            rater=SimulatedRater.from_json(rater.simulation or {}),
            views=views,
            protocol=Protocol.from_json(study.protocol),
            session_seed=session.seed,
            seed=visitor.answer_seed,
        )
        display_record_store(session, DISPLAY)
        answers = _session_answer(session, respondent, now)
        return Visit(answers=answers, screened_out=session.screened_out_at is not None)


def _rater_made(study: Study, visitor: Visitor, crowd: Crowd) -> Rater:
    return rater_for(
        study,
        person_for(panel=PANEL, panel_id=visitor.panel_id, is_simulated=True),
        device_for(visitor.device_token),
        simulation=visitor_taste(study, visitor, crowd),
        # Splits and episodes hang on the rater's ID: the same seed gives the same dataset.
        public_id=hashlib.sha256(f"{study.slug} {visitor.panel_id}".encode()).hexdigest()[:32],
    )


def _session_begun(study: Study, rater: Rater, now: dt.datetime, seed: int) -> Session:
    protocol = Protocol.from_json(study.protocol)
    try:
        return session_start(
            study,
            rater,
            consent_version=consent_version_in(protocol, protocol.language),
            language=protocol.language,
            now=now,
            seed=seed,
        )
    except SessionRefused as refused:
        raise SimulationRefused(str(refused)) from refused


def _session_answer(session: Session, respondent: Respondent, now: dt.datetime) -> int:
    """Go through all phases; return how many answers were stored."""
    answered = 0
    while (phase := session_phase(session)) not in ENDS:
        if phase in ("practice", "main"):
            stored, now = _questions_answer(session, respondent, now)
            answered += stored
            if not stored:  # an earlier run ended between the last answer and the look for open questions
                session_finish(session.pk, now)
        else:
            now += dt.timedelta(milliseconds=LOOKING_AROUND_MS)
            phase_record(session, phase, respondent.phase_body(phase), now)
        session.refresh_from_db()
    return answered


def _questions_answer(session: Session, respondent: Respondent, now: dt.datetime) -> tuple[int, dt.datetime]:
    """Answer the present part, a try at the practice or all that counts; (how many, when the last one was)."""
    questions = questions_upcoming(session, MOST_QUESTIONS, now=now)
    for question in questions:
        choice = respondent.choice(
            question.left.public_id,
            question.right.public_id,
            index=question.index,
            instructed_side=question.instructed_side,
        )
        now += dt.timedelta(milliseconds=LOOKING_AROUND_MS + choice.response_ms)
        answer_record(session.token, question.token, choice.side, choice.response_ms, {}, now)
    return len(questions), now


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
    """The neutral rendition, from which a rater's ideal is made; else the photo at the size of the others."""
    for rendition in renditions:
        if rendition.recipe == NEUTRAL.to_json():
            return thumbnails[rendition.public_id]
    photo = scene_rendered(scene)
    if photo is None:
        raise SimulationRefused(
            f"the scene {scene.name} has neither a neutral rendition nor its original; "
            "simulated raters know what they want only from one of them"
        )
    with photo.original.open("rb") as file:
        pixels = read_photo(file.read(), name=scene.name).pixels
    return thumbnail(fit_long_side(pixels, max(rendition.long_side for rendition in renditions)))


def _thumbnail_of(rendition: Rendition) -> Any:
    with rendition.image.open("rb") as file:
        return thumbnail(decode_image(file.read(), name=f"rendition {rendition.public_id}"))
