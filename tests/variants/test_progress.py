import sys
import threading
import time

import pytest

from variants import progress
from variants.progress import about, reported, throttled, with_time_left


def test_without_a_terminal_each_stage_begins_and_ends_with_a_plain_line(capsys):
    with progress.terminal() as report:
        for done in range(1, 4):
            report(done, 3, "reading")
        report(1, 1, "writing")
    assert capsys.readouterr().err.splitlines() == ["reading: 1 of 3", "reading: 3 of 3", "writing: 1 of 1"]


def test_quiet_says_nothing(capsys):
    with progress.terminal(quiet=True) as report:
        report(1, 2, "reading")
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_one_bar_a_stage(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.terminal() as report:
        report(1, 2, "reading")
        report(2, 2, "reading")
        report(1, 1, "writing")
    shown = capsys.readouterr().err
    assert "reading: 100%" in shown
    assert "writing: 100%" in shown


def test_throttled_drops_calls_that_come_too_soon_but_no_last_one():
    calls = []
    report = progress.throttled(lambda *call: calls.append(call), seconds=1000)
    for done in range(5):
        report(done, 4, "work")
    assert calls == [(0, 4, "work"), (4, 4, "work")]


def test_what_report_raises_passes():
    def cancel(done, total, stage):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        progress.throttled(cancel)(0, 1, "work")


def test_what_cannot_report_is_reported_meanwhile():
    calls, ready = [], threading.Event()

    def work(stop):
        assert ready.wait(10)
        return "done"

    def report():
        calls.append(threading.current_thread())
        if len(calls) == 3:
            ready.set()

    assert reported(work, report, 0.01) == "done"
    assert len(calls) >= 3
    assert set(calls) == {threading.current_thread()}


def test_who_asks_for_the_end_is_passed_on_once_the_work_has_stopped():
    stopped = []

    def work(stop):
        while not stop():
            time.sleep(0.01)
        stopped.append(True)

    def report():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reported(work, report, 0.01)
    assert stopped == [True]


def test_what_goes_wrong_in_the_work_is_raised():
    def work(stop):
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        reported(work, lambda: None, 1)


def test_the_time_left_is_told_with_the_stage_once_the_pace_is_known():
    """Steps take 2 s: after 10 of 100, 90 are left, 3 minutes; another stage begins anew."""
    told, now = [], [0.0]
    report = with_time_left(lambda *said: told.append(said), clock=lambda: now[0])
    for done in (0, 1, 10, 100):
        now[0] = 2.0 * done
        report(done, 100, "training")
    report(5, 10, "rendering")
    assert told == [
        (0, 100, "training"),
        (1, 100, "training"),
        (10, 100, "training, about 3 min left"),
        (100, 100, "training"),
        (5, 10, "rendering"),
    ]


def test_a_resumed_stage_goes_by_its_pace_since():
    told, now = [], [0.0]
    report = with_time_left(lambda *said: told.append(said[2]), clock=lambda: now[0])
    report(50, 100, "training")
    now[0] = 10.0
    report(60, 100, "training")
    assert told[-1] == "training, about 40 s left"


def test_throttling_goes_by_the_stage_and_not_by_the_time_left():
    told = []
    report = throttled(
        with_time_left(lambda *said: told.append(said), clock=iter(range(0, 1000, 7)).__next__)
    )
    for done in range(50):
        report(done, 100, "training")
    assert len(told) == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "about 5 s"),
        (41, "about 40 s"),
        (170, "about 3 min"),
        (3599, "about 1 h"),
        (7800, "about 2 h 10 min"),
        (90_000, "about 25 h"),
        (400_000, "about 5 days"),
    ],
)
def test_durations_are_no_more_exact_than_an_estimate(seconds, words):
    assert about(seconds) == words
