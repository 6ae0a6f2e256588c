import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collection.design.csv_text import csv_text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_taken_for_a_formula(start):
    text = csv_text(["id"], [[f"{start}1+1"]])
    (_, (cell,)) = csv.reader(io.StringIO(text, newline=""))
    assert cell == f"'{start}1+1"


def test_a_formula_character_elsewhere_is_left_alone():
    assert csv_text(["a", "b"], [["x=1", "1-2"]]) == "a,b\r\nx=1,1-2\r\n"


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2)))
def test_every_text_can_be_read_again(rows):
    """But for the apostrophe before what looks like a formula."""
    read = list(csv.reader(io.StringIO(csv_text(["a", "b"], rows), newline="")))[1:]
    assert [[cell.removeprefix("'") for cell in row] for row in read] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]
