"""What never stands in a log or an error report, whatever brought it there."""

import secrets

import pytest

from config.operations.redaction import redacted

TOKEN = "646ebb573bf0aa3491362c84ff6ea48d"
COOKIE = "IlYKIOhMDMRxWuQi87OJ3GcDbMEihDr81J3Zj-7pRts"


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        (f"Not Found: /api/participant/sessions/{TOKEN}/answers/", TOKEN),
        (f"person {COOKIE} came again", COOKIE),
        ("Authorization: Token ton_3hR2x9Qw", "ton_3hR2x9Qw"),
        ("mail to ada.lovelace+x@mail.example.org failed", "ada.lovelace"),
        ("refused for 203.0.113.77, too many", "203.0.113.77"),
        ("refused for 2001:db8:12::7f today", "2001:db8:12::7f"),
        ("cannot reach postgres://tonalist:hunter2@db/site", "hunter2"),
        ("/s/looks/?PROLIFIC_PID=5f3a&STUDY_ID=9", "5f3a"),
        ("{'password': 'hunter2', 'login': 'x'}", "hunter2"),
        ("METRICS_TOKEN=hunter2", "hunter2"),
        ("Cookie: sessionid=abc; other", "abc"),
    ],
)
def test_what_is_personal_or_secret_is_replaced(text, gone):
    assert gone not in redacted(text)


def test_a_random_token_never_passes():
    for _ in range(2000):
        for token in (secrets.token_urlsafe(32), secrets.token_hex(16)):
            assert token not in redacted(f"GET /invited/{token} said no")


@pytest.mark.parametrize(
    "text",
    [
        "job 3fa2c1 failed: variants/tone/images.py line 12",
        "collection.services.answers at 12:30:45 on 127.0.0.1:8000, ::1",
        "UserAttributeSimilarityValidator and session_places_take_them_all",
        "3 of 7 tasks? no: why",
        "",
    ],
)
def test_what_an_operator_needs_stays(text):
    assert redacted(text) == text


def test_a_job_is_found_by_the_beginning_of_its_id():
    assert redacted(f"job {TOKEN} failed") == f"job {TOKEN[:6]}… failed"
