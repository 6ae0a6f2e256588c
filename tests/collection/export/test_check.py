import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collection.export.check import MOST_FAULTS, Fault, check_folder
from collection.export.format import LATER_COLUMNS, ROW_GROUP
from tests.collection.export import small


@pytest.fixture
def folder(tmp_path):
    return small.write_small(tmp_path / "study")


def change(folder, table, row, **values):
    """Put these values into one row of a table, whatever the format says."""
    path = folder / f"{table}.parquet"
    data = pq.read_table(path)
    rows = data.to_pylist()
    rows[row] |= values
    pq.write_table(
        pa.Table.from_pylist(rows, schema=pa.schema([f.with_nullable(True) for f in data.schema])), path
    )


def only_fault(folder) -> Fault:
    (fault,) = check_folder(folder)
    return fault


def test_a_whole_folder_has_no_faults(folder):
    assert check_folder(folder) == []


def test_documents_are_not_needed(folder):
    for name in ("README.md", "croissant.json", "protocol.json"):
        (folder / name).unlink()
    assert check_folder(folder) == []


def test_an_empty_dataset_is_whole(tmp_path):
    from collection.export.folder import write_folder

    write_folder(tmp_path / "study", dict.fromkeys(small.tables(), ()), [], {})
    assert check_folder(tmp_path / "study") == []


def test_a_folder_that_is_not_there(tmp_path):
    assert "is not a folder" in str(only_fault(tmp_path / "nothing"))


def test_each_missing_table_is_named(folder):
    (folder / "pairs.parquet").unlink()
    (folder / "raters.parquet").unlink()
    assert [str(fault) for fault in check_folder(folder)] == [
        "pairs.parquet: is missing",
        "raters.parquet: is missing",
    ]


@pytest.mark.parametrize("keep", [0, 10, 500, -5])
def test_a_truncated_table_is_named(folder, keep):
    path = folder / "judgments.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    assert str(only_fault(folder)).startswith("judgments.parquet: is no whole Parquet file")


def test_a_table_flipped_inside_is_named(folder):
    path = folder / "judgments.parquet"
    content = bytearray(path.read_bytes())
    content[40:60] = bytes(20)
    path.write_bytes(content)
    assert only_fault(folder).file == "judgments.parquet"


def test_a_column_too_few_too_many_and_of_another_type(folder):
    path = folder / "pairs.parquet"
    data = pq.read_table(path).drop_columns("image_b").append_column("mood", pa.array(["good"] * 4))
    data = data.set_column(3, "delta_e", data["delta_e"].cast(pa.float64()))
    pq.write_table(data, path)
    assert [str(fault) for fault in check_folder(folder)] == [
        "pairs.parquet: has no column 'image_b'",
        "pairs.parquet: column 'delta_e' is double; it must be float",
        "pairs.parquet: has a column 'mood' that the format does not know",
    ]


