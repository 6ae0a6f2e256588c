"""Whatever goes wrong is a problem detail, and nothing strange gets further than that."""

import pytest

from collection.api.v1 import bodies
from collection.api.v1.problems import PROBLEMS
from collection.models import Study
from tests.collection.api.v1.visits import Program
from tests.factories import make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(client):
    make_study(slug="ours")
    return Program(client)


def sent(program, path, data, content_type="application/json", method="post"):
    headers = {"Authorization": f"Bearer {program.secret}"}
    return getattr(program.client, method)(
        f"/api/v1/{path}", data=data, content_type=content_type, headers=headers
    )


@pytest.mark.parametrize(
    ("status", "path", "data"),
    [
        (400, "studies/", "{"),
        (400, "studies/", "[]"),
        (400, "studies/", '{"name": NaN}'),
        (400, "studies/", '{"name": "a", "name": "b"}'),
        (400, "studies/", '{"name": "a\\u0000b"}'),
        (400, "studies/", '{"name": "\\ud800"}'),
        (400, "studies/", b'{"name": "\xff"}'),
        (400, "studies/", "[" * 100_000),
        (404, "nothing/", "{}"),
        (404, "studies/ours", "{}"),
        (404, "studies/none/open/", "{}"),
        (404, "exports/0/cancel/", "{}"),
        (405, "me/", "{}"),
        (409, "studies/ours/exports/", "{}"),
        (422, "studies/", "{}"),
        (422, "studies/?slug=x", '{"name": "a"}'),
        (422, "studies/", '{"name": "a", "protocol": {"n_main": "eighty"}}'),
        (422, "studies/", '{"name": "a", "protocol": 3}'),
        (422, "studies/", '{"name": 7}'),
        (422, "studies/ours/statistics/", '{"seed": "1"}'),
        (422, "studies/ours/statistics/", '{"seed": true}'),
        (422, "studies/ours/rule-sets/", '{"rules": {"min_consistency": 1e999}}'),
    ],
)
def test_each_error_is_a_problem_detail(program, status, path, data):
    reply = sent(program, path, data)
    problem = reply.json()
    assert reply.status_code == problem["status"] == status, problem
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert (problem["code"], problem["title"]) == PROBLEMS[status]
    assert problem["instance"] == f"/api/v1/{path.partition('?')[0]}"
    assert problem["detail"].strip()


def test_a_body_of_another_type_or_size_is_refused(program, monkeypatch):
    assert sent(program, "studies/", "name=x", "application/x-www-form-urlencoded").status_code == 415
    monkeypatch.setattr(bodies, "MAX_BODY", 10)
    assert sent(program, "studies/", '{"name": "much too long"}').status_code == 413
    assert Study.objects.count() == 1


def test_unknown_names_are_refused_with_the_nearest(program):
    problem = sent(program, "studies/", '{"name": "a", "protocl": {}}').json()
    assert problem["errors"] == [
        {"field": "protocl", "detail": "There is no field 'protocl'; did you mean 'protocol'?"}
    ]
    problem = sent(program, "studies/", '{"name": "a", "protocol": {"rules": {"min_consitency": 1}}}').json()
    assert problem["errors"][0]["field"] == "protocol.rules.min_consitency"
    assert "did you mean 'min_consistency'" in problem["errors"][0]["detail"]
    problem = program.get("studies/?limti=5").json()
    assert "did you mean 'limit'" in problem["detail"]


def test_an_error_of_ours_is_one_too_and_tells_nothing(program, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr("collection.api.v1.studies.studies_of", broken)
    program.client.raise_request_exception = False
    reply = program.get("studies/")
    assert (reply.status_code, reply.json()["code"]) == (500, "server_error")
    assert "secret" not in reply.content.decode()


def test_an_address_without_its_slash_says_so(program):
    assert "end with a slash" in program.get("studies").json()["detail"]


@pytest.mark.parametrize(
    ("path", "field", "says"),
    [
        ("raters/?failed=consistency", "failed", "did you mean 'inconsistent'?"),
        ("verdicts/?reason=to_fast", "reason", "did you mean 'too_fast'?"),
        ("judgments/?rater=none", "rater", "There is no rater 'none'"),
        ("judgments/?scene=none", "scene", "There is no scene 'none'"),
        ("judgments.ndjson?scene=none", "scene", "There is no scene 'none'"),
        ("sessions/?rater=none", "rater", "There is no rater 'none'"),
        ("renditions/?scene=none", "scene", "There is no scene 'none'"),
        ("pairs/?scene=none", "scene", "There is no scene 'none'"),
        ("audit/?action=study.opn", "action", "did you mean 'study.open'?"),
        ("judgments/?since=2026-02-02T00:00:00Z&until=2026-02-01T00:00:00Z", "since", "exchange the two"),
        ("judgments/?limit=5000", "limit", "limit: "),
    ],
)
def test_filters_that_match_nothing_by_mistake_are_refused(program, path, field, says):
    reply = program.get(f"studies/ours/{path}")
    assert reply.status_code == 422
    assert [each["field"] for each in reply.json()["errors"]] == [field]
    assert says in reply.json()["detail"]


def test_an_action_that_has_not_happened_yet_is_none_in_the_trail(program):
    assert program.get("studies/ours/audit/?action=study.close").json()["results"] == []
    assert "did you mean 'ours'?" in program.get("runs/?study=our").json()["detail"]


@pytest.mark.parametrize("path", ["open", "pause", "close", "verdicts"])
def test_an_action_refuses_fields_that_it_does_not_read(program, path):
    before = Study.objects.get().status
    reply = program.post(f"studies/ours/{path}/", {"zzz": 1})
    assert reply.status_code == 422
    assert reply.json()["errors"] == [{"field": "zzz", "detail": "There is no field 'zzz'; there is none."}]
    assert Study.objects.get().status == before


def test_the_detail_names_the_field_and_what_mends_it(program):
    said = [
        program.post("studies/", {}).json()["detail"],
        program.post("studies/", {"name": "a", "licence": None, "purpose": 3}).json()["detail"],
        program.post("runs/", {"export": "x", "system": "up", "preset": "tiny"}).json()["detail"],
        program.post("studies/ours/statistics/", {"resamples": 18}).json()["detail"],
    ]
    assert said[0] == "name is missing; send it."
    assert "purpose is a number; it must be a text." in said[1]
    assert "did you mean 'upe'?" in said[2]
    assert said[3].startswith("resamples: ")
    assert "19" in said[3]


def test_a_wrong_threshold_is_named_where_it_stands(program):
    wrong = {"protocol": {"rules": {"min_consistency": 2}}}
    for reply in (program.patch("studies/ours/", wrong), program.post("studies/", {"name": "a", **wrong})):
        assert reply.json()["errors"][0]["field"] == "protocol.rules.min_consistency"
    yaml = "name: a\nprotocol:\n  rules:\n    min_consistency: 2\n"
    reply = sent(program, "studies/", yaml, content_type="application/yaml")
    assert reply.json()["errors"][0]["field"] == "protocol.rules.min_consistency"
    assert "line 4" in reply.json()["detail"]
