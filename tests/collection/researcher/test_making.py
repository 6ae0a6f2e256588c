"""Making a study on the pages, short of the browser."""

import hashlib
import io

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from collection.design.protocol import Protocol
from collection.models import AuditEntry, Membership, Person, ProtocolVersion, Question, Role, Session, Study
from collection.rendering import study_photos_import, study_variants_render
from collection.selectors.studies import StudyNotFound, study_find
from collection.services.copies import study_preview
from collection.services.photos import UploadError, photo_store, photos_begin, photos_finish
from collection.services.studies import StudyError, study_create
from tests.collection import factories
from tests.factories import make_researcher
from tests.factories import make_study as plain_study
from variants.jobs import Job
from variants.models import PhotoFile, PhotoJob, RenderJob, Rendition, Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    user = make_researcher("alice", is_superuser=False)
    client.force_login(user)
    return user


def own(study, user, role=Role.OWNER):
    Membership.objects.create(study=study, user=user, role=role)
    return study


def address(name, study, *args):
    return reverse(f"researcher:{name}", args=[study.slug, *args])


def photo(seed=1, size=(64, 48)):
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(out, "PNG")
    return out.getvalue()


def draft(user, **protocol):
    """An empty draft of theirs."""
    return own(study_create("Draft", scenes=(), protocol=Protocol(**protocol)), user)


def typed(client, study):
    """What the browser would post of the editor, unchanged."""
    form = client.get(address("protocol-edit", study)).context["form"]
    data = {}
    for field in form:
        value = field.value()
        if value is True:
            data[field.html_name] = "on"
        elif value not in (False, None):
            data[field.html_name] = value
    return data


# New, from a file, from another


def test_a_new_study_is_an_empty_draft_of_whoever_makes_it(client, alice):
    reply = client.post(
        reverse("researcher:study-new"),
        {"how": "plain", "plain-name": "Töne für 写真", "plain-purpose": "Why", "plain-licence": "cc-by-4.0"},
    )
    study = Study.objects.get()
    assert reply.url == study.get_absolute_url()
    assert (study.name, study.purpose, study.licence, study.status) == (
        "Töne für 写真",
        "Why",
        "cc-by-4.0",
        "draft",
    )
    assert not study.scenes.exists()
    assert study.memberships.get().user_id == alice.pk
    page = client.get(reply.url).content.decode()
    assert "None yet: upload some" in page
    assert "Open the study" not in page


def test_new_is_an_address_and_no_slug(client, alice):
    assert study_create("New", scenes=()).slug == "new-2"
    with pytest.raises(StudyError, match="address of its own"):
        study_create("Another", slug="new", scenes=())


def test_a_file_makes_a_study_of_scenes_that_one_may_use(client, alice):
    Scene.objects.create(name="mine", width=10, height=10, uploaded_by=alice)
    Scene.objects.create(name="a stranger's", width=10, height=10)
    upload = SimpleUploadedFile("s.yaml", "name: Größe\nprotocol:\n  n_main: 9\n  n_checks: 2\n".encode())
    client.post(reverse("researcher:study-new"), {"how": "file", "file-file": upload})
    study = Study.objects.get()
    assert (study.name, study.protocol["n_main"]) == ("Größe", 9)
    assert [scene.name for scene in study.scenes.all()] == ["mine"]


def test_a_file_whose_slug_is_taken_can_have_another_name(client, alice):
    study_create("Grey", scenes=())

    def sent(name):
        upload = SimpleUploadedFile("s.yaml", b"name: Grey\nslug: grey\nscenes: {ids: []}\n")
        form = {"how": "file", "file-file": upload, "file-name": name}
        return client.post(reverse("researcher:study-new"), form)

    refused = sent("")
    assert refused.status_code == 422
    [error] = refused.context["forms"]["file"].errors["name"]
    assert "'grey' is already here: write another name" in error
    assert sent("Grey again").status_code == 302
    assert Study.objects.filter(name="Grey again", slug="grey-again").exists()


