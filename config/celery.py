"""The Celery application; workers start with `celery -A config worker`."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tonalist")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def take_up_jobs_again(**_: Any) -> None:
    """Messages can be lost and workers die; the rows know what is still to do."""
    from collection.services.audit import acting
    from collection.services.webhooks import deliveries_take_up
    from variants.jobs import jobs_take_up_again

    with acting("worker"):
        jobs_take_up_again()
        deliveries_take_up()
