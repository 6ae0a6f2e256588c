"""What is configured, reachable and missing on this machine, each fault with what mends it."""

import importlib.metadata
import importlib.util
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError

from config.celery import app


@dataclass(frozen=True)
class Finding:
    name: str
    state: Literal["ok", "note", "fault"]
    detail: str
    fix: str = ""


def examine() -> list[Finding]:
    """Look at every part; a fault in one keeps none of the others from being looked at."""
    return [look() for look in LOOKS]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok", f"{version}, Tonalist {importlib.metadata.version('tonalist')}")


def _secret_key() -> Finding:
    if settings.DEBUG:
        return Finding(
            "Mode",
            "note",
            "DEBUG is on: for one person on their own machine, not for a public site",
            "DEBUG=off and SECRET_KEY=… in .env",
        )
    return Finding("Mode", "ok", f"DEBUG is off; hosts {', '.join(settings.ALLOWED_HOSTS)}")


def _database() -> Finding:
    name = f"{connection.vendor} {_without_password(str(connection.settings_dict['NAME']))}"
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return Finding("Database", "fault", f"{name}: {error}".strip(), "start it, or correct DATABASE_URL")
    if waiting:
        return Finding("Database", "fault", f"{name}: {len(waiting)} migrations wait", "manage.py migrate")
    return Finding("Database", "ok", f"{name}, all migrations done")


def _storage() -> Finding:
    where = settings.STORAGES["default"]["OPTIONS"]
    place = str(where.get("location") or where.get("bucket_name"))
    try:
        name = default_storage.save(f"doctor-{uuid.uuid4().hex}", ContentFile(b"Tonalist"))
        default_storage.delete(name)
    except OSError as error:
        return Finding("Storage", "fault", f"{place}: {error}", "make it writable, or correct STORAGE_URL")
    return Finding("Storage", "ok", f"{place} can be written")


def _broker() -> Finding:
    url = _without_password(settings.CELERY_BROKER_URL)
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=3)
    except (OperationalError, OSError) as error:
        return Finding(
            "Broker", "fault", f"{url}: {error}", "start it, or unset CELERY_BROKER_URL for the embedded one"
        )
    return Finding(
        "Broker", "ok", "embedded (files under TONALIST_DATA)" if url.startswith("filesystem:") else url
    )


def _workers() -> Finding:
    try:
        replies = app.control.ping(timeout=2)
    except (OperationalError, OSError):
        return Finding("Workers", "fault", "not asked: the broker does not answer", "mend the broker first")
    if not replies:
        return Finding("Workers", "note", "none answers; jobs wait until one does", "make worker")
    return Finding(
        "Workers", "ok", f"{len(replies)} answer: {', '.join(name for reply in replies for name in reply)}"
    )


def _accelerator() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("Accelerator", "ok", f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    return Finding(
        "Accelerator",
        "note",
        f"none; torch {torch.__version__} runs on {torch.get_num_threads()} CPU threads",
    )


def _postgres_driver() -> Finding:
    if importlib.util.find_spec("psycopg") is None:
        return Finding("PostgreSQL driver", "note", "not installed", 'pip install -e ".[postgres]"')
    return Finding("PostgreSQL driver", "ok", f"psycopg {importlib.metadata.version('psycopg')}")


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":…@")).geturl()


LOOKS: list[Callable[[], Finding]] = [
    _python, _secret_key, _database, _storage, _broker, _workers, _postgres_driver, _accelerator,
]  # fmt: skip
