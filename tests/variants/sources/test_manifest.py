import os

import pytest

from tests.variants.factories import make_photo
from variants.sources.manifest import ManifestError, maker_folders, read_manifest


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png", "deep/c.png"):
        make_photo(tmp_path / "photos", name)
    (tmp_path / "photos" / "round.png").symlink_to("round.png")
    os.mkfifo(tmp_path / "photos" / "pipe.png")
    return tmp_path / "photos"


def read(folder, text, *, sets=True):
    path = folder.parent / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_manifest(path, folder, sets=sets)


@pytest.mark.parametrize("column", ["editor", "device", "maker"])
def test_scenes_files_and_makers_are_read(folder, column):
    listing = read(folder, f"scene,file,{column},category\ncat,a.png,Alice,animals\ncat,deep/c.png,Bob,\n")
    assert [(e.scene, e.path.name, e.maker, e.category, e.where) for e in listing.entries] == [
        ("cat", "a.png", "Alice", "animals", "list.csv, line 2"),
        ("cat", "c.png", "Bob", "", "list.csv, line 3"),
    ]
    assert listing.faults == []


def test_what_spreadsheets_write_is_read(folder):
    """A byte order mark, CRLF, quotes, spaces."""
    text = '\ufeffscene, file ,editor\r\n"a, b",a.png, "Alice"\r\n'
    assert [(e.scene, e.path.name) for e in read(folder, text).entries] == [("a, b", "a.png")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("cat,../list.csv,Bob", "../list.csv is outside photos"),
        ("cat,/etc/passwd,Bob", "/etc/passwd is outside photos"),
        ("cat,nowhere.png,Bob", "nowhere.png is not there"),
        ("cat,deep,Bob", "deep is not a file"),
        ("cat,pipe.png,Bob", "pipe.png is not a file"),
        ("cat,round.png,Bob", "round.png cannot be read: Too many levels of symbolic links"),
        (f"cat,{'x' * 300},Bob", f"{'x' * 300} cannot be read: File name too long"),
        ("cat,,Bob", "the field file is empty"),
        (",b.png,Bob", "the field scene is empty"),
        ("cat,b.png,", "the field editor is empty"),
        ("cat,b.png", "the field editor is empty"),
        ("cat,b.png,Bob,more", "it has 1 fields more than the header"),
        ("cat,b.png,Alice", "cat by Alice has been named before (list.csv, line 2)"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_kept(folder, row, reason):
    listing = read(folder, f"scene,file,editor\ncat,a.png,Alice\n{row}\ndog,b.png,Alice\n")
    assert [(fault.where, fault.reason) for fault in listing.faults] == [("list.csv, line 3", reason)]
    assert [entry.scene for entry in listing.entries] == ["cat", "dog"]


def test_a_link_out_of_the_folder_is_refused(folder):
    (folder.parent / "secret.png").write_bytes(b"x")
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    listing = read(folder, "file\nlink.png\n", sets=False)
    assert [fault.reason for fault in listing.faults] == ["link.png is outside photos"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the column scene is missing; there is nothing"),
        ("scene,editor\n", "line 1: the column file is missing; there is scene, editor"),
        ("scene,file\n", "line 1: the column editor or device or maker is missing"),
        ("scene;file;editor\n", "columns are separated by commas"),
        (b"scene,file,editor\ncaf\xe9,a.png,B\n", "it is not UTF-8"),
        ('scene,file,editor\n"a"b,a.png,B\n', "line 2: "),
    ],
)
def test_what_is_no_manifest_is_refused(folder, text, message):
    with pytest.raises(ManifestError, match=rf"^list\.csv.*{message}"):
        read(folder, text)


def test_a_folder_for_each_maker_needs_no_manifest(folder):
    for name in ("alice/cat.png", "bob/cat.tif", "bob/cat.png", "bob/dog.png"):
        make_photo(folder.parent / "edits", name)
    listing = maker_folders(folder.parent / "edits")
    assert {(e.scene, e.maker) for e in listing.entries} == {("cat", "alice"), ("cat", "bob"), ("dog", "bob")}
    assert [(f.where, f.reason) for f in listing.faults] == [
        ("bob/cat.tif", "bob/cat.png is the same scene by bob already")
    ]


@pytest.mark.parametrize("name", ["tiff16_{}", "expert{}", "Expert_{}", "expert {}"])
def test_fivek_folders_are_known_by_their_names(folder, name):
    for letter in "ce":
        make_photo(folder, f"deep/{name.format(letter)}/a0001.png")
    make_photo(folder, "input/a0001.png")
    listing = maker_folders(folder)
    assert [(e.scene, e.maker) for e in listing.entries] == [("a0001", "expert C"), ("a0001", "expert E")]
