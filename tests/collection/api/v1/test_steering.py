"""What is done to a study beside its answers: one call of a service each."""

import pytest

from collection.export.manifest import manifest_write
from collection.models import DatasetRemoval, Membership, Role, Study, StudyDeletion
from tests.collection.api.v1.visits import Program
from tests.factories import make_export, make_rater, make_researcher, make_session, make_study
from variants.jobs import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(client, monkeypatch):
    monkeypatch.setattr(Job, "enqueue", lambda job: None)
    return Program(client)


def test_a_rendition_is_rejected_and_restored(program):
    study = make_study(with_images=True)
    rendition = study.pairs.first().image_a
    path = f"studies/{study.slug}/renditions/{rendition.public_id}"
    before = study.pairs.count()
    lost = program.post(f"{path}/reject/").json()
    assert lost["state"] == "rejected"
    assert study.pairs.count() == before - lost["pairs"] < before
    assert program.post(f"{path}/reject/").status_code == 409
    assert program.post(f"{path}/restore/").json()["state"] == "rendered"
    ordered = program.post(f"studies/{study.slug}/renditions/")
    assert ordered.status_code in (201, 409)


def test_a_withdrawn_rater_leaves_no_answer(program):
    study = make_study()
    rater = make_rater(study)
    make_session(rater, [("main", "left", 900)] * 3)
    path = f"studies/{study.slug}/raters/{rater.public_id}/withdraw/"
    assert program.post(path).json() == {"raters": 1, "sessions": 1, "answers": 3, "datasets": 0}
    assert program.post(path).json()["raters"] == 0
    assert program.get(f"studies/{study.slug}/judgments/").json()["results"] == []


def test_retention_is_set_and_read(program):
    path = f"studies/{make_study().slug}/retention/"
    assert program.get(path).json() == {"until": None, "erases": "identifiers", "erased_at": None}
    kept = {"until": "2999-12-31", "erases": "data"}
    assert program.post(path, kept).json() == program.get(path).json() == kept | {"erased_at": None}
    assert program.post(path, kept | {"until": "2001-01-01"}).status_code == 409
    assert program.post(path, {}).json()["detail"] == "until is missing; send it."


def test_a_study_is_deleted_by_whoever_names_it(program):
    study = make_study()
    path = f"studies/{study.slug}/delete/"
    assert study.slug in program.post(path, {"slug": "another"}).json()["errors"][0]["detail"]
    assert not StudyDeletion.objects.exists()
    job = program.post(path, {"slug": study.slug, "with_exports": True})
    assert job.status_code == 201
    assert StudyDeletion.objects.get().with_exports
    assert Study.objects.get().status == "closed"
    assert program.get(f"deletions/{job.json()['id']}/").json()["study"] == study.slug


def test_the_files_of_a_dataset_go_and_say_why(program, tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "README.md").write_text("# Ours")
    export = make_export(make_study(), folder, manifest_sha256=manifest_write(folder))
    path = f"exports/{export.public_id}/delete/"
    assert program.post(path, {"why": " "}).status_code == 422
    assert folder.is_dir()
    assert program.post(path, {"why": "a mistake"}).status_code == 200
    assert not folder.exists()
    assert DatasetRemoval.objects.get().why == "a mistake"
    bare = make_export(make_study(), "")
    assert program.post(f"exports/{bare.public_id}/delete/", {"why": "x"}).status_code == 409


def test_members_change_and_one_owner_stays(program):
    study = make_study()
    for name, role in (("olga", Role.OWNER), ("vera", Role.VIEWER)):
        user = make_researcher(name, is_superuser=False)
        Membership.objects.create(study=study, user=user, role=role)
    path = f"studies/{study.slug}/members"

    def roles(reply):
        return {each["username"]: each["role"] for each in reply.json()["results"]}

    changed = program.post(f"{path}/role/", {"username": "vera", "role": "editor"})
    assert roles(changed) == {"olga": "owner", "vera": "editor"}
    assert program.post(f"{path}/remove/", {"username": "olga"}).status_code == 409
    wrong = program.post(f"{path}/remove/", {"username": "vero"}).json()
    assert "did you mean 'vera'?" in wrong["detail"]
    assert roles(program.post(f"{path}/remove/", {"username": "vera"})) == {"olga": "owner"}
