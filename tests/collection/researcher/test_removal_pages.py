"""Pages on which something goes for good."""

import datetime as dt

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from collection.models import ExportedRater, Membership, Rater, Session, Study, StudyDeletion
from collection.services.deletion import study_delete_run
from tests.collection.factories import answer_all, make_session, make_study
from tests.factories import make_export, make_report, make_researcher, make_run

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate()


@pytest.fixture
def study():
    study = make_study(n_scenes=1, per_scene=3, n_practice=0, n_main=2, n_checks=0)
    for name in ("ann", "bob"):
        answer_all(make_session(study, name, f"device of {name}"))
    return study


@pytest.fixture
def export(study, tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    export = make_export(study, folder)
    ExportedRater.objects.bulk_create(
        ExportedRater(export=export, rater=rater) for rater in study.raters.all()
    )
    return export


def member(client, study, role):
    user = make_researcher(f"a {role}", is_superuser=False)
    Membership.objects.create(study=study, user=user, role=role)
    client.force_login(user)
    return user


def address(name, *args):
    return reverse(f"researcher:{name}", args=args)


def text(reply):
    return " ".join(reply.content.decode().split())


def test_a_click_withdraws_a_person_after_saying_what_goes(client, study, export):
    member(client, study, "editor")
    rater = study.raters.first()
    remove = address("rater-remove", study.slug, rater.public_id)
    assert remove in text(client.get(address("study-people", study.slug)))
    asked = text(client.get(remove))
    assert "1 dataset and what was made from it will be marked" in asked
    assert Session.objects.count() == 2
    reply = client.post(remove, follow=True)
    assert f"Rater {rater} is removed, with 2 answers." in text(reply)
    assert Session.objects.count() == 1
    assert "has withdrawn already" in text(client.post(remove, follow=True))
    assert study.audit_entries.get(action="rater.withdraw").actor_name == "a editor"


def test_dataset_run_and_report_show_the_mark(client, study, export):
    member(client, study, "owner")
    run = make_run(export)
    report = make_report(run)
    type(report).objects.update(dataset=export.folder)
    pages = (
        address("export-detail", export.public_id),
        address("study-datasets", study.slug),
        reverse("learning:run-detail", args=[run.public_id]),
        reverse("evaluation:report-detail", args=[report.public_id]),
    )
    assert not any("withdrawn since" in text(client.get(page)) for page in pages)
    for rater in study.raters.all():
        client.post(address("rater-remove", study.slug, rater.public_id))
    for page in pages:
        assert "2 people have withdrawn since; export again." in text(client.get(page)), page
    for one in (f"exports/{export.public_id}", f"runs/{run.public_id}", f"reports/{report.public_id}"):
        marks = client.get(f"/api/v1/{one}/").json()["marks"]
        assert marks == ["2 people have withdrawn since; export again."]


def test_an_owner_deletes_a_datasets_files_and_the_entry_says_why(client, study, export, tmp_path):
    page = address("dataset-delete", export.public_id)
    member(client, study, "editor")
    assert client.post(page, {"why": "x"}).status_code == 403
    member(client, study, "owner")
    assert client.post(page, {"why": " "}).status_code == 422
    assert "were deleted" in text(client.post(page, {"why": "two withdrew"}, follow=True))
    assert "two withdrew" in text(client.get(address("export-detail", export.public_id)))
    assert not (tmp_path / "dataset").exists()


def test_owners_set_the_day_and_the_overview_reminds(client, study):
    page = address("study-retention", study.slug)
    member(client, study, "viewer")
    assert client.get(page).status_code == 200
    assert client.post(page, {"until": "", "erases": "data"}).status_code == 403
    member(client, study, "owner")
    for wrong in ("tomorrow", "2020-01-01", "9999999-01-01"):
        assert client.post(page, {"until": wrong, "erases": "data"}).status_code == 422
    soon = TODAY + dt.timedelta(days=5)
    client.post(page, {"until": soon.isoformat(), "erases": "data"})
    study.refresh_from_db()
    assert (study.retain_until, study.retain_erases) == (soon, "data")
    assert f"All raw data will be deleted after {soon}, in 5 days." in text(
        client.get(study.get_absolute_url())
    )
    Study.objects.update(retain_until=TODAY - dt.timedelta(days=1))
    assert "should have been erased" in text(client.get(page))
    call_command("retention")
    assert "went on" in text(client.get(page))


def test_a_study_is_deleted_by_its_name_alone(client, study, export):
    page = address("study-delete", study.slug)
    member(client, study, "editor")
    assert client.get(page).status_code == 403
    owner = member(client, study, "owner")
    assert '<dd class="number">4</dd>' in text(client.get(page))
    assert client.post(page, {"slug": "another"}).status_code == 422
    reply = client.post(page, {"slug": f" {study.name} "})
    job = StudyDeletion.objects.get()
    assert (reply.url, job.started_by, job.with_exports) == (
        address("deletion-detail", job.public_id),
        owner,
        False,
    )
    assert client.get(reply.url).status_code == 200
    job.run(study_delete_run)
    assert "is deleted" in text(client.get(reply.url))
    assert client.get(address("deletion-progress", job.public_id)).json()["state"] == "done"
    gone = client.get(address("export-detail", export.public_id))
    assert gone.status_code == 410
    assert f"<code>{study.slug}</code> was deleted" in text(gone)
    assert client.get(f"/s/{study.slug}/").status_code == 404
    client.force_login(make_researcher("another", is_superuser=False))
    assert client.get(reply.url).status_code == 404
    assert not Rater.objects.exists()


def test_strangers_learn_of_nothing(client, study, export):
    client.force_login(make_researcher("stranger", is_superuser=False))
    rater = study.raters.first()
    for page in (
        address("rater-remove", study.slug, rater.public_id),
        address("study-retention", study.slug),
        address("study-delete", study.slug),
        address("dataset-delete", export.public_id),
    ):
        assert client.get(page).status_code == client.post(page).status_code == 404
