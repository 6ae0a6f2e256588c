import numpy as np
import pyarrow as pa
import pytest

from learning.data.dataset import DatasetError, PreferenceDataset
from tests.learning.factories import edit_table, image_id, make_dataset


@pytest.fixture
def folder(tmp_path):
    return make_dataset(tmp_path / "dataset")


def test_it_gives_main_answers_in_order_without_checks(folder):
    judgments = PreferenceDataset.load(folder).judgments_of("rater1")
    assert len(judgments) == 12
    # Rater 1 always takes the darker image; renditions 0 to 3 have the gains 1, 0.55, 1.5, 0.75.
    darkest_first = [image_id(int(j.scene_id[-1]), r) for j in judgments for r in (1, 3, 0, 2)]
    for number, judgment in enumerate(judgments):
        order = darkest_first[4 * number : 4 * number + 4]
        assert order.index(judgment.preferred_image) < order.index(judgment.rejected_image)
    asked_first = np.random.default_rng([1, 7]).permutation(24)[0] // 6
    assert judgments[0].scene_id == f"scene{asked_first}"


def test_ties_are_left_out_and_counted(folder):
    """Two ties among rater 0's main answers, the first two, and one that is a check."""
    before = PreferenceDataset.load(folder).judgments_of("rater0")
    ties = {"judgment0-0", "judgment0-1", "judgment0-12"}

    def tie(table):
        is_tie = [judgment in ties for judgment in table["judgment_id"].to_pylist()]
        for name, value in (("chosen_side", "tie"), ("preferred_image", None), ("rejected_image", None)):
            kept = table[name].to_pylist()
            table = _with_column(table, name, [value if t else k for t, k in zip(is_tie, kept, strict=True)])
        return table

    edit_table(folder, "judgments", tie)
    dataset = PreferenceDataset.load(folder)
    assert dataset.judgments.n_ties == 2
    assert dataset.judgments_of("rater0") == before[2:]


def test_a_main_answer_that_prefers_nothing_is_refused(folder):
    def lose(table):
        names = table["preferred_image"].to_pylist()
        return _with_column(table, "preferred_image", [*names[:4], None, *names[5:]])

    edit_table(folder, "judgments", lose)
    with pytest.raises(
        DatasetError, match=r"judgments\.parquet, row 5: preferred_image None is not in images"
    ):
        PreferenceDataset.load(folder)


def test_only_valid_raters_are_trained_or_judged_on(tmp_path):
    dataset = PreferenceDataset.load(make_dataset(tmp_path / "d", n_raters=8, invalid_raters=3))
    assert dataset.validation_raters() == ["rater0", "rater1"]
    assert dataset.training_raters() == ["rater2", "rater3", "rater4"]


def test_without_any_split_all_valid_raters_are_for_training(tmp_path):
    folder = make_dataset(tmp_path / "d", invalid_raters=1)
    edit_table(folder, "raters", lambda t: _with_column(t, "split", ["none"] * len(t)))
    dataset = PreferenceDataset.load(folder)
    assert dataset.training_raters() == [f"rater{i}" for i in range(5)]
    assert dataset.validation_raters() == []


def test_scenes_held_out_are_not_training_scenes(folder):
    dataset = PreferenceDataset.load(folder)
    assert dataset.training_scenes() == ["scene0", "scene1", "scene2"]
    assert dataset.validation_scenes() == ["scene3"]


def test_the_neutral_image_is_the_one_without_steps(folder):
    dataset = PreferenceDataset.load(folder)
    assert dataset.neutral_image_of("scene2") == image_id(2, 0)


@pytest.mark.parametrize(
    "recipe", ['{"steps": [], "lut": {"sha256": "3f", "strength": 1}}', '{"file": {"maker": "C"}}']
)
def test_a_lut_or_a_file_by_itself_is_not_neutral(folder, recipe):
    edit_table(folder, "images", lambda table: _with_column(table, "recipe", [recipe] * len(table)))
    assert PreferenceDataset.load(folder).neutral_image_of("scene2") is None


def test_images_are_floats_never_scaled_up_and_not_to_be_written(folder):
    dataset = PreferenceDataset.load(folder)
    pixels = dataset.image(image_id(0, 0), 500)
    assert pixels.shape == (24, 32, 3)
    assert pixels.dtype == np.float32
    assert 0 <= pixels.min() < pixels.max() <= 1
    assert dataset.image(image_id(0, 0), 16).shape == (12, 16, 3)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 0


def test_decoded_images_stay_within_the_memory_given(folder):
    one = 24 * 32 * 3 * 4
    dataset = PreferenceDataset.load(folder, cache_bytes=2 * one)
    first = dataset.image(image_id(0, 0), 32)
    assert dataset.image(image_id(0, 0), 32) is first
    dataset.image(image_id(0, 1), 32)
    dataset.image(image_id(0, 2), 32)
    assert dataset.image(image_id(0, 0), 32) is not first


