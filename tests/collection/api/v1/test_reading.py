"""Everything that can be read: as its schema says, page by page, by filters."""

import json

import pytest
from jsonschema import Draft202012Validator

from collection.models import Question
from config.api import document
from evaluation.models import Report
from learning.models import Run
from tests.collection.api.v1.visits import Program
from tests.collection.api.v1.world import make_world
from tests.factories import make_rater, make_session

pytestmark = pytest.mark.django_db
READS = [path for path, item in document()["paths"].items() if "get" in item]
MOST_QUERIES = 25


@pytest.fixture
def study():
    return make_world()


@pytest.fixture
def program(client):
    return Program(client)


def filled(path, study):
    """The address of something that is there."""
    ids = {
        "exports": study.exports.get().public_id,
        "raters": study.raters.first().public_id,
        "statistics": study.statistics_jobs.get().public_id,
        "runs": Run.objects.get().public_id,
        "reports": Report.objects.get().public_id,
    }
    before = path.partition("/{public_id}")[0].rpartition("/")[2]
    path = path.replace("{slug}", study.slug).replace("{name}", "README.md")
    return path.replace("{public_id}", ids.get(before, "0" * 32)).removeprefix("/api/v1/")


def test_all_that_is_read_is_as_its_schema_says(program, study, django_assert_max_num_queries):
    components = document()["components"]
    for path in READS:
        with django_assert_max_num_queries(MOST_QUERIES):
            reply = program.get(filled(path, study))
        told = document()["paths"][path]["get"]["responses"].get(str(reply.status_code))
        assert told, f"{path}: {reply.status_code} is not in the schema"
        content = told.get("content", {})
        if reply.status_code == 200 and "application/json" in content:
            schema = {**content["application/json"]["schema"], "components": components}
            Draft202012Validator(schema).validate(reply.json())


def test_pages_have_each_row_once_whatever_is_added_meanwhile(program, study):
    address, seen = f"studies/{study.slug}/judgments/?limit=3", []
    while address:
        page = program.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"] and page["next"].partition("/api/v1/")[2]
        if len(seen) == 3:
            make_session(make_rater(study), [("main", "left", 900)])
    everything = Question.objects.order_by("-pk").values_list("public_id", flat=True)
    assert seen == list(everything)[1:]  # the newest first, and the one that came meanwhile before them all


def test_a_cursor_belongs_to_its_order(program, study):
    page = program.get(f"studies/{study.slug}/judgments/?limit=3&order=oldest").json()
    oldest_first = list(Question.objects.order_by("pk").values_list("public_id", flat=True))
    assert [row["id"] for row in page["results"]] == oldest_first[:3]
    cursor = page["next"].rpartition("cursor=")[2]
    for wrong in (f"cursor={cursor}", "cursor=%00", "cursor=bm9wZQ", "limit=0", "limit=1001", "order=random"):
        assert program.get(f"studies/{study.slug}/judgments/?{wrong}").status_code == 422


def test_judgments_by_rater_scene_kind_and_time(program, study):
    def read(**filters):
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        return program.get(f"studies/{study.slug}/judgments/?{query}").json()["results"]

    rater, scene = study.raters.first().public_id, study.scenes.first().public_id
    assert [len(read()), len(read(kind="check")), len(read(rater=rater))] == [8, 2, 4]
    assert {row["scene"] for row in read(scene=scene)} <= {scene}
    last = Question.objects.latest("answered_at").answered_at.isoformat().replace("+00:00", "Z")
    assert len(read(since=last)) + len(read(until=last)) == 8
    assert len(read(since=last)) >= 1
    check = read(kind="check", rater=rater)[0]
    assert check["repeats"] in {row["id"] for row in read(kind="main", rater=rater)}


def test_the_stream_says_the_same_as_the_list(program, study):
    listed = program.get(f"studies/{study.slug}/judgments/?order=oldest").json()["results"]
    stream = program.get(f"studies/{study.slug}/judgments.ndjson")
    assert stream.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in b"".join(stream.streaming_content).splitlines()] == listed


def test_who_withdrew_is_in_no_judgment(program, study):
    rater = study.raters.first()
    rater.withdrawn_at = rater.created_at
    rater.save()
    rows = program.get(f"studies/{study.slug}/judgments/").json()["results"]
    assert {row["rater"] for row in rows} == {study.raters.last().public_id}


def test_raters_by_rule_failed_and_simulated(program, study):
    def read(query):
        reply = program.get(f"studies/{study.slug}/raters/?{query}")
        return reply.status_code, len(reply.json().get("results", []))

    make_session(make_rater(study, simulation={"taste": 1}), [("main", "left", 10)] * 3)
    program.post(f"studies/{study.slug}/verdicts/")
    assert read("simulated=true") == (200, 1)
    assert read("simulated=false") == (200, 2)
    assert read("failed=too_fast") == (200, 1)
    assert read("rule_set=never") == (404, 0)


def test_a_rule_set_is_compared_without_being_stored(program, study):
    rules = {"rules": {"min_response_ms": 5000}}
    found = program.post(f"studies/{study.slug}/rule-sets/compare/", rules).json()
    assert (found["ours"]["raters"], found["other"]["raters"], found["only_ours"]) == (2, 0, 2)
    assert len(program.get(f"studies/{study.slug}/rule-sets/").json()["results"]) == 1
    used = program.post(f"studies/{study.slug}/rule-sets/", rules)
    assert (used.status_code, used.json()["in_force"], used.json()["usable"]) == (201, True, 0)
