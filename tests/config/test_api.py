"""The description of /api/v1, the page that it makes, and whether the running API keeps to it."""

import io

import pytest
import schemathesis
from django.core.cache import cache
from django.core.management import call_command
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from collection.api.v1 import identity
from collection.api.v1.schema import _contents, _operations
from collection.models import Scope
from collection.services.tokens import token_create
from collection.throttling import Limit
from config.api import document
from evaluation.models import Report
from learning.models import Run
from tests.collection.api.v1.world import make_world
from tests.factories import make_researcher
from variants.jobs import Job

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
EXAMPLES = {"GET": 1, "HEAD": 1, "DELETE": 1, "POST": 2, "PATCH": 2}
"""Of each operation here; a long run is `schemathesis run http://…/api/v1/schema/`."""


def test_the_schema_is_valid_and_made_without_a_warning():
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    assert out.getvalue().startswith("openapi: 3.1")


def test_each_operation_is_told_with_an_example_that_fits():
    found = document()
    for path, method, operation in _operations(found):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert len(operation["tags"]) == 1, where
        assert {"token": []} in operation["security"], where
        assert {"401", "403", "429", "500"} <= set(operation["responses"]), where
        for content in _contents(operation):
            schema = {**content["schema"], "components": found["components"]}
            Draft202012Validator(schema).validate(content["example"])


@pytest.mark.django_db
def test_the_page_has_every_operation_and_every_error(client):
    assert client.get("/api/v1/docs/").status_code == 302
    client.force_login(make_researcher())
    html = client.get("/api/v1/docs/").content.decode()
    assert all(f'id="{operation["operationId"]}"' in html for _, _, operation in _operations(document()))
    assert all(f'id="{code}"' in html for code in ("not_found", "invalid", "throttled", "server_error"))
    assert "http://testserver/api/v1/" in html


def test_errors_before_any_view_are_problem_details_too(client, settings):
    settings.ALLOWED_HOSTS = ["ours.example"]
    reply = client.get("/api/v1/me/", headers={"host": "theirs.example"})
    assert (reply.status_code, reply.headers["Content-Type"]) == (400, "application/problem+json")
    page = client.get("/research/", headers={"host": "theirs.example"})
    assert (page.status_code, page.headers["Content-Type"].partition(";")[0]) == (400, "text/html")


def test_the_running_api_keeps_to_its_schema(live_server, monkeypatch):
    """Bounded, with a fixed seed: each operation on something that is there, with what is made up."""
    cache.clear()
    monkeypatch.setattr(Job, "enqueue", lambda job: None)
    monkeypatch.setattr(identity, "CALLS", Limit(name="many", requests=100_000, seconds=60))
    study = make_world()
    _, secret = token_create(make_researcher(), "tests", list(Scope.values))
    there = {
        "/exports/": study.exports.get().public_id,
        "/raters/": study.raters.first().public_id,
        "/runs/": Run.objects.get().public_id,
        "/reports/": Report.objects.get().public_id,
        "/statistics/": study.statistics_jobs.get().public_id,
    }
    api = schemathesis.openapi.from_dict(document())
    api.config.update(base_url=live_server.url)
    called = 0

    def call(case):
        nonlocal called
        called += 1
        given_there = {
            "slug": study.slug,
            "public_id": next((v for k, v in there.items() if k in case.path), "0"),
        }
        names = case.path_parameters or {}
        case.path_parameters = {name: given_there.get(name, value) for name, value in names.items()}
        response = case.call(headers={"Authorization": f"Bearer {secret}"})
        case.validate_response(response, checks=CHECKS)

    operations = [result.ok() for result in api.get_all_operations()]
    for operation in operations:
        run = settings(
            max_examples=EXAMPLES[operation.method.upper()],
            deadline=None,
            database=None,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )(seed(1)(given(case=operation.as_strategy())(call)))
        run()
    assert called >= len(operations)


def test_a_file_in_parts_is_described():
    for name in ("archive/", "files/{name}"):
        item = document()["paths"][f"/api/v1/exports/{{public_id}}/{name}"]
        assert {"200", "206", "304", "416"} <= set(item["get"]["responses"])
        assert {"Range", "If-Range", "If-None-Match"} <= {each["name"] for each in item["get"]["parameters"]}
        assert "content" not in item["head"]["responses"]["200"]
