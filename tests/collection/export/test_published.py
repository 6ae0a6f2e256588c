"""The layout that readers of the published PPSD use, out and in."""

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import skimage.data
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from collection.export.check import check_folder
from collection.export.published_read import NOTE, PublishedError, is_published, published_convert
from collection.export.published_write import published_write
from collection.export.read import DatasetError, dataset_import
from collection.export.write import export_run
from collection.models import Export, Rater, Study
from collection.services.exports import export_create
from learning.selectors import export_named, exports_done
from tests.collection import factories
from tests.collection.export import small
from tests.collection.export.test_round_trip import answer_truly, record_hashes, rows, storage
from variants.jobs import Job
from variants.models import Scene
from variants.tone.images import decode_image, read_photo

__all__ = ["storage"]  # a fixture for all tests here


def read_as_others_do(folder, split):
    """Rater → scene → (preferred, other) pixels, by the rules that published readers go by."""
    found = {}
    for path in sorted((folder / "responses" / split).glob("*.json")):
        for scene, answer in json.loads(path.read_text()).items():
            paths = [
                folder / "images" / scene.split("-")[0] / f"{scene}_{answer[name]}.jpg"
                for name in ("prefer", "non_prefer")
            ]
            pixels = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
            found.setdefault(path.stem, {})[scene] = pixels
    return found


def view(tmp_path, **changed):
    source = small.write_small(tmp_path / "source", **changed)
    published_write(source, tmp_path / "view")
    return tmp_path / "view"


def answers_of(folder):
    """Split → how often each set of choices was made, images by their bytes and scenes without their names."""
    return sorted(
        (
            split,
            sorted(
                tuple((folder / "images" / scene.split("-")[0] / f"{scene}_{answer[name]}.jpg").read_bytes() for name in ("prefer", "non_prefer"))
                for scene, answer in json.loads(path.read_text()).items()
            ),
        )
        for split in ("train", "validation")
        for path in (folder / "responses" / split).iterdir()
    )  # fmt: skip


def test_others_read_what_was_chosen(tmp_path):
    folder = view(tmp_path)
    train, validation = read_as_others_do(folder, "train"), read_as_others_do(folder, "validation")
    assert list(train) == ["user_response_example1"]  # alice
    assert list(validation) == ["user_response_example2"]  # bob; charlie is not valid
    assert set(train["user_response_example1"]) == {"D-scene-1", "D-scene-2"}
    neutral, other = train["user_response_example1"]["D-scene-2"]
    assert np.abs(neutral.astype(int) - (0, 100, 50)).max() <= 3  # JPEG at quality 95
    assert np.abs(other.astype(int) - (40, 100, 50)).max() <= 3


def test_the_readme_says_what_is_not_there(tmp_path):
    """15 judgments: charlie's 5, two checks and two second answers to each scene stay out."""
    tie = small.judgment_rows("alice")
    tie[2:4] = [small.as_tie(row) for row in tie[2:4]]
    judgments = [*tie, *small.judgment_rows("bob"), *small.judgment_rows("charlie")]
    folder = view(tmp_path, judgments=judgments)
    text = (folder / "README.md").read_text()
    for line in (
        "3 answers, 6 images of 2 scenes",
        "with 15 judgments",
        "- 5 judgments of raters who are not valid",
        "- 2 checks",
        "- 2 ties",
        "- 3 further answers",
        "6 of the images were not JPEG",
        "CC0-1.0: nobody (2)",
        "# Café | colours",
    ):
        assert line in text
    assert "SIMULATED" not in text