def test_the_recipes_of_a_file_are_what_the_page_orders(client, alice):
    Scene.objects.create(name="mine", width=10, height=10, uploaded_by=alice, original="a.jpg")
    text = "name: A\nrecipes:\n- steps: []\n- steps: [{concept: exposure, strength: 1}]\n"
    upload = SimpleUploadedFile("s.yaml", text.encode())
    client.post(reverse("researcher:study-new"), {"how": "file", "file-file": upload})
    study = Study.objects.get()
    page = address("study-renditions", study)
    assert client.get(page).context["form"]["design"].value() == "listed"
    client.post(page, {"design": "listed", "n": 16})
    assert [row.recipe for row in Rendition.objects.all()] == study.recipes
    assert len(study.recipes) == 2


def test_unknown_keys_of_a_file_are_told_with_their_line(client, alice):
    upload = SimpleUploadedFile("s.yaml", b"name: A\nprotocol:\n  n_mian: 9\n")
    reply = client.post(reverse("researcher:study-new"), {"how": "file", "file-file": upload})
    assert reply.status_code == 422
    text = reply.content.decode()
    assert "Line 3" in text
    assert "did you mean" in text
    assert not Study.objects.exists()


def test_a_clone_has_everything_but_answers_members_and_codes(client, alice):
    study = own(factories.make_study(n_main=8, n_checks=2), make_researcher("bob", is_superuser=False))
    own(study, alice, Role.VIEWER)
    factories.make_session(study)
    study.recruiting = {"access": "panel", "panel": "prolific", "completion_code": "PAID"}
    study.save()
    client.post(address("study-clone", study), {"name": "Again"})
    clone = Study.objects.get(cloned_from=study)
    assert clone.protocol == study.protocol
    assert set(clone.scenes.all()) == set(study.scenes.all())
    assert set(clone.pairs.all()) == set(study.pairs.all())
    assert (clone.status, clone.sessions.count(), clone.recruiting["completion_code"]) == ("draft", 0, "")
    assert {row.exposures for row in clone.studypair_set.all()} == {0}
    assert clone.memberships.get().user_id == alice.pk
    assert AuditEntry.objects.get(action="study.clone").what == study.slug


def test_a_clone_of_a_simulated_study_is_for_people(client, alice):
    study = own(factories.make_study(is_simulated=True, n_main=8, n_checks=2), alice)
    client.post(address("study-clone", study), {"name": "With people"})
    clone = Study.objects.get(cloned_from=study)
    assert not clone.is_simulated
    client.post(address("study-open", clone))
    assert client.get(reverse("participant:study-landing", args=[clone.slug])).status_code == 200


def test_a_licence_left_empty_is_another_one(client, alice):
    form = client.get(reverse("researcher:study-new")).context["forms"]["plain"]
    assert not form["licence"].value()
    client.post(reverse("researcher:study-new"), {"how": "plain", "plain-name": "A"})
    assert Study.objects.get().licence == "other"


def test_particulars_are_not_overwritten_unseen(client, alice):
    study = draft(alice)
    page = {"name": "Mine", "purpose": "", "licence": "other", "citation": "", "edition": "1"}
    client.post(address("study-edit", study), page | {"name": "Theirs"})
    reply = client.post(address("study-edit", study), page)
    assert reply.status_code == 409
    assert reply.context["merged"].clashes == [("Name", "Theirs", "Mine")]
    text = reply.content.decode()
    assert 'value="Mine"' in text
    study.refresh_from_db()
    assert study.name == "Theirs"
    client.post(address("study-edit", study), page | {"edition": str(reply.context["study"].edition)})
    study.refresh_from_db()
    assert study.name == "Mine"


