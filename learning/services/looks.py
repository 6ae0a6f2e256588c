"""Participants' looks: opened for a study, asked for by a person, adjusted, and gone. The web process decodes nothing."""

import datetime as dt
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from collection.models import Session, Study
from collection.services.audit import audit_record, current_actor
from learning.looks import look_answers, photos_kept
from learning.models import Look, LookAdjustment, LookOrder, LookPhoto, Run, StudyLook
from learning.services.photos import MAX_BYTES
from learning.systems import LOOK_MAKERS, MAX_STRENGTH
from learning.systems.concepts import SLIDERS
from variants.jobs import Job, new_public_id

KEEP_OWN = dt.timedelta(hours=24)
"""How long a person's own photo stays, and all that was made of it."""
KEEP_FILES = dt.timedelta(hours=24)
"""Files that were asked for; they are made again in a moment."""
MAX_OWN = 3
MAX_UNDER_WAY = 6
"""Orders of one look that wait or run."""
MAX_ADJUSTMENTS = 2000
TRY_AGAIN_AFTER = dt.timedelta(seconds=15)
STRENGTH = "strength"
"""Of the whole look, among the adjustments."""
CHUNK = 1 << 16
UNDER_WAY = (Job.State.QUEUED, Job.State.RUNNING)
What = LookOrder.What


class StudyLookRefused(Exception):
    """Looks that cannot be opened; the message says why and what mends it."""


class LookRefused(Exception):
    """What a look's page asked for and cannot have; `code` is for the page, which has words for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def study_look_open(study: Study, run: Run, *, shows_early: bool = True) -> StudyLook:
    """Let the study's participants have their look from this run; `enqueue()` makes ready what all need.

    Raises:
        StudyLookRefused: the run is not done, or its system cannot do it.
    """
    if run.system not in LOOK_MAKERS:
        raise StudyLookRefused(
            f"a run of {run.system} cannot show people their look: that takes a system that reads somebody new "
            f"without training and changes colours alone, such as {', '.join(LOOK_MAKERS)}"
        )
    if run.state != Job.State.DONE or not Path(run.folder).is_dir():
        raise StudyLookRefused(
            "only a run that is done, and whose folder is there, can show people their look"
        )
    if study.erased_at:
        raise StudyLookRefused(
            "what the study's participants gave is erased; there is nothing to read a look from"
        )
    actor = current_actor()
    with transaction.atomic():
        found, _ = StudyLook.objects.select_for_update().get_or_create(
            study=study, defaults={"learner": run, "folder": str(_data_folder("references"))}
        )
        found.learner, found.is_open, found.shows_early = run, True, shows_early
        found.started_by_id = actor.pk if actor else None
        found.state, found.cancel_requested, found.error = Job.State.QUEUED, False, ""
        found.done = found.total = 0
        found.started_at = found.finished_at = None
        found.save()
        audit_record("look.open", study, what=run.public_id, system=run.system, shows_early=shows_early)
    return found


@transaction.atomic
def study_look_close(study: Study) -> None:
    """No participant gets a look any more, and what was made for them is deleted. Again changes nothing."""
    found = StudyLook.objects.filter(study=study).first()
    if found is None or not found.is_open:
        return
    found.cancel()
    StudyLook.objects.filter(pk=found.pk).update(is_open=False)
    transaction.on_commit(partial(shutil.rmtree, found.folder, ignore_errors=True))
    Look.objects.filter(session__study=study).delete()
    audit_record("look.close", study)


@transaction.atomic
def look_ask(session: Session, found: StudyLook) -> Look:
    """The session's look; the workers are told where its taste is to be read, for the first time or from more answers."""
    look, _ = Look.objects.select_related("session", "learner").get_or_create(
        session=session,
        defaults={"learner": found.learner, "folder": str(_data_folder("people"))},
    )
    if look.learner_id != found.learner_id:
        Look.objects.filter(pk=look.pk).update(
            learner=found.learner, n_answers=0, learned={}, strengths={}, version=look.version + 1
        )
        look.refresh_from_db()
    if _needs_reading(look):
        _order(look, What.READ)
    return look


@transaction.atomic
def look_adjust(look: Look, strengths: Mapping[str, float], photo: int | None = None) -> None:
    """Set concepts by hand, all others being as they were read; what changed is kept as answers.

    Raises LookRefused.
    """
    look = Look.objects.select_for_update(of=("self",)).select_related("session", "learner").get(pk=look.pk)
    sliders = SLIDERS.get(look.learner.system, {})
    for name, value in strengths.items():
        if name not in look.learned or name not in sliders:
            raise LookRefused("invalid", f"this taste has no concept {name[:40]!r}")
        if not sliders[name].low <= value <= sliders[name].high:
            raise LookRefused(
                "invalid",
                f"{name} is {value:g}; it must be from {sliders[name].low:g} to {sliders[name].high:g}",
            )
    before = look.learned | look.strengths
    after = look.learned | dict(strengths)
    changed = {name: value for name, value in after.items() if abs(value - before[name]) > 1e-6}
    if not changed:
        return
    for name, value in changed.items():
        _adjustment_keep(look, name, value, photo)
    look.strengths, look.version = dict(strengths), look.version + 1
    look.save(update_fields=["strengths", "version"])
    # One that waits renders with what is set when it begins.
    if not look.orders.filter(what=What.RENDER, photo=None, state=Job.State.QUEUED).exists():
        _order(look, What.RENDER)


