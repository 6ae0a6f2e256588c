"""What a participant gets in return: their own look. Whoever makes it stands above this app and is asked by signals."""

from typing import Any, cast

from collection.models import Session, Study
from collection.signals import look_asked, looks_asked, session_data_asked


def look_address(session: Session) -> str:
    """Where the session's person finds their look; empty where there is none for them."""
    answers = (address for _, address in look_asked.send(Session, session=session))
    return str(next(filter(None, answers), ""))


def shows_looks(study: Study) -> bool:
    return any(answer for _, answer in looks_asked.send(Study, study=study))


def session_data_elsewhere(session: Session) -> dict[str, Any]:
    """What other apps have stored of the session."""
    found: dict[str, Any] = {}
    for _, answer in session_data_asked.send(Session, session=session):
        found.update(cast(dict[str, Any], answer))
    return found
