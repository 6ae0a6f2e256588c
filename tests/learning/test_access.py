import pytest
from django.urls import reverse

from collection.models import AuditEntry, Membership, Role
from collection.services.audit import acting
from learning.access import exports_to_train_on, runs_of
from learning.models import Run
from learning.services import RunRefused, run_cancel, run_create, run_resume
from tests.factories import make_export, make_researcher, make_run, make_study
from variants.jobs import Job

pytestmark = pytest.mark.django_db


def someone(name, study=None, role=Role.VIEWER):
    user = make_researcher(name, is_superuser=False)
    if study:
        Membership.objects.create(study=study, user=user, role=role)
    return user


@pytest.fixture
def export(tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    return make_export(make_study(), folder=folder)


def test_a_run_is_seen_by_members_of_its_study_and_by_who_started_it(export):
    viewer, other, starter = someone("vera", export.study), someone("otto", make_study()), someone("sam")
    of_study, own = make_run(export), make_run(started_by=starter)
    assert list(runs_of(viewer)) == [of_study]
    assert list(runs_of(other)) == []
    assert list(runs_of(starter)) == [own]
    assert set(runs_of(make_researcher("root"))) == {of_study, own}


def test_only_editors_train_on_a_studys_exports(export):
    assert list(exports_to_train_on(someone("eva", export.study, Role.EDITOR))) == [export]
    assert list(exports_to_train_on(someone("vera", export.study))) == []


@pytest.mark.parametrize(
    ("role", "look", "change"), [(None, 404, 404), (Role.VIEWER, 200, 403), (Role.EDITOR, 200, 302)]
)
def test_a_viewer_looks_and_an_editor_changes(client, export, role, look, change):
    run = make_run(export, state=Job.State.QUEUED)
    client.force_login(someone("vera", export.study if role else None, role or Role.VIEWER))
    address = {name: reverse(f"learning:run-{name}", args=[run.public_id]) for name in ("detail", "progress")}
    assert [client.get(page).status_code for page in address.values()] == [look, look]
    for name in ("cancel", "resume"):
        assert client.post(reverse(f"learning:run-{name}", args=[run.public_id])).status_code == change


def test_the_form_offers_no_export_of_somebody_else(client, export):
    client.force_login(someone("otto", make_study(), Role.OWNER))
    assert "No dataset to train on" in client.get(reverse("learning:run-create")).content.decode()
    fields = {"export": export.public_id, "system": "upe", "preset": "tiny", "seed": 0}
    assert client.post(reverse("learning:run-create"), fields).status_code == 422
    assert not Run.objects.exists()


def test_who_starts_cancels_and_resumes_stands_in_the_trail(export):
    alice = someone("alice", export.study, Role.EDITOR)
    with acting(alice):
        run = run_create(export, system="upe", preset="tiny")
        run_cancel(run)
        run_resume(run)
    assert run.started_by == alice
    lines = AuditEntry.objects.filter(study=export.study, actor=alice, what=run.public_id)
    assert [line.action for line in lines] == ["run.resume", "run.cancel", "run.create"]


def test_a_stopped_run_waits_again_and_only_once(export):
    run = make_run(export, state=Job.State.FAILED, error="out of memory")
    run_resume(run)
    assert (run.state, run.error, run.finished_at) == (Job.State.QUEUED, "", None)
    with pytest.raises(RunRefused, match="only one that was cancelled or has failed"):
        run_resume(run)


def test_a_run_whose_dataset_is_gone_is_not_resumed(tmp_path):
    run = make_run(make_export(make_study(), folder=tmp_path / "gone"), state=Job.State.CANCELLED)
    with pytest.raises(RunRefused, match="export the study again"):
        run_resume(run)
    run.refresh_from_db()
    assert run.state == Job.State.CANCELLED