def test_a_view_of_nothing_is_refused_and_leaves_nothing(tmp_path):
    raters = [row | {"split": "none"} for row in small.tables()["raters"]]
    with pytest.raises(ValueError, match=r"nothing can be written in this layout.*15 judgments of raters"):
        view(tmp_path, raters=raters)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_view_is_never_written_over_another_and_goes_away_when_stopped(tmp_path):
    source = small.write_small(tmp_path / "source")

    def stop(done, total, stage):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        published_write(source, tmp_path / "view", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    (tmp_path / "view").mkdir()
    with pytest.raises(FileExistsError):
        published_write(source, tmp_path / "view")


def test_what_is_read_back_is_a_dataset_with_the_same_choices(tmp_path):
    folder = view(tmp_path)
    published_convert(folder, tmp_path / "back")
    assert check_folder(tmp_path / "back") == []
    raters = rows(tmp_path / "back", "raters")
    assert sorted((row["split"], row["valid"], row["n_answers"]) for row in raters) == [
        ("train", True, 2),
        ("validation", True, 2),
    ]
    assert all(row["response_ms"] is None for row in rows(tmp_path / "back", "judgments"))
    published_write(tmp_path / "back", tmp_path / "again")
    assert answers_of(tmp_path / "again") == answers_of(folder)


def test_colour_differences_are_those_of_the_images(tmp_path):
    published_convert(view(tmp_path), tmp_path / "back")
    # CIEDE2000 of sRGB (0, 100, 0) to (40, 100, 0) and of (0, 100, 50) to (40, 100, 50), by colour-science.
    import colour

    lab = [colour.XYZ_to_Lab(colour.sRGB_to_XYZ(np.array(c) / 255)) for c in ((0, 100, 0), (40, 100, 0), (0, 100, 50), (40, 100, 50))]  # fmt: skip
    expected = sorted((colour.delta_E(lab[0], lab[1]), colour.delta_E(lab[2], lab[3])))
    assert sorted(row["delta_e"] for row in rows(tmp_path / "back", "pairs")) == pytest.approx(
        expected, abs=0.6
    )


def published(folder: Path, responses: dict, images=("D1-00001_0", "D1-00001_1"), size=(24, 16)) -> Path:
    """A folder in the published layout, as somebody else would have written it."""
    for name, answers in responses.items():
        path = folder / "responses" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(answers if isinstance(answers, str) else json.dumps(answers))
    for n, name in enumerate(images):
        path = folder / "images" / name.split("-")[0] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (80 * n, 90, 100)).save(path, "JPEG")
    return folder


ONE = {"D1-00001": {"prefer": 1, "non_prefer": 0}}
FILE = "train/user_response_example1.json"


