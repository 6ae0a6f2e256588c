"""The list of all jobs: who sees which, what can be done with them."""

import datetime as dt

import pytest
from django.apps import apps
from django.urls import reverse
from django.utils import timezone

from collection.models import AuditEntry, Membership, Role
from config.models import Worker
from config.operations import queues
from config.operations.jobs import ALL, PARTS, jobs_listed
from config.queues import QUEUES
from learning.models import Adaptation, RaterAdaptation
from tests.factories import make_export, make_researcher, make_run, make_study
from variants.jobs import Job
from variants.models import RenderJob, SceneJob

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def waiting(monkeypatch):
    monkeypatch.setattr(queues, "messages_waiting", lambda: dict.fromkeys(QUEUES, 7))
    monkeypatch.setattr(queues, "_kept", (float("-inf"), None))
    monkeypatch.setattr(Job, "enqueue", lambda job: None)


@pytest.fixture
def study():
    return make_study(name="Ours")


@pytest.fixture
def signed_in(client, study):
    def sign_in(role):
        user = make_researcher(f"a {role}", is_superuser=role == "superuser")
        if role in Role.values:
            Membership.objects.create(study=study, user=user, role=role)
        client.force_login(user)
        return user

    return sign_in


@pytest.fixture
def jobs(study, tmp_path):
    now = timezone.now()
    (tmp_path / "export").mkdir()
    export = make_export(study, tmp_path / "export")
    running = {
        "state": Job.State.RUNNING,
        "worker": "here:12:34",
        "started_at": now - dt.timedelta(minutes=3),
    }
    render = RenderJob.objects.create(**running, heartbeat_at=now, done=25, total=100, stage="rendering")
    study.render_jobs.add(render)
    run = make_run(export, tmp_path / "run", state=Job.State.FAILED, error="no memory", finished_at=now)
    SceneJob.objects.create(**running, heartbeat_at=now - dt.timedelta(minutes=5))
    return render, run


def test_every_kind_of_job_is_listed():
    """But those that are shares of another."""
    kinds = {model for model in apps.get_models() if issubclass(model, Job)}
    assert {kind.model for kind in ALL} | set(PARTS) == kinds
    assert len({kind.name for kind in ALL}) == len(ALL)


def test_members_see_their_studies_jobs_and_superusers_all(signed_in, jobs):
    def seen(role):
        listed = jobs_listed(signed_in(role))
        return {row.kind.name for row in listed.under_way}, {row.kind.name for row in listed.over}

    assert seen("viewer") == ({"render"}, {"run"})
    assert seen("stranger") == (set(), set())
    under_way, over = seen("superuser")
    assert under_way == {"render", "scenes"}
    assert "run" in over


def test_the_time_left_goes_by_the_pace_so_far(signed_in, jobs):
    """A quarter in three minutes leaves nine."""
    (row,) = jobs_listed(signed_in("viewer")).under_way
    assert row.left == "about 9 min"
    assert not row.is_stalled


def test_the_page_says_what_is_done_by_whom_and_what_failed(client, signed_in, jobs):
    Worker.objects.create(name="cpu@here", queues=["render", "export"])
    Worker.objects.create(name="gone@here", queues=["train"], seen_at=timezone.now() - dt.timedelta(hours=1))
    signed_in("editor")
    page = client.get(reverse("job-list")).text
    assert "25 of 100, about 9 min left" in page
    assert "no memory" in page
    assert "here:12" not in page
    assert "cpu@here" not in page
    assert page.count(">Cancel<") == 1
    assert page.count(">Start again<") == 1
    signed_in("superuser")
    page = client.get(reverse("job-list")).text
    assert "here:12" in page
    assert "cpu@here" in page
    assert "gone@here" not in page
    assert "No sign of life" in page
    assert client.get(reverse("job-live")).json()["parts"]["jobs"].count("<table") == 4
    only = client.get(reverse("job-list"), {"show": "failed", "kind": "run"}).text
    assert "rendering" not in only
    assert "no memory" in only


def test_a_page_without_jobs_and_without_a_broker_says_so(client, signed_in, monkeypatch):
    def down():
        raise OSError("refused")

    monkeypatch.setattr(queues, "messages_waiting", down)
    signed_in("stranger")
    page = client.get(reverse("job-list")).text
    assert "No job yet" in page
    assert "The broker does not answer" in page


@pytest.mark.parametrize("way", ["page", "API"])
def test_a_job_of_any_kind_is_cancelled_and_started_again(client, signed_in, jobs, way):
    render, run = jobs

    def post(what, kind, job):
        name = f"job-{what}" if way == "page" else f"api-job-{what}"
        form = "application/json" if way == "API" else "multipart/form-data; boundary=x"
        return client.post(reverse(name, args=[kind, job.public_id]), "", form).status_code

    signed_in("viewer")
    assert post("cancel", "render", render) == 403
    signed_in("stranger")
    assert post("cancel", "render", render) == 404
    signed_in("editor")
    post("cancel", "render", render)
    render.refresh_from_db()
    assert render.cancel_requested
    RenderJob.objects.filter(pk=render.pk).update(state=Job.State.CANCELLED)
    post("retry", "render", render)
    post("retry", "run", run)
    for job in (render, run):
        job.refresh_from_db()
        assert (job.state, job.cancel_requested, job.error) == (Job.State.QUEUED, False, "")
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"job.cancel", "job.retry", "run.resume"} <= actions
    assert post("retry", "run", run) == (302 if way == "page" else 409)


def test_an_adaptation_that_is_started_again_takes_its_shares_with_it(study, tmp_path):
    run = make_run(make_export(study, tmp_path / "export"), tmp_path / "run")
    adaptation = Adaptation.objects.create(learner=run, state=Job.State.CANCELLED)
    done, failed = (
        RaterAdaptation.objects.create(adaptation=adaptation, rater_id=state, state=state)
        for state in (Job.State.DONE, Job.State.FAILED)
    )
    assert adaptation.retry()
    for share in (done, failed):
        share.refresh_from_db()
    assert (done.state, failed.state) == (Job.State.DONE, Job.State.QUEUED)


def test_the_api_lists_jobs_by_kind_and_state(client, signed_in, jobs):
    render, _ = jobs
    signed_in("viewer")
    (found,) = client.get("/api/v1/jobs/render/", {"state": "under_way"}).json()["results"]
    assert (found["what"], found["queue"], found["left"]) == ("Ours", "render", "about 9 min")
    assert client.get(found["address"]).json()["id"] == render.public_id
    assert client.get("/api/v1/jobs/render/", {"state": "done"}).json()["results"] == []
    assert client.get("/api/v1/jobs/nothing/").status_code == 404
    health = client.get("/api/v1/jobs/").json()
    assert {queue["name"]: queue["messages"] for queue in health["queues"]} == dict.fromkeys(QUEUES, 7)
