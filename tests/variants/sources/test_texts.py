import pytest

from variants.sources.manifest import ManifestError
from variants.sources.texts import MAX_LENGTH, read_texts


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_text_file_holds_one_a_line(tmp_path):
    path = write(tmp_path, "prompts.txt", "\ufeffa lake at dawn\r\n  a  street,\tin rain \r\n")
    texts, faults = read_texts(path, "prompt")
    assert [(t.text, t.where) for t in texts] == [
        ("a lake at dawn", "prompts.txt, line 1"),
        ("a street, in rain", "prompts.txt, line 2"),
    ]
    assert faults == []


def test_a_csv_has_a_column_for_them_and_for_what_else_is_known(tmp_path):
    path = write(
        tmp_path, "edits.csv", 'scene,instruction\nlake,"Warm the light,\nand lift shadows"\n,Cool it\n'
    )
    texts, _ = read_texts(path, "instruction", ("scene",))
    assert [(t.text, t.fields["scene"]) for t in texts] == [
        ("Warm the light, and lift shadows", "lake"),
        ("Cool it", ""),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", "one\n\n \nfour\n"), ("a.csv", "instruction,note\none,\n,x\n ,y\nfour,\n")],
)
def test_what_is_empty_is_refused_by_its_line_and_the_others_are_taken(tmp_path, name, content):
    texts, faults = read_texts(write(tmp_path, name, content), "instruction")
    assert [text.text for text in texts] == ["one", "four"]
    start = 2 if name == "a.txt" else 3
    wanted = [(f"{name}, line {n}", "the instruction is empty") for n in (start, start + 1)]
    assert [(fault.where, fault.reason) for fault in faults] == wanted


def test_what_is_too_long_is_refused(tmp_path):
    texts, faults = read_texts(write(tmp_path, "a.txt", "x" * (MAX_LENGTH + 1)), "prompt")
    assert texts == []
    assert faults[0].reason == f"the prompt has {MAX_LENGTH + 1} characters; at most {MAX_LENGTH} are taken"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text\nx\n", "a.csv, line 1: the column prompt is missing; there is text"),
        ("a.csv", "", "a.csv, line 1: the column prompt is missing; there is nothing"),
        ("a.csv", 'prompt\n"open\n', "a.csv, line"),
        ("a.txt", b"\xff\xfe\x00", "a.txt: it is not UTF-8; save it so"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, name, content, message):
    with pytest.raises(ManifestError, match=message):
        read_texts(write(tmp_path, name, content), "prompt")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"none.txt: No such file"):
        read_texts(tmp_path / "none.txt", "prompt")