choices = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda pair: pair[0] != pair[1])
tables = st.lists(
    st.tuples(
        st.sampled_from(["train", "validation"]),
        st.dictionaries(st.sampled_from(["A-1", "D1-00001", "E3-a.b_c-d"]), choices, min_size=1),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=15)
@given(tables)
def test_any_choices_come_in_and_go_out_again(raters):
    responses = {
        f"{split}/user_response_example{n}.json": {
            scene: {"prefer": preferred, "non_prefer": other} for scene, (preferred, other) in answers.items()
        }
        for n, (split, answers) in enumerate(raters)
    }
    images = [f"{scene}_{n}" for scene in ("A-1", "D1-00001", "E3-a.b_c-d") for n in range(4)]
    with TemporaryDirectory() as folder:
        one = published(Path(folder) / "in", responses, images)
        (one / "responses" / "train").mkdir(exist_ok=True)
        (one / "responses" / "validation").mkdir(exist_ok=True)
        published_convert(one, Path(folder) / "dataset")
        assert check_folder(Path(folder) / "dataset") == []
        published_write(Path(folder) / "dataset", Path(folder) / "out")
        assert answers_of(Path(folder) / "out") == answers_of(one)


def test_numbers_as_texts_are_read_and_other_images_left_alone(tmp_path):
    answers = {"D1-00001": {"prefer": "1", "non_prefer": "0"}}
    images = ("D1-00001_0", "D1-00001_1", "D1-00001_2")
    folder = published(
        tmp_path / "in", {FILE: answers, "validation/user_response_example1.json": ONE}, images
    )
    (folder / "responses" / ".DS_Store").write_text("x")
    published_convert(folder, tmp_path / "out")
    assert len(rows(tmp_path / "out", "images")) == 2
    assert len(rows(tmp_path / "out", "pairs")) == 1
    assert (
        len({row["person_id"] for row in rows(tmp_path / "out", "raters")}) == 2
    )  # of one name in two splits
    judgments = rows(tmp_path / "out", "judgments")
    assert len({row["preferred_image"] for row in judgments}) == 1


def test_a_photo_that_is_turned_by_a_tag_is_stored_upright(tmp_path):
    folder = published(tmp_path / "in", {FILE: ONE})
    for n in (0, 1):
        path = folder / "images" / "D1" / f"D1-00001_{n}.jpg"
        exif = Image.Exif()
        exif[0x0112] = 6
        image = Image.new("RGB", (24, 16), (80 * n, 90, 100))
        image.save(path, "JPEG", exif=exif)
    published_convert(folder, tmp_path / "out")
    assert {(row["width"], row["height"]) for row in rows(tmp_path / "out", "images")} == {(16, 24)}
    assert check_folder(tmp_path / "out") == []


def test_a_photo_in_another_colour_space_is_brought_to_srgb(tmp_path):
    """rocket.jpg is tagged Adobe RGB (1998)."""
    rocket = Path(skimage.data.__file__).parent / "rocket.jpg"
    folder = published(tmp_path / "in", {FILE: ONE})
    for n in (0, 1):
        (folder / "images" / "D1" / f"D1-00001_{n}.jpg").write_bytes(rocket.read_bytes())
    published_convert(folder, tmp_path / "out")
    stored = next((tmp_path / "out" / "images").iterdir())
    seen, right = decode_image(stored.read_bytes()), read_photo(rocket).pixels
    assert np.abs(seen - right).mean() < 1 / 255
    assert np.abs(decode_image(rocket.read_bytes()) - right).mean() > 5 / 255


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        ({FILE: "{"}, f"responses/{FILE}: is no JSON"),
        ({FILE: "[]"}, "must be an object of 1 to"),
        ({FILE: "{}"}, "must be an object of 1 to"),
        ({FILE: "[" * 200_000}, f"responses/{FILE}: "),
        ({FILE: '{"D1-00001": {"prefer": 1, "non_prefer": 0}, "D1-00001": {"prefer": 0, "non_prefer": 1}}'},
         "'D1-00001' is there twice; a rater has one answer to a scene"),
        ({FILE: {"D1-00001": {"prefer": 1}}}, "the answer to D1-00001 must be"),
        ({FILE: {"D1-00001": {"prefer": 1, "non_prefer": 0, "tie": 2}}}, "the answer to D1-00001 must be"),
        ({FILE: {"D1-00001": {"prefer": 1, "non_prefer": 1}}}, "prefers image 1 to itself"),
        ({FILE: {"D1-00001": {"prefer": True, "non_prefer": 0}}}, "prefer of D1-00001 is True"),
        ({FILE: {"D1-00001": {"prefer": "../1", "non_prefer": 0}}}, "prefer of D1-00001 is '../1'"),
        ({FILE: {"D1-00001": {"prefer": -1, "non_prefer": 0}}}, "prefer of D1-00001 is -1"),
        ({FILE: {"D1-00001": {"prefer": 1.0, "non_prefer": 0}}}, "prefer of D1-00001 is 1.0"),
        ({FILE: {"D1-00001": {"prefer": 10**30, "non_prefer": 0}}}, "prefer of D1-00001 is 1000"),
        ({FILE: {"../../etc/passwd": {"prefer": 1, "non_prefer": 0}}}, "the scene '../../etc/passwd' must be"),
        ({FILE: {"D1-../x": {"prefer": 1, "non_prefer": 0}}}, "the scene 'D1-../x' must be"),
        ({FILE: {"../D-1": {"prefer": 1, "non_prefer": 0}}}, "the scene '../D-1' must be"),
        ({FILE: {"D1": {"prefer": 1, "non_prefer": 0}}}, "the scene 'D1' must be TYPE-NAME"),
        ({FILE: {"D1-1\n": {"prefer": 1, "non_prefer": 0}}}, "the scene 'D1-1\\n' must be"),
        ({FILE: {"F1-00001": {"prefer": 1, "non_prefer": 0}}}, "the type of F1-00001 is unknown"),
        ({FILE: {"D1-00001": {"prefer": 7, "non_prefer": 0}}}, "images/D1/D1-00001_7.jpg: is missing"),
        ({FILE: {"D2-00001": {"prefer": 1, "non_prefer": 0}}}, "images/D2: is missing or is no folder"),
        ({"test/user_response_example1.json": ONE}, "responses/test: is not one of the folders"),
        ({FILE: ONE, "train/notes.txt": "x"}, "responses/train/notes.txt: is no .json file"),
        ({FILE: " " * 10_000_001}, "is larger than 10000000 bytes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_file_and_nothing_is_written(tmp_path, responses, message):
    folder = published(tmp_path / "in", responses)
    with pytest.raises(PublishedError) as caught:
        published_convert(folder, tmp_path / "out")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_ten_faults_are_named(tmp_path):
    wrong = {f"train/user_response_example{n}.json": "{" for n in range(30)}
    with pytest.raises(PublishedError) as caught:
        published_convert(published(tmp_path / "in", wrong), tmp_path / "out")
    assert len(caught.value.faults) == 10


def test_links_are_not_followed(tmp_path):
    folder = published(tmp_path / "in", {FILE: ONE})
    image = folder / "images" / "D1" / "D1-00001_1.jpg"
    image.rename(tmp_path / "elsewhere.jpg")
    image.symlink_to(tmp_path / "elsewhere.jpg")
    with pytest.raises(PublishedError, match=r"D1-00001_1.jpg: is a link"):
        published_convert(folder, tmp_path / "out")
    (folder / "images").rename(tmp_path / "images")
    (folder / "images").symlink_to(tmp_path / "images")
    with pytest.raises(PublishedError, match=r"images: is missing or is no folder of its own"):
        published_convert(folder, tmp_path / "out")
    (folder / "responses" / FILE).unlink()
    (folder / "responses" / FILE).symlink_to("/etc/passwd")
    with pytest.raises(PublishedError, match=r"user_response_example1.json: is a link"):
        published_convert(folder, tmp_path / "out")


def jpeg(size, kind="JPEG"):
    out = io.BytesIO()
    Image.new("RGB", size, (90, 20, 30)).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no image", "images/D1/D1-00001_1.jpg: "),
        (b"", "images/D1/D1-00001_1.jpg: "),
        (jpeg((24, 16), "PNG"), "is PNG and no JPEG"),
        (jpeg((24, 16))[:-200], "D1-00001_1.jpg"),
        (jpeg((30, 16)), "is 24×16 and images/D1/D1-00001_1.jpg, which it was compared with, 30×16"),
    ],
)
def test_images_that_cannot_be_compared_are_named(tmp_path, content, message):
    folder = published(tmp_path / "in", {FILE: ONE})
    (folder / "images" / "D1" / "D1-00001_1.jpg").write_bytes(content)
    with pytest.raises(PublishedError) as caught:
        published_convert(folder, tmp_path / "out")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_tables_is_read_by_them(tmp_path):
    folder = small.write_small(tmp_path / "small")
    (folder / "responses").mkdir()
    assert not is_published(folder)


