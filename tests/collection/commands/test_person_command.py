"""What is stored about one person: exported, erased."""

import json

import pytest
from django.core.management import CommandError, call_command

from collection.models import DisplayRecord, Person, PhaseRecord, Session
from collection.services.verdicts import verdicts_compute
from tests.collection.factories import answer_all, make_session, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def sessions():
    """Of alice, in two studies; bob is on the same device."""
    studies = [make_study(n_scenes=1, per_scene=3, n_practice=0, n_main=2, n_checks=0) for _ in range(2)]
    sessions = [make_session(study, "alice") for study in studies]
    for session in (*sessions, make_session(studies[0], "bob")):
        answer_all(session)
    person = sessions[0].rater.person
    Person.objects.filter(pk=person.pk).update(panel="prolific", panel_id="P1")
    DisplayRecord.objects.create(session=sessions[0], platform="Windows")
    PhaseRecord.objects.create(session=sessions[0], phase="questionnaire", answers={"comments": "grüße"})
    verdicts_compute(studies[0])
    return sessions


def told(capsys, *options):
    call_command("person", *options)
    return json.loads(capsys.readouterr().out)


def test_all_that_is_stored_of_them_is_told_and_no_secret(sessions, capsys):
    found = told(capsys, "export", "--panel-id", "P1")
    assert found["person"]["panel"] == "prolific"
    first, second = found["studies"]
    assert [first["study"]["slug"], second["study"]["slug"]] == [s.study.slug for s in sessions]
    (session,) = first["sessions"]
    assert [len(session["answers"]), session["displays"][0]["platform"]] == [2, "Windows"]
    assert session["phases"][-1]["answers"] == {"comments": "grüße"}
    assert len(first["verdicts"]) == 1
    text = json.dumps(found)
    for secret in (
        sessions[0].token,
        sessions[0].rater.person.cookie_sha256,
        sessions[0].rater.device.cookie_sha256,
    ):
        assert secret not in text


def test_any_of_their_rater_ids_names_them(sessions, capsys):
    by_rater = told(capsys, "export", "--rater", sessions[1].rater.public_id)
    assert by_rater == told(capsys, "export", "--panel-id", "P1", "--panel", "prolific")


def test_erasing_is_withdrawing_from_every_study(sessions, capsys):
    with pytest.raises(CommandError, match="--yes"):
        call_command("person", "erase", "--panel-id", "P1")
    assert Session.objects.count() == 3
    erased = told(capsys, "erase", "--panel-id", "P1", "--yes")
    assert {slug: n["n_answers"] for slug, n in erased["studies"].items()} == {
        s.study.slug: 2 for s in sessions
    }
    assert Session.objects.get().rater.person.cookie_sha256  # Bob's
    person = Person.objects.get(pk=sessions[0].rater.person_id)
    assert (person.panel_id, person.cookie_sha256) == ("", "")
    with pytest.raises(CommandError, match="nobody is known"):
        call_command("person", "export", "--panel-id", "P1")
    rest = told(capsys, "export", "--rater", sessions[0].rater.public_id)
    assert all(study["sessions"] == study["verdicts"] == [] for study in rest["studies"])


def test_an_id_of_two_panels_is_not_guessed(sessions):
    Person.objects.create(panel="mturk", panel_id="P1")
    with pytest.raises(CommandError, match="mturk, prolific"):
        call_command("person", "export", "--panel-id", "P1")


def test_a_file_is_never_overwritten(sessions, tmp_path, capsys):
    file = tmp_path / "alice.json"
    call_command("person", "export", "--panel-id", "P1", "--file", str(file))
    assert json.loads(file.read_text())["studies"]
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("person", "export", "--panel-id", "P1", "--file", str(file))
