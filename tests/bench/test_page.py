import pytest

from bench import page
from bench.timing import row

WORDS = "Before.\n\n<!-- bench: table -->\n<!-- bench: end of table -->\n\nAfter.\n"


@pytest.fixture
def written(tmp_path, monkeypatch):
    file = tmp_path / "benchmarks.md"
    file.write_text(WORDS)
    monkeypatch.setattr(page, "FILE", file)
    monkeypatch.setattr(page, "machine", lambda: "a machine")
    return lambda name, *rows: (page.page_write(name, list(rows)), file.read_text())[1]


def measured(name, ours, goal=0.5):
    return row(name, ours=ours, peer=4.0, peer_name="a peer", goal=goal, better="lower", unit="ms")


def test_a_row_says_all_and_a_missed_goal_says_so(written):
    text = written("lut", measured("a LUT", 1.0), measured("another", 3.0))
    assert "| a LUT | 1 ms | 4 ms, a peer | 0.25 | ≤ 0.5 | ok | `python -m bench lut` | a machine |" in text
    assert "| another | 3 ms | 4 ms, a peer | 0.75 | ≤ 0.5 | **missed** |" in text
    assert text.startswith("Before.")
    assert text.endswith("After.\n")


def test_what_is_measured_again_takes_the_place_of_what_was_and_leaves_the_rest(written):
    written("render", measured("a render", 1.0))
    written("lut", measured("a LUT", 1.0), measured("gone", 1.0))
    text = written("lut", measured("a LUT", 2.0))
    lines = [line.split(" | ")[0] for line in text.splitlines() if "python -m bench" in line]
    assert lines == ["| a LUT", "| a render"]
    assert "2 ms" in text
    assert "gone" not in text
