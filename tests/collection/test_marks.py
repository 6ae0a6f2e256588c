"""Marks: a dataset knows who stands in it, and says when somebody has withdrawn since."""

import hashlib

import pytest
from django.utils import timezone

from collection.export.write import export_run
from collection.models import DatasetRemoval, Rater, Verdict
from collection.selectors.marks import export_mark, export_marks, folder_mark, folder_marks
from collection.services.exports import export_create
from collection.services.removal import dataset_delete_files
from collection.services.studies import StudyError
from collection.services.verdicts import verdicts_compute
from collection.services.withdrawal import given_by, person_withdraw, rater_withdraw
from tests.collection.factories import answer_all, make_session, make_study
from variants.models import Rendition

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def study():
    study = make_study(n_scenes=1, per_scene=3, files=True, n_practice=0, n_main=2, n_checks=0)
    for rendition in Rendition.objects.all():
        with rendition.image.open() as file:
            rendition.sha256 = hashlib.sha256(file.read()).hexdigest()
        rendition.save()
    return study


def answered(study, name, device="laptop"):
    session = make_session(study, name, device)
    answer_all(session)
    return session


def exported(study, tmp_path, n=1):
    export = export_create(study, tmp_path / f"dataset-{n}")
    export.run(export_run)
    assert export.state == "done", export.error
    return export


def raters_in(export):
    return {row.rater.public_id for row in export.exported_raters.select_related("rater")}


def test_a_dataset_knows_who_stands_in_it(study, tmp_path):
    alice, _ = answered(study, "alice"), make_session(study, "bob")  # Bob answers nothing
    export = exported(study, tmp_path)
    assert raters_in(export) == {alice.rater.public_id}
    assert not export_mark(export)
    assert export_mark(export).sentences == []


def test_it_is_marked_by_people_who_withdraw_not_by_devices(study, tmp_path):
    answered(study, "alice", "laptop"), answered(study, "alice", "phone")
    alice = answered(study, "alice", "tablet")
    answered(study, "bob")
    export = exported(study, tmp_path)
    given = given_by(study, alice.rater.person)
    assert (given.n_raters, given.n_sessions, given.n_answers, given.n_datasets) == (3, 3, 6, 1)
    assert rater_withdraw(alice, NOW) == given
    assert export_mark(export).sentences == ["1 person has withdrawn since; export again."]
    person_withdraw(study, Rater.objects.get(withdrawn_at=None).person, NOW)
    assert export_mark(export).sentences == ["2 people have withdrawn since; export again."]


def test_the_next_dataset_lacks_them_and_has_no_mark(study, tmp_path):
    alice, bob = answered(study, "alice"), answered(study, "bob")
    first = exported(study, tmp_path)
    rater_withdraw(alice, NOW)
    second = exported(study, tmp_path, 2)
    assert raters_in(second) == {bob.rater.public_id}
    assert export_marks([first, second]).keys() == {first.pk}
    assert folder_marks([first.folder, second.folder, "/elsewhere"]).keys() == {first.folder}


def test_who_withdraws_while_it_is_written_marks_it(study, tmp_path, monkeypatch):
    alice = answered(study, "alice")
    answered(study, "bob")

    def withdraw_first(*args):
        rater_withdraw(alice, NOW)  # the judgments have passed by
        return _write_images(*args)

    from collection.export import write

    _write_images = write._write_images
    monkeypatch.setattr(write, "_write_images", withdraw_first)
    export = exported(study, tmp_path)
    assert alice.rater.public_id in raters_in(export)
    assert export_mark(export).n_withdrawn == 1


def test_nobody_is_judged_who_withdrew_meanwhile(study, monkeypatch):
    alice = answered(study, "alice")
    from collection.services import verdicts

    records = list(verdicts.raters_records(Rater.objects.all(), simulated=False))
    monkeypatch.setattr(verdicts, "raters_records", lambda *args, **kwargs: iter(records))
    rater_withdraw(alice, NOW)
    verdicts_compute(study)
    assert not Verdict.objects.exists()


def test_files_are_deleted_with_a_reason_that_stays(study, tmp_path):
    answered(study, "alice")
    export = exported(study, tmp_path)
    with pytest.raises(StudyError, match="say why"):
        dataset_delete_files(export, "  ")
    dataset_delete_files(export, "someone asked for it.")
    dataset_delete_files(export, "again")  # killed half-way, or clicked twice
    assert not (tmp_path / "dataset-1").exists()
    day = f"{timezone.now():%Y-%m-%d}"
    assert folder_mark(export.folder).sentences == [f"The dataset's files were deleted on {day}: again."]
    assert DatasetRemoval.objects.count() == 1
    assert study.audit_entries.filter(action="export.delete").count() == 1


def test_what_a_folder_that_is_a_link_leads_to_is_kept(study, tmp_path):
    answered(study, "alice")
    export = exported(study, tmp_path)
    (tmp_path / "dataset-1").rename(tmp_path / "kept")
    (tmp_path / "dataset-1").symlink_to(tmp_path / "kept")
    dataset_delete_files(export, "a link")
    assert not (tmp_path / "dataset-1").is_symlink()
    assert (tmp_path / "kept" / "README.md").exists()


def test_an_export_under_way_is_not_deleted(study, tmp_path):
    answered(study, "alice")
    export = export_create(study, tmp_path / "dataset")
    with pytest.raises(StudyError, match="cancel"):
        dataset_delete_files(export, "now")
