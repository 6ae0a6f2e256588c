"""Studies by the API: made, changed by one of two, opened, closed."""

import pytest

from collection.design.protocol import Protocol
from collection.models import Membership, Role, Study
from tests.collection.api.v1.visits import Program
from tests.factories import make_researcher, make_scene, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(client):
    return Program(client)


def test_a_study_as_json_is_the_one_of_its_yaml(program, client):
    scene = make_scene()
    sent = {
        "name": "Autumn light",
        "scenes": {"ids": [scene.public_id]},
        "protocol": {"n_main": 20, "n_checks": 4, "phases": ["main"], "rules": {"min_consistency": 0.8}},
    }
    made = program.post("studies/", sent)
    assert (made.status_code, made.headers["Location"]) == (201, "/api/v1/studies/autumn-light/")
    assert made.json()["protocol"]["rules"]["min_consistency"] == 0.8
    assert Membership.objects.get(study__slug="autumn-light").role == Role.OWNER
    file = program.get("studies/autumn-light/file/")
    assert file.headers["Content-Type"].startswith("application/yaml")
    text = file.content.decode().replace("autumn-light", "another")
    again = client.post(
        "/api/v1/studies/",
        text,
        content_type="application/yaml",
        headers={"Authorization": f"Bearer {program.secret}"},
    )
    assert again.status_code == 201
    assert again.json()["protocol_sha256"] == made.json()["protocol_sha256"]


def test_a_file_that_is_wrong_names_its_line(program, client):
    reply = client.post(
        "/api/v1/studies/",
        "name: x\nprotocol:\n  n_mian: 3\n",
        content_type="application/yaml",
        headers={"Authorization": f"Bearer {program.secret}"},
    )
    assert reply.status_code == 422
    assert "line 3" in reply.json()["detail"]
    assert "did you mean 'n_main'" in reply.json()["detail"]


def test_the_second_of_two_is_told_and_nothing_is_lost(program):
    study = make_study()
    etag = program.get(f"studies/{study.slug}/").headers["ETag"]
    first = program.patch(f"studies/{study.slug}/", {"protocol": {"n_main": 60}}, **{"If-Match": etag})
    assert first.status_code == 200
    second = program.patch(f"studies/{study.slug}/", {"protocol": {"n_main": 70}}, **{"If-Match": etag})
    assert (second.status_code, second.json()["code"]) == (412, "changed_meanwhile")
    study.refresh_from_db()
    assert Protocol.from_json(study.protocol).n_main == 60
    fresh = {"If-Match": first.headers["ETag"]}
    assert program.patch(f"studies/{study.slug}/", {"protocol": {"n_main": 70}}, **fresh).status_code == 200


def test_a_change_leaves_out_what_stays(program):
    study = make_study(protocol=Protocol(n_main=40, question="Which?"))
    changed = program.patch(
        f"studies/{study.slug}/",
        {"purpose": "Why not?", "protocol": {"n_main": 30}, "recruiting": {"access": "invited"}},
    ).json()
    assert (changed["name"], changed["purpose"]) == (study.name, "Why not?")
    assert (changed["protocol"]["n_main"], changed["protocol"]["question"]) == (30, "Which?")
    assert changed["access"] == "invited"
    wrong = program.patch(f"studies/{study.slug}/", {"protocol": {"n_main": 0}}).json()
    assert [error["field"] for error in wrong["errors"]] == ["protocol.n_main"]


def test_open_pause_close(program):
    study = make_study(protocol=Protocol(n_main=4, n_checks=0))
    states = [program.post(f"studies/{study.slug}/{verb}/") for verb in ("open", "pause", "close", "open")]
    assert [reply.status_code for reply in states] == [200, 200, 200, 409]
    assert [reply.json()["status"] for reply in states[:3]] == ["open", "paused", "closed"]
    assert "closed" in states[3].json()["detail"]


def test_a_clone_is_a_draft_of_ones_own(program):
    study = make_study(status="closed")
    clone = program.post(f"studies/{study.slug}/clone/", {"name": "Once more"}).json()
    assert (clone["slug"], clone["status"], clone["role"]) == ("once-more", "draft", "owner")
    assert clone["protocol_sha256"] == Protocol.from_json(study.protocol).sha256


def test_only_an_owner_closes(client):
    study = make_study()
    editor = make_researcher("ed", is_superuser=False)
    Membership.objects.create(study=study, user=editor, role=Role.EDITOR)
    reply = Program(client, editor).post(f"studies/{study.slug}/close/")
    assert (reply.status_code, "owner" in reply.json()["detail"]) == (403, True)
    assert Study.objects.get().status == "draft"


def test_rules_that_leave_everybody_out_are_told_and_open_nothing(program):
    study = make_study(protocol=Protocol(n_main=4, n_checks=0))
    assert not [text for text in program.get(f"studies/{study.slug}/").json()["warnings"] if "60 s" in text]
    changed = program.patch(f"studies/{study.slug}/", {"protocol": {"rules": {"min_response_ms": 60_000}}})
    assert changed.status_code == 200
    assert [text for text in changed.json()["warnings"] if "60 s or more" in text]
    opened = program.post(f"studies/{study.slug}/open/")
    assert opened.status_code == 409
    assert "its rules leave everybody out" in opened.json()["detail"]
    # by rules in force that ask less it can be opened
    program.post(f"studies/{study.slug}/rule-sets/", {"rules": {"min_response_ms": 300}})
    assert program.post(f"studies/{study.slug}/open/").status_code == 200