def test_a_hundred_thousand_judgments_take_a_few_megabytes(tmp_path):
    folder = make_dataset(tmp_path / "d")
    edit_table(folder, "judgments", lambda t: pa.concat_tables([t] * 1300))
    judgments = PreferenceDataset.load(folder).judgments
    assert len(judgments) == 1300 * 6 * 12
    arrays = (judgments.rater, judgments.preferred, judgments.rejected, judgments.scene)
    assert sum(array.nbytes for array in arrays) == 16 * len(judgments)


def test_the_hash_is_of_what_is_in_the_tables(tmp_path):
    one, same = make_dataset(tmp_path / "a"), make_dataset(tmp_path / "b")
    other = make_dataset(tmp_path / "c", n_answers=11)
    hashes = [PreferenceDataset.load(folder).sha256 for folder in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DatasetError, match="nowhere is not a folder"):
        PreferenceDataset.load(tmp_path / "nowhere")


def test_a_missing_table_is_named(folder):
    (folder / "raters.parquet").unlink()
    with pytest.raises(DatasetError, match=r"raters\.parquet is missing"):
        PreferenceDataset.load(folder)


def test_a_column_too_few_is_named_with_its_file(folder):
    edit_table(folder, "judgments", lambda t: t.drop_columns("rejected_image"))
    with pytest.raises(DatasetError, match=r"judgments\.parquet has no column rejected_image"):
        PreferenceDataset.load(folder)


def test_a_column_of_another_type_is_named(folder):
    edit_table(folder, "raters", lambda t: _with_column(t, "valid", ["perhaps"] * len(t)))
    with pytest.raises(DatasetError, match=r"raters\.parquet cannot be read.*perhaps"):
        PreferenceDataset.load(folder)


def test_a_table_cut_short_is_named(folder):
    path = folder / "images.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"images\.parquet is not a Parquet file"):
        PreferenceDataset.load(folder)


def test_a_missing_image_is_named(folder):
    (folder / f"images/{image_id(1, 2)}.png").unlink()
    with pytest.raises(DatasetError, match=rf"{image_id(1, 2)}\.png is missing"):
        PreferenceDataset.load(folder)


def test_a_dataset_whose_images_were_not_copied_says_so(folder):
    for path in (folder / "images").iterdir():
        path.unlink()
    (folder / "images").rmdir()
    with pytest.raises(
        DatasetError, match=r"images/.*\.png and 15 more images are missing.* copy the dataset's folder"
    ):
        PreferenceDataset.load(folder)


def test_a_dataset_without_any_image_says_so(folder):
    edit_table(folder, "images", lambda table: table.slice(0, 0))
    with pytest.raises(DatasetError, match=r"images\.parquet has no rows; there is nothing to learn from"):
        PreferenceDataset.load(folder)


def test_a_flipped_byte_in_an_image_is_found_when_it_is_read(folder):
    path = folder / f"images/{image_id(1, 2)}.png"
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{image_id(1, 2)}\.png is not the file that was exported"):
        PreferenceDataset.load(folder).image(image_id(1, 2), 32)


def test_a_judgment_on_an_unknown_image_is_named_with_its_row(folder):
    def swap(table):
        names = table["rejected_image"].to_pylist()
        return _with_column(table, "rejected_image", [*names[:4], "gone", *names[5:]])

    edit_table(folder, "judgments", swap)
    with pytest.raises(
        DatasetError, match=r"judgments\.parquet, row 5: rejected_image 'gone' is not in images"
    ):
        PreferenceDataset.load(folder)


def test_a_judgment_across_scenes_is_refused(folder):
    def swap(table):
        names = table["rejected_image"].to_pylist()
        judged_scene0 = table["preferred_image"].to_pylist()[1] in {image_id(0, r) for r in range(4)}
        return _with_column(
            table, "rejected_image", [names[0], image_id(1 if judged_scene0 else 0, 0), *names[2:]]
        )

    edit_table(folder, "judgments", swap)
    with pytest.raises(DatasetError, match="1 judgments compare images of two different scenes"):
        PreferenceDataset.load(folder)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd"])
def test_a_file_name_may_not_leave_the_folder(folder, name):
    edit_table(
        folder, "images", lambda t: _with_column(t, "file_name", [name, *t["file_name"].to_pylist()[1:]])
    )
    with pytest.raises(
        DatasetError, match=r"images\.parquet, row 1: file_name .* must stay inside the folder"
    ):
        PreferenceDataset.load(folder)


def test_an_unknown_split_is_named(folder):
    edit_table(folder, "scenes", lambda t: _with_column(t, "split", ["test", *["train"] * (len(t) - 1)]))
    with pytest.raises(DatasetError, match=r"scenes\.parquet, row 1: split 'test' must be one of"):
        PreferenceDataset.load(folder)


def test_an_id_that_stands_twice_is_refused(folder):
    edit_table(folder, "raters", lambda t: pa.concat_tables([t, t.slice(0, 1)]))
    with pytest.raises(DatasetError, match=r"raters\.parquet has 1 ids that stand twice"):
        PreferenceDataset.load(folder)


def _with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))