@pytest.mark.parametrize(
    ("table", "row", "values", "message"),
    [
        ("scenes", 1, {"split": "test"}, "split is 'test'; it must be one of train, validation, none"),
        ("scenes", 0, {"source_type": "F"}, "source_type is 'F'"),
        ("scenes", 0, {"width": 0}, "width is 0 pixels"),
        ("scenes", 0, {"category": "x" * 51}, "it may have 50 characters"),
        ("scenes", 0, {"licence": "a\0b"}, "none of them NUL"),
        ("images", 2, {"file_name": "../../secret.webp"}, "file_name is '../../secret.webp'; it must be"),
        ("images", 2, {"file_name": "images/scene-1-0.webp"}, "it must be images/scene-1-2.png or"),
        ("images", 0, {"recipe": "[1]"}, "recipe is no JSON object"),
        ("images", 0, {"recipe": '{"a": NaN}'}, "recipe is no JSON object"),
        ("images", 0, {"recipe": '{"a": 1e999}'}, "recipe is no JSON object"),
        ("images", 0, {"recipe": '{"a": "\\u0000"}'}, "recipe is no JSON object"),
        ("images", 0, {"recipe": '{"a": "\\ud800"}'}, "recipe is no JSON object"),
        ("images", 0, {"recipe": "[" * 100_000}, "recipe is no JSON object"),
        ("images", 0, {"recipe": '"' + "x" * 2_000_000 + '"'}, "it may have 1000000 characters"),
        ("images", 0, {"sha256": "ABC"}, "it must be 64 hex digits"),
        ("images", 0, {"scene_id": "scene-9"}, "scene_id 'scene-9' is not in scenes.parquet"),
        ("images", 0, {"scene_id": None}, "scene_id is missing"),
        ("images", 3, {"image_id": "scene-1-0", "file_name": "images/scene-1-0.webp"}, "is there twice"),
        ("pairs", 0, {"image_b": "scene-1-0"}, "image_a and image_b are the same"),
        ("pairs", 0, {"image_b": "scene-2-0"}, "image_b is of another scene than the pair"),
        ("pairs", 1, {"image_a": "scene-1-1", "image_b": "scene-1-0"}, "are a pair already"),
        ("pairs", 0, {"delta_e": float("nan")}, "delta_e is nan"),
        ("pairs", 0, {"delta_e": -1.0}, "delta_e is -1"),
        ("pairs", 0, {"pair_id": "../x"}, "pair_id is '../x'; an ID has 1 to 32"),
        ("pairs", 0, {"pair_id": "x" * 10_000_000}, "pair_id is 'xxx"),
        ("raters", 1, {"person_id": "alice-person", "device_id": "alice-device"}, "is a rater already"),
        ("raters", 0, {"n_answers": 4}, "n_answers is 4, judgments.parquet has 5 of this rater"),
        ("raters", 0, {"consistency": 1.5}, "consistency is 1.5"),
        ("raters", 0, {"median_response_ms": -3}, "median_response_ms is -3"),
        ("raters", 0, {"exclusion_reason": "too_fast"}, "a valid rater has an exclusion_reason"),
        ("raters", 2, {"exclusion_reason": None}, "is not valid without an exclusion_reason"),
        ("raters", 2, {"split": "train"}, "who is not valid is in split 'train'"),
        ("raters", 0, {"simulation": "no"}, "simulation is no JSON object"),
        ("raters", 0, {"levels": "good"}, "levels is 'good'; it must be one of passed, failed, unknown"),
        ("raters", 0, {"room_light": "sunny"}, "room_light is 'sunny'; it must be one of dark, dim"),
        ("raters", 0, {"language": "x" * 11}, "it may have 10 characters"),
        ("judgments", 0, {"rater_id": "dave"}, "rater_id 'dave' is not in raters.parquet"),
        ("judgments", 0, {"pair_id": "nothing"}, "pair_id 'nothing' is not in pairs.parquet"),
        ("judgments", 0, {"left_image": "nothing"}, "left_image 'nothing' is not in images.parquet"),
        ("judgments", 3, {"left_image": "scene-2-1"}, "are not the pair's two images"),
        ("judgments", 3, {"chosen_side": "middle"}, "chosen_side is 'middle'"),
        ("judgments", 3, {"preferred_image": "scene-2-2"}, "preferred_image is not the image of the side"),
        ("judgments", 3, {"rejected_image": "scene-2-0"}, "rejected_image is not the image beside"),
        ("judgments", 3, {"chosen_side": "tie"}, "preferred_image is 'scene-2-0' in a tie"),
        (
            "judgments",
            3,
            {"chosen_side": "tie", "preferred_image": None},
            "rejected_image is 'scene-2-2' in a tie",
        ),
        ("judgments", 3, {"preferred_image": None}, "preferred_image is not the image of the side"),
        ("judgments", 3, {"response_ms": -1}, "response_ms is -1"),
        ("judgments", 4, {"repeats_judgment": None}, "a check without repeats_judgment"),
        ("judgments", 3, {"repeats_judgment": "alice-0"}, "stands in a judgment that is no check"),
        ("judgments", 4, {"repeats_judgment": "nobody-0"}, "repeats_judgment is not in judgments.parquet"),
        ("judgments", 4, {"repeats_judgment": "alice-4"}, "repeats_judgment is a check itself"),
        ("judgments", 4, {"repeats_judgment": "bob-0"}, "repeats_judgment is another rater's"),
        ("judgments", 4, {"repeats_judgment": "alice-1"}, "repeats_judgment is of another pair"),
        ("judgments", 1, {"judgment_id": "bob-1"}, "judgment_id 'bob-1' is there twice"),
        ("judgments", 0, {"answered_at": small.NOON.replace(year=1970)}, "between the years 2000 and 2100"),
    ],
)
def test_a_wrong_value_is_named_with_file_and_row(folder, table, row, values, message):
    change(folder, table, row, **values)
    faults = check_folder(folder)
    assert faults[0].file == f"{table}.parquet"
    assert message in faults[0].message
    assert len(faults[0].message) < 300
    assert row in {fault.row for fault in faults} or "twice" in message


def test_a_check_with_unflipped_sides_is_named(folder):
    first = pq.read_table(folder / "judgments.parquet").to_pylist()[0]
    change(
        folder,
        "judgments",
        4,
        chosen_side="left",
        left_image=first["left_image"],
        right_image=first["right_image"],
    )
    assert str(only_fault(folder)) == "judgments.parquet, row 4: the sides are not flipped ('alice-0')"


def test_ties_are_no_fault_and_their_checks_count_for_nothing(tmp_path):
    """Alice's check is a tie, bob's first answer is; charlie's agree."""
    rows = {row["judgment_id"]: row for row in small.tables()["judgments"]}
    for name in ("alice-4", "bob-0"):
        rows[name] = small.as_tie(rows[name])
    unknown = {"consistency": None}
    raters = [row if row["rater_id"] == "charlie" else row | unknown for row in small.tables()["raters"]]
    folder = small.write_small(tmp_path / "study", judgments=list(rows.values()), raters=raters)
    assert check_folder(folder) == []


