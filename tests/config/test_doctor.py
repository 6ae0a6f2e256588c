import contextlib
import datetime as dt
import json
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from collection.models import Role, Webhook, WebhookDelivery
from collection.services.members import member_set
from config import doctor
from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db


def findings(capsys, *looks):
    """Of these looks alone where some are named: a worker that is not there is waited for."""
    with mock.patch.object(doctor, "LOOKS", looks or doctor.LOOKS), contextlib.suppress(CommandError):
        call_command("doctor", "--json")
    return {f["name"]: f for f in json.loads(capsys.readouterr().out)["findings"]}


def test_a_working_set_up_has_no_fault(capsys):
    call_command("doctor")
    assert "FAULT" not in capsys.readouterr().out


def test_a_storage_that_cannot_be_written_is_a_fault_with_what_mends_it(capsys, monkeypatch):
    def refuse(name, content):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.default_storage, "save", refuse)
    with pytest.raises(CommandError) as raised:
        call_command("doctor")
    assert raised.value.returncode == 1
    assert "STORAGE_URL" in capsys.readouterr().out


def test_passwords_are_never_shown(capsys, settings):
    settings.CELERY_BROKER_URL = "redis://name:secret@127.0.0.1:1/0"
    shown = findings(capsys)
    assert "secret" not in json.dumps(shown)
    assert "name:…@127.0.0.1" in shown["Broker"]["detail"]


def test_it_says_who_has_accounts_and_which_studies_nobody_owns(capsys):
    assert "createsuperuser" in findings(capsys, doctor._accounts)["Accounts"]["fix"]
    make_researcher("alice")
    study = make_study(n_scenes=0)
    found = findings(capsys, doctor._accounts)["Accounts"]
    assert "1, 1 of them superusers, 0 with a second factor; sign-up is invited" in found["detail"]
    assert "1 studies without an owner" in found["detail"]
    member_set(study, make_researcher("bob"), Role.OWNER)
    assert findings(capsys, doctor._accounts)["Accounts"]["state"] == "ok"


def test_it_says_which_webhooks_nobody_sends(capsys, settings):
    settings.WEBHOOK_ALLOW = ["receiver.internal"]
    assert findings(capsys, doctor._webhooks)["Webhooks"]["state"] == "ok"
    webhook = Webhook.objects.create(study=make_study(n_scenes=0), address="https://example.org/")
    an_hour_ago = timezone.now() - dt.timedelta(hours=1)
    WebhookDelivery.objects.create(webhook=webhook, event="x", payload="{}", next_try_at=an_hour_ago)
    found = findings(capsys, doctor._webhooks)["Webhooks"]
    assert "1 deliveries overdue" in found["detail"]
    assert "receiver.internal" in found["detail"]
    assert "send_webhooks" in found["fix"]


def test_it_says_where_mail_goes(capsys, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert "printed by the server" in findings(capsys, doctor._mail)["Mail"]["detail"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert findings(capsys, doctor._mail)["Mail"]["state"] == "fault"


def test_a_cache_that_does_not_answer_and_a_folder_that_is_not_there_are_faults(capsys, settings, tmp_path):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:9/0",
        }
    }
    settings.IMPORT_FOLDER = str(tmp_path / "nowhere")
    found = findings(capsys, doctor._cache, doctor._import_folder, doctor._disk, doctor._weights)
    assert (found["Cache"]["state"], found["Import folder"]["state"]) == ("fault", "fault")
    assert "free under" in found["Disk"]["detail"]
    assert "tone_statistics" in found["Weights"]["detail"]


def test_data_that_is_kept_longer_than_promised_is_a_fault(capsys):
    assert findings(capsys, doctor._kept_data)["Kept data"]["state"] == "ok"
    study = make_study(n_scenes=0, retain_until="2020-01-01")
    found = findings(capsys, doctor._kept_data)["Kept data"]
    assert (found["state"], found["detail"]) == ("fault", f"kept longer than promised: {study.slug}")
