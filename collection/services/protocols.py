"""A study's protocol: changed while nobody has answered, in versions from then on."""

import dataclasses
from collections.abc import Iterable

from django.db import transaction
from django.db.models import F, Max

from collection.design.plan import require_enough_pairs
from collection.design.protocol import Protocol
from collection.models import ProtocolVersion, Study
from collection.selectors.studies import study_pair_counts
from collection.services.audit import audit_record, current_actor
from collection.services.studies import StudyError

FROZEN = {
    "long_side": "the renditions of one dataset are served at one size",
    "encoding": "the renditions of one dataset are served in one encoding",
    "validation_scenes": "scenes have their split already, and learners may have been trained by it",
    "validation_raters": "raters get their split by it, and learners may have been trained by it",
    "seed": "the splits hang on it",
    "rules": "rules have versions of their own, on the page of the rules, and judge all raters alike",
}
"""Settings that stay once somebody has begun to answer, and why."""


class ProtocolError(StudyError):
    """The protocol cannot be changed this way; `fields` says why of each, the message all of it."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


class ProtocolChanged(Exception):
    """Somebody else has changed it since it was read; `present` is what it is now, `edition` its number."""

    def __init__(self, present: Protocol, edition: int) -> None:
        super().__init__("the protocol was changed by somebody else in the meantime")
        self.present, self.edition = present, edition


def study_set_protocol(study: Study, protocol: Protocol, *, edition: int | None = None) -> None:
    """Give the study another protocol; once somebody has begun to answer, as a new version.

    Sessions that were begun go on by the protocol that they were planned by.

    Args:
        study: gets the new protocol and edition.
        protocol: for sessions that begin from now on.
        edition: that the change was made from; None for whichever it is.

    Raises:
        ProtocolChanged: the study has another edition by now; nothing is stored.
        ProtocolError: a FROZEN setting of a study that has answers, or too few pairs in one that is open.
    """
    with transaction.atomic():
        # session_start holds the same lock while it plans.
        locked = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
        before = Protocol.from_json(locked.protocol)
        if edition is not None and edition != locked.edition:
            raise ProtocolChanged(before, locked.edition)
        if protocol.sha256 == before.sha256:
            return
        if locked.status == Study.Status.CLOSED:
            raise ProtocolError(f"{locked.slug} is closed; nobody will begin by another protocol")
        begun = locked.sessions.exists()
        if begun:
            _require_free(locked, before, protocol)
        if locked.status != Study.Status.DRAFT:
            _require_pairs(locked, protocol)
        locked.protocol = protocol.to_json()
        if begun:
            protocol_keep(locked, before)
            protocol_keep(locked, protocol)
        Study.objects.filter(pk=locked.pk).update(protocol=locked.protocol, edition=F("edition") + 1)
        audit_record(
            "study.protocol", locked, sha256=protocol.sha256, changed=sorted(changed_fields(before, protocol))
        )
    study.protocol, study.edition = locked.protocol, locked.edition + 1


def protocol_keep(study: Study, protocol: Protocol) -> ProtocolVersion:
    """The study's version with this protocol, made where there is none. The study's row must be locked."""
    last = study.protocol_versions.aggregate(last=Max("number"))["last"] or 0
    actor = current_actor() if last else None  # the first comes with whoever answers first
    version, _ = ProtocolVersion.objects.get_or_create(
        study=study,
        sha256=protocol.sha256,
        defaults={
            "number": last + 1,
            "protocol": protocol.to_json(),
            "made_by_id": actor.pk if actor else None,
        },
    )
    return version


def changed_fields(one: Protocol, other: Protocol) -> Iterable[str]:
    """Names of the settings that differ; `rules` is one of them."""
    return [
        field.name
        for field in dataclasses.fields(Protocol)
        if getattr(one, field.name) != getattr(other, field.name)
    ]


def _require_free(study: Study, before: Protocol, protocol: Protocol) -> None:
    frozen = {name: FROZEN[name] for name in changed_fields(before, protocol) if name in FROZEN}
    if frozen:
        told = "; ".join(f"{name}: {why}" for name, why in frozen.items())
        raise ProtocolError(
            f"{study.slug} has answers, and these settings stay as they are: {told}. "
            "Clone the study to ask with others",
            frozen,
        )


def _require_pairs(study: Study, protocol: Protocol) -> None:
    try:
        require_enough_pairs(study_pair_counts(study).askable_by_source, protocol)
    except ValueError as error:
        raise ProtocolError(f"{study.slug} is {study.status}: {error}", {"n_main": str(error)}) from error