# With a database


@pytest.fixture
def study(db):
    study = factories.make_study(
        n_scenes=4, per_scene=8, files=True, n_main=12, n_checks=4, n_practice=0, check_lag=3, long_side=96
    )
    record_hashes()
    for name in ("alice", "bob", "erin", "frank", "grace"):
        answer_truly(factories.make_session(study, name))
    return study


def exported(study, folder):
    export = export_create(study, folder, Export.Layout.PUBLISHED)
    export.run(export_run)
    return export


def test_a_study_goes_out_and_comes_in_again(study, tmp_path):
    export = exported(study, tmp_path / "view")
    assert export.state == Job.State.DONE, export.error
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert export.sha256 in (tmp_path / "view" / "README.md").read_text()
    imported = dataset_import(tmp_path / "view", slug="back")
    assert (imported.name, imported.status, imported.is_simulated) == (study.name, "closed", False)
    assert NOTE in imported.purpose
    assert sorted(imported.raters.values_list("split", flat=True)) == ["train"] * 4 + ["validation"]
    assert imported.public_id != study.public_id
    with pytest.raises(DatasetError, match="is already here, in the study back"):
        dataset_import(tmp_path / "view", slug="twice")
    again = exported(imported, tmp_path / "again")
    assert again.state == Job.State.DONE, again.error
    assert answers_of(tmp_path / "again") == answers_of(tmp_path / "view")


