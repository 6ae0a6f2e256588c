"""The commands about how people come to a study, as they are typed."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command

from collection.models import Invitation, Study
from tests.collection.factories import make_scene, make_study
from tests.collection.participant.visits import SMALL, begin
from variants.models import Scene

pytestmark = pytest.mark.django_db
SITE = "--base-url=https://example.org"


@pytest.fixture
def study():
    return make_study(**SMALL)


def run(name, *args):
    out = io.StringIO()
    call_command(name, *map(str, args), stdout=out, stderr=out)
    return out.getvalue()


def refused(name, *args) -> str:
    with pytest.raises(CommandError) as caught:
        run(name, *args)
    assert caught.value.returncode == 2
    return str(caught.value)


def invite(study, *args):
    """(label, link) of each row of what the command printed."""
    header, *rows = csv.reader(io.StringIO(run("invite", study.slug, SITE, *args)))
    assert header == ["label", "link"]
    return rows


def test_a_study_is_made_with_its_panel():
    make_scene()
    Scene.objects.update(original="photo.png")
    run("create_study", "Looks", "--recruiting", "panel=prolific", "--recruiting", "completion_code=0012")
    recruiting = Study.objects.get().recruiting
    assert (recruiting["panel"], recruiting["completion_code"], recruiting["access"]) == (
        "prolific",
        "0012",
        "open",
    )


def test_recruiting_is_changed_and_shown(study):
    text = run("set_recruiting", study.slug, "panel=mturk", "access=panel", "--json")
    study.refresh_from_db()
    assert (study.recruiting["panel"], study.recruiting["access"]) == ("mturk", "panel")
    assert json.loads(text.splitlines()[-1])["recruiting"] == study.recruiting
    run("set_recruiting", study.slug, "completion_code=C1")
    assert "panel=mturk\ncompletion_code=C1\n" in run("set_recruiting", study.slug)


def test_a_setting_that_cannot_be_changes_nothing(study):
    assert "did you mean 'panel'" in refused("set_recruiting", study.slug, "access=open", "pannel=mturk")
    study.refresh_from_db()
    assert study.recruiting == {}


def test_invitations_are_links_that_let_people_in(client, study):
    ((label, link),) = invite(study, "--count", 1)
    assert (label, link.startswith(f"https://example.org/s/{study.public_id}/?invite=")) == ("", True)
    code = link.partition("?invite=")[2]
    assert begin(client, study, f"?invite={code}").rater.person.panel_id == code


def test_each_label_gets_a_link(study, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text('\ufeffAlice\n\n  Bob, "the second" \r\nÅse\n', encoding="utf-8")
    rows = invite(study, "--labels", labels)
    assert [label for label, _ in rows] == ["Alice", 'Bob, "the second"', "Åse"]
    assert len({link for _, link in rows}) == 3
    assert Invitation.objects.filter(study=study).count() == 3


def test_an_invitation_is_taken_back_by_its_code(study):
    (first, second) = (link.partition("?invite=")[2] for _, link in invite(study, "--count", 2))
    assert "1 invitations" in run("invite", study.slug, "--revoke", first)
    assert Invitation.objects.get(revoked_at__isnull=False).code == first
    assert "Nothing was taken back" in refused("invite", study.slug, "--revoke", second, "guessed")
    assert Invitation.objects.get(code=second).revoked_at is None


def test_invite_says_what_is_missing(study, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("\n\n")
    long = tmp_path / "long.txt"
    long.write_text("x" * 201)
    assert "--base-url is needed" in refused("invite", study.slug, "--count", 1)
    assert "--count must be" in refused("invite", study.slug, "--count", 0, SITE)
    assert "no lines" in refused("invite", study.slug, "--labels", empty, SITE)
    assert "at most 200" in refused("invite", study.slug, "--labels", long, SITE)
    assert "cannot be read" in refused("invite", study.slug, "--labels", tmp_path / "none.txt", SITE)
    assert "there is no study" in refused("invite", "nothing", "--count", 1, SITE)
    assert not Invitation.objects.exists()
