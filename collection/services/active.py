"""Active questions: questions that nobody has seen are chosen anew, by workers, as answers come in.

The request that takes an answer only sends a message. Questions that were planned stay where nothing better is ready:
until the study's answers say enough of tastes, or while no worker runs, a session goes on as it was planned.
"""

import logging
from typing import NamedTuple

import numpy as np
from celery import current_app
from django.db import transaction
from django.db.models import F
from kombu.exceptions import OperationalError

from collection.design.active import Draw, Place, draw_pair, due, eligible
from collection.design.ideal_point import Answers, Taste
from collection.design.protocol import Protocol
from collection.models import Question, Session, Study, StudyPair
from collection.selectors.pairs import study_pairs_askable
from collection.selectors.protocols import session_protocol
from collection.selectors.sessions import session_locked, takes_answers
from collection.selectors.tastes import Tastes, study_tastes
from collection.services.taste import taste_is_due, taste_learn_soon

logger = logging.getLogger(__name__)

TASK = "collection.tasks.questions_task"
AHEAD = 2
"""Questions that are chosen at a time: more would be chosen anew before they are handed out."""


class Row(NamedTuple):
    """A question as the choosing reads it."""

    key: int
    number: int
    kind: str
    pair: int
    left: int
    right: int
    scene: int
    repeats: int | None
    """The key of the question that a check shows again."""
    served: bool
    chosen_side: str
    image_a: int


def questions_choose_soon(session_key: int) -> None:
    """Tell the workers, by a message that may be lost: the next answer sends another."""

    def send() -> None:
        try:
            # Without more tries: a participant is waiting.
            current_app.send_task(TASK, [session_key], retry=False)
        except (OperationalError, OSError) as error:
            logger.warning("the broker does not answer (%s); questions stay as planned", error)

    transaction.on_commit(send)


def questions_choose(session_key: int) -> int:
    """Choose the next questions of a session that nobody has seen; how many were."""
    session = Session.objects.select_related("study").filter(pk=session_key, is_active=True).first()
    if session is None or session.finished_at or session.screened_out_at or session.places_returned_at:
        return 0
    protocol = session_protocol(session)
    if not takes_answers(session.study.status, protocol):
        return 0
    if taste_is_due(session.study):
        taste_learn_soon(session.study_id)
    tastes = study_tastes(session.study)
    if tastes is None:
        return 0
    rows = _rows(session)
    chosen = _chosen(session, protocol, tastes, rows)
    with transaction.atomic():
        session_locked(pk=session.pk)
        if _rows(session) != rows:
            return 0  # another answer, or whoever hands out questions, was here: its own message chooses
        Study.objects.select_for_update(no_key=True).get(pk=session.study_id)
        for row, draw, pair in chosen:
            _put(session, rows, row, draw, pair)
    return len(chosen)


def _rows(session: Session) -> list[Row]:
    columns = session.questions.order_by("index").values_list(
        "pk", "index", "kind", "pair_id", "left_id", "right_id", "pair__scene_id", "repeats_id",
        "served_at", "chosen_side", "pair__image_a_id",
    )  # fmt: skip
    return [Row(*row[:8], row[8] is not None, *row[9:]) for row in columns]


def _chosen(
    session: Session, protocol: Protocol, tastes: Tastes, rows: list[Row]
) -> list[tuple[Row, Draw, np.void]]:
    """The next open questions, each with the pair drawn for it, a row of PAIR."""
    pairs = study_pairs_askable(session.study)
    known = tastes.has(pairs["image_a"]) & tastes.has(pairs["image_b"])
    is_due = due(pairs["exposures"], protocol.active_floor)
    asked = tastes.answers(pairs["image_a"], pairs["image_b"])
    taste = _taste(tastes, rows)
    places = _places(rows)
    chosen: list[tuple[Row, Draw, np.void]] = []
    for row in [row for row in rows if _is_open(row)][:AHEAD]:
        at = next(place for place in places if place.number == row.number)
        may = known & eligible(pairs, places, at, protocol.scene_gap, bool(protocol.source_quotas))
        if not may.any():
            continue
        rng = np.random.default_rng([session.seed, row.number, taste.n_answers])
        draw = draw_pair(taste.information(asked), may, is_due, uniform=protocol.active_uniform, rng=rng)
        pair = pairs[draw.position]
        chosen.append((row, draw, pair))
        places = _with(places, row.number, int(pair["pair"]), int(pair["scene"]))
        taste = taste.expecting(asked[np.array([draw.position])])
    return chosen


def _taste(tastes: Tastes, rows: list[Row]) -> Taste:
    """What is known of the rater: by what they answered, and expecting what they are looking at."""
    main = [row for row in rows if row.kind == Question.Kind.MAIN]
    told = [row for row in main if row.chosen_side in ("left", "right") and tastes.knows(row.left, row.right)]
    sides = [(row.left, row.right) if row.chosen_side == "left" else (row.right, row.left) for row in told]
    waiting = [(row.left, row.right) for row in main if row.served and not row.chosen_side]
    taste = tastes.model.taste(_answers(tastes, sides))
    return taste.expecting(_answers(tastes, [pair for pair in waiting if tastes.knows(*pair)]))


def _answers(tastes: Tastes, couples: list[tuple[int, int]]) -> Answers:
    first, second = np.array(couples, int).reshape(-1, 2).T
    return tastes.answers(first, second)


def _is_open(row: Row) -> bool:
    return row.kind == Question.Kind.MAIN and not row.served and not row.chosen_side


def _places(rows: list[Row]) -> list[Place]:
    index_of = {row.key: row.number for row in rows}
    return [
        Place(
            number=row.number,
            pair=row.pair,
            scene=row.scene,
            repeats=None if row.repeats is None else index_of[row.repeats],
            is_open=_is_open(row),
        )
        for row in rows
    ]


def _with(places: list[Place], index: int, pair: int, scene: int) -> list[Place]:
    return [
        place._replace(pair=pair, scene=scene) if index in (place.number, place.repeats) else place
        for place in places
    ]


def _put(session: Session, rows: list[Row], row: Row, draw: Draw, pair: np.void) -> None:
    """Put a pair in the place of the one that was planned, on the same sides, and its check's after it."""
    a, b = int(pair["image_a"]), int(pair["image_b"])
    left, right = (a, b) if row.left == row.image_a else (b, a)
    unseen = Question.objects.filter(served_at=None, answered_at=None)
    found = unseen.filter(pk=row.key).update(
        pair_id=int(pair["pair"]),
        left_id=left,
        right_id=right,
        policy=draw.policy,
        propensity=draw.propensity,
    )
    if not found:
        return  # it was handed out this moment, as it was planned
    for check in [other for other in rows if other.repeats == row.key]:
        unseen.filter(pk=check.key).update(pair_id=int(pair["pair"]), left_id=right, right_id=left)
    places = StudyPair.objects.filter(study=session.study_id)
    places.filter(pair=row.pair, exposures__gte=1).update(exposures=F("exposures") - 1)
    places.filter(pair=int(pair["pair"])).update(exposures=F("exposures") + 1)