def test_a_folder_from_before_the_later_columns_is_whole(folder):
    path = folder / "raters.parquet"
    pq.write_table(pq.read_table(path).drop_columns(list(LATER_COLUMNS["raters"])), path)
    (folder / "croissant.json").unlink()
    assert check_folder(folder) == []


def test_a_folder_from_before_propensities_is_whole(folder):
    path = folder / "judgments.parquet"
    pq.write_table(pq.read_table(path).drop_columns(list(LATER_COLUMNS["judgments"])), path)
    (folder / "croissant.json").unlink()
    assert check_folder(folder) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"propensity": 0.0}, "propensity is 0.0; it must be above 0"),
        ({"propensity": 1.5}, "propensity is 1.5; it must be above 0 and at most 1"),
        ({"policy": "information", "propensity": None}, "policy is 'information', which needs a propensity"),
        ({"policy": "x" * 31}, "it may have 30 characters"),
    ],
)
def test_propensities_that_cannot_be(folder, fields, message):
    change(folder, "judgments", 2, **fields)
    assert message in " ".join(str(fault) for fault in check_folder(folder))


def test_ten_faults_are_enough(folder):
    raters = small.tables()["judgments"]
    for row in range(len(raters)):
        change(folder, "judgments", row, chosen_side="middle")
    assert len(check_folder(folder)) == MOST_FAULTS == 10


def test_a_flipped_byte_in_an_image_is_named(folder):
    path = folder / "images" / "scene-1-1.webp"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    fault = only_fault(folder)
    assert fault.file == "images/scene-1-1.webp"
    assert "its row says" in fault.message
    assert "row 1" in fault.message


def test_a_missing_image_is_named(folder):
    (folder / "images" / "scene-2-0.webp").unlink()
    assert str(only_fault(folder)) == "images/scene-2-0.webp: is missing (images.parquet, row 3)"


def test_a_size_that_is_not_the_images_own_is_named(folder):
    change(folder, "images", 5, width=13)
    assert "is 12×8, its row says 13×8" in str(only_fault(folder))


def test_bytes_that_are_no_image_are_named(folder):
    import hashlib

    content = b"no image at all"
    (folder / "images" / "scene-1-0.webp").write_bytes(content)
    change(folder, "images", 0, sha256=hashlib.sha256(content).hexdigest())
    assert "is no WEBP image" in str(only_fault(folder))


@pytest.mark.parametrize("name", ["images/scene-1-0.webp", "images", "scenes.parquet", "protocol.json"])
def test_links_are_not_followed(folder, tmp_path, name):
    shutil.move(folder / name, tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    fault = only_fault(folder)
    assert fault.file == name
    assert "link" in fault.message or "no folder of its own" in fault.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "must be an object"),
        (json.dumps({"protocol": {"n_mian": 3}}), "did you mean 'n_main'"),
        (json.dumps({"protocol": {"n_main": -3}}), "n_main is -3"),
        ('{"x": Infinity}', "Infinity is not JSON"),
        ("[" * 100_000, "cannot be read"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_wrong_protocol_is_named(folder, text, message):
    (folder / "protocol.json").write_bytes(text.encode(errors="surrogateescape"))
    fault = only_fault(folder)
    assert fault.file == "protocol.json"
    assert message in fault.message


def test_one_long_value_repeated_is_held_once(folder):
    """A hundred thousand rows of one long text are 10 GB unpacked, and less than 1 MB in the file."""
    rows = ROW_GROUP
    table = pq.read_table(folder / "scenes.parquet")
    columns = {name: pa.array([table[name][0].as_py()] * rows) for name in table.schema.names}
    bomb = pa.table({name: columns[name].cast(table.schema.field(name).type) for name in columns})
    bomb = bomb.set_column(
        bomb.schema.get_field_index("category"),
        "category",
        pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["x" * 100_000]),
    )
    pq.write_table(bomb, folder / "scenes.parquet", store_schema=False)
    faults = check_folder(folder)
    assert "category is 'xxx" in faults[0].message


def test_any_character_may_stand_in_a_recipe(folder):
    change(folder, "images", 0, recipe='{"prompt": "\\ud83d\\ude00 ü 写真"}')
    (folder / "croissant.json").unlink()  # it knows the table as it was
    assert check_folder(folder) == []


def test_a_table_that_was_changed_behind_the_sums_is_named(folder):
    change(folder, "judgments", 0, response_ms=1)
    assert str(only_fault(folder)).startswith(
        "judgments.parquet: has another sha256 than croissant.json says"
    )


def test_progress_is_reported_for_images(folder):
    seen = []
    check_folder(folder, report=lambda done, total, stage: seen.append((done, total, stage)))
    assert seen[-1] == (6, 6, "checking images")
