"""By which protocol a session was planned, and which ones a study has had."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from django.db.models import Count

from collection.design.protocol import Protocol
from collection.models import ProtocolVersion, Session, Study


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptProtocol:
    """A version with what became of it."""

    number: int
    sha256: str
    protocol: Protocol
    made_at: dt.datetime
    made_by: str
    """Whoever made it; empty for the one that the first session was planned by."""
    n_sessions: int
    in_force: bool


def session_protocol(session: Session) -> Protocol:
    """The protocol that the session was planned by: its study's, or an earlier version of it.

    One query where it is an earlier one, none otherwise.
    """
    protocol = Protocol.from_json(session.study.protocol)
    if protocol.sha256 == session.protocol_hash:
        return protocol
    return protocol_with(session.study_id, session.protocol_hash) or protocol


def protocol_with(study_key: int, sha256: str) -> Protocol | None:
    """The version of a study that sessions know by this hash."""
    version = ProtocolVersion.objects.filter(study=study_key, sha256=sha256).first()
    return Protocol.from_json(version.protocol) if version else None


def protocol_hashes(study: Study) -> Counter[str]:
    """Hash of the protocol → sessions planned by it."""
    return Counter(dict(study.sessions.order_by().values_list("protocol_hash").annotate(n=Count("pk"))))


def protocol_versions(study: Study, n_sessions: Counter[str] | None = None) -> list[KeptProtocol]:
    """All that sessions were planned by or would be, the newest first; none before the first session.

    `n_sessions` are the study's `protocol_hashes`, where they are at hand.
    """
    n_sessions = protocol_hashes(study) if n_sessions is None else n_sessions
    present = Protocol.from_json(study.protocol).sha256
    return [
        KeptProtocol(
            number=version.number,
            sha256=version.sha256,
            protocol=Protocol.from_json(version.protocol),
            made_at=version.made_at,
            made_by=version.made_by.get_username() if version.made_by else "",
            n_sessions=n_sessions[version.sha256],
            in_force=version.sha256 == present,
        )
        for version in study.protocol_versions.select_related("made_by").order_by("-number")
    ]
