"""What is stored about one person, in all studies: for whoever asks what is known of them, and for erasing it."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Model

from collection.models import (
    ConflictingAnswer,
    DisplayRecord,
    ExportedRater,
    Invitation,
    Person,
    PhaseRecord,
    Question,
    Rater,
    Session,
    Verdict,
)
from collection.selectors.looks import session_data_elsewhere


class PersonNotFound(LookupError):
    """Nobody is known by this; the message says what else may be tried."""


def person_find(*, panel_id: str = "", panel: str = "", rater: str = "") -> Person:
    """The person with this ID of a panel (an invitation's code is one), or behind this rater.

    Raises PersonNotFound for nobody, and for an ID that several panels have given.
    """
    if rater:
        row = Rater.objects.select_related("person").filter(public_id=rater).first()
        if row is None:
            raise PersonNotFound(
                f"there is no rater {rater!r}; give the whole ID, as datasets and the admin show it"
            )
        return row.person
    people = Person.objects.filter(panel_id=panel_id) if panel_id else Person.objects.none()
    found = list(people.filter(panel=panel) if panel else people)
    if not found:
        raise PersonNotFound(
            f"nobody is known by the panel ID {panel_id!r}: they never came, or have withdrawn from all studies"
        )
    if len(found) > 1:
        panels = ", ".join(sorted(person.panel for person in found))
        raise PersonNotFound(f"{len(found)} people have the ID {panel_id!r}; say --panel, one of {panels}")
    return found[0]


def person_data(person: Person) -> dict[str, Any]:
    """All rows about the person as JSON, by study; nothing is left out but secrets: tokens and cookies' hashes."""
    raters = Rater.objects.filter(person=person).select_related("study", "device").order_by("pk")
    return {
        "person": _row(person, "public_id", "panel", "panel_id", "is_simulated", "created_at")
        | {"known_by_cookie": bool(person.cookie_sha256)},
        "studies": [_of_rater(rater) for rater in raters],
    }


def _of_rater(rater: Rater) -> dict[str, Any]:
    study = rater.study
    invitations = Invitation.objects.filter(study=study, code=rater.person.panel_id)
    held = ExportedRater.objects.filter(rater=rater).select_related("export").order_by("pk")
    verdicts = Verdict.objects.filter(rater=rater).order_by("pk")
    return {
        "study": {"slug": study.slug, "name": study.name},
        "rater": _row(rater, "public_id", "split", "simulation", "withdrawn_at", "created_at"),
        "device": _row(rater.device, "public_id", "created_at")
        | {"known_by_cookie": bool(rater.device.cookie_sha256)},
        "invitation": [_row(row, "label", "created_at", "revoked_at") for row in invitations],
        "sessions": [_of_session(session) for session in rater.sessions.order_by("pk")],
        "verdicts": _rows(
            verdicts, "rule_set", "may_be_used", "should_be_paid", "reasons", "evidence", "n_answers",
            "checks_agreed", "checks_answered", "median_response_ms", "computed_at",
        ),
        "datasets": [_row(row.export, "public_id", "folder", "sha256", "created_at") for row in held],
    }  # fmt: skip


def _of_session(session: Session) -> dict[str, Any]:
    answered = Question.objects.filter(session=session, answered_at__isnull=False).order_by("index")
    return _row(
        session, "public_id", "language", "consent_version", "consented_at", "recruitment", "started_at",
        "finished_at", "screened_out_at",
    ) | {
        "displays": _rows(
            DisplayRecord.objects.filter(session=session), "screen_width", "screen_height", "pixel_ratio",
            "color_depth", "color_gamut", "dynamic_range", "platform", "details", "is_same_screen", "recorded_at",
        ),
        "phases": _rows(
            PhaseRecord.objects.filter(session=session),
            "phase", "attempt", "outcome", "answers", "evidence", "recorded_at",
        ),
        "answers": [
            _row(row, "public_id", "index", "kind", "chosen_side", "response_ms", "elapsed_ms", "answered_at", "client")
            | {"left": row.left.public_id, "right": row.right.public_id}
            for row in answered.select_related("left", "right")
        ],
        "answers_kept_apart": _rows(
            ConflictingAnswer.objects.filter(question__session=session), "reason", "payload", "received_at"
        ),
    } | session_data_elsewhere(session)  # fmt: skip


def _rows(rows: Iterable[Model], *names: str) -> list[dict[str, Any]]:
    return [_row(row, *names) for row in rows]


def _row(row: Model, *names: str) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()
    }
