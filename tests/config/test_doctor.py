import json

import pytest
from django.core.management import CommandError, call_command

from config import doctor

pytestmark = pytest.mark.django_db


def findings(capsys):
    try:
        call_command("doctor", "--json")
    except CommandError:
        pass
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
