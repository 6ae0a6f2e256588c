"""Environment variables → pieces of the settings, with errors that say what to do."""

import importlib.util
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from config.queues import QUEUES, VISIBILITY_SECONDS

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


def cache_settings() -> dict[str, Any]:
    """CACHE_URL, or counts in each process's own memory."""
    url = env.str("CACHE_URL", default="")
    if not url:
        return {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    if urlsplit(url).scheme not in ("redis", "rediss"):
        raise ImproperlyConfigured("CACHE_URL must be redis://host:port/number")
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}


def broker_settings(data: Path) -> tuple[str, dict[str, Any]]:
    """CELERY_BROKER_URL, or kombu's filesystem transport under `data`; the address and its options."""
    url: str = env.str("CELERY_BROKER_URL", default="")
    if url.startswith("redis"):
        return url, {"visibility_timeout": VISIBILITY_SECONDS}
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
        "polling_interval": 0.1,  # somebody may be waiting for what is sent
    }


def job_limits(variable: str) -> dict[str, float]:
    """JOB_HOURS and JOB_GB: queue → limit, as `train=480,export=6`; unset means those of config/queues.py."""
    limits = {}
    for entry in env.list(variable, default=[]):
        queue, _, value = entry.partition("=")
        if queue.strip() not in QUEUES or not re.fullmatch(r"\d+(\.\d+)?", value.strip()):
            raise ImproperlyConfigured(
                f"{variable} has {entry!r}; an entry is queue=number, with one of {', '.join(QUEUES)}"
            )
        limits[queue.strip()] = float(value)
    return limits


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


PRINTED = "django.core.mail.backends.console.EmailBackend"


def email_settings() -> dict[str, Any]:
    """EMAIL_URL, such as smtp+tls://user:password@host:587; unset means that the server prints its mail."""
    url = env.str("EMAIL_URL", default="")
    if not url:
        return {"EMAIL_BACKEND": PRINTED}
    if urlsplit(url).scheme not in env.EMAIL_SCHEMES:
        raise ImproperlyConfigured(
            f"EMAIL_URL must be one of {', '.join(f'{scheme}://' for scheme in env.EMAIL_SCHEMES)}, "
            "such as smtp+tls://user:password@mail.example.org:587"
        )
    settings: dict[str, Any] = env.email_url_config(url)
    return settings


SIGN_UP = ("open", "invited", "closed")


def sign_up_policy() -> str:
    """SIGN_UP: who may make an account."""
    policy: str = env.str("SIGN_UP", default="") or "invited"
    if policy not in SIGN_UP:
        raise ImproperlyConfigured(f"SIGN_UP is {policy!r}; it must be {', '.join(SIGN_UP)}")
    return policy


LOG_FORMATS = ("text", "json")


def log_format() -> str:
    """LOG_FORMAT: text for people, json for what collects logs."""
    chosen: str = env.str("LOG_FORMAT", default="") or "text"
    if chosen not in LOG_FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT is {chosen!r}; it must be {' or '.join(LOG_FORMATS)}")
    return chosen


def metrics_token() -> str:
    """METRICS_TOKEN: who may read /metrics; unset means that there is none."""
    token: str = env.str("METRICS_TOKEN", default="")
    if token and len(token) < 16:
        raise ImproperlyConfigured("METRICS_TOKEN is shorter than 16 characters; make a longer one")
    if shared := env.str("PROMETHEUS_MULTIPROC_DIR", default=""):
        Path(shared).mkdir(parents=True, exist_ok=True)
    return token


def accel_prefix() -> str:
    """ACCEL_PREFIX: the internal address under which nginx has the files of the storage, such as /protected/."""
    prefix: str = env.str("ACCEL_PREFIX", default="")
    if prefix and not re.fullmatch(r"/([a-z0-9-]+/)+", prefix):
        raise ImproperlyConfigured(f"ACCEL_PREFIX is {prefix!r}; it must be like /protected/")
    if prefix and env.str("STORAGE_URL", default="").startswith("s3:"):
        raise ImproperlyConfigured(
            "ACCEL_PREFIX sends files of a folder, and STORAGE_URL names a bucket; unset one"
        )
    return prefix


DIFFUSION = {
    "device": ("auto", r"auto|cpu|mps|cuda(:\d+)?", "auto, cuda, cuda:1, mps or cpu"),
    "dtype": ("auto", "auto|bfloat16|float16|float32", "auto, bfloat16, float16 or float32"),
    "offload": ("none", "none|model|sequential", "none, model or sequential"),
    "batch": ("1", r"[1-9]\d{0,2}", "a number from 1 to 999"),
}
"""What the machine that runs generative models is told: default, form, and the form in words."""


def diffusion_settings() -> dict[str, Any]:
    """DIFFUSION_DEVICE, DIFFUSION_DTYPE, DIFFUSION_OFFLOAD and DIFFUSION_BATCH."""
    settings: dict[str, Any] = {}
    for name, (default, form, words) in DIFFUSION.items():
        variable = f"DIFFUSION_{name.upper()}"
        value = env.str(variable, default="") or default
        if not re.fullmatch(form, value):
            raise ImproperlyConfigured(f"{variable} is {value!r}; it must be {words}")
        settings[name] = value
    return settings | {"batch": int(settings["batch"])}


def webhook_allow() -> list[str]:
    """WEBHOOK_ALLOW: receivers inside the network, as `host` or `host:port` each, with commas between."""
    allowed = []
    for entry in env.list("WEBHOOK_ALLOW", default=[]):
        try:
            parts = urlsplit(f"//{entry.strip()}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.netloc != entry.strip() or "@" in entry:
            raise ImproperlyConfigured(
                f"WEBHOOK_ALLOW has {entry!r}; an entry is a host or host:port, such as receiver.internal:8080"
            )
        name = f"[{host}]" if ":" in host and port else host
        allowed.append(f"{name}:{port}" if port else host)
    return allowed
