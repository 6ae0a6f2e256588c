"""What browsers say of displays, when a person is asked about a screen, and what their answer does."""

import pytest
from django.utils import timezone

from collection.models import Device, Rater, Session
from collection.services.displays import (
    MAX_DISPLAY_RECORDS,
    display_confirm,
    display_is_in_question,
    display_record_store,
    session_move,
)
from collection.services.fields import FieldError
from collection.services.people import device_for
from tests.collection.factories import make_session, make_study

pytestmark = pytest.mark.django_db
LAPTOP = {
    "screen_width": 1440, "screen_height": 900, "pixel_ratio": 2, "color_depth": 30, "color_gamut": "p3",
    "dynamic_range": "standard",
}  # fmt: skip
MONITOR = {**LAPTOP, "screen_width": 2560, "screen_height": 1440, "pixel_ratio": 1, "color_gamut": "srgb"}


@pytest.fixture
def session():
    return make_session(make_study(n_practice=0, n_main=4, n_checks=1, check_lag=2))


def asks(session, *displays):
    for display in displays:
        display_record_store(session, display)
    return display_is_in_question(session)


def test_a_display_record_keeps_what_can_be_true(session):
    record = display_record_store(
        session,
        {
            "screen_width": 2560,
            "screen_height": -4,
            "pixel_ratio": 1.5,
            "color_depth": True,
            "color_gamut": "p3",
            "dynamic_range": "enormous",
            "platform": None,
            "refresh_hz": float("nan"),
            "viewport_width": 1200,
            "x\0y": 1,
        },
    )
    assert (record.screen_width, record.screen_height, record.pixel_ratio) == (2560, None, 1.5)
    assert (record.color_depth, record.color_gamut, record.dynamic_range) == (None, "p3", "")
    assert record.details == {
        "viewport_width": 1200,
        "dropped": ["'x\\x00y'", "color_depth", "dynamic_range", "refresh_hz", "screen_height"],
    }


def test_a_display_is_recorded_again_only_when_it_changes(session):
    assert display_record_store(session, {"screen_width": 1440})
    assert display_record_store(session, {"screen_width": 1440}) is None
    assert display_record_store(session, {"screen_width": 2560})


def test_display_records_are_bounded(session):
    for width in range(MAX_DISPLAY_RECORDS + 5):
        display_record_store(session, {"screen_width": 100 + width})
    assert session.displays.count() == MAX_DISPLAY_RECORDS


def test_a_display_record_must_be_an_object(session):
    with pytest.raises(FieldError, match="display record is a list"):
        display_record_store(session, [])


def test_the_first_screen_is_not_asked_about(session):
    assert not display_is_in_question(session)
    assert not asks(session, LAPTOP)


@pytest.mark.parametrize(
    "change",
    [
        {"screen_width": 1920, "screen_height": 1080},
        {"color_gamut": "srgb"},
        {"dynamic_range": "high"},
        {"color_depth": 24},
    ],
)
def test_what_looks_like_another_screen_is_asked_about(session, change):
    assert asks(session, LAPTOP, {**LAPTOP, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"pixel_ratio": 3},  # the zoom
        {"screen_width": 900, "screen_height": 1440},  # turned
        {"viewport_width": 700, "refresh_hz": 120, "dark_mode": True},
        {"color_gamut": None, "dynamic_range": None, "color_depth": None},  # not told
        {"screen_width": None},
    ],
)
def test_what_may_be_the_same_screen_is_not_asked_about(session, change):
    assert not asks(session, LAPTOP, {**LAPTOP, **change})


def test_a_screen_is_asked_about_until_there_is_an_answer(session):
    assert asks(session, LAPTOP, MONITOR)
    assert asks(session, MONITOR)
    display_confirm(session)
    assert not asks(session, MONITOR)
    assert not asks(session, LAPTOP, MONITOR)
    assert asks(session, {**LAPTOP, "screen_width": 1366, "screen_height": 768})


def test_moving_makes_another_rater_of_the_same_person(session):
    now = timezone.now()
    asks(session, LAPTOP, MONITOR)
    move = session_move(session, now)
    assert session.displays.last().is_same_screen is False
    new = move.session
    assert (new.study, new.rater.person) == (session.study, session.rater.person)
    assert new.rater != session.rater
    assert new.rater.device.replaces == session.rater.device
    assert device_for(move.device_token) == new.rater.device
    assert (new.consent_version, new.consented_at) == (session.consent_version, session.consented_at)
    assert (new.language, new.started_at) == (session.language, now)


def test_the_answer_sent_twice_moves_once(session):
    asks(session, LAPTOP, MONITOR)
    first, again = session_move(session, timezone.now()), session_move(session, timezone.now())
    assert first.session == again.session
    assert Session.objects.count() == Rater.objects.count() == Device.objects.count() == 2
    assert device_for(again.device_token) == again.session.rater.device


def test_whoever_moves_back_goes_on_where_they_were(session):
    asks(session, LAPTOP, MONITOR)
    other = session_move(session, timezone.now()).session
    assert asks(other, MONITOR, LAPTOP)
    assert session_move(other, timezone.now()).session == session


def test_a_third_screen_is_a_third_rater(session):
    asks(session, LAPTOP, MONITOR)
    other = session_move(session, timezone.now()).session
    phone = {**LAPTOP, "screen_width": 390, "screen_height": 844}
    asks(other, MONITOR, phone)
    third = session_move(other, timezone.now()).session
    assert len({session.rater, other.rater, third.rater}) == 3
    asks(third, phone, MONITOR)
    assert session_move(third, timezone.now()).session == other


def test_another_browser_of_the_same_person_is_left_alone(session):
    """A phone of theirs has a session of its own; the laptop that moves to a like screen does not take it over."""
    elsewhere = make_session(session.study, "alice", device="phone")
    display_record_store(elsewhere, MONITOR)
    asks(session, LAPTOP, MONITOR)
    assert session_move(session, timezone.now()).session != elsewhere
