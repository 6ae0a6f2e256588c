"""Deleting a study: all that is its own goes, nothing that others use, and a killed job is finished."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from collection.models import (
    AuditEntry,
    Device,
    Export,
    Person,
    Question,
    Rater,
    Session,
    Study,
    StudyDeletion,
    StudyPair,
    StudyScene,
)
from collection.selectors.marks import folder_mark, removal_of
from collection.services import deletion
from collection.services.copies import study_preview
from collection.services.deletion import study_deletion_create, study_holdings
from collection.services.studies import StudyError
from collection.services.verdicts import verdicts_compute
from collection.services.withdrawal import rater_withdraw
from tests.collection.factories import answer_all, make_session, make_study
from tests.factories import make_export, make_run
from variants.models import Pair, Rendition, Scene

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def answered_study(*names, **fields):
    study = make_study(n_scenes=2, per_scene=3, n_practice=1, n_main=3, n_checks=1, check_lag=1, **fields)
    for name in names:
        answer_all(make_session(study, name, f"device of {name}"))
    verdicts_compute(study)
    return study


def delete(study, **options):
    job = study_deletion_create(study, **options)
    job.run(deletion.study_delete_run)
    assert job.state == "done", job.error
    return job


def test_everything_of_its_own_goes():
    study = answered_study("alice", "bob", files=True)
    names = list(Rendition.objects.values_list("image", flat=True))
    assert study_holdings(study).n_renditions == len(names) == 6
    job = delete(study)
    for model in (
        Study,
        Session,
        Question,
        Rater,
        Person,
        Device,
        StudyPair,
        StudyScene,
        Rendition,
        Pair,
        Scene,
    ):
        assert not model.objects.exists(), model
    assert not any(default_storage.exists(name) for name in names)
    assert job.counts == {
        "sessions": 2, "answers": 10, "people": 2, "renditions": 6, "photos": 2, "files": 6
    }  # fmt: skip


def test_what_was_announced_is_what_is_reported():
    study = answered_study("alice", "bob", "carol")
    make_session(study, "alice", "a second device of alice")
    answered_study("bob")
    preview = study_preview(study, short=False)
    make_session(preview, "researcher", "desk")
    said = study_holdings(study)
    job = delete(study)
    assert (said.n_people, said.n_people_known_elsewhere) == (3, 1)
    assert (job.counts["people"], job.counts["people_known_elsewhere"]) == (3, 1)
    assert (said.n_sessions, said.n_preview_sessions) == (4, 1)
    assert (job.counts["sessions"], job.counts["preview_sessions"]) == (4, 1)
    assert said.n_answers == job.counts["answers"]


def test_what_others_use_stays():
    study, other = answered_study("alice", "bob"), answered_study("bob")
    first, second = Scene.objects.filter(studies=study)
    pair = Pair.objects.filter(scene=first).first()
    StudyScene.objects.create(study=other, scene=first)
    StudyPair.objects.create(study=other, pair=pair)
    assert study_holdings(study).n_photos_shared == 1
    delete(study)
    assert set(first.renditions.all()) == {pair.image_a, pair.image_b}
    assert not Scene.objects.filter(pk=second.pk).exists()
    assert Person.objects.get().raters.get().study == other  # Bob is known in the other study
    assert other.sessions.get().questions.filter(answered_at__isnull=False).count() == 5


def test_what_a_draft_may_still_ask_about_stays():
    study = answered_study("alice")
    scene = Scene.objects.filter(studies=study).first()
    StudyScene.objects.create(study=make_study(n_scenes=0, status="draft"), scene=scene)
    delete(study)
    assert scene.renditions.count() == 3


def test_photos_go_only_when_asked(tmp_path):
    study, again = answered_study(), answered_study()
    for scene in Scene.objects.all():
        scene.original.name = default_storage.save("originals/x.jpg", ContentFile(b"photo"))
        scene.save()
    delete(study)
    assert Scene.objects.count() == 4
    originals = [scene.original.name for scene in Scene.objects.filter(studies=again)]
    delete(again, with_photos=True)
    assert Scene.objects.count() == 2
    assert not any(map(default_storage.exists, originals))


def test_a_killed_deletion_is_finished_by_the_next(monkeypatch):
    study = answered_study("alice", "bob", "cyd")
    for at_a_time in ("SESSIONS_AT_A_TIME", "RATERS_AT_A_TIME", "SCENES_AT_A_TIME"):
        monkeypatch.setattr(deletion, at_a_time, 1)

    class Killed(BaseException):
        pass

    def killing(done, total, stage):
        if done == 1 or total == 0:  # one small transaction has passed
            raise Killed

    for _ in range(20):
        job = study_deletion_create(study)
        job.claim()
        try:
            deletion.study_delete_run(job, killing)
        except Killed:
            StudyDeletion.objects.filter(pk=job.pk).update(state="queued")
            assert Study.objects.get(pk=study.pk).status == "closed"
            assert study_deletion_create(study) == job  # the same one goes on
            if not study.sessions.exists():
                break
    job.refresh_from_db()
    job.run(deletion.study_delete_run)
    assert job.state == "done", job.error
    assert not Study.objects.exists()
    assert not Question.objects.exists()
    assert not Rendition.objects.exists()
    assert job.counts["answers"] == 15  # counted once each


def test_datasets_are_marked_and_their_files_go_when_asked(tmp_path):
    study, again = answered_study("alice"), answered_study("bob")
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    for one, folder in ((study, kept), (again, gone)):
        folder.mkdir()
        (folder / "README.md").write_text("x")
        run = make_run(make_export(one, folder, public_id=folder.name))
    delete(study)
    delete(again, with_exports=True)
    assert kept.is_dir()
    assert not gone.exists()
    assert not Export.objects.exists()
    run.refresh_from_db()
    assert run.export is None
    day = f"{timezone.now():%Y-%m-%d}"
    assert folder_mark(run.dataset).sentences == [
        f"The study {again.slug} was deleted on {day}.",
        f"The dataset's files were deleted on {day}.",
    ]
    assert folder_mark(str(kept)).sentences == [f"The study {study.slug} was deleted on {day}."]
    assert removal_of("kept").study_slug == study.slug


def test_the_trail_keeps_the_line():
    study = answered_study("alice")
    delete(study)
    asked, done = AuditEntry.objects.filter(action__startswith="study.delete").order_by("pk")
    assert (asked.study, asked.study_slug, asked.what) == (None, study.slug, study.name)
    assert asked.details["n_answers"] == done.details["answers"] == 5


def test_a_dataset_that_is_being_written_comes_first():
    study = answered_study("alice")
    make_export(study, state="running")
    with pytest.raises(StudyError, match="being written"):
        study_deletion_create(study)
    study.refresh_from_db()
    assert study.status == "open"


def test_people_who_withdrew_go_too():
    study = answered_study("alice", "bob")
    rater_withdraw(study.sessions.first(), NOW)
    delete(study)
    assert not Rater.objects.exists()
    assert not Person.objects.exists()


def test_the_command_asks_for_yes(capsys):
    study = answered_study("alice")
    with pytest.raises(CommandError, match="--yes"):
        call_command("delete_study", study.slug)
    assert "5 answers" in capsys.readouterr().out
    call_command("delete_study", study.slug, "--yes", "--json", "--quiet")
    assert '"answers": 5' in capsys.readouterr().out
    assert not Study.objects.exists()