def test_the_page_of_a_view_says_what_it_is(study, tmp_path, admin_client):
    export = exported(study, tmp_path / "view")
    page = admin_client.get(reverse("researcher:export-detail", args=[export.public_id])).content.decode()
    assert "layout of the published PPSD; its README says what it cannot hold" in page
    assert "Answers in layout" in page
    assert "Train on it" not in page
    assert "load_dataset" not in page


def test_learners_are_not_offered_a_view(study, tmp_path):
    export = exported(study, tmp_path / "view")
    assert export_named(study.slug) is None
    assert not exports_done().exists()
    export_create(study, tmp_path / "folder").run(export_run)
    assert export_named(study.slug) == exports_done().get() != export


def test_simulated_raters_stay_simulated(study, tmp_path):
    Study.objects.filter(pk=study.pk).update(is_simulated=True)
    for rater in study.raters.all():
        rater.person.is_simulated = True
        rater.person.save()
    study.refresh_from_db()
    exported(study, tmp_path / "view")
    assert "**SIMULATED.** 5 of the 5 raters" in (tmp_path / "view" / "README.md").read_text()
    imported = dataset_import(tmp_path / "view", slug="back")
    assert imported.is_simulated
    assert all(rater.person.is_simulated for rater in imported.raters.all())


def test_a_study_without_valid_raters_fails_and_leaves_nothing(study, tmp_path):
    study.protocol["rules"]["min_median_response_ms"] = 60_000
    study.save()
    export = exported(study, tmp_path / "out" / "view")
    assert export.state == Job.State.FAILED
    assert "nothing can be written in this layout" in export.error
    assert list((tmp_path / "out").iterdir()) == []


def test_faults_leave_the_database_alone(db, tmp_path):
    folder = published(tmp_path / "in", {FILE: {"D1-00001": {"prefer": 7, "non_prefer": 0}}})
    with pytest.raises(DatasetError, match=r"nothing was imported\n  images/D1/D1-00001_7.jpg: is missing"):
        dataset_import(folder)
    assert [model.objects.count() for model in (Study, Scene, Rater)] == [0, 0, 0]


def test_a_folder_of_somebody_else_becomes_a_study(db, tmp_path):
    study = dataset_import(published(tmp_path / "PPSD", {FILE: ONE}))
    assert (study.name, study.raters.count(), study.pairs.count()) == ("PPSD", 1, 1)
    assert study.purpose.startswith(NOTE)
    assert "without a protocol" in study.purpose


def test_a_table_of_choices_has_no_images(tmp_path):
    (tmp_path / "choices.csv").write_text("observer,scene,condition_A,condition_B,is_A_selected\n")
    with pytest.raises(DatasetError, match="a dataset needs the images"):
        dataset_import(tmp_path / "choices.csv")
