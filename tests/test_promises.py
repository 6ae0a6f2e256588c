"""Pages of the documentation say which test keeps which promise: each of them is there."""

import ast
import re
from functools import cache

import pytest

from tests.catalogues import ROOT

PAGE = ROOT / "docs" / "participants.md"
PART = "## Promises and the tests that keep them"
SUBJECTS = {*"123456789", "seen", "bad input"}


def promises():
    """(subject, promise, tests) of each row of the page's tables of promises."""
    _, _, part = PAGE.read_text(encoding="utf-8").partition(PART)
    cells = [re.split(r" *\| *", line.strip("| ")) for line in part.splitlines() if line.startswith("| ")]
    return [row for row in cells if row[0] not in ("promise", "---")]


@pytest.mark.parametrize(("promise", "tests"), [pytest.param(*row[1:], id=row[1]) for row in promises()])
def test_a_promise_is_kept_by_tests_that_exist(promise, tests):
    named = re.findall(r"`([^`]+\.py)::(\w+)`", tests)
    assert len(named) == tests.count("::") > 0, (
        f"{promise} names no test, or one not as `tests/FILE.py::test_NAME`"
    )
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []


def test_every_subject_has_promises():
    assert {row[0] for row in promises()} == SUBJECTS


@pytest.mark.parametrize("page", ["security", "trust"])
def test_every_test_that_a_page_names_exists(page):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`:]+)(?:::(\w+))?`", text)
    assert len(named) > 10
    assert [f for f, name in named if not (ROOT / f).exists() or (name and name not in names_in(f))] == []


@cache
def names_in(file):
    path = ROOT / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
