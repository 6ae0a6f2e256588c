"""Whether this process answers, and whether it can do its work: for load balancers, nginx and Kubernetes.

Reasons are words of this file, and no text of an error: those name hosts, users and folders. `manage.py
doctor` tells whoever runs the site more.
"""

import logging
import time
import uuid
from collections.abc import Callable

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.celery import app

logger = logging.getLogger(__name__)

NEEDED = ("database", "migrations", "storage")
"""Without the broker answers are still taken, and jobs wait: that is told, and takes no server out of service."""
_is_migrated = False
"""Once all migrations were there, this process is not to look again: that takes a tenth of a second."""
STORAGE_SECONDS = 30
"""Between two files that are written to see that it can be done; a bucket asks money for each."""
_stored_at = float("-inf")


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers. It asks nothing else: one that is restarted mends no database."""
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 where requests can be served ("ready", or "degraded" without the broker), else 503."""
    checks = {name: _reason(name, check) for name, check in CHECKS.items()}
    faults = {name for name, reason in checks.items() if reason != "ok"}
    is_ready = faults.isdisjoint(NEEDED)
    status = "not ready" if not is_ready else "degraded" if faults else "ready"
    return JsonResponse({"status": status, "checks": checks}, status=200 if is_ready else 503)


def _reason(name: str, check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - drivers and storages raise errors of their own; each is a reason
        logger.warning("not ready: %s: %s", name, error)
        return UNREACHABLE[name]


UNREACHABLE = {
    "database": "does not answer",
    "migrations": "cannot be read, as the database does not answer",
    "storage": "cannot be written",
    "broker": "does not answer; jobs wait",
}


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _migrations() -> str:
    global _is_migrated
    if not _is_migrated:
        executor = MigrationExecutor(connection)
        if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return f"{len(plan)} wait for manage.py migrate"
        _is_migrated = True
    return "ok"


def _storage() -> str:
    global _stored_at
    if time.monotonic() - _stored_at > STORAGE_SECONDS:
        name = default_storage.save(f"health/{uuid.uuid4().hex}", ContentFile(b"Tonalist"))
        default_storage.delete(name)
        _stored_at = time.monotonic()
    return "ok"


def _broker() -> str:
    with app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
    return "ok"


CHECKS = {"database": _database, "migrations": _migrations, "storage": _storage, "broker": _broker}
