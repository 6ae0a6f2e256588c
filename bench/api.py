"""Milliseconds of /api/v1 on a study of published size, by Django's test client with a token.

1,000 sessions of 90 questions each on PostgreSQL, as in bench/pages.py. Pages have 100 rows, those of judgments
1,000. Beside them the bare reply of `me/`, which tells what a call costs before it reads anything; beside the
stream of all judgments `COPY … TO` of the same columns. Set DATABASE_URL; the database is made for the measurement and dropped.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.pages import LIMIT_MS, answered_study
from bench.scratch import scratch_database
from bench.timing import interleaved, print_rows, row

BARE = "me/"
CALLS = (
    "studies/",
    "studies/{slug}/",
    "studies/{slug}/judgments/?limit=1000",
    "studies/{slug}/judgments/?limit=1000&order=oldest",
    "studies/{slug}/raters/",
    "studies/{slug}/sessions/",
    "studies/{slug}/pairs/",
    "studies/{slug}/verdicts/",
)


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with scratch_database():
        study = answered_study(options.pairs, options.sessions)
        get = caller()
        names = {call: call.format(slug=study.slug) for call in CALLS}
        calls = {call: lambda path=path: get(path) for call, path in names.items()}
        seconds = interleaved(calls | {BARE: lambda: get(BARE)}, options.rounds)
        print(f"{BARE}: {1000 * seconds.pop(BARE):.1f} ms")
        print_rows(
            [
                row(
                    f"call: {call}",
                    ours=1000 * taken,
                    peer=LIMIT_MS,
                    peer_name="limit",
                    goal=1,
                    better="lower",
                    unit="ms",
                )
                for call, taken in seconds.items()
            ]
            + [streamed(study, get)]
        )


def caller():
    from django.contrib.auth import get_user_model
    from django.test import Client

    from collection.api.v1 import identity
    from collection.services.tokens import token_create
    from collection.throttling import Limit

    identity.CALLS = Limit(name="bench", requests=10**9, seconds=60)
    user = get_user_model().objects.create_user("program", is_superuser=True)
    _, secret = token_create(user, "bench", ["read"])
    client = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {secret}"})

    def get(path):
        reply = client.get(f"/api/v1/{path}")
        if reply.status_code != 200:
            raise SystemExit(f"{path} answered {reply.status_code}")
        return reply

    return get


def streamed(study, get):
    """Judgments per second, all of them once, ours and the database's own."""
    from django.db import connection

    begun = time.perf_counter()
    n = sum(part.count(b"\n") for part in get(f"studies/{study.slug}/judgments.ndjson").streaming_content)
    ours = n / (time.perf_counter() - begun)
    query = (
        "COPY (SELECT q.public_id, s.public_id, r.public_id, c.public_id, p.public_id, a.public_id, b.public_id, "
        "q.index, q.kind, q.chosen_side, q.response_ms, q.elapsed_ms, q.served_at, q.answered_at "
        "FROM collection_question q JOIN collection_session s ON s.id = q.session_id "
        "JOIN collection_rater r ON r.id = s.rater_id JOIN variants_pair p ON p.id = q.pair_id "
        "JOIN variants_scene c ON c.id = p.scene_id JOIN variants_rendition a ON a.id = q.left_id "
        "JOIN variants_rendition b ON b.id = q.right_id WHERE q.answered_at IS NOT NULL AND q.kind <> 'practice') "
        "TO STDOUT"
    )
    begun = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copied = sum(bytes(part).count(b"\n") for part in copy)
    if copied != n:
        raise SystemExit(f"the stream has {n} judgments, the copy {copied}")
    return row(
        f"stream of {n:,} judgments",
        ours=ours,
        peer=copied / (time.perf_counter() - begun),
        peer_name="COPY … TO",
        goal=0.05,
        better="higher",
        unit="judgments/s",
    )


if __name__ == "__main__":
    main()