def test_particulars_that_one_did_not_touch_follow_the_other(client, alice):
    study = draft(alice)
    study.purpose = "Line\nby line"
    study.save()
    page = client.get(address("study-edit", study))
    form = {field.html_name: field.value() for field in page.context["form"]}
    form |= {
        "edition": str(study.edition),
        "begun_from": page.context["begun_from"],
        "purpose": "Line\r\nby line",
    }
    client.post(address("study-edit", study), form | {"name": "Theirs", "licence": "cc0-1.0"})
    reply = client.post(address("study-edit", study), form | {"name": "Mine", "citation": "Me"})
    assert reply.status_code == 409
    assert reply.context["merged"].clashes == [("Name", "Theirs", "Mine")]
    assert reply.context["merged"].taken == [("Licence", "other", "cc0-1.0")]
    again = {field.html_name: field.value() for field in reply.context["form"]}
    again |= {"edition": str(reply.context["study"].edition), "begun_from": reply.context["begun_from"]}
    assert client.post(address("study-edit", study), again).status_code == 302
    study.refresh_from_db()
    assert (study.name, study.licence, study.citation) == ("Mine", "cc0-1.0", "Me")
    assert study.purpose.split() == ["Line", "by", "line"]


# The editor


def test_an_unchanged_form_is_the_same_protocol(client, alice):
    study = draft(
        alice,
        source_quotas={"A": 0.4, "D": 0.6},
        translations={"de": {"question": "Welches?", "consent": "Ja.\n\nNein."}},
        languages=("en", "de"),
        title="Fotos",
    )
    before = Protocol.from_json(study.protocol)
    data = typed(client, study)
    # Browsers send line ends as CR LF.
    data = {name: v.replace("\n", "\r\n") if isinstance(v, str) else v for name, v in data.items()}
    reply = client.post(address("protocol-edit", study), data)
    assert reply.status_code == 302
    study.refresh_from_db()
    assert Protocol.from_json(study.protocol) == before
    assert study.edition == 1


def test_every_setting_is_in_the_editor(client, alice):
    study = draft(alice)
    names = {
        name.partition(".")[0] for name in client.get(address("protocol-edit", study)).context["form"].fields
    }
    assert names == {*Protocol().to_json(), "edition", "begun_from"}


def test_what_is_typed_is_judged_field_by_field_and_nothing_stored(client, alice):
    study = draft(alice)
    data = typed(client, study) | {
        "n_main": "many", "surround": "#123456", "rules.min_consistency": "2", "source_quotas.A": "0.3", "seed": "",
    }  # fmt: skip
    found = client.post(address("protocol-validate", study), data).json()
    assert set(found["errors"]) == {"n_main", "surround", "rules.min_consistency", "source_quotas.A", "seed"}
    assert found["errors"]["n_main"] == "It must be a whole number from 1 to 1000; it is 'many'."
    good = client.post(address("protocol-validate", study), typed(client, study) | {"n_main": "40"}).json()
    assert good["errors"] == {}
    assert "the study has 0" in good["parts"]["protocol-summary"]
    study.refresh_from_db()
    assert study.protocol["n_main"] == 80


def test_rules_that_leave_out_everybody_are_warned_of(client, alice):
    study = draft(alice)
    data = typed(client, study) | {"rules.max_one_side_share": "0.4", "rules.min_consistency": "1"}
    summary = client.post(address("protocol-validate", study), data).json()["parts"]["protocol-summary"]
    assert "leave out practically everybody" in summary
    assert "34.9" in summary  # 0.9 ** 10


def test_two_researchers_at_once_lose_nothing(client, alice):
    study = draft(alice)
    data = typed(client, study)
    client.post(
        address("protocol-edit", study), data | {"n_main": "50", "block_size": "20", "allow_tie": "on"}
    )
    reply = client.post(address("protocol-edit", study), data | {"title": "Mein Titel", "n_main": "60"})
    assert reply.status_code == 409
    merged = reply.context["merged"]
    assert [(d.name, d.before, d.after) for d in merged.clashes] == [("n_main", "50", "60")]
    assert {(d.name, d.before, d.after) for d in merged.taken} == {
        ("block_size", "45", "20"),
        ("allow_tie", "no", "yes"),
    }
    assert 'value="Mein Titel"' in reply.content.decode()
    study.refresh_from_db()
    assert study.protocol["title"] == ""
    again = {field.html_name: field.value() for field in reply.context["form"]}
    again = {name: value for name, value in again.items() if value not in (False, None)}
    assert client.post(address("protocol-edit", study), again).status_code == 302
    study.refresh_from_db()
    protocol = study.protocol
    assert (protocol["title"], protocol["n_main"], protocol["block_size"]) == ("Mein Titel", 60, 20)
    assert protocol["allow_tie"] is True


