"""What is done by the clock, and that two clocks do it once."""

import datetime as dt

import pytest
from axes.models import AccessFailureLog
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from collection.models import Study
from config.celery import app
from config.models import Chore, Worker
from config.operations import chores
from config.operations.chores import CHORES, chore_do
from config.operations.schedule import SECONDS
from config.tasks import chore_task
from tests.collection.factories import make_study
from variants.jobs import Job
from variants.models import RenderJob

pytestmark = pytest.mark.django_db


def test_everything_in_the_schedule_is_something_to_do():
    assert set(CHORES) == set(SECONDS) == set(app.conf.beat_schedule)
    assert {line["task"] for line in app.conf.beat_schedule.values()} == {chore_task.name}


@pytest.mark.parametrize("name", CHORES)
def test_each_is_done_and_not_again_before_its_time(name):
    assert chore_do(name)
    assert not chore_do(name)
    later = timezone.now() - dt.timedelta(seconds=SECONDS[name])
    Chore.objects.filter(name=name).update(begun_at=later)
    assert chore_do(name)


def test_a_clock_that_was_set_back_stops_nothing():
    assert chore_do("take-over")
    Chore.objects.update(begun_at=timezone.now() + dt.timedelta(days=3))
    assert chore_do("take-over")


def test_a_study_whose_day_has_passed_is_erased_by_the_clock():
    study = make_study()
    Study.objects.filter(pk=study.pk).update(retain_until=timezone.localdate() - dt.timedelta(days=1))
    chore_do("retention")
    study.refresh_from_db()
    assert study.erased_at is not None


def test_what_a_dead_worker_left_is_queued_again(monkeypatch):
    sent = []
    monkeypatch.setattr(Job, "enqueue", lambda job: sent.append(job.pk))
    long_ago = timezone.now() - dt.timedelta(minutes=5)
    job = RenderJob.objects.create(state=Job.State.RUNNING, worker="elsewhere:1:2", heartbeat_at=long_ago)
    chore_do("take-over")
    job.refresh_from_db()
    assert (job.state, sent) == (Job.State.QUEUED, [job.pk])


def test_leftovers_go_and_what_is_in_use_stays():
    now, month = timezone.now(), dt.timedelta(days=31)
    old, new = SessionStore(), SessionStore()
    old.set_expiry(now - dt.timedelta(hours=1))
    for store in (old, new):
        store.save()
    for name, age in (("old", month), ("new", dt.timedelta(0))):
        failure = AccessFailureLog.objects.create(username=name, user_agent="", ip_address="203.0.113.9")
        AccessFailureLog.objects.filter(pk=failure.pk).update(attempt_time=now - age)
        Worker.objects.create(name=name, seen_at=now - age)
    half = settings.TONALIST_DATA / "exports" / ".looks-1.partial-0123abcd"
    half.mkdir(parents=True)
    chores.leftovers_sweep()
    assert list(Session.objects.values_list("session_key", flat=True)) == [new.session_key]
    assert list(AccessFailureLog.objects.values_list("username", flat=True)) == ["new"]
    assert list(Worker.objects.values_list("name", flat=True)) == ["new"]
    assert not half.exists()
