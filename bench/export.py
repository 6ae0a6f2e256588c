"""Judgments a second and peak memory of an export of published size and beyond, beside two plainer ways out.

1,000,000 judgments with 8,000 images on PostgreSQL, exported by the command in a process of its own: all tables,
every image copied and hashed, card, datasheet, Croissant and manifest. In the same run the same rows of judgments
alone: PostgreSQL's COPY … TO of them as CSV, and pandas' to_parquet of them from memory. Set DATABASE_URL; the
database is made for the measurement and dropped after it.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.scratch import scratch_database
from bench.timing import print_rows, row

LIMIT_MB = 500
N_SCENES, N_PAIRS = 1600, 8000
"""Five renditions of each scene."""
IMAGE_BYTES = 20_000
EXPORT = """\
import sys
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
"""The process tells its own peak: what its parent knows of it begins with the parent's own memory."""
JUDGMENTS = """\
SELECT q.public_id, r.public_id, p.public_id,
  CASE q.chosen_side WHEN 'left' THEN l.public_id WHEN 'right' THEN g.public_id END,
  CASE q.chosen_side WHEN 'left' THEN g.public_id WHEN 'right' THEN l.public_id END,
  l.public_id, g.public_id, q.chosen_side, q.response_ms, q.repeats_id IS NOT NULL, f.public_id, q.index, q.answered_at
FROM collection_question q JOIN collection_session s ON s.id = q.session_id
JOIN collection_rater r ON r.id = s.rater_id JOIN variants_pair p ON p.id = q.pair_id
JOIN variants_rendition l ON l.id = q.left_id JOIN variants_rendition g ON g.id = q.right_id
LEFT JOIN collection_question f ON f.id = q.repeats_id
WHERE q.answered_at IS NOT NULL AND q.kind <> 'practice' ORDER BY r.public_id, q.session_id, q.index"""


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.export", description=__doc__)
    parser.add_argument("--judgments", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with scratch_database(), tempfile.TemporaryDirectory() as folder:
        make_study(options.judgments)
        seconds, megabytes, n = measure(Path(folder), options.rounds)
    print_rows(rows(seconds, megabytes, n))


def make_study(n_judgments):
    """Sessions as in the other measurements, and a file for every image."""
    from bench import large_study
    from collection.models import Study
    from collection.services.verdicts import verdicts_compute

    large_study.N_SCENES = N_SCENES
    each, lost = large_study.N_QUESTIONS, large_study.N_QUESTIONS - large_study.N_MAIN // 2
    study = large_study.study_make(N_PAIRS)
    large_study.sessions_make(study, -(-(n_judgments + large_study.ABANDONED * lost) // each))
    make_images()
    verdicts_compute(Study.objects.get())


def make_images():
    import hashlib

    from django.core.files.base import ContentFile

    from variants.models import Rendition

    images = list(Rendition.objects.all())
    for image in images:
        content = os.urandom(IMAGE_BYTES)
        image.image.save(f"{image.public_id}.webp", ContentFile(content), save=False)
        image.sha256, image.width, image.height = hashlib.sha256(content).hexdigest(), 1080, 720
    Rendition.objects.bulk_update(images, ["image", "sha256", "width", "height"], batch_size=500)
    print(f"{len(images):,} images of {IMAGE_BYTES:,} bytes", flush=True)


def measure(folder, rounds):
    """Median seconds of each way, the export's largest peak memory in MB, and how many judgments there are."""
    import pandas as pd
    import pyarrow.parquet as pq

    seconds, megabytes = {"export": [], "COPY": [], "pandas": []}, []
    for k in range(rounds):
        target = folder / f"export-{k}"
        megabytes.append(export(target, seconds["export"]))
        seconds["COPY"].append(timed(copy_out, folder / "judgments.csv"))
        frame = pd.read_parquet(target / "judgments.parquet")
        seconds["pandas"].append(timed(frame.to_parquet, folder / "pandas.parquet"))
        del frame
        n = pq.read_metadata(target / "judgments.parquet").num_rows
        for name, taken in seconds.items():
            print(
                f"round {k + 1}: {name:7} {taken[-1]:7.2f} s  {n / taken[-1]:12,.0f} judgments/s", flush=True
            )
    return {name: statistics.median(taken) for name, taken in seconds.items()}, max(megabytes), n


def export(target, seconds):
    """In a process of its own, as the command does it; add its seconds, and give the whole process's peak in MB."""
    command = [sys.executable, "-c", EXPORT, "export_ppsd", "large", str(target), "--quiet"]
    begun = time.perf_counter()
    told = subprocess.run(command, check=True, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    seconds.append(time.perf_counter() - begun)
    return int(told.stdout.split()[-2]) * 1024 / 1e6


def copy_out(target):
    from django.db import connection

    out = f"COPY ({JUDGMENTS}) TO STDOUT (FORMAT csv)"
    with connection.cursor() as cursor, target.open("wb") as file, cursor.copy(out) as copy:
        for data in copy:
            file.write(data)


def timed(work, *args):
    begun = time.perf_counter()
    work(*args)
    return time.perf_counter() - begun


def rows(seconds, megabytes, n):
    per_second = {name: n / taken for name, taken in seconds.items()}
    shared = {"ours": per_second["export"], "better": "higher", "unit": "judgments/s"}
    name = f"whole export, {n:,} judgments"
    return [
        row(f"{name}: memory", ours=megabytes, peer=LIMIT_MB, peer_name="limit", goal=1, better="lower", unit="MB"),
        row(name, **shared, peer=per_second["COPY"], peer_name="COPY, judgments alone", goal=0.1),
        row(name, **shared, peer=per_second["pandas"], peer_name="to_parquet, judgments alone", goal=0.01),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