def test_after_the_first_session_the_editor_makes_versions_and_keeps_what_is_frozen(client, alice):
    study = own(factories.make_study(n_main=8, n_checks=2), alice)
    factories.make_session(study)
    data = typed(client, study)
    assert "long_side" not in data
    client.post(address("protocol-edit", study), data | {"n_main": "6", "long_side": "64"})
    study.refresh_from_db()
    assert (study.protocol["n_main"], study.protocol["long_side"]) == (6, 1080)
    assert [v.made_by for v in ProtocolVersion.objects.order_by("number")] == [None, alice]
    page = client.get(address("study-protocol", study)).content.decode()
    assert "Main questions" in page
    assert "8 → 6" in page
    first = client.get(address("version-download", study, 1)).content.decode()
    present = client.get(address("study-download", study)).content.decode()
    assert "n_main: 8" in first
    assert "n_main: 6" in present
    assert client.get(address("version-download", study, 3)).status_code == 404


# Photos


def upload(client, study, job, name, data, **headers):
    return client.post(
        f"{address('photo-upload', study, job)}?name={name}",
        data,
        content_type="application/octet-stream",
        **headers,
    )


def begin(client, study, **fields):
    return client.post(address("photos-begin", study), fields).json()["job"]


def test_files_come_one_by_one_and_a_worker_makes_them_scenes(client, alice):
    study = draft(alice)
    job = begin(client, study, folders_are_categories="on", licence="CC0")
    assert upload(client, study, job, "holiday/beach/a.png", photo(1)).status_code == 201
    assert upload(client, study, job, "holiday/ü.png", photo(2)).status_code == 201
    assert upload(client, study, job, "holiday/a copy.png", photo(1)).status_code == 201
    assert upload(client, study, job, "holiday/note.png", b"no photo").status_code == 201
    assert not Scene.objects.exists()
    client.post(address("photos-finish", study, job))
    PhotoJob.objects.get().run(study_photos_import)

    assert [(s.name, s.category, s.licence, s.uploaded_by) for s in study.scenes.order_by("pk")] == [
        ("a", "beach", "CC0", alice),
        ("ü", "", "CC0", alice),
    ]
    refused = PhotoFile.objects.get(state="refused")
    assert (refused.name, "not an image" in refused.error) == ("holiday/note.png", True)
    assert not PhotoFile.objects.exclude(file="").exists()
    page = client.get(address("study-photos", study)).content.decode()
    assert "2 new, 0 on the site already, 1 refused" in page
    small = client.get(reverse("researcher:scene-thumbnail", args=[study.scenes.first().public_id]))
    assert Image.open(io.BytesIO(small.content)).size == (64, 48)


def test_too_large_is_refused_by_its_length_before_it_is_read(client, alice):
    study = draft(alice)
    job = begin(client, study)
    reply = upload(client, study, job, "huge.png", b"x", headers={"Content-Length": str(5_000_000_000)})
    assert reply.status_code == 413
    assert "5000 MB are too much: a photo has at most 200 MB" in reply.json()["error"]
    assert not PhotoFile.objects.exists()


def test_an_upload_that_breaks_off_leaves_nothing(alice, settings):
    job = photos_begin(draft(alice), alice)
    with pytest.raises(UploadError, match="broke off after 10 of 20 bytes"):
        photo_store(job, "a.png", io.BytesIO(b"0123456789"), 20)
    assert not PhotoFile.objects.exists()


def test_going_on_skips_what_is_there(client, alice):
    study = draft(alice)
    job = begin(client, study)
    upload(client, study, job, "a.png", photo(1))
    assert "An upload broke off" in client.get(address("study-photos", study)).content.decode()
    assert begin(client, study) == job

    def known(data):
        sha256 = hashlib.sha256(data).hexdigest()
        return client.post(address("photo-known", study, job), {"sha256": sha256, "name": "a.png"}).json()[
            "known"
        ]

    assert (known(photo(1)), known(photo(2))) == (True, False)
    Scene.objects.create(
        name="b", width=9, height=9, uploaded_by=alice, original_sha256=hashlib.sha256(photo(2)).hexdigest()
    )
    assert known(photo(2))
    photos_finish(PhotoJob.objects.get())
    PhotoJob.objects.get().run(study_photos_import)
    assert {scene.name for scene in study.scenes.all()} == {"a", "b"}


