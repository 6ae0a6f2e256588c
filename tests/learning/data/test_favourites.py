import numpy as np
import pytest
from PIL import Image

from learning import favourites
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.data.favourites import read_favourites, write_favourites
from variants.progress import silent


def make_photo(path, level=100, size=(24, 18)):
    path.parent.mkdir(parents=True, exist_ok=True)
    gradient = np.linspace(0, level, size[0] * size[1] * 3).reshape(size[1], size[0], 3)
    Image.fromarray(gradient.astype(np.uint8)).save(path)
    return path


@pytest.fixture
def people(tmp_path):
    for person, photos in (
        ("Ana María", ["a.png", "b.jpg"]),
        ("ben", ["c.png"]),
        ("Ana-Mar-a", ["trip/d.png"]),
    ):
        for number, name in enumerate(photos):
            make_photo(tmp_path / "people" / person / name, 100 + 20 * number)
    (tmp_path / "people" / "ben" / "notes.txt").write_text("no photo")
    make_photo(tmp_path / "people" / "ben" / ".hidden.png")
    (tmp_path / "people" / "empty").mkdir()
    return tmp_path / "people"


def darker(photo):
    return photo / 2


def test_one_folder_per_person(people):
    found = read_favourites(people)
    assert [(person.id, [p.name for p in person.photos]) for person in found] == [
        ("Ana-Mar-a", ["a.png", "b.jpg"]),
        ("Ana-Mar-a-2", ["d.png"]),
        ("ben", ["c.png"]),
    ]


def test_one_folder_of_one_person(people):
    (ben,) = read_favourites(people / "ben")
    assert ben.id == "ben"
    assert [path.name for path in ben.photos] == ["c.png"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nowhere", "is not a folder"),
        (lambda folder: folder / "empty", "has no photos; their names end in .avif"),
        (
            lambda folder: (
                make_photo(folder / "mixed" / "e.png")
                and make_photo(folder / "mixed" / "person" / "f.png").parent.parent
            ),
            "has 1 photos of its own, such as e.png, beside the folder person",
        ),
    ],
)
def test_folders_that_cannot_be_read_are_refused(people, make, message):
    with pytest.raises(DatasetError, match=message):
        read_favourites(make(people))


def test_favourites_become_a_dataset_that_learners_read(people, tmp_path):
    total, _ = write_favourites(
        read_favourites(people), tmp_path / "dataset", darker, long_side=20, how="By hand.", report=silent
    )
    dataset = PreferenceDataset.load(tmp_path / "dataset")
    assert total == 4
    assert not dataset.is_simulated
    assert len(dataset.training_scenes()) == 4
    assert len(dataset.training_raters()) == 3
    for rater in dataset.training_raters():
        for judgment in dataset.judgments_of(rater):
            liked, original = (
                dataset.image(i, 64) for i in (judgment.preferred_image, judgment.rejected_image)
            )
            assert max(liked.shape) == 20
            np.testing.assert_allclose(original, liked / 2, atol=1 / 255)
            assert dataset.neutral_image_of(judgment.scene_id) == judgment.rejected_image
    readme = (tmp_path / "dataset/README.md").read_text()
    assert "Nobody was asked" in readme
    assert "By hand." in readme


def test_a_file_that_is_no_photo_is_passed_over_and_said(people, tmp_path):
    (people / "ben" / "c.png").write_bytes(b"no image")  # ben has no other
    (people / "Ana María" / "broken.png").write_bytes(b"no image")
    asked = {"long_side": 20, "how": "By hand.", "report": silent}
    total, skipped = write_favourites(read_favourites(people), tmp_path / "dataset", darker, **asked)
    assert (total, [reason.split(",")[0].split(": not")[0] for reason in skipped]) == (
        3,
        ["Ana-Mar-a: broken.png", "ben: c.png"],
    )
    dataset = PreferenceDataset.load(tmp_path / "dataset")
    assert {rater: len(dataset.judgments_of(rater)) for rater in dataset.raters} == {
        "Ana-Mar-a": 2,
        "Ana-Mar-a-2": 1,
    }
    with pytest.raises(DatasetError, match="none of the 1 photos could be read"):
        write_favourites(read_favourites(people / "ben"), tmp_path / "none", darker, **asked)
    assert not (tmp_path / "none").exists()


def test_with_people_enough_some_are_held_out(tmp_path):
    for number in range(9):
        make_photo(tmp_path / "people" / f"person{number}" / "a.png")
    write_favourites(
        read_favourites(tmp_path / "people"),
        tmp_path / "dataset",
        darker,
        long_side=20,
        how="",
        report=silent,
    )
    dataset = PreferenceDataset.load(tmp_path / "dataset")
    assert dataset.validation_raters() == ["person7"]
    assert len(dataset.training_raters()) == 8


def test_the_command_makes_a_dataset(people, tmp_path, capsys):
    make_photo(tmp_path / "originals" / "o.png", 200, (40, 40))
    asked = ["--out", str(tmp_path / "dataset"), "--originals", str(tmp_path / "originals")]
    assert favourites.main([str(people), *asked, "--steps", "2", "--quiet", "--json"]) == 0
    assert '"photos": 4' in capsys.readouterr().out
    assert len(PreferenceDataset.load(tmp_path / "dataset").scenes) == 4
    assert "trained on 1 photos with 25 rules" in (tmp_path / "dataset/README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "{}/new", "--degrader", "run", "--steps", "3"], "--degrader is trained already"),
        (["--out", "{}/people"], "is already there; a dataset folder is never overwritten"),
        (["--out", "{}/new", "--degrader", "{}"], "is not a run folder"),
    ],
)
def test_wrong_use_says_what_is_wrong(people, tmp_path, capsys, arguments, message):
    filled = [argument.format(tmp_path) for argument in arguments]
    assert favourites.main([str(people), *filled, "--quiet"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
