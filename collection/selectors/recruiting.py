"""What a participant takes away at the end, for the panel that sent them."""

from collections.abc import Iterable
from typing import TypedDict

from django.db.models import QuerySet

from collection.design.recruiting import Recruiting
from collection.models import Invitation, Person, Session, Study


class Submit(TypedDict):
    address: str
    assignment: str


class SessionEnd(TypedDict):
    kind: str
    """completion, screened_out or closed."""
    code: str
    address: str
    """Where the visit goes on; empty where it ends here."""
    submit: Submit | None
    """For MTurk: where to post the assignment's ID as `assignmentId`, in a form of the page."""


def session_end(session: Session) -> SessionEnd:
    """How a session ended. No verdict is looked at: it costs nobody their code."""
    recruiting = Recruiting.from_json(session.study.recruiting)
    kind = "screened_out" if session.screened_out_at else "completion" if session.finished_at else "closed"
    return {
        "kind": kind,
        "code": recruiting.code(kind),
        "address": recruiting.address(kind, session.rater.person.panel_id),
        "submit": _submit(session.recruitment),
    }


def invitation_with(study: Study, code: str) -> Invitation | None:
    return Invitation.objects.filter(study=study, code=code).first()


def invitations_of(study: Study) -> QuerySet[Invitation]:
    """Newest first."""
    return Invitation.objects.filter(study=study).order_by("-pk")


def codes_begun(study: Study, codes: Iterable[str]) -> set[str]:
    """Those of the invitations' codes by which somebody has begun; nobody who withdrew."""
    people = Person.objects.filter(panel="invitation", panel_id__in=codes, raters__study=study)
    return set(people.filter(raters__withdrawn_at=None).values_list("panel_id", flat=True))


def _submit(recruitment: dict[str, str]) -> Submit | None:
    if not recruitment.get("submit_to"):
        return None
    return {"address": recruitment["submit_to"], "assignment": recruitment["assignment"]}
