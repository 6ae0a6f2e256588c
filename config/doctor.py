"""What is configured, reachable and missing on this machine, each fault with what mends it."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from smtplib import SMTPException
from typing import Literal
from urllib.parse import urlsplit

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from collection.models import Role, Study, Webhook
from collection.services.retention import retention_due
from collection.services.webhooks import deliveries_overdue
from config.celery import app
from config.environment import PRINTED
from config.operations.queues import queues_untaken
from config.second_factors import unreadable
from learning.backbones import HUB_NAMES, TONE_STATISTICS
from learning.selectors import photos_overdue
from learning.weights import weights_missing

NOTE_BYTES, FAULT_BYTES = 10e9, 1e9
"""A dataset of published size takes 8 GB, and an upload up to 5."""


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


def _cache() -> Finding:
    where = settings.CACHES["default"]
    name = _without_password(str(where.get("LOCATION", ""))) or "each process's own memory"
    probe = f"doctor-{uuid.uuid4().hex}"
    try:
        cache.set(probe, probe, timeout=10)
        found = cache.get(probe)
        cache.delete(probe)
    except (RedisError, OSError) as error:
        return Finding("Cache", "fault", f"{name}: {error}", "start it, or unset CACHE_URL")
    if found != probe:
        return Finding("Cache", "fault", f"{name} forgets at once", "give it memory, or unset CACHE_URL")
    if "LOCATION" not in where and not settings.DEBUG:
        return Finding(
            "Cache", "note", f"{name}: limits are counted by each process alone", "CACHE_URL=redis://…"
        )
    return Finding("Cache", "ok", name)


def _disk() -> Finding:
    usage = shutil.disk_usage(settings.TONALIST_DATA)
    left = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB are free under {settings.TONALIST_DATA}"
    if usage.free < FAULT_BYTES:
        return Finding("Disk", "fault", left, "delete datasets or runs that nobody needs, or give it more")
    return Finding("Disk", "note" if usage.free < NOTE_BYTES else "ok", left)


def _import_folder() -> Finding:
    if not settings.IMPORT_FOLDER:
        return Finding("Import folder", "note", "none; photos come by upload alone", "IMPORT_FOLDER=DIR")
    folder = Path(settings.IMPORT_FOLDER)
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return Finding(
            "Import folder", "fault", f"{folder} cannot be read", "make it readable, or correct IMPORT_FOLDER"
        )
    return Finding("Import folder", "ok", str(folder))


def _weights() -> Finding:
    missing = [name for name in HUB_NAMES if weights_missing(name)]
    there = [name for name in (TONE_STATISTICS, *HUB_NAMES) if name not in missing]
    if not missing:
        return Finding("Weights", "ok", ", ".join(there))
    return Finding(
        "Weights",
        "note",
        f"{', '.join(there)}; not on this machine: {', '.join(missing)}",
        f"python -m learning.fetch {missing[0]}",
    )


def _kept_data() -> Finding:
    try:
        due = [study.slug for study in retention_due(timezone.localdate())]
        n_photos = photos_overdue()
    except DatabaseError as error:
        return Finding("Kept data", "fault", f"not asked: {error}".strip(), "mend the database first")
    if due:
        return Finding(
            "Kept data",
            "fault",
            f"kept longer than promised: {', '.join(due)}",
            "manage.py retention; a beat does it each hour (docs/deployment.md)",
        )
    if n_photos:
        return Finding(
            "Kept data",
            "fault",
            f"{n_photos} uploads of photos to render are kept longer than promised",
            "manage.py expire_photos; a beat does it each hour (docs/deployment.md)",
        )
    return Finding("Kept data", "ok", "no study's day has passed, and no upload's")


def _mail() -> Finding:
    if settings.EMAIL_BACKEND == PRINTED:
        return Finding(
            "Mail",
            "note",
            "none is sent: invitations and password links are printed by the server",
            "EMAIL_URL=smtp+tls://user:password@host:587 and DEFAULT_FROM_EMAIL",
        )
    sender = f"from {settings.DEFAULT_FROM_EMAIL}"
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        return Finding("Mail", "ok", f"{settings.EMAIL_BACKEND}, {sender}")
    place = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT or 25}"
    try:
        with mail.get_connection(timeout=3):
            pass
    except (SMTPException, OSError) as error:
        return Finding("Mail", "fault", f"{place}: {error}", "start it, or correct EMAIL_URL")
    return Finding("Mail", "ok", f"{place}, {sender}")


def _accounts() -> Finding:
    try:
        accounts = get_user_model()._default_manager.filter(is_active=True)
        n, n_all = accounts.count(), accounts.filter(is_superuser=True).count()
        n_second = Authenticator.objects.filter(type=Authenticator.Type.TOTP, user__in=accounts).count()
        n_unreadable = unreadable()
        n_without = Study.objects.filter(preview_of=None).exclude(memberships__role=Role.OWNER).count()
    except DatabaseError:
        return Finding("Accounts", "fault", "not counted: the database does not answer", "mend it first")
    detail = (
        f"{n}, {n_all} of them superusers, {n_second} with a second factor; sign-up is {settings.SIGN_UP}; "
        f"{settings.AXES_FAILURE_LIMIT} wrong passwords from one address wait "
        f"{settings.AXES_COOLOFF_TIME.total_seconds() / 60:.0f} min"
    )
    if not n:
        fix = "manage.py createsuperuser" + (
            "" if settings.SIGN_UP == "closed" else ", or sign up as the first"
        )
        return Finding("Accounts", "note", detail, fix)
    if n_unreadable:
        return Finding(
            "Accounts",
            "fault",
            f"{detail}; {n_unreadable} second factors cannot be read with this SECRET_KEY",
            "put the old key into SECRET_KEY_FALLBACKS, or delete them in the admin",
        )
    if n_without:
        return Finding(
            "Accounts",
            "note",
            f"{detail}; {n_without} studies without an owner",
            "manage.py member STUDY USER owner",
        )
    return Finding("Accounts", "ok", detail)


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
    answered = f"{len(replies)} answer: {', '.join(name for reply in replies for name in reply)}"
    try:
        alone = queues_untaken()
    except DatabaseError:
        alone = []
    if alone:
        return Finding(
            "Workers", "note", f"{answered}; none takes {', '.join(alone)}", "make worker, or --queues of one"
        )
    return Finding("Workers", "ok", answered)


def _webhooks() -> Finding:
    allowed = ", ".join(settings.WEBHOOK_ALLOW) or "no address inside the network"
    try:
        overdue = deliveries_overdue()
        stopped = Webhook.objects.exclude(stopped_because="").count()
    except DatabaseError:
        return Finding(
            "Webhooks", "fault", "not asked: the database does not answer", "mend the database first"
        )
    found = f"{overdue} deliveries overdue, {stopped} switched off by the site; allowed: {allowed}"
    if overdue:
        return Finding("Webhooks", "note", found, "make worker, or manage.py send_webhooks")
    return Finding("Webhooks", "ok", found)


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
    _python, _secret_key, _database, _kept_data, _cache, _storage, _disk, _import_folder, _weights, _accounts, _mail,
    _broker, _workers, _webhooks, _postgres_driver, _accelerator,
]  # fmt: skip
