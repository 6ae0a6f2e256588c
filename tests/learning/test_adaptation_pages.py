"""Many raters read at once: the pages, and the same for programs."""

import shutil

import pytest
from django.urls import reverse

from collection.models import AuditEntry, Membership, Role, Scope
from learning.models import Adaptation, RaterAdaptation
from learning.tasks import adaptation_task
from tests.collection.api.v1.visits import Program
from tests.factories import make_export, make_researcher, make_run, make_study
from variants.jobs import Job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    monkeypatch.setattr(Job, "enqueue", lambda job: None)


@pytest.fixture
def run():
    return make_run(make_export(make_study()), is_simulated=True)


@pytest.fixture
def alice(client):
    client.force_login(make_researcher())
    return client


def test_from_the_button_to_the_list_of_raters(alice, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("learning.adapting._send", lambda adaptation: None)  # this process reads all
    dataset, folder = trained
    shutil.copytree(folder, tmp_path / "run")
    run = make_run(make_export(make_study(), folder=dataset), folder=tmp_path / "run", is_simulated=True)
    page = alice.get(reverse("learning:run-detail", args=[run.public_id])).content.decode()
    assert "Read all raters" in page
    address = reverse("learning:adaptation-create", args=[run.public_id])
    made = alice.post(address, {"whose": "all", "references": "5"}).headers["Location"]
    adaptation = Adaptation.objects.get()
    assert made == reverse("learning:adaptation", args=[adaptation.public_id])
    progress = reverse("learning:adaptation-progress", args=[adaptation.public_id])
    assert f'data-progress="{progress}?page=1"' in alice.get(made).content.decode()
    adaptation_task(adaptation.pk)
    page = alice.get(made).content.decode()
    assert page.count('class="state done"') == 1 + 6
    assert "6 done" in page
    assert "simulated" in page
    assert "data-progress" not in page
    again = alice.get(reverse("learning:run-detail", args=[run.public_id])).content.decode()
    assert made in again


def test_the_progress_carries_the_raters_and_why_one_failed(alice, run):
    adaptation = Adaptation.objects.create(learner=run, state=Job.State.RUNNING, left_out=["rater9"])
    states = {"rater1": "done", "rater2": "failed", "rater3": "queued"}
    for rater, state in states.items():
        RaterAdaptation.objects.create(
            adaptation=adaptation, rater_id=rater, state=state, error="no <answers>" * (state == "failed")
        )
    progress = reverse("learning:adaptation-progress", args=[adaptation.public_id])
    part = alice.get(progress, {"page": 1}).json()["parts"]["raters-read"]
    assert all(rater in part for rater in states)
    assert "no &lt;answers&gt;" in part
    assert "1 waiting for a worker, 1 done, 1 failed" in part
    page = alice.get(reverse("learning:adaptation", args=[adaptation.public_id])).content.decode()
    assert "1 rater left out: fewer than 16 answers" in page
    assert "rater9" in page


def test_cancelling_stops_those_who_wait(alice, run):
    adaptation = Adaptation.objects.create(learner=run)
    share = RaterAdaptation.objects.create(adaptation=adaptation, rater_id="rater1")
    alice.post(reverse("learning:adaptation-cancel", args=[adaptation.public_id]))
    adaptation.refresh_from_db()
    share.refresh_from_db()
    assert adaptation.state == share.state == Job.State.CANCELLED
    assert AuditEntry.objects.filter(action="adaptation.cancel", what=adaptation.public_id).exists()


def test_what_cannot_be_is_told_on_the_runs_page(alice, run):
    address = reverse("learning:adaptation-create", args=[run.public_id])
    page = alice.post(address, {"whose": "all", "references": "0"}, follow=True).content.decode()
    assert "References: Ensure this value" in page
    run.state = Job.State.FAILED
    run.save()
    page = alice.post(address, {"whose": "all", "references": "5"}, follow=True).content.decode()
    assert "The run is failed; wait until it is done" in page
    assert "Read all raters" not in page
    assert not Adaptation.objects.exists()


def test_a_viewer_sees_no_button(client, run):
    vera = make_researcher("vera", is_superuser=False)
    Membership.objects.create(study=run.export.study, user=vera, role=Role.VIEWER)
    client.force_login(vera)
    assert "Read all raters" not in client.get(reverse("learning:run-detail", args=[run.public_id])).text


def test_a_program_orders_follows_and_cancels(client, run):
    program = Program(client)
    made = program.post(f"runs/{run.public_id}/adaptations/", {"references": 5})
    assert (made.status_code, made.json()["whose"], made.json()["is_simulated"]) == (201, "validation", True)
    path = made.headers["Location"].removeprefix("/api/v1/")
    adaptation = Adaptation.objects.get()
    RaterAdaptation.objects.create(
        adaptation=adaptation, rater_id="rater1", state="failed", error="no answers"
    )
    RaterAdaptation.objects.create(adaptation=adaptation, rater_id="rater2")
    assert program.get(path).json()["run"] == run.public_id
    raters = program.get(f"{path}raters/", order="oldest").json()["results"]
    assert {each["rater"]: (each["state"], each["error"]) for each in raters} == {
        "rater1": ("failed", "no answers"), "rater2": ("queued", ""),
    }  # fmt: skip
    assert [each["id"] for each in program.get(f"runs/{run.public_id}/adaptations/").json()["results"]] == [
        adaptation.public_id
    ]
    assert program.post(f"{path}cancel/").json()["state"] == "cancelled"
    assert list(adaptation.shares.order_by("pk").values_list("state", flat=True)) == ["failed", "cancelled"]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"whose": "mine"}, 422, "There is no whose 'mine'"),
        ({"references": 0}, 422, "references"),
        ({"references": "5"}, 422, "whole number"),
        ({}, 409, "the run is running; wait until it is done"),
    ],
)
def test_a_program_is_told_what_cannot_be(client, run, body, status, detail):
    run.state = Job.State.RUNNING
    run.save()
    reply = Program(client).post(f"runs/{run.public_id}/adaptations/", body)
    assert (reply.status_code, detail in reply.json()["detail"]) == (status, True), reply.json()


def test_a_program_that_may_only_read_orders_none(client, run):
    program = Program(client, scopes=[Scope.READ])
    assert program.post(f"runs/{run.public_id}/adaptations/").status_code == 403
    assert program.get(f"runs/{run.public_id}/adaptations/").json()["results"] == []
