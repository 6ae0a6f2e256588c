"""Settings from the environment, seen in fresh processes as an operator would."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment


def settings_with(tmp_path, show, **variables):
    """Print `show` from the settings of a fresh process with exactly these variables."""
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    env |= {"TONALIST_DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings", **variables}
    code = f"from django.conf import settings; print({show})"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)


def test_unset_means_the_embedded_set_up(tmp_path):
    done = settings_with(
        tmp_path, "settings.DATABASES['default']['NAME'], settings.CELERY_BROKER_URL, settings.DEBUG"
    )
    assert done.stdout.split() == [f"{tmp_path}/tonalist.sqlite3", "filesystem://localhost/", "True"]


def test_a_secret_key_is_made_once_and_kept_for_its_owner(tmp_path):
    first = settings_with(tmp_path, "settings.SECRET_KEY").stdout
    assert settings_with(tmp_path, "settings.SECRET_KEY").stdout == first
    assert len(first.strip()) > 50
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_debug_off_without_a_secret_key_is_an_error_that_tells_the_command(tmp_path):
    done = settings_with(tmp_path, "settings.DEBUG", DEBUG="off")
    assert done.returncode != 0
    assert "SECRET_KEY is not set and DEBUG is off" in done.stderr
    assert "token_urlsafe" in done.stderr


def test_urls_of_services_are_taken_as_given(tmp_path):
    done = settings_with(
        tmp_path,
        "settings.DATABASES['default']['ENGINE'], settings.CELERY_BROKER_URL, settings.DEBUG, "
        "settings.CACHES['default']['LOCATION']",
        DATABASE_URL="postgres://user@db.example/tonalist",
        CACHE_URL="redis://cache.example/1",
        CELERY_BROKER_URL="redis://cache.example/3",
        DEBUG="off",
        SECRET_KEY="x" * 50,
    )
    assert done.stdout.split() == [
        "django.db.backends.postgresql",
        "redis://cache.example/3",
        "False",
        "redis://cache.example/1",
    ]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DATABASE_URL": "garbage"}, "DATABASE_URL must be postgres://"),
        ({"DATABASE_URL": "mysql://u@h/n"}, "DATABASE_URL must be postgres://"),
        ({"CACHE_URL": "memcached://h"}, "CACHE_URL must be redis://"),
        ({"TONALIST_DATA": "/proc/nope"}, "TONALIST_DATA is /proc/nope, which cannot be made"),
        ({"DEBUG": "off"}, "SECRET_KEY is not set and DEBUG is off"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(variables, said, tmp_path):
    env = {"PATH": os.environ["PATH"], "TONALIST_DATA": str(tmp_path), **variables}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_database_without_tables_is_told_how_to_get_them(tmp_path):
    env = {"PATH": os.environ["PATH"], "TONALIST_DATA": str(tmp_path)}
    command = [sys.executable, "manage.py", "create_study", "First"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 1
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


def test_sqlite_runs_in_wal_mode(tmp_path):
    done = settings_with(
        tmp_path,
        "__import__('django.db').db.connection.cursor().execute('PRAGMA journal_mode').fetchone()[0]",
    )
    assert done.stdout.strip() == "wal"


def test_storage_url_names_a_folder_or_a_bucket(tmp_path, monkeypatch):
    monkeypatch.delenv("STORAGE_URL", raising=False)
    assert environment.storage_settings(tmp_path)["OPTIONS"] == {"location": f"{tmp_path}/media"}
    monkeypatch.setenv("STORAGE_URL", "file:///srv/photos")
    assert environment.storage_settings(tmp_path)["OPTIONS"] == {"location": "/srv/photos"}
    monkeypatch.setenv("STORAGE_URL", "s3://a-bucket/studies")
    with pytest.raises(environment.ImproperlyConfigured, match="pip install"):
        environment.storage_settings(tmp_path)
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: name)
    assert environment.storage_settings(tmp_path)["OPTIONS"] == {
        "bucket_name": "a-bucket",
        "location": "studies",
    }


@pytest.mark.parametrize("url", ["ftp://host/x", "/srv/photos", "s3://", "s3://Bad_Bucket"])
def test_another_storage_url_is_an_error_that_shows_it(url, tmp_path, monkeypatch):
    monkeypatch.setenv("STORAGE_URL", url)
    with pytest.raises(
        environment.ImproperlyConfigured, match=r"use file:///folder or s3://bucket"
    ) as raised:
        environment.storage_settings(tmp_path)
    assert repr(url) in str(raised.value)


def test_machines_for_diffusion_are_told_by_variables(tmp_path):
    show = "settings.DIFFUSION, settings.DIFFUSION_EDITOR"
    done = settings_with(
        tmp_path, show, DIFFUSION_OFFLOAD="model", DIFFUSION_BATCH="4", DIFFUSION_EDITOR="own/editor"
    )
    assert done.stdout.strip() == (
        "{'device': 'auto', 'dtype': 'auto', 'offload': 'model', 'batch': 4} own/editor"
    )


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("DIFFUSION_DTYPE", "int8", "must be auto, bfloat16, float16 or float32"),
        ("DIFFUSION_BATCH", "0", "must be a number from 1 to 999"),
        ("DIFFUSION_DEVICE", "tpu", "must be auto, cuda, cuda:1, mps or cpu"),
    ],
)
def test_what_no_machine_can_do_is_named_with_its_variable(tmp_path, variable, value, words):
    done = settings_with(tmp_path, "settings.DIFFUSION", **{variable: value})
    assert f"{variable} is {value!r}; it {words}" in done.stderr


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", "console.EmailBackend"),
        ("smtp+tls://bob:pa%40ss@mail.example.org:587", "smtp.EmailBackend mail.example.org 587 pa@ss True"),
    ],
)
def test_mail_goes_where_the_environment_says(monkeypatch, url, shown):
    monkeypatch.setenv("EMAIL_URL", url)
    found = environment.email_settings()
    names = ("EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_PASSWORD", "EMAIL_USE_TLS")
    assert " ".join(str(found[name]) for name in names if name in found).endswith(shown)


@pytest.mark.parametrize(("name", "value"), [("EMAIL_URL", "mail.example.org"), ("SIGN_UP", "everybody")])
def test_impossible_mail_and_sign_up_are_refused_with_what_is_possible(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    look = environment.email_settings if name == "EMAIL_URL" else environment.sign_up_policy
    with pytest.raises(ImproperlyConfigured, match=name):
        look()


def test_receivers_inside_are_named_one_by_one(monkeypatch):
    monkeypatch.setenv("WEBHOOK_ALLOW", "Receiver.internal, 10.0.0.7:9000,[::1]:80,[fd00::2]")
    assert environment.webhook_allow() == ["receiver.internal", "10.0.0.7:9000", "[::1]:80", "fd00::2"]
    for wrong in ("http://receiver.internal", "a/b", "host:port", "user@host", "10.0.0.0/8"):
        monkeypatch.setenv("WEBHOOK_ALLOW", wrong)
        with pytest.raises(ImproperlyConfigured, match="WEBHOOK_ALLOW"):
            environment.webhook_allow()
