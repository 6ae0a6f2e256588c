"""Environment variables → pieces of the settings, with errors that say what to do."""

import importlib.util
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


def data_folder(*, default: Path) -> Path:
    """TONALIST_DATA, made where it is not there yet; empty means unset."""
    folder = Path(env.str("TONALIST_DATA", default="") or default).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"TONALIST_DATA is {folder}, which cannot be made: {error.strerror}"
        ) from error
    return folder


def secret_key(*, debug: bool, data: Path) -> str:
    """SECRET_KEY, or with DEBUG on one made at the first start and kept under `data`."""
    key: str = env.str("SECRET_KEY", default="")
    if key:
        return key
    if not debug:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set and DEBUG is off. Put one into the environment or .env: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    kept = data / "secret_key"
    try:
        with kept.open("x") as file:
            kept.chmod(0o600)
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return kept.read_text().strip()


def database_settings(data: Path) -> dict[str, Any]:
    """DATABASE_URL, or SQLite in WAL mode under `data`."""
    url = env.str("DATABASE_URL", default="") or f"sqlite:///{data / 'tonalist.sqlite3'}"
    if urlsplit(url).scheme not in ("postgres", "postgresql", "sqlite"):
        raise ImproperlyConfigured(
            "DATABASE_URL must be postgres://user:password@host/name or sqlite:///path"
        )
    settings: dict[str, Any] = env.db_url_config(url)
    if settings["ENGINE"] == "django.db.backends.sqlite3":
        # IMMEDIATE takes the write lock at BEGIN, where SQLite waits `timeout` seconds
        # for it; a lock upgraded in mid-transaction would fail at once instead.
        settings["OPTIONS"] = {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
        }
    else:
        settings["CONN_MAX_AGE"] = 60
        settings["CONN_HEALTH_CHECKS"] = True
    return settings


def broker_settings(data: Path) -> tuple[str, dict[str, str]]:
    """CELERY_BROKER_URL, or kombu's filesystem transport under `data`; the address and its options."""
    url: str = env.str("CELERY_BROKER_URL", default="")
    if url:
        return url, {}
    folder = data / "broker"
    for name in ("queue", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # One folder both ways: what the site sends is what the worker reads.
    return "filesystem://localhost/", {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
    }


def storage_settings(data: Path) -> dict[str, Any]:
    """STORAGE_URL: file:///folder or s3://bucket[/prefix]; unset means `data`/media."""
    url = env.str("STORAGE_URL", default=f"file://{data / 'media'}")
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": parts.path},
        }
    if parts.scheme == "s3" and re.fullmatch(r"[a-z0-9.-]{3,63}", parts.netloc):
        if importlib.util.find_spec("storages") is None:
            raise ImproperlyConfigured(
                'STORAGE_URL names a bucket; install what speaks S3: pip install "django-storages[s3]"'
            )
        return {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {"bucket_name": parts.netloc, "location": parts.path.strip("/")},
        }
    raise ImproperlyConfigured(f"STORAGE_URL is {url!r}; use file:///folder or s3://bucket/prefix")
