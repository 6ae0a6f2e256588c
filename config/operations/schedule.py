"""How often beat sends what is done by the clock; read with the settings, so that nothing of Django stands here."""

from typing import Any

SECONDS = {
    "take-over": 60,
    "webhooks": 300,
    "photos": 3600,
    "retention": 3600,
    "lost-messages": 3600,
    "leftovers": 3600,
    "orphans": 86400,
}
"""Between two times; `chores.py` says what is done."""


def beat_schedule() -> dict[str, dict[str, Any]]:
    """For Celery's beat. A message that nobody took before the next one comes is void."""
    return {
        name: {
            "task": "config.tasks.chore_task",
            "args": [name],
            "schedule": seconds,
            "options": {"expires": seconds},
        }
        for name, seconds in SECONDS.items()
    }