@transaction.atomic
def look_dial(look: Look, strength: float, photo: int | None = None) -> None:
    """Keep how strong the person wants the whole look; the page shows it by itself. Raises LookRefused."""
    _check_strength(strength)
    _adjustment_keep(look, STRENGTH, strength, photo)


def look_photo_add(look: Look, source: Stream, length: int) -> LookPhoto:
    """Keep a photo of the person's own until its time is over, and let the workers render it.

    Raises:
        LookRefused: it is empty or too large, or there are too many already. Then nothing stays.
    """
    if length > MAX_BYTES:
        raise LookRefused("too_large", f"the photo has {length} bytes; at most {MAX_BYTES} are taken")
    with transaction.atomic():
        look = Look.objects.select_for_update(of=("self",)).select_related("session").get(pk=look.pk)
        if photos_kept(look).filter(is_own=True).count() >= MAX_OWN:
            raise LookRefused("too_many", f"{MAX_OWN} photos are there already; delete one of them first")
        last = look.photos.aggregate(last=Max("index"))["last"]
        photo = LookPhoto.objects.create(
            look=look,
            index=0 if last is None else last + 1,
            is_own=True,
            keep_until=timezone.now() + KEEP_OWN,
        )
    try:
        _keep(source, photo.folder)
        _order(look, What.RENDER, photo)
    except BaseException:
        look_photo_delete(photo)
        raise
    return photo


def look_photo_delete(photo: LookPhoto) -> None:
    """A photo of one's own, and every file that was made of it."""
    look = photo.look
    files = [look_file_path(look, order) for order in photo.orders.all()]
    photo.delete()
    for path in files:
        path.unlink(missing_ok=True)
    shutil.rmtree(photo.folder, ignore_errors=True)


def look_file_order(look: Look, photo: LookPhoto, what: str, strength: float) -> LookOrder:
    """A file to take away: the photo at full size, a LUT or a card. Raises LookRefused."""
    if what not in (What.PHOTO, What.CUBE, What.CARD):
        raise LookRefused("invalid", "what must be photo, cube or card")
    _check_strength(strength)
    if not photo.version:
        raise LookRefused("not_ready", "the photo is not rendered yet")
    if what == What.PHOTO and not photo.is_own:
        raise LookRefused("invalid", "only a photo of one's own is given away at full size")
    return _order(look, What(what), photo, strength)


def look_file_path(look: Look, order: LookOrder) -> Path:
    suffix = ".cube" if order.what == What.CUBE else ".jpg"
    return Path(look.folder) / "files" / f"{order.public_id}{suffix}"


def looks_expire() -> int:
    """Delete own photos whose time is over, files that were fetched, and looks of studies whose data is erased."""
    now = timezone.now()
    over = LookPhoto.objects.filter(keep_until__lte=now).select_related("look")
    n = 0
    for photo in over:
        look_photo_delete(photo)
        n += 1
    old = LookOrder.objects.filter(created_at__lte=now - KEEP_FILES).exclude(state__in=UNDER_WAY)
    for order in old.select_related("look"):
        look_file_path(order.look, order).unlink(missing_ok=True)
        order.delete()
    Look.objects.filter(session__study__erased_at__isnull=False).delete()
    return n


def files_follow_rows(sender: type, instance: Look | StudyLook, **_: Any) -> None:
    """After a row is deleted, by whatever: withdrawal, retention, the study's deletion."""
    transaction.on_commit(partial(shutil.rmtree, instance.folder, ignore_errors=True))


def _needs_reading(look: Look) -> bool:
    readings = look.orders.filter(what=What.READ)
    if readings.filter(state__in=UNDER_WAY).exists():
        return False
    if readings.filter(state=Job.State.FAILED, finished_at__gt=timezone.now() - TRY_AGAIN_AFTER).exists():
        return False
    return look.n_answers != look_answers(look.session).count()


def _order(look: Look, what: What, photo: LookPhoto | None = None, strength: float = 1.0) -> LookOrder:
    if look.orders.filter(state__in=UNDER_WAY).count() >= MAX_UNDER_WAY:
        raise LookRefused("busy", f"{MAX_UNDER_WAY} things are being made already; let one of them end first")
    order = LookOrder.objects.create(look=look, what=what, photo=photo, strength=strength)
    order.enqueue()
    return order


def _adjustment_keep(look: Look, concept: str, value: float, photo: int | None) -> None:
    if look.adjustments.count() >= MAX_ADJUSTMENTS:
        raise LookRefused("busy", f"{MAX_ADJUSTMENTS} adjustments are kept already")
    shown = look.photos.filter(index=photo).first() if photo is not None else None
    LookAdjustment.objects.create(look=look, concept=concept, value=value, photo=shown)


def _check_strength(strength: float) -> None:
    if not 0 <= strength <= MAX_STRENGTH:
        raise LookRefused("invalid", f"strength is {strength:g}; it must be from 0 to {MAX_STRENGTH:g}")


def _keep(source: Stream, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)  # one may be left of a row that was never committed
    kept = 0
    with (folder / "upload").open("wb") as file:
        while chunk := source.read(CHUNK):
            kept += len(chunk)
            if kept > MAX_BYTES:
                raise LookRefused("too_large", f"the photo has more than {MAX_BYTES} bytes")
            file.write(chunk)
    if not kept:
        raise LookRefused("invalid", "the photo is empty (0 bytes)")


def _data_folder(kind: str) -> Path:
    return Path(settings.TONALIST_DATA) / "looks" / kind / new_public_id()
