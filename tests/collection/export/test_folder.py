import json
import warnings

import pyarrow.parquet as pq
import pytest

from collection.design.protocol import RuleSet
from collection.design.rules import judge_rater
from collection.export.card import RULES
from collection.export.folder import BATCH, dataset_sha256, folder_writing, write_folder
from collection.export.format import DOCUMENTS, ROW_GROUP, TABLES
from collection.export.manifest import MANIFEST
from tests.collection.export import small

ALL_FILES = {*DOCUMENTS, MANIFEST, "images", *(f"{t}.parquet" for t in TABLES)}


def test_what_is_written_is_read_back(tmp_path):
    folder = small.write_small(tmp_path / "study")
    assert {path.name for path in folder.iterdir()} == ALL_FILES
    for name, rows in small.tables().items():
        table = pq.read_table(folder / f"{name}.parquet")
        assert table.schema.equals(TABLES[name])
        assert table.to_pylist() == rows
    for file_name, content in small.images().items():
        assert (folder / file_name).read_bytes() == content


def test_the_same_rows_are_the_same_bytes(tmp_path):
    one, two = small.write_small(tmp_path / "one"), small.write_small(tmp_path / "two")
    for path in one.rglob("*.*"):
        assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()
    assert dataset_sha256(one) == dataset_sha256(two)


def test_another_answer_is_another_dataset(tmp_path):
    rows = small.tables()["judgments"]
    rows[0]["response_ms"] += 1
    one = small.write_small(tmp_path / "one")
    other = small.write_small(tmp_path / "other", judgments=rows)
    assert dataset_sha256(one) != dataset_sha256(other)


def test_row_groups_have_a_hundred_thousand_rows_and_zstd(tmp_path):
    rows = small.judgment_rows("alice")
    many = (rows[n % 4] | {"judgment_id": str(n)} for n in range(ROW_GROUP + BATCH + 1))
    folder = small.write_small(tmp_path / "study", judgments=many)
    metadata = pq.read_metadata(folder / "judgments.parquet")
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [100_000, 5_001]
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_an_error_leaves_nothing(tmp_path):
    def break_off():
        with folder_writing(tmp_path / "study") as folder:
            folder.write_table("scenes", small.tables()["scenes"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_nothing_stands_under_the_name_before_the_end(tmp_path):
    with folder_writing(tmp_path / "study") as folder:
        for name, rows in small.tables().items():
            folder.write_table(name, rows)
        for file_name, content in small.images().items():
            folder.write_image(file_name, content)
        assert not (tmp_path / "study").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def test_a_folder_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "study").mkdir()
    with pytest.raises(FileExistsError, match="already there"):
        small.write_small(tmp_path / "study")
    assert list(tmp_path.rglob("*")) == [tmp_path / "study"]


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("scenes", {"colour": "red"}, r"scenes has no column \['colour'\]"),
        ("images", {"width": "wide"}, "images, rows 0 to 5"),
        ("judgments", {"rater_id": None}, "rater_id has 1 rows without a value"),
        ("judgments", {"question_index": 40_000}, "judgments, rows 0 to 14"),
        ("images", {"sha256": "0" * 64}, "scene-1-0.webp has sha256 .* its row says 000"),
        ("images", {"file_name": "images/other.webp"}, "is only among the"),
    ],
)
def test_rows_that_do_not_fit_are_named_and_nothing_is_written(tmp_path, table, change, message):
    rows = small.tables()[table]
    rows[0] |= change
    with pytest.raises(ValueError, match=message):
        small.write_small(tmp_path / "study", **{table: rows})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file_name", ["../x.webp", "images/../x.webp", "/tmp/x.webp", "x.webp"])
def test_an_image_stands_in_the_images_folder(tmp_path, file_name):
    with pytest.raises(ValueError, match="file_name is images/"):
        write_folder(tmp_path / "study", small.tables(), [(file_name, b"")], {})


