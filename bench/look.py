"""Your look: seconds from a person's wish to their first photo and to all of them, in a worker that is warm.

A study of 30 photos of 1280 pixels is opened for looks with an untrained TasteLUT of `tiny` (figures depend on its sizes
alone); people answer 20 questions and ask. Measured is the work itself, on SQLite and two threads: the way through a broker
comes on top of it, some hundredths of a second with Redis. The first person's figures are left out.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import print_rows, row

PEOPLE = 6
ANSWERS = 20
PHOTO = (1280, 853)
GOAL_SECONDS = 2.0
"""docs/looks.md promises it on two cores."""


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "TONALIST_DATA": folder,
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": "only-for-measuring",
            "CELERY_BROKER_URL": "memory://",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        first, every = measured(Path(folder))
    print_rows(
        [
            told("your look, first photo from 20 answers", first),
            told("your look, all photos from 20 answers", every),
        ]
    )


def measured(folder):
    """Median seconds until the first photo is there, and until all are."""
    import torch

    from bench.tastelut import untrained
    from learning import look_work
    from learning.looks import study_look_of
    from learning.models import StudyLook
    from learning.services import study_look_open
    from learning.services.looks import look_ask
    from learning.tasks import look_task, study_look_task
    from tests.collection.factories import answer_all, make_session, make_study
    from tests.factories import make_run

    torch.set_num_threads(2)
    weights = folder / "run"
    weights.mkdir()
    untrained().save(weights)
    study = make_study(
        n_scenes=30,
        per_scene=3,
        files=True,
        size=PHOTO,
        n_main=ANSWERS,
        **{"phases": ("consent", "main"), "n_checks": 0, "scene_gap": 0, "block_size": 0},
    )
    study_look_open(study, make_run(folder=weights, system="tastelut", is_simulated=True))
    study_look_task(StudyLook.objects.get().pk)
    render, ends = look_work._photo_render, []

    def noted(*arguments):
        render(*arguments)
        ends.append(time.perf_counter())

    look_work._photo_render = noted
    first, every = [], []
    for number in range(PEOPLE + 1):
        session = make_session(study, f"person {number}")
        answer_all(session)
        ends.clear()
        start = time.perf_counter()
        look = look_ask(session, study_look_of(study))
        for order in look.orders.all():
            look_task(order.pk)
        first.append(ends[0] - start)
        every.append(ends[-1] - start)
        print(
            f"person {number}: first photo {first[-1]:.2f} s, all {len(ends)} {every[-1]:.2f} s", flush=True
        )
    return statistics.median(first[1:]), statistics.median(every[1:])


def told(name, seconds):
    return row(
        name, ours=seconds, peer=GOAL_SECONDS, peer_name="the promise", goal=1.0, better="lower", unit="s"
    )


if __name__ == "__main__":
    main()
