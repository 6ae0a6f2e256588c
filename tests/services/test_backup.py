"""A backup of a real PostgreSQL while people answer, and its way back into an empty database."""

import os
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from collection.models import Question
from collection.services.answers import answer_record
from config.operations.backup import backup_write
from tests.collection.factories import make_session, make_study

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("postgres")]


@pytest.fixture
def empty_database(django_db_blocker):
    name = f"tonalist_restored_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name}")
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")


def test_it_comes_back_with_every_answer_of_its_moment(settings, tmp_path, empty_database):
    settings.TONALIST_DATA = tmp_path / "data"
    settings.TONALIST_DATA.mkdir()
    study = make_study(phases=("consent", "main"), n_scenes=4, n_main=30, n_checks=0)
    session = make_session(study)
    tokens = list(session.questions.values_list("token", flat=True))
    before, stored = tokens[:10], []

    def answer(some):
        for token in some:
            reply = answer_record(session.token, token, "left", 900, {}, timezone.now())
            assert reply.status == "stored"
            stored.append(token)
        connection.close()

    answer(before)
    meanwhile = threading.Thread(target=answer, args=(tokens[10:],))
    meanwhile.start()
    backup_write(tmp_path / "backup", media=False)
    meanwhile.join()

    there = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{empty_database}").geturl()
    environment = os.environ | {"DATABASE_URL": there, "TONALIST_DATA": str(tmp_path / "elsewhere")}
    command = [sys.executable, "manage.py", "restore", str(tmp_path / "backup"), "--quiet"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    code = (
        "from collection.models import *; q = Question.objects; "
        "print(*q.exclude(answered_at=None).values_list('token', flat=True)); "
        "print(q.count(), Session.objects.count(), Study.objects.get().slug); "
        "Study.objects.create(slug='next', name='Next', protocol={})"  # numbers go on where they were
    )
    shell = [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", code]
    shown = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    answered, counts = shown.stdout.splitlines()
    assert set(before) <= set(answered.split()) <= set(stored) == set(tokens)
    assert counts == f"{Question.objects.count()} 1 {study.slug}"

    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "the database has tables already" in again.stderr