def test_a_strangers_photo_is_not_had_by_its_hash_alone(client, alice):
    study = draft(alice)
    job = begin(client, study)
    Scene.objects.create(name="secret", width=9, height=9, original_sha256="a" * 64)
    reply = client.post(address("photo-known", study, job), {"sha256": "a" * 64, "name": "x.png"})
    assert reply.json() == {"known": False}
    scene = Scene.objects.get()
    assert client.get(reverse("researcher:scene-thumbnail", args=[scene.public_id])).status_code == 404
    client.post(address("scenes-choose", study), {"scene": scene.public_id})
    assert not study.scenes.exists()


def test_a_dropped_upload_leaves_no_file(client, alice):
    study = draft(alice)
    job = begin(client, study)
    upload(client, study, job, "a.png", photo(1))
    stored = PhotoFile.objects.get().file
    client.post(address("photos-cancel", study, job))
    file = PhotoFile.objects.get()
    assert (file.state, file.file.name) == ("refused", "")
    assert not stored.storage.exists(stored.name)
    assert begin(client, study) != job


def test_a_job_that_was_sent_off_takes_no_more_files(client, alice):
    study = draft(alice)
    job = begin(client, study)
    upload(client, study, job, "a.png", photo(1))
    client.post(address("photos-finish", study, job))
    reply = upload(client, study, job, "b.png", photo(2))
    assert reply.status_code == 409
    assert begin(client, study) != job


def test_a_server_folder_is_one_below_the_import_folder(client, alice, tmp_path, settings):
    root = tmp_path / "imports"
    (root / "trip" / "sea").mkdir(parents=True)
    (root / "trip" / "sea" / "a.png").write_bytes(photo(1))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "s.png").write_bytes(photo(2))
    (root / "trip" / "link.png").symlink_to(tmp_path / "secret" / "s.png")
    settings.IMPORT_FOLDER = str(root)
    study = draft(alice)
    assert client.post(address("photos-folder", study), {"folder": "trip"}).status_code == 404
    alice.is_staff = True
    alice.save()
    assert "trip/sea (1 photo)" in client.get(address("study-photos", study)).content.decode()
    for outside in ("../secret", "/etc", "trip/../../secret", "nowhere", "\0"):
        client.post(address("photos-folder", study), {"folder": outside})
    assert not PhotoJob.objects.exists()
    client.post(address("photos-folder", study), {"folder": "trip", "folder-folders_are_categories": "on"})
    PhotoJob.objects.get().run(study_photos_import)
    assert [(s.name, s.category) for s in study.scenes.all()] == [("a", "sea")]
    assert "link to outside" in PhotoFile.objects.get(state="refused").error


def test_scenes_are_chosen_and_taken_out_while_it_is_a_draft(client, alice):
    study, other = draft(alice), own(plain_study(n_scenes=2), alice)
    first, second = other.scenes.order_by("pk")
    client.post(address("scenes-choose", study), {"scene": first.public_id})
    client.post(address("scenes-choose", study), {"all": "yes"})
    assert set(study.scenes.all()) == {first, second}
    client.post(address("scene-remove", study, first.public_id))
    assert set(study.scenes.all()) == {second}
    Study.objects.filter(pk=study.pk).update(status="open")
    client.post(address("scenes-choose", study), {"scene": first.public_id})
    assert set(study.scenes.all()) == {second}


# Renditions, pairs, the list of what is missing


