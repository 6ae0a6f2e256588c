"""Copies of a study: a new draft to go on from, and one to try out as a participant."""

import dataclasses
import datetime as dt
import secrets

from django.db import transaction
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.design.recruiting import ENDS, Recruiting
from collection.models import Person, Study, StudyPair, StudyScene
from collection.services.audit import audit_record
from collection.services.studies import study_create, study_require_answerable

PREVIEW_LIVES = dt.timedelta(days=1)
SHORT = {"n_main": 8, "n_checks": 2, "check_lag": 4, "block_size": 5}
"""Of a short preview: a break and the checks come along all the same."""


@transaction.atomic
def study_clone(study: Study, name: str) -> Study:
    """A new draft with the protocol, scenes, splits and pairs of another study, and none of its answers.

    It is a study for people, whoever answered the other. Codes and addresses of a panel stay behind: they pay
    for the other study. Raises StudyError for an impossible name.
    """
    clone = study_create(
        name,
        protocol=Protocol.from_json(study.protocol),
        recruiting=_without_codes(Recruiting.from_json(study.recruiting)),
        scenes=(),
        purpose=study.purpose,
        licence=study.licence,
        citation=study.citation,
    )
    clone.cloned_from, clone.recipes = study, study.recipes
    clone.save(update_fields=["cloned_from", "recipes"])
    _content_copy(study, clone)
    audit_record("study.clone", clone, what=study.slug, sha256=Protocol.from_json(study.protocol).sha256)
    return clone


@transaction.atomic
def study_preview(study: Study, *, short: bool) -> Study:
    """An open copy of the study that stands in no list, for its researcher to answer as a participant would.

    Answers in it are in no dataset, no count and under no verdict, since the study knows nothing of its copy;
    a day later it is deleted. Raises StudyError where nobody could answer the study.
    """
    study_require_answerable(study)
    previews_delete(older_than=PREVIEW_LIVES)
    protocol = Protocol.from_json(study.protocol)
    if short:
        protocol = _shortened(protocol)
    preview = Study.objects.create(
        slug=f"preview-{secrets.token_hex(16)}",
        name=study.name,
        status=Study.Status.OPEN,
        protocol=protocol.to_json(),
        recruiting=Recruiting().to_json(),
        preview_of=study,
        opened_at=timezone.now(),
    )
    _content_copy(study, preview)
    audit_record("study.preview", study)
    return preview


def previews_delete(*, older_than: dt.timedelta) -> None:
    """Delete what is left of previews, and the people who are known from nowhere else."""
    old = Study.objects.exclude(preview_of=None).filter(created_at__lt=timezone.now() - older_than)
    people = list(Person.objects.filter(raters__study__in=old).values_list("pk", flat=True))
    old.delete()
    Person.objects.filter(pk__in=people, raters=None).delete()


def _content_copy(study: Study, copy: Study) -> None:
    StudyScene.objects.bulk_create(
        StudyScene(study=copy, scene_id=scene, split=split)
        for scene, split in StudyScene.objects.filter(study=study)
        .order_by("pk")
        .values_list("scene", "split")
    )
    pairs = StudyPair.objects.filter(study=study).order_by("pk").values_list("pair", flat=True)
    StudyPair.objects.bulk_create((StudyPair(study=copy, pair_id=pair) for pair in pairs), batch_size=1000)


def _without_codes(recruiting: Recruiting) -> Recruiting:
    return dataclasses.replace(
        recruiting, **{f"{end}_{kind}": "" for end in ENDS for kind in ("code", "url")}
    )


def _shortened(protocol: Protocol) -> Protocol:
    least = {name: min(value, getattr(protocol, name)) for name, value in SHORT.items()}
    return dataclasses.replace(protocol, **least)
