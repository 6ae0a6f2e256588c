"""What browsers say of their displays, and whether a session is still on the screen that it began on."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from collection.models import Device, DisplayRecord, Session
from collection.selectors.sessions import session_locked
from collection.services.fields import flag, number, one_of, record_clean, text, whole
from collection.services.people import device_replace, device_token_renew
from collection.services.sessions import session_start_again

MAX_DISPLAY_RECORDS = 20
DISPLAY_COLUMNS = {
    "screen_width": whole(1, 100_000),
    "screen_height": whole(1, 100_000),
    "pixel_ratio": number(0.1, 20),
    "color_depth": whole(1, 128),
    "color_gamut": one_of("srgb", "p3", "rec2020"),
    "dynamic_range": one_of("standard", "high"),
    "platform": text(50),
}
DISPLAY_DETAILS = {
    "viewport_width": whole(0, 100_000),
    "viewport_height": whole(0, 100_000),
    "refresh_hz": number(1, 1000),
    "orientation": one_of(
        "landscape-primary", "landscape-secondary", "portrait-primary", "portrait-secondary"
    ),
    "touch_points": whole(0, 256),
    "pointer": one_of("fine", "coarse", "none"),
    "browser": text(100),
    "dark_mode": flag,
    "more_contrast": flag,
    "forced_colors": flag,
    "inverted_colors": flag,
}
DISPLAY_FIELDS = {**DISPLAY_COLUMNS, **DISPLAY_DETAILS}

Look = tuple[tuple[int, ...], str, str, int | None]
"""Sides of the screen in ascending order, gamut, dynamic range, colour depth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    session: Session
    """On the other screen."""
    device_token: str
    """What the browser's device cookie is set to."""


def display_record_store(session: Session, data: Mapping[str, Any]) -> DisplayRecord | None:
    """Store what the browser says of its display; None when it says the same as last time.

    Fields that a browser does not know or that cannot be true are left out: unknown is not wrong.

    Raises:
        FieldError: `data` is no object.
        Session.DoesNotExist: it was withdrawn meanwhile.
    """
    record = record_clean(data, DISPLAY_FIELDS, "the display record")
    columns = {name: record.pop(name) for name in DISPLAY_COLUMNS if name in record}
    with transaction.atomic():
        session_locked(pk=session.pk)
        last = session.displays.last()
        new = DisplayRecord(session=session, **columns, details=record)
        if last and (_said(last) == _said(new) or session.displays.count() >= MAX_DISPLAY_RECORDS):
            return None
        new.save()
    return new


def display_is_in_question(session: Session) -> bool:
    """Whether the last record looks like another screen than the first, and nobody has said that it is none.

    The pixel ratio says nothing: it follows the zoom. Where the zoom changes the size as well,
    as in Firefox, the person's answer settles it for that size.
    """
    records = list(session.displays.all())
    if not records:
        return False
    look = _look(records[-1])
    settled = any(record.is_same_screen and _look(record) == look for record in records)
    return not settled and _differ(_look(records[0]), look)


def display_confirm(session: Session) -> None:
    """The person says that it is the screen on which the session began.

    Raises Session.DoesNotExist when it was withdrawn meanwhile.
    """
    with transaction.atomic():
        session_locked(pk=session.pk)
        _say_of_last_display(session, is_same=True)


def session_move(session: Session, now: dt.datetime) -> Move:
    """The person says that it is another screen: a rater and a session of their own for it.

    A session of this person on such a screen, in this browser, is taken up again. The consent
    is carried over.

    Raises:
        SessionRefused: see `session_start`.
        Session.DoesNotExist: it was withdrawn meanwhile.
    """
    with transaction.atomic():
        # Two clicks make one move: the later one finds the session that the earlier one began.
        session_locked(pk=session.pk)
        _say_of_last_display(session, is_same=False)
        if known := _session_on_this_screen(session):
            return Move(session=known, device_token=device_token_renew(known.rater.device))
        device, token = device_replace(session.rater.device)
        return Move(session=session_start_again(session, device, now), device_token=token)


def _say_of_last_display(session: Session, *, is_same: bool) -> None:
    last = session.displays.last()
    if last:
        last.is_same_screen = is_same
        last.save(update_fields=["is_same_screen"])


def _session_on_this_screen(session: Session) -> Session | None:
    """The person's latest other session in this browser that began on a screen like the present one."""
    others = Session.objects.filter(study=session.study, rater__person=session.rater.person)
    last, browser = session.displays.last(), _first_device(session.rater.device)
    for other in others.exclude(rater=session.rater).select_related("rater__device").order_by("-pk"):
        first = other.displays.first()
        alike = not (first and last and _differ(_look(first), _look(last)))
        if alike and _first_device(other.rater.device) == browser:
            return other
    return None


def _first_device(device: Device) -> Device:
    while device.replaces:
        device = device.replaces
    return device


def _look(record: DisplayRecord) -> Look:
    sides = sorted(side for side in (record.screen_width, record.screen_height) if side)
    size = tuple(sides) if len(sides) == 2 else ()  # in whichever way the screen is turned
    return size, record.color_gamut, record.dynamic_range, record.color_depth


def _differ(first: Look, other: Look) -> bool:
    """What is unknown of one of them tells them not apart."""
    return any(a != b for a, b in zip(first, other, strict=True) if a and b)


def _said(record: DisplayRecord) -> tuple[object, ...]:
    return (*(getattr(record, name) for name in DISPLAY_COLUMNS), record.details)