def test_images_are_copied_from_paths(tmp_path):
    sources = []
    for file_name, content in small.images().items():
        path = tmp_path / file_name.removeprefix("images/")
        path.write_bytes(content)
        sources.append((file_name, path))
    write_folder(tmp_path / "study", small.tables(), sources, {})
    assert (tmp_path / "study" / sources[0][0]).read_bytes() == sources[0][1].read_bytes()


def test_progress_reaches_the_end_of_each_stage(tmp_path):
    seen = {}
    write_folder(
        tmp_path / "study",
        small.tables(),
        small.images().items(),
        {},
        report=lambda done, total, stage: seen.__setitem__(stage, (done, total)),
    )
    assert seen == {"writing tables": (5, 5), "writing images": (6, 6)}


def test_folders_are_written_and_checked_without_django():
    from tests.test_imports import loaded_after

    loaded = loaded_after("import collection.export.folder, collection.export.check")
    assert "pyarrow" in loaded
    assert not loaded & {"django", "torch"}


@pytest.fixture
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


@pytest.mark.parametrize("table", TABLES)
def test_hugging_face_datasets_loads_it(tmp_path, offline, table):
    with warnings.catch_warnings():  # of the library, about itself
        warnings.simplefilter("ignore")
        from datasets import load_dataset

        folder = small.write_small(tmp_path / "study")
        loaded = load_dataset(str(folder), table, cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].to_list() == small.tables()[table]


def test_croissant_is_valid_and_reads_the_records(tmp_path):
    folder = small.write_small(tmp_path / "study")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant

        dataset = mlcroissant.Dataset(jsonld=folder / "croissant.json")
        records = list(dataset.records("judgments"))
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    assert len(records) == 15
    assert records[0]["judgments/rater_id"] == b"alice"


def test_the_card_counts_what_the_files_hold(tmp_path):
    card = (small.write_small(tmp_path / "study") / "README.md").read_text()
    assert 'pretty_name: "Café | colours"' in card
    assert 'license: "cc-by-4.0"' in card
    assert "15 choices between two renditions" in card
    assert "(12 main answers and 3 checks" in card
    assert "2 of 3 raters passed all rules; 10 of 15 judgments are theirs" in card
    assert "| `median_too_fast` | the middle response time is too short | 1 | 5 |" in card
    assert "| raters | 1 | 1 | 1 |" in card
    assert "SIMULATED" not in card


def test_the_card_counts_ties_screenings_and_what_was_said(tmp_path):
    rows = small.tables()["judgments"]
    rows[1] = small.as_tie(rows[1])
    folder = small.write_small(tmp_path / "study", judgments=rows)
    card = (folder / "README.md").read_text()
    assert "checks that show an earlier pair again, flipped; 1 of all are ties)" in card
    for line in (
        "language of the pages: de | 1",
        "black and white levels: failed | 1",
        "device in hand: laptop | 3",
    ):
        assert f"| {line} |" in card
    assert "colour-vision plates" not in card  # nobody was asked
    assert "light in the room" not in card


def test_the_card_has_words_for_every_rule():
    assert judge_rater([], RuleSet()).evidence.keys() - {"pay"} == RULES.keys()


def test_the_card_tells_the_protocol_as_it_was_run(tmp_path):
    protocol = {"phases": ["main"], "allow_tie": True, "question": "Which?", "n_main": 4, "n_checks": 1}
    document = {"protocol.json": json.dumps({"protocol": protocol})}
    write_folder(tmp_path / "study", small.tables(), small.images().items(), document)
    card = (tmp_path / "study" / "README.md").read_text()
    assert "one had to be chosen, or “no difference”. Each session had 4 main questions and 1 checks." in card
    assert "Nobody was asked for consent" in card


def test_simulated_raters_are_said_first(tmp_path):
    raters = [row | {"simulated": True, "simulation": json.dumps({})} for row in small.tables()["raters"]]
    folder = small.write_small(tmp_path / "study", raters=raters)
    text = (folder / "README.md").read_text().split("---\n", 2)[2]
    assert text.strip().startswith("# Café | colours\n\n> **SIMULATED.** 3 of the 3 raters")
    assert "SIMULATED" in json.loads((folder / "croissant.json").read_text())["description"]
