"""Retention: what a study promised to keep no longer is erased, and nothing else."""

import datetime as dt
import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from collection.models import (
    Device,
    DisplayRecord,
    Invitation,
    Person,
    PhaseRecord,
    Question,
    RaterModel,
    Session,
    Study,
    Verdict,
)
from collection.services.retention import retention_reminder, retention_set
from collection.services.studies import StudyError
from collection.services.verdicts import verdicts_compute
from tests.collection.factories import answer_all, make_session, make_study

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate()
YESTERDAY = TODAY - dt.timedelta(days=1)


def told(study, name="alice", device="laptop"):
    session = make_session(study, name, device, recruitment={"study_id": "S1", "submission": "X9"})
    answer_all(session)
    DisplayRecord.objects.create(session=session, screen_width=800, details={"browser": "Chromium 140"})
    answers = {"comments": "I am Alice of 1 Main Street", "room_light": "dim"}
    PhaseRecord.objects.create(session=session, phase="questionnaire", answers=answers)
    return session


@pytest.fixture
def study():
    study = make_study(n_scenes=1, per_scene=3, n_practice=0, n_main=2, n_checks=0)
    Study.objects.update(retain_until=YESTERDAY)
    told(study)
    Person.objects.update(panel="prolific", panel_id="P1")
    Invitation.objects.create(study=study, label="alice@example.org")
    return study


def run(*options):
    call_command("retention", "--json", *options)


def test_what_identifies_people_goes_and_answers_stay(study, capsys):
    run()
    person, device, session = Person.objects.get(), Device.objects.get(), Session.objects.get()
    assert (person.panel, person.panel_id, person.cookie_sha256, device.cookie_sha256) == ("",) * 4
    assert session.recruitment == {}
    assert PhaseRecord.objects.get().answers == {"room_light": "dim"}
    display = DisplayRecord.objects.get()
    assert (display.details, display.screen_width) == ({}, 800)
    assert Invitation.objects.get().label == ""
    assert session.questions.filter(answered_at__isnull=False).count() == 2
    study.refresh_from_db()
    assert study.status == "closed"
    assert study.erased_at is not None
    (found,) = json.loads(capsys.readouterr().out)["studies"]
    assert found == {
        "slug": study.slug, "erases": "identifiers", "retain_until": str(YESTERDAY), "n_people": 1,
        "n_sessions": 1, "n_comments": 1, "n_displays": 1, "n_answers": 0,
    }  # fmt: skip
    assert study.audit_entries.get(action="study.erase").actor_name == "retention"


def test_raw_data_goes_where_the_study_says_so(study, capsys):
    RaterModel.objects.create(study=study, arrays={"read": "from answers"})
    Study.objects.update(retain_erases="data")
    verdicts_compute(study)
    run()
    for model in (Session, Question, DisplayRecord, PhaseRecord, Verdict):
        assert not model.objects.exists()
    assert json.loads(capsys.readouterr().out)["studies"][0]["n_answers"] == 2
    assert not RaterModel.objects.exists()


def test_a_dry_run_says_the_same_and_changes_nothing(study, capsys):
    run("--dry-run")
    before = json.loads(capsys.readouterr().out)
    assert Person.objects.get().panel_id == "P1"
    run()
    assert json.loads(capsys.readouterr().out)["studies"] == before["studies"]
    run()
    assert json.loads(capsys.readouterr().out)["studies"] == []  # once


def test_the_day_itself_is_still_kept(study):
    Study.objects.update(retain_until=TODAY)
    run()
    assert Person.objects.get().panel_id == "P1"


def test_people_stay_known_where_another_study_keeps_them(study):
    other = make_study(n_scenes=1, per_scene=3, n_practice=0, n_main=2, n_checks=0)
    Person.objects.update(panel="", panel_id="")
    told(other)
    run()
    assert Person.objects.get().cookie_sha256
    Study.objects.filter(pk=other.pk).update(retain_until=YESTERDAY)
    run()
    assert Person.objects.get().cookie_sha256 == Device.objects.get().cookie_sha256 == ""


@pytest.mark.parametrize(("days", "left"), [(31, None), (30, 30), (0, 0), (-1, -1)])
def test_the_page_reminds_in_the_last_thirty_days(days, left):
    study = Study(retain_until=TODAY + dt.timedelta(days=days))
    assert retention_reminder(study, TODAY) == left
    assert retention_reminder(Study(), TODAY) is None


def test_a_day_that_is_past_is_refused(study):
    with pytest.raises(StudyError, match="past"):
        retention_set(study, YESTERDAY, "data")
    with pytest.raises(StudyError, match="one of identifiers, data"):
        retention_set(study, TODAY, "everything")
    retention_set(study, None, "data")
    run()
    assert Session.objects.exists()
