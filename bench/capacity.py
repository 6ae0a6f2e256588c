"""What a session leaves in PostgreSQL, what a rendition takes, how fast answers are stored: docs/capacity.md.

Sessions of 90 questions are begun and answered through the services that the site uses, with all that a
browser tells; the tables' sizes, indexes included, are taken after a VACUUM. Set DATABASE_URL; the database
is made for the measurement and dropped after it. The plan for other numbers of raters is arithmetic:
`python -m bench.capacity_plan`.
"""

import argparse
import io
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.answer_loop import CLIENT, study_make
from bench.scratch import scratch_database

LONG_SIDES = (1080, 1600)


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--sessions", type=int, default=300)
    options = parser.parse_args()
    with scratch_database():
        measured = database(options.sessions)
    measured |= renditions()
    for name, value in measured.items():
        print(f"{name:45} {value:12,.0f}")
    print(json.dumps({"measured": measured}))


def database(n):
    from django.db import connection
    from django.utils import timezone

    from collection.services.answers import answer_record
    from tests.collection.factories import make_session

    study = study_make()
    study.is_simulated = False
    empty = sizes(connection)
    answers, begun, in_answers = 0, time.perf_counter(), 0.0
    for k in range(n):
        session = make_session(study, name=f"person {k}", device=f"device {k}", seed=None)
        tokens = list(session.questions.order_by("index").values_list("token", flat=True))
        start = time.perf_counter()
        for token in tokens:
            answers += (
                answer_record(session.token, token, "left", 1200, CLIENT, timezone.now()).status == "stored"
            )
        in_answers += time.perf_counter() - start
    seconds = time.perf_counter() - begun
    full = sizes(connection)
    grown = {table: full[table] - empty.get(table, 0) for table in full}
    for table, size in sorted(grown.items(), key=lambda pair: -pair[1])[:6]:
        print(f"  {table:40} {size / n:10,.0f} bytes a session")
    return {
        "questions a session": answers / n,
        "database bytes a session": sum(grown.values()) / n,
        "database bytes an answer": grown["collection_question"] / answers,
        "sessions begun and answered a second, alone": n / seconds,
        "answers stored a second by one process": answers / in_answers,
    }


def sizes(connection):
    with connection.cursor() as cursor:
        cursor.execute("VACUUM FULL")
        cursor.execute("SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
                       "AND relnamespace = 'public'::regnamespace")  # fmt: skip
        return dict(cursor.fetchall())


def renditions():
    """Median bytes of real photos' renditions: those that scikit-image carries, several recipes of each."""
    import numpy as np
    from PIL import Image
    from skimage import data

    from variants.sources.controlled import controlled_recipes
    from variants.tone.images import encode_image, fit_long_side, read_photo
    from variants.tone.recipes import apply_recipe

    photos = [getattr(data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")]
    found = {}
    for side in LONG_SIDES:
        for encoding in ("webp_lossless", "jpeg_444"):
            lengths: list[int] = []
            for pixels in photos:
                file = io.BytesIO()
                image = Image.fromarray(np.asarray(pixels)[..., :3])
                scale = side / max(image.size)
                image.resize((round(image.width * scale), round(image.height * scale)), 3).save(file, "PNG")
                small = fit_long_side(read_photo(file.getvalue()).pixels, side)
                recipes = controlled_recipes(3, seed=0)
                lengths += [len(encode_image(apply_recipe(small, recipe), encoding)) for recipe in recipes]
            found[f"bytes of a rendition, {encoding}, {side} px"] = statistics.median(lengths)
    return found


if __name__ == "__main__":
    main()
