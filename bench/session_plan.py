"""Milliseconds to start a session, all its questions planned and stored, in a study of published size.

8,000 pairs of 1,192 scenes and 100,000 earlier sessions of 90 questions each on PostgreSQL, some of them
just abandoned. In the same run, on a study of its own: the naive way to as many rows, ORDER BY exposures,
random() and a COPY. After 1,000 sessions the exposures of two pairs may differ by 2 at most. Set
DATABASE_URL; the database is made for the measurement and dropped after it (7 GB with all sessions).
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.scratch import scratch_database
from bench.timing import print_rows, row

LIMIT_MS = 50
TIMES_NAIVE = 2
SPREAD = 2
NAIVE_EVERY = 4


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.session_plan", description=__doc__)
    parser.add_argument("--pairs", type=int, default=8000)
    parser.add_argument("--sessions", type=int, default=100_000, help="earlier ones")
    parser.add_argument("--starts", type=int, default=1000, help="sessions that are started and timed")
    options = parser.parse_args()
    with scratch_database():
        from bench.large_study import sessions_make, study_make

        study = study_make(options.pairs)
        sessions_make(study, options.sessions)
        milliseconds, spread = measure(study, options.starts)
    print_table(milliseconds)
    print_rows(rows(milliseconds, spread))


def measure(study, n_starts):
    """Milliseconds of each start by its name, and by how much the exposures differ in the end."""
    from bench.large_study import rater_make, start, start_naively, study_copy

    copy = study_copy(study)
    milliseconds = {"ours": [], "naive": []}
    for n in range(n_starts):
        milliseconds["ours"].append(timed(start, study, rater_make(study)))
        if n % NAIVE_EVERY == 0:
            milliseconds["naive"].append(timed(start_naively, copy, rater_make(copy)))
    exposures = study.studypair_set.values_list("exposures", flat=True)
    return milliseconds, max(exposures) - min(exposures)


def timed(start, study, rater):
    begun = time.perf_counter()
    start(study, rater)
    return 1000 * (time.perf_counter() - begun)


def print_table(milliseconds):
    for name, taken in milliseconds.items():
        p50, p95, p99 = np.percentile(taken, [50, 95, 99])
        print(f"{name:8} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  p99 {p99:6.1f} ms  of {len(taken)}")


def rows(milliseconds, spread):
    ours, naive = (float(np.median(milliseconds[name])) for name in ("ours", "naive"))
    shared = {"ours": ours, "better": "lower", "unit": "ms"}
    return [
        row("session started", **shared, peer=LIMIT_MS, peer_name="limit", goal=1),
        row("session started", **shared, peer=naive, peer_name="naive SQL", goal=TIMES_NAIVE),
        row(
            f"exposures apart, {len(milliseconds['ours'])} sessions",
            ours=spread,
            peer=SPREAD,
            peer_name="allowed",
            goal=1,
            better="lower",
            unit="exposures",
        ),
    ]


if __name__ == "__main__":
    main()
