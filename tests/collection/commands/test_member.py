import json

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command

from collection.models import Membership, Role, Study
from collection.services.members import member_set
from tests.factories import make_researcher, make_scene, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob():
    return make_researcher("bob", email="bob@example.org", is_superuser=False)


@pytest.mark.parametrize("name", ["bob", "Bob@example.org"])
def test_a_role_is_given_changed_listed_and_taken_away(bob, name, capsys):
    study = make_study(n_scenes=0)
    call_command("member", study.slug, name, "owner")
    call_command("member", study.slug, "--json")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["members"] == {"bob": "owner"}
    member_set(study, make_researcher("dora"), Role.OWNER)
    call_command("member", study.slug, name, "viewer")
    assert Membership.objects.get(study=study, user=bob).role == "viewer"
    call_command("member", study.slug, name, "--remove")
    assert not Membership.objects.filter(study=study, user=bob).exists()
    actors = set(study.audit_entries.filter(what="bob").values_list("actor_name", flat=True))
    assert all(actor.startswith("command line") for actor in actors)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nobody", "owner"], 2, "no account 'nobody'"),
        (["bob"], 2, "which role"),
        (["bob", "--remove"], 1, "keeps one owner"),
    ],
)
def test_what_cannot_be_done_is_said(bob, arguments, code, words):
    study = make_study(n_scenes=0)
    member_set(study, bob, Role.OWNER)
    with pytest.raises(CommandError, match=words) as raised:
        call_command("member", study.slug, *arguments)
    assert raised.value.returncode == code


def test_a_study_from_the_command_line_has_the_owner_it_is_given(bob):
    make_scene().original.save("x.jpg", ContentFile(b"x"))
    call_command("create_study", "Autumn", "--owner", "bob")
    assert Membership.objects.get(study__slug="autumn").role == "owner"
    with pytest.raises(CommandError, match="no account"):
        call_command("create_study", "Winter", "--owner", "eve")
    assert not Study.objects.filter(slug="winter").exists()