def test_from_photos_to_open_on_the_pages(client, alice):
    study = draft(alice, n_main=4, n_checks=1, long_side=64, n_practice=1)
    job = begin(client, study)
    for seed in (1, 2):
        upload(client, study, job, f"{seed}.png", photo(seed))
    client.post(address("photos-finish", study, job))
    PhotoJob.objects.get().run(study_photos_import)
    client.post(address("study-renditions", study), {"design": "mixed", "n": "6"})
    render_job = study.render_jobs.get()
    render_job.run(study_variants_render)
    assert render_job.state == Job.State.DONE, render_job.error
    pairs = client.get(address("study-pairs", study))
    assert pairs.context["n_pairs"] == study.pairs.count() > 4
    overview = client.get(study.get_absolute_url())
    assert [step.is_done for step in overview.context["steps"]] == [True] * 5
    client.post(address("study-open", study))
    study.refresh_from_db()
    assert study.status == "open"


def test_edits_that_cannot_be_are_told(client, alice):
    study = own(plain_study(), alice)
    reply = client.post(address("study-renditions", study), {"design": "grid", "n": "9"})
    assert reply.status_code == 422
    assert "at most 1,000" in reply.content.decode()
    assert client.post(address("study-renditions", study), {"design": "none", "n": "9"}).status_code == 422
    empty = draft(alice)
    client.post(address("study-renditions", empty), {"design": "mixed", "n": "9"})
    assert not RenderJob.objects.exists()


# Preview


def test_a_preview_is_answered_on_the_real_pages_and_counts_nowhere(client, alice):
    study = own(factories.make_study(status="draft", n_main=12, n_checks=3, block_size=0), alice)
    reply = client.post(address("preview-begin", study))
    landing = client.get(reply.url)
    assert landing.status_code == 200
    assert "Preview" in landing.content.decode()
    visit = landing.context["visit"]
    begun = client.post(reply.url, {"consent_version": landing.context["consent_version"], "visit": visit})
    session = Session.objects.get()
    assert begun.url == reverse("participant:session-detail", args=[session.token])
    assert session.questions.exclude(kind="practice").count() == 10
    factories.answer_all(session)
    assert session.finished_at
    assert not session.rater.verdicts.exists()

    preview = session.study
    assert (study.sessions.count(), study.raters.count()) == (0, 0)
    assert {row.exposures for row in study.studypair_set.all()} == {0}
    assert client.get(preview.get_absolute_url()).status_code == 404
    assert preview.name == study.name
    assert client.get(reverse("researcher:study-list")).content.decode().count(study.get_absolute_url()) == 1
    with pytest.raises(StudyNotFound):
        study_find(preview.slug)


def test_a_draft_with_pairs_offers_its_preview(client, alice):
    study = own(factories.make_study(status="draft", n_main=8, n_checks=2), alice)
    assert "no-preview" not in client.get(study.get_absolute_url()).content.decode()


def test_previews_are_deleted_with_those_who_answered_them(client, alice):
    study = own(factories.make_study(n_main=12, n_checks=2), alice)
    preview = study_preview(study, short=True)
    factories.make_session(preview, "alice")
    factories.make_session(study, "bob")
    Study.objects.filter(pk=preview.pk).update(created_at="2020-01-01T00:00Z")
    study_preview(study, short=False)
    assert not Study.objects.filter(pk=preview.pk).exists()
    assert Person.objects.count() == 1
    assert Question.objects.filter(session__study=study).exists()


def test_a_study_without_pairs_has_no_preview(client, alice):
    study = draft(alice)
    page = client.get(study.get_absolute_url()).content.decode()
    assert page.count('disabled aria-describedby="no-preview"') == 2
    assert "needs photos and enough pairs first" in page
    reply = client.post(address("preview-begin", study), follow=True)
    assert "has no scenes" in reply.content.decode()
    assert Study.objects.count() == 1


def test_viewers_look_and_change_nothing(client, alice):
    study = own(factories.make_study(status="draft"), alice, Role.VIEWER)
    for name in ("study-photos", "study-renditions", "study-pairs", "study-protocol"):
        assert client.get(address(name, study)).status_code == 200
    assert client.get(address("protocol-edit", study)).status_code == 403
    for name in ("protocol-validate", "photos-begin", "study-renditions", "pairs-make", "preview-begin"):
        assert client.post(address(name, study)).status_code == 403
