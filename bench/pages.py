"""Milliseconds of the researchers' pages on a study of published size, by Django's test client.

1,000 sessions of 90 questions each on PostgreSQL, with sides, times, checks and displays that differ, and their
verdicts. Beside them, in interleaved rounds, the sign-in page, which asks the database for nothing of a study. A
page may take 300 ms at the median. Set DATABASE_URL; the database is made for the measurement and dropped after it.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.scratch import scratch_database
from bench.timing import interleaved, print_rows, row

LIMIT_MS = 300
BARE = "bare page"
PAGES = {
    "overview": "study-detail",
    "overview, figures alone": "study-live",
    "raters": "study-people",
    "rules": "study-rules",
    "rules, compared": "study-rules",
    "payments": "panel-download",
    "scenes": "study-scenes",
    "protocol": "study-protocol",
    "datasets": "study-datasets",
    "statistics": "study-statistics",
    "members": "study-members",
    "keeping and deleting": "study-retention",
    "delete, what goes": "study-delete",
}


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with scratch_database():
        study = answered_study(options.pairs, options.sessions)
        seconds = interleaved(pages(study), options.rounds)
    bare = 1000 * seconds.pop(BARE)
    print(f"{BARE}: {bare:.1f} ms")
    print_rows(
        [
            row(
                f"page: {name}",
                ours=1000 * taken,
                peer=LIMIT_MS,
                peer_name="limit",
                goal=1,
                better="lower",
                unit="ms",
            )
            for name, taken in seconds.items()
        ]
    )


def answered_study(n_pairs, n_sessions):
    from bench.large_study import sessions_make, study_make
    from collection.services.verdicts import verdicts_compute

    study = study_make(n_pairs)
    sessions_make(study, n_sessions)
    vary(study)
    verdicts_compute(study)
    return study


def vary(study):
    """Sides, times and checks as people give them: raters of their own pace who tire, one in ten careless."""
    from django.db import connection

    careless = "session_id % 10 = 0"
    noise = "(hashint4(id::int) & 65535) / 65536.0"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE collection_question SET "
            f"response_ms = (CASE WHEN {careless} THEN 250 ELSE 700 + 40 * (session_id % 50) END "
            f"* (1.4 - index / 150.0) * (0.5 + {noise}))::int, elapsed_ms = 30000, "
            f"chosen_side = CASE WHEN {noise} < 0.5 THEN 'left' ELSE 'right' END WHERE answered_at IS NOT NULL"
        )
        # A check repeats a pair with its sides flipped.
        cursor.execute(
            "UPDATE collection_question c SET chosen_side = CASE WHEN (f.chosen_side = 'left') = (c.id % 8 > 0) "
            "THEN 'right' ELSE 'left' END FROM collection_question f WHERE f.id = c.repeats_id "
            "AND c.answered_at IS NOT NULL AND c.session_id % 10 > 0"
        )
        cursor.execute(
            "INSERT INTO collection_displayrecord (session_id, screen_width, screen_height, pixel_ratio, color_depth, "
            "color_gamut, dynamic_range, platform, details, recorded_at) SELECT id, 390 + id % 4 * 400, 844, "
            "1 + id % 3, 24, CASE WHEN id % 2 = 0 THEN 'srgb' ELSE 'p3' END, 'standard', "
            "(ARRAY['Windows', 'macOS', 'Android', 'iPhone'])[1 + id % 4], "
            '\'{"browser": "Chromium 140, Google Chrome 140", "pointer": "fine", "refresh_hz": 60}\', now() '
            "FROM collection_session"
        )
        cursor.execute(
            "UPDATE collection_session SET finished_at = started_at + id * interval '1 minute' WHERE finished_at IS NOT NULL"
        )
        cursor.execute("UPDATE collection_person SET panel = 'pid', panel_id = 'P' || id")
        cursor.execute("VACUUM ANALYZE")


def pages(study):
    from django.contrib.auth import get_user_model
    from django.core.cache import cache
    from django.test import Client
    from django.urls import reverse

    from collection.design.protocol import RuleSet

    client = Client(HTTP_HOST="localhost")
    client.force_login(get_user_model().objects.create_user("alice", is_superuser=True))
    other = RuleSet(version="other", min_consistency=0.8).to_json()
    thresholds = {name: value for name, value in other.items() if value is not False}
    asked = {"rules, compared": thresholds}

    def page(address, data=None):
        reply = client.get(address, data)
        if reply.status_code != 200:
            raise SystemExit(f"{address} answered {reply.status_code}")

    found = {
        name: lambda view=view, name=name: page(
            reverse(f"researcher:{view}", args=[study.slug]), asked.get(name)
        )
        for name, view in PAGES.items()
    }

    def first_look():
        cache.clear()
        found["overview"]()

    studies = {
        "studies": lambda: page(reverse("researcher:study-list")),
        "overview, nothing remembered": first_look,
    }
    bare = Client(HTTP_HOST="localhost")
    return found | studies | {BARE: lambda: bare.get(reverse("login"))}


if __name__ == "__main__":
    main()
