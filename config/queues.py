"""Which queue takes which task, in which order and within which limits; read with the settings, so no Django here.

Few and plain: a worker says with `--queues` what it takes, and without it takes all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kombu import Exchange, Queue

FIRST, USUAL = 9, 5
"""Urgency inside a queue, as AMQP counts it: the higher goes first."""
HIGHEST = 9
CONSUMER_TIMEOUT_MS = 60 * 24 * 3600 * 1000
"""RabbitMQ takes a message back from who has not confirmed it within half an hour; a training is confirmed at its end."""
VISIBILITY_SECONDS = 24 * 3600
"""The same of Redis, where it is an hour. What a dead worker had comes back sooner: from its row."""
GRACE_SECONDS = 120
"""Between the limit at which a job is asked to end, with its reason, and the one at which its process is killed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What stands in one queue."""

    words: str
    """What it takes, for people."""
    hours: float
    """A job that takes longer has failed."""
    gigabytes: float
    """Of memory that a job's process may hold; 0 for no bound but the machine's, as drivers of cards map far more."""
    tasks: Mapping[str, int]
    """Task → urgency."""


QUEUES = {
    "interactive": Kind(
        words="looks, active questions, photos: somebody waits",
        hours=0.25,
        gigabytes=8,
        tasks={
            "collection.tasks.questions_task": FIRST,
            "learning.tasks.look_task": FIRST,
            "learning.tasks.photos_task": USUAL,
        },
    ),
    "upkeep": Kind(
        words="webhooks, what is done by the clock",
        hours=2,
        gigabytes=4,
        tasks={"collection.tasks.webhook_task": FIRST, "config.tasks.chore_task": USUAL},
    ),
    "render": Kind(
        words="photos that come in, renditions, blind tests",
        hours=48,
        gigabytes=16,
        tasks={
            "variants.tasks.photos_task": FIRST,
            "collection.tasks.study_photos_task": FIRST,
            "learning.tasks.study_look_task": FIRST,
            "variants.tasks.render_task": USUAL,
            "collection.tasks.study_variants_task": USUAL,
            "learning.tasks.blind_test_task": USUAL,
        },
    ),
    "export": Kind(
        words="datasets, deletions",
        hours=24,
        gigabytes=8,
        tasks={"collection.tasks.export_task": USUAL, "collection.tasks.study_delete_task": USUAL},
    ),
    "report": Kind(
        words="reports, statistics",
        hours=24,
        gigabytes=16,
        tasks={
            "collection.tasks.taste_task": FIRST,
            "collection.tasks.statistics_task": FIRST,
            "evaluation.tasks.report_task": USUAL,
        },
    ),
    "train": Kind(
        words="training, raters' profiles, generated scenes and edits",
        hours=240,
        gigabytes=0,
        tasks={
            # Shares of what has begun go before what has not.
            "learning.tasks.rater_adaptation_task": FIRST,
            "learning.tasks.adaptation_task": USUAL,
            "learning.tasks.train_task": USUAL,
            "variants.tasks.scenes_generate_task": USUAL,
        },
    ),
}
QUEUE_OF = {task: name for name, kind in QUEUES.items() for task in kind.tasks}
WITHOUT_ROW = {
    "collection.tasks.questions_task",
    "collection.tasks.taste_task",
    "collection.tasks.webhook_task",
    "config.tasks.chore_task",
}
"""Nobody counts how often one of these killed its worker, so its message does not come again: what it would have done,
the next answer or the clock asks for anew."""


def celery_queues(broker_url: str, hours: Mapping[str, float]) -> dict[str, Any]:
    """The settings of Celery that say all this. `hours`: queue → limit."""
    return {
        "CELERY_TASK_QUEUES": [
            Queue(
                name,
                Exchange("tonalist"),
                routing_key=name,
                queue_arguments={"x-max-priority": HIGHEST, "x-consumer-timeout": CONSUMER_TIMEOUT_MS},
            )
            for name in QUEUES
        ],
        "CELERY_TASK_DEFAULT_QUEUE": "upkeep",
        "CELERY_TASK_DEFAULT_EXCHANGE": "tonalist",
        "CELERY_TASK_CREATE_MISSING_QUEUES": False,
        "CELERY_TASK_ROUTES": {
            task: {"queue": name, "routing_key": name, "priority": broker_priority(broker_url, urgency)}
            for name, kind in QUEUES.items()
            for task, urgency in kind.tasks.items()
        },
        "CELERY_TASK_ANNOTATIONS": {
            task: {
                "soft_time_limit": round(3600 * hours[name]),
                "time_limit": round(3600 * hours[name]) + GRACE_SECONDS,
                "reject_on_worker_lost": task not in WITHOUT_ROW,
            }
            for task, name in QUEUE_OF.items()
        },
    }


def broker_priority(broker_url: str, urgency: int) -> int:
    """As the broker counts: RabbitMQ takes the highest first, kombu's lists in Redis the lowest; files have none."""
    return urgency if broker_url.startswith("amqp") else HIGHEST - urgency
