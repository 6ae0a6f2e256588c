"""Studies out as folders and in again, through a real database and real files."""

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from collection.export.check import check_folder
from collection.export.format import LATER_COLUMNS, OUTCOMES, QUESTIONNAIRE
from collection.export.judgments import QUESTIONNAIRE_COLUMNS
from collection.export.read import DatasetError, dataset_import
from collection.export.write import dataset_export, export_run
from collection.models import (
    Device,
    DisplayRecord,
    Export,
    Person,
    PhaseRecord,
    Question,
    Rater,
    Session,
    Study,
    StudyPair,
    StudyScene,
    Verdict,
)
from collection.services.displays import display_record_store
from collection.services.exports import export_create
from collection.services.phases import QUESTIONNAIRE_FIELDS
from collection.services.studies import StudyError
from collection.services.verdicts import verdicts_compute
from tests.collection import factories
from tests.collection.export import small
from variants.jobs import JobCancelled, JobError
from variants.models import Pair, Rendition, Scene

pytestmark = pytest.mark.django_db

MODELS = (
    Verdict, Question, DisplayRecord, Session, Rater, Device, Person, StudyPair, StudyScene, Export, Study, Pair,
    Rendition, Scene,
)  # fmt: skip
SMALL = {"n_main": 12, "n_checks": 4, "n_practice": 2, "check_lag": 3, "long_side": 96}


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    """Files of each test in a folder of its own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "media")},
        }
    }
    return tmp_path / "media"


@pytest.fixture
def study():
    """Four scenes, eight pairs each; alice and bob agree with themselves, charlie presses left, dave gave up."""
    study = factories.make_study(n_scenes=4, per_scene=8, files=True, **SMALL)
    record_hashes()
    for name in ("alice", "bob", "erin", "frank", "grace"):
        answer_truly(factories.make_session(study, name))
    factories.answer_all(factories.make_session(study, "charlie"))
    given_up = factories.make_session(study, "dave")
    answer_truly(given_up, up_to=9)
    factories.make_session(study, "only-looked")
    return study


def record_hashes():
    for rendition in Rendition.objects.exclude(image=""):
        with rendition.image.open("rb") as file:
            rendition.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        rendition.save(update_fields=["sha256"])


def answer_truly(session, up_to=1000):
    """Always the image with the smaller key, whichever side it is on."""
    display_record_store(
        session, {"screen_width": 1440, "screen_height": 900, "pixel_ratio": 1.5, "platform": "Ünix"}
    )
    questions = list(session.questions.filter(index__lt=up_to))
    for question in questions:
        question.chosen_side = "left" if question.left_id < question.right_id else "right"
        question.response_ms = 700 + 13 * question.index
        question.answered_at = timezone.now()
    Question.objects.bulk_update(questions, ["chosen_side", "response_ms", "answered_at"])
    if not session.questions.filter(answered_at=None).exists():
        Session.objects.filter(pk=session.pk).update(finished_at=timezone.now())


def empty_the_database():
    for model in MODELS:
        model.objects.all().delete()


def rows(folder, table):
    return pq.read_table(folder / f"{table}.parquet").to_pylist()


def files_of(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in MODELS}


def test_an_export_is_a_whole_dataset(study, tmp_path):
    facts = dataset_export(study, tmp_path / "out")
    assert check_folder(tmp_path / "out") == []
    assert facts.rows["raters"] == 7  # not the one who only looked
    # 6 finished sessions of 16; dave answered 2 practice pairs and 7 of the others.
    assert facts.rows["judgments"] == 6 * 16 + 7


def test_every_answer_but_practice_is_in_it_once(study, tmp_path):
    dataset_export(study, tmp_path / "out")
    answered = Question.objects.exclude(kind="practice").exclude(answered_at=None)
    judgments = rows(tmp_path / "out", "judgments")
    assert {row["judgment_id"] for row in judgments} == set(answered.values_list("public_id", flat=True))
    by_id = {row["judgment_id"]: row for row in judgments}
    for question in answered.select_related("left", "right", "repeats", "session__rater", "pair"):
        row = by_id[question.public_id]
        assert row["rater_id"] == question.session.rater.public_id
        assert row["pair_id"] == question.pair.public_id
        assert row["preferred_image"] == question.preferred.public_id
        assert row["rejected_image"] == question.rejected.public_id
        assert row["response_ms"] == question.response_ms
        assert row["repeats_judgment"] == (question.repeats.public_id if question.repeats else None)
        assert abs(row["answered_at"] - question.answered_at).total_seconds() < 0.001


def test_verdicts_and_splits_stand_with_the_raters(study, tmp_path):
    dataset_export(study, tmp_path / "out")
    raters = {row["rater_id"]: row for row in rows(tmp_path / "out", "raters")}
    charlie = raters[rater_id("charlie")]
    assert not charlie["valid"]
    assert charlie["exclusion_reason"] == "inconsistent,one_sided"
    assert charlie["consistency"] == 0
    assert charlie["split"] == "none"
    assert raters[rater_id("dave")]["exclusion_reason"] == "too_few_answers"
    alice = raters[rater_id("alice")]
    assert (alice["valid"], alice["consistency"], alice["n_answers"]) == (True, 1, 16)
    assert (alice["screen_width"], alice["pixel_ratio"], alice["platform"]) == (1440, 1.5, "Ünix")
    splits = [row["split"] for row in raters.values() if row["valid"]]
    assert sorted(splits) == ["train"] * 4 + ["validation"]  # a fifth of five


def test_a_tie_prefers_nothing(study, tmp_path):
    """Ties of bob: a first answer, another check, and an answer that no check repeats."""
    first, other = Question.objects.filter(session__rater__public_id=(bob := rater_id("bob")), kind="check")[
        :2
    ]
    plain = Question.objects.filter(session=first.session, kind="main", repeated_by=None)[0]
    ties = [first.repeats, other, plain]
    Question.objects.filter(pk__in=[tie.pk for tie in ties]).update(chosen_side="tie")
    facts = dataset_export(study, tmp_path / "out")
    assert facts.ties == 3
    assert check_folder(tmp_path / "out") == []
    judgments = {row["judgment_id"]: row for row in rows(tmp_path / "out", "judgments")}
    for tie in ties:
        row = judgments[tie.public_id]
        assert (row["chosen_side"], row["preferred_image"], row["rejected_image"]) == ("tie", None, None)
    row = next(row for row in rows(tmp_path / "out", "raters") if row["rater_id"] == bob)
    assert (row["n_answers"], row["consistency"], row["valid"]) == (16, 1, True)


def test_a_rater_is_judged_by_the_answers_that_are_written(study, tmp_path):
    """A check whose first answer is still open repeats nothing, so it stays out; another check is a tie."""
    check, tie = Question.objects.filter(session__rater__public_id=(bob := rater_id("bob")), kind="check")[:2]
    Question.objects.filter(pk=check.repeats_id).update(chosen_side="", answered_at=None)
    Question.objects.filter(pk=tie.pk).update(chosen_side="tie")
    dataset_export(study, tmp_path / "out")
    assert check_folder(tmp_path / "out") == []
    row = next(row for row in rows(tmp_path / "out", "raters") if row["rater_id"] == bob)
    assert (row["n_answers"], row["consistency"], row["valid"]) == (14, 1, True)


def screen(name, *, language="", questionnaire=None, **outcomes):
    session = Session.objects.get(rater__public_id=rater_id(name))
    Session.objects.filter(pk=session.pk).update(language=language)
    for phase, tries in outcomes.items():
        for attempt, outcome in enumerate(tries.split(), start=1):
            session.phases.create(phase=phase, attempt=attempt, outcome=outcome, answers={"answers": ["12"]})
    if questionnaire is not None:
        session.phases.create(phase="questionnaire", answers=questionnaire)


def test_screenings_and_what_was_said_stand_with_the_raters(study, tmp_path):
    said = {
        "night_mode": "yes",
        "room_light": "dim",
        "device": "phone_in_hand",
        "comments": "my name is Alice",
    }
    screen("alice", language="de", levels="passed", practice="failed passed", questionnaire=said)
    screen("bob", language="en", color_vision="unknown", levels="failed", questionnaire={"device": "laptop"})
    screen("erin", questionnaire={})
    dataset_export(study, tmp_path / "out")
    raters = {row["rater_id"]: row for row in rows(tmp_path / "out", "raters")}
    columns = LATER_COLUMNS["raters"]
    assert columns == (
        "language", "color_vision", "levels", "practice", "night_mode", "room_light", "device_kind",
    )  # fmt: skip
    told = {name: [raters[rater_id(name)][column] for column in columns] for name in ("alice", "bob", "erin")}
    assert told == {
        "alice": ["de", None, "passed", "passed", "yes", "dim", "phone_in_hand"],
        "bob": ["en", "unknown", "failed", None, None, None, "laptop"],
        "erin": [None] * 7,
    }
    assert b"Alice" not in b"".join(files_of(tmp_path / "out").values())
    assert "Alice" not in str(raters)


def test_all_that_can_be_said_can_be_in_a_dataset():
    for column, field in QUESTIONNAIRE_COLUMNS.items():
        assert all(QUESTIONNAIRE_FIELDS[field](value) for value in QUESTIONNAIRE[column])
    assert set(QUESTIONNAIRE_FIELDS) - set(QUESTIONNAIRE_COLUMNS.values()) == {"comments"}
    assert set(PhaseRecord.Outcome.values) == set(OUTCOMES)


def test_the_screen_of_another_rater_is_not_this_ones(study, tmp_path):
    session = Session.objects.get(rater__public_id=(alice := rater_id("alice")))
    session.displays.create(screen_width=3840, screen_height=2160, is_same_screen=False)
    dataset_export(study, tmp_path / "out")
    row = next(row for row in rows(tmp_path / "out", "raters") if row["rater_id"] == alice)
    assert (row["screen_width"], row["screen_height"]) == (1440, 900)


def rater_id(name):
    from collection.selectors.people import token_sha256

    return Rater.objects.get(person__cookie_sha256=token_sha256(f"{name}'s random token")).public_id


def test_exporting_twice_gives_the_same_bytes(study, tmp_path):
    dataset_export(study, tmp_path / "one")
    dataset_export(study, tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_split_stays_when_more_raters_come(study, tmp_path):
    dataset_export(study, tmp_path / "one")
    for name in ("heidi", "ivan", "judy", "ken", "lena"):
        answer_truly(factories.make_session(study, name))
    dataset_export(study, tmp_path / "two")
    before, after = (
        {r["rater_id"]: r["split"] for r in rows(tmp_path / n, "raters")} for n in ("one", "two")
    )
    assert before.items() <= after.items()
    assert list(after.values()).count("validation") == 2


def test_one_person_on_two_devices_is_in_one_split(study, tmp_path):
    for n in range(6):
        answer_truly(factories.make_session(study, f"person {n}", "laptop"))
        answer_truly(factories.make_session(study, f"person {n}", "phone"))
    dataset_export(study, tmp_path / "out")
    splits: dict[str, set[str]] = {}
    for row in rows(tmp_path / "out", "raters"):
        if row["valid"]:
            splits.setdefault(row["person_id"], set()).add(row["split"])
    assert len(splits) == 11
    assert all(len(of_person) == 1 for of_person in splits.values())


def test_who_withdrew_is_not_in_it(study, tmp_path):
    gone = rater_id("alice")
    Rater.objects.filter(public_id=gone).update(withdrawn_at=timezone.now())
    dataset_export(study, tmp_path / "out")
    assert gone not in {row["rater_id"] for row in rows(tmp_path / "out", "raters")}
    assert gone not in {row["rater_id"] for row in rows(tmp_path / "out", "judgments")}


def test_no_cookie_and_no_panel_id_leaves_the_site(study, tmp_path):
    Person.objects.update(panel="prolific")
    for person in Person.objects.all():
        person.panel_id = f"panel-id-of-{person.pk}"
        person.save()
    dataset_export(study, tmp_path / "out")
    everything = b"".join(files_of(tmp_path / "out").values())
    for table in ("raters", "judgments"):
        everything += json.dumps(rows(tmp_path / "out", table), default=str).encode()
    for person in Person.objects.all():
        assert person.cookie_sha256.encode() not in everything
        assert person.panel_id.encode() not in everything


def test_a_neutral_image_comes_along_though_it_is_in_no_pair(study, tmp_path):
    scene = Scene.objects.first()
    neutral = scene.renditions.get(recipe={"steps": []})
    asked = Question.objects.filter(pair__scene=scene)
    StudyPair.objects.filter(pair__image_a=neutral).delete()
    asked.filter(pair__image_a=neutral).exclude(kind="main").delete()
    asked.filter(pair__image_a=neutral).delete()
    verdicts_compute(study)
    dataset_export(study, tmp_path / "out")
    assert not [
        row
        for row in rows(tmp_path / "out", "pairs")
        if neutral.public_id in (row["image_a"], row["image_b"])
    ]
    assert neutral.public_id in {row["image_id"] for row in rows(tmp_path / "out", "images")}
    assert (tmp_path / "out" / "images" / f"{neutral.public_id}.webp").exists()


def test_answers_that_come_in_after_the_verdict_are_judged(study, tmp_path):
    verdicts_compute(study)
    answer_truly(Session.objects.get(rater__public_id=(dave := rater_id("dave"))))
    dataset_export(study, tmp_path / "out")
    row = next(row for row in rows(tmp_path / "out", "raters") if row["rater_id"] == dave)
    assert (row["valid"], row["n_answers"]) == (True, 16)


def test_export_import_export_is_the_same_file_for_file(study, tmp_path):
    study.purpose, study.licence, study.citation = "To see.", "cc-by-4.0", "Us, 2026"
    study.save()
    Question.objects.filter(kind="main", index=5).exclude(answered_at=None).update(chosen_side="tie")
    said = {"night_mode": "unsure", "room_light": "bright", "device": "other"}
    screen(
        "alice", language="ja", color_vision="failed", levels="passed", practice="passed", questionnaire=said
    )
    screen("dave", language="en", levels="unknown", practice="failed failed", questionnaire={})
    dataset_export(study, tmp_path / "one")
    before = files_of(tmp_path / "one")
    empty_the_database()
    shutil.rmtree(tmp_path / "media")

    again = dataset_import(tmp_path / "one")
    assert (again.status, again.slug, again.public_id) == ("closed", study.slug, study.public_id)
    dataset_export(again, tmp_path / "two")
    after = files_of(tmp_path / "two")
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []


def test_an_import_links_checks_and_keeps_verdicts(study, tmp_path):
    dataset_export(study, tmp_path / "out")
    stated = {row["rater_id"]: row for row in rows(tmp_path / "out", "raters")}
    empty_the_database()
    dataset_import(tmp_path / "out")
    for check in Question.objects.filter(kind="check").select_related("repeats"):
        assert (check.left_id, check.right_id) == (check.repeats.right_id, check.repeats.left_id)
        assert check.session_id == check.repeats.session_id
    for verdict in Verdict.objects.select_related("rater"):
        row = stated[verdict.rater.public_id]
        assert verdict.may_be_used == row["valid"]
        assert verdict.consistency == pytest.approx(row["consistency"])
    assert Session.objects.filter(finished_at=None).count() == 1
    assert StudyPair.objects.get(pair=Question.objects.filter(kind="main").first().pair).exposures > 0


def test_an_imported_pair_has_the_source_type_of_its_images(study, tmp_path):
    Rendition.objects.exclude(recipe={"steps": []}).update(source_type="A")
    dataset_export(study, tmp_path / "out")
    empty_the_database()
    dataset_import(tmp_path / "out")
    assert Pair.objects.filter(image_a__recipe={"steps": []}).exists()
    assert set(Pair.objects.values_list("source_type", flat=True)) == {"A"}


def test_simulated_raters_keep_their_taste_and_their_name(study, tmp_path):
    for rater in Rater.objects.select_related("person"):
        rater.simulation = {"taste": [1.0, -0.25, 1e-7], "b": "ü", "a": None}
        rater.person.is_simulated = True
        rater.person.save()
        rater.save()
    study.is_simulated = True
    study.save()
    dataset_export(study, tmp_path / "one")
    assert "**SIMULATED.** 7 of the 7 raters" in (tmp_path / "one" / "README.md").read_text()
    empty_the_database()
    again = dataset_import(tmp_path / "one")
    assert again.is_simulated
    assert Rater.objects.first().simulation == {"taste": [1.0, -0.25, 1e-7], "b": "ü", "a": None}
    dataset_export(again, tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_folder_made_elsewhere_comes_in_without_a_protocol(tmp_path):
    folder = small.write_small(tmp_path / "elsewhere")
    study = dataset_import(folder)
    assert study.protocol["n_main"] == 4
    assert study.protocol["n_checks"] == 1
    assert "without a protocol" in study.purpose
    verdicts = {v.rater.public_id: v for v in Verdict.objects.select_related("rater")}
    assert verdicts["alice"].may_be_used
    # Not by the rules of this site: the folder's word is kept, and said to be its word.
    assert verdicts["charlie"].reasons == ["median_too_fast"]
    assert verdicts["charlie"].evidence["stated_by"] == "dataset folder"


def test_policies_and_propensities_come_back(study, tmp_path):
    main = Question.objects.filter(session__study=study, kind="main")
    main.update(policy="information", propensity=0.125)
    checks = Question.objects.filter(session__study=study, kind="check")
    checks.update(policy="mirrored_repeat", propensity=None)
    dataset_export(study, tmp_path / "out")
    written = [(j["is_check"], j["policy"], j["propensity"]) for j in rows(tmp_path / "out", "judgments")]
    assert set(written) == {(False, "information", 0.125), (True, "mirrored_repeat", None)}
    empty_the_database()
    again = Question.objects.filter(session__study=dataset_import(tmp_path / "out"))
    found = [(q.repeats_id is not None, q.policy, q.propensity) for q in again]
    assert sorted(found, key=str) == sorted(written, key=str)


def test_a_folder_from_before_there_were_phases_comes_in(study, tmp_path):
    dataset_export(study, tmp_path / "out")
    path = tmp_path / "out" / "raters.parquet"
    pq.write_table(pq.read_table(path).drop_columns(list(LATER_COLUMNS["raters"])), path)
    (tmp_path / "out" / "croissant.json").unlink()
    path = tmp_path / "out" / "protocol.json"
    document = json.loads(path.read_text())
    later = ("phases", "turn_away", "practice_tries", "block_size", "allow_tie", "allow_undo", "languages")
    document["protocol"] = {name: v for name, v in document["protocol"].items() if name not in later}
    path.write_text(json.dumps(document))
    empty_the_database()
    again = dataset_import(tmp_path / "out")
    assert again.protocol["phases"] == ["consent", "display", "practice", "main"]
    assert (again.protocol["practice_tries"], again.protocol["block_size"]) == (1, 0)
    assert Session.objects.filter(study=again, language="").count() == 7
    assert not PhaseRecord.objects.exists()


def test_two_datasets_may_share_scenes_images_and_people(study, tmp_path):
    second = Study.objects.create(slug="second", name="Second", status="open", protocol=study.protocol)
    for scene in study.scenes.all():
        StudyScene.objects.create(study=second, scene=scene)
    for pair in study.pairs.all():
        StudyPair.objects.create(study=second, pair=pair)
    answer_truly(factories.make_session(second, "alice"))
    dataset_export(study, tmp_path / "one")
    dataset_export(second, tmp_path / "two")
    empty_the_database()
    dataset_import(tmp_path / "one")
    n_images = Rendition.objects.count()
    again = dataset_import(tmp_path / "two")
    assert Rendition.objects.count() == n_images
    assert Person.objects.filter(raters__study=again).get().raters.count() == 2
    dataset_export(again, tmp_path / "three")
    assert files_of(tmp_path / "two") == files_of(tmp_path / "three")


def test_the_same_dataset_twice_is_refused(study, tmp_path):
    dataset_export(study, tmp_path / "out")
    with pytest.raises(DatasetError, match=f"already here, as {study.slug}"):
        dataset_import(tmp_path / "out")
    (tmp_path / "out" / "protocol.json").unlink()
    with pytest.raises(DatasetError, match=f"already here, in the study {study.slug}"):
        dataset_import(tmp_path / "out")


def test_a_slug_that_is_taken_is_refused_and_another_can_be_given(study, tmp_path, storage):
    dataset_export(study, tmp_path / "out")
    empty_the_database()
    shutil.rmtree(storage)
    Study.objects.create(slug=study.slug, name="Other", protocol={})
    before = counts()
    with pytest.raises(StudyError, match="already here"):
        dataset_import(tmp_path / "out")
    assert counts() == before
    assert files_of(storage) == {}
    assert dataset_import(tmp_path / "out", slug="mine").slug == "mine"


def test_who_withdrew_does_not_come_back_with_an_old_dataset(study, tmp_path):
    dataset_export(study, tmp_path / "out")
    gone = rater_id("bob")
    empty_the_database()
    rater = factories.make_rater(factories.make_study())
    Rater.objects.filter(pk=rater.pk).update(public_id=gone, withdrawn_at=timezone.now())
    with pytest.raises(DatasetError, match="has withdrawn"):
        dataset_import(tmp_path / "out")


def flip_a_byte(folder):
    path = next((folder / "images").iterdir())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def lose_an_image(folder):
    next((folder / "images").iterdir()).unlink()


def drop_a_column(folder):
    path = folder / "judgments.parquet"
    pq.write_table(pq.read_table(path).drop_columns("chosen_side"), path)


def truncate(folder):
    path = folder / "judgments.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def set_value(table, column, value):
    def damage(folder):
        import pyarrow as pa

        path = folder / f"{table}.parquet"
        data = pq.read_table(path)
        changed = data.to_pylist()
        changed[0][column] = value
        pq.write_table(pa.Table.from_pylist(changed, schema=data.schema), path)

    return damage


def link_an_image(folder):
    path = next((folder / "images").iterdir())
    shutil.copy(path, folder / "elsewhere")
    path.unlink()
    path.symlink_to(folder / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_a_byte, "has sha256"),
        (lose_an_image, "is missing"),
        (drop_a_column, "judgments.parquet: has no column 'chosen_side'"),
        (truncate, "judgments.parquet: is no whole Parquet file"),
        (set_value("scenes", "split", "holdout"), "scenes.parquet, row 0: split is 'holdout'"),
        (
            set_value("images", "file_name", "images/../../../etc/passwd"),
            "images.parquet, row 0: file_name is",
        ),
        (link_an_image, "links are not followed"),
        (set_value("scenes", "category", "x" * 5_000_000), "scenes.parquet, row 0: category is 'xxx"),
    ],
)
def test_a_damaged_folder_leaves_nothing_behind(study, tmp_path, storage, damage, message):
    dataset_export(study, tmp_path / "out")
    empty_the_database()
    shutil.rmtree(storage)
    damage(tmp_path / "out")
    with pytest.raises(DatasetError, match="nothing was imported") as caught:
        dataset_import(tmp_path / "out")
    assert message in str(caught.value)
    assert set(counts().values()) == {0}
    assert not storage.exists()


def test_a_cancelled_import_leaves_nothing_behind(study, tmp_path, storage):
    dataset_export(study, tmp_path / "out")
    empty_the_database()
    shutil.rmtree(storage)

    def cancel(done, total, stage):
        if stage == "storing answers":
            assert files_of(storage)
            raise JobCancelled

    with pytest.raises(JobCancelled):
        dataset_import(tmp_path / "out", cancel)
    assert set(counts().values()) == {0}
    assert files_of(storage) == {}


def test_a_clash_in_the_database_leaves_nothing_behind(study, tmp_path, storage):
    """A pair of the same two images is here under another ID."""
    dataset_export(study, tmp_path / "out")
    for model in MODELS[:-2]:
        model.objects.all().delete()
    a, b = Scene.objects.first().renditions.all()[:2]
    Pair.objects.create(scene=a.scene, image_a=a, image_b=b, delta_e=1)
    before, kept = counts(), files_of(storage)
    with pytest.raises(DatasetError, match="clashes with what is here"):
        dataset_import(tmp_path / "out")
    assert counts() == before
    assert files_of(storage) == kept


def test_an_image_that_is_here_with_other_bytes_is_named(study, tmp_path):
    dataset_export(study, tmp_path / "out")
    for model in MODELS[:-2]:
        model.objects.all().delete()
    image = rows(tmp_path / "out", "images")[0]["image_id"]
    Rendition.objects.filter(public_id=image).update(sha256="0" * 64)
    with pytest.raises(DatasetError, match=f"image {image} is already here with another sha256"):
        dataset_import(tmp_path / "out")


def test_an_image_that_changed_in_storage_stops_the_export(study, tmp_path):
    image = Rendition.objects.get(pk=Question.objects.filter(kind="main").first().left_id)
    default_storage.delete(image.image.name)
    with pytest.raises(JobError, match=f"image {image.public_id} cannot be read"):
        dataset_export(study, tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_an_export_job_says_what_came_out(study, tmp_path):
    export = export_create(study)
    assert Path(export.folder).name == f"{study.slug}-1"
    export.run(export_run)
    export.refresh_from_db()
    assert (export.state, export.error) == ("done", "")
    assert export.counts["judgments"] == 103
    assert len(export.sha256) == 64
    second = export_create(study)
    assert Path(second.folder).name == f"{study.slug}-2"
    shutil.rmtree(export.folder)


def test_a_cancelled_export_leaves_nothing(study, tmp_path):
    export = export_create(study, tmp_path / "exports" / "mine")
    assert export.claim()
    Export.objects.filter(pk=export.pk).update(cancel_requested=True)
    with pytest.raises(JobCancelled):
        export_run(export)
    assert list((tmp_path / "exports").iterdir()) == []


def test_a_study_without_answers_has_no_dataset(tmp_path):
    study = factories.make_study()
    with pytest.raises(StudyError, match="nobody has answered"):
        export_create(study)


def test_a_folder_that_is_there_is_refused_at_once(study, tmp_path):
    with pytest.raises(StudyError, match="never overwritten"):
        export_create(study, tmp_path)


def test_queries_do_not_grow_with_raters(study, tmp_path, django_assert_max_num_queries):
    with django_assert_max_num_queries(40):
        dataset_export(study, tmp_path / "out")


def test_hugging_face_datasets_loads_the_export(study, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    dataset_export(study, tmp_path / "out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datasets import load_dataset

        loaded = load_dataset(str(tmp_path / "out"), "judgments", cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].num_rows == 103
    assert set(loaded["train"].unique("rater_id")) == {
        r["rater_id"] for r in rows(tmp_path / "out", "raters")
    }
