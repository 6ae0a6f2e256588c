"""Tables of choices from elsewhere, as choices."""

import numpy as np
import pytest

from collection.design.choice_table import ChoiceTableError, read_choices
from tests.collection.design.answered import light_fields, tone_mapping

PICK_A_PIC = "user_id,caption,image_0_uid,image_1_uid,label_0,label_1,has_label\n"


def same(one, other):
    names = (one.raters, one.items, one.scenes) == (other.raters, other.items, other.scenes)
    columns = (
        np.array_equal(getattr(one, c), getattr(other, c)) for c in ("rater", "a", "b", "a_won", "scene")
    )
    return names and all(columns)


def refused(text):
    with pytest.raises(ChoiceTableError) as caught:
        read_choices(text.splitlines(keepends=True))
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "kind", "expected"),
    [
        ("ex3_tmo_cmp_data.csv", "pwcmp", tone_mapping),
        ("lf_quality_pwcmps.csv", "pwcmp with levels", light_fields),
    ],
)
def test_pwcmps_own_files_are_read(shared_data, file, kind, expected):
    with (shared_data / "preferences" / file).open(newline="") as lines:
        table = read_choices(lines)
    assert table.kind == kind
    assert same(table.choices, expected(shared_data))


def test_a_plain_table_with_a_mark_other_columns_and_another_order():
    text = '\ufeffchoice,note,b,a,rater\r\na,"two\nlines, one cell",q,p,ann\r\ntie,,q,p,böb\r\n\r\n'
    table = read_choices(text.splitlines(keepends=True))
    assert table.kind == "plain"
    assert (table.choices.raters, table.choices.items, table.choices.scenes) == (
        ("ann", "böb"),
        ("p", "q"),
        ("",),
    )
    assert table.choices.a_won.tolist() == [1, 0.5]


def test_pick_a_pic_has_ties_and_rows_without_a_label():
    rows = [
        "7,a red fox,x,y,1,0,True",
        "7,a red fox,x,z,0,1,True",
        "8,an owl,o,p,0.5,0.5,True",
        "8,an owl,o,q,0,0,False",
    ]
    table = read_choices([PICK_A_PIC, *(f"{row}\n" for row in rows)])
    assert (table.kind, table.without_answer) == ("Pick-a-Pic", 1)
    assert table.choices.a_won.tolist() == [1, 0, 0.5]
    assert table.choices.scenes == ("a red fox", "an owl")


@pytest.mark.parametrize("text", [PICK_A_PIC + "8,an owl,o,q,,,\n", PICK_A_PIC + "8,an owl,o,q,,,False\n",
    PICK_A_PIC.replace(",has_label", "") + "8,an owl,o,q,,\n"])  # fmt: skip
def test_pick_a_pic_rows_with_empty_labels_are_left_out_and_counted(text):
    answered = "7,a red fox,x,y,1,0" + ",True" * ("has_label" in text) + "\n"
    table = read_choices((text + answered).splitlines(keepends=True))
    assert (len(table.choices.a_won), table.without_answer) == (1, 1)


def test_a_fault_is_at_the_line_where_its_row_begins():
    text = 'rater,a,b,choice\n"an\nn",p,q,a\n\n"b\no\nb",p,q,c\n'
    assert "line 5: choice is 'c'" in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its columns (none) are of no known table"),
        ("who,what\n1,2\n", "its columns (who, what) are of no known table. Known are plain: rater, a, b, choice;"),
        ("rater,a,b,choice,a\n", "a column comes twice"),
        ("rater,a,b,choice\n", "there is no answer in it"),
        ("rater,a,b,choice\nann,p,q\n", "line 2: has 3 cells, and there are 4 columns"),
        ("rater,a,b,choice\nann,p,,a\n", "line 2: b is empty"),
        ("rater,a,b,choice\nann,p,p,a\n", "line 2: compares 'p' with itself"),
        ("rater,a,b,choice\nann,p,q,c\n", "line 2: choice is 'c'; it must be a or b or tie"),
        ("rater,a,b,choice\nann,p,q,\"a\n", "is not CSV"),
        ("rater,a,b,choice\nann,p\0,q,a\n", "line 2 holds a NUL byte"),
        (f"rater,a,b,choice\n{'x' * 501},p,q,a\n", "rater is longer than 500 characters"),
        (PICK_A_PIC + "1,c,x,y,1,,\n", "line 2: label_1 is empty; a row without an answer has no label at all, or has_label says"),
        (PICK_A_PIC + "1,c,x,y,,,True\n", "line 2: label_0 is empty"),
        (PICK_A_PIC + "1,c,x,y,1,1,True\n", "label_0 and label_1 are 1 and 1"),
        (PICK_A_PIC + "1,c,x,y,nan,0,True\n", "label_0 and label_1 are nan and 0"),
        (PICK_A_PIC + "1,c,x,y,first,0,True\n", "label_0 is 'first'; it must be a number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_row(text, said):
    assert said in refused(text)


def test_ten_faults_at_most_are_named_and_nothing_is_taken():
    told = refused("rater,a,b,choice\n" + "ann,p,q,z\n" * 30 + "ann,p,q,a\n")
    assert told.count("line ") == 10
    assert "nothing is computed" in told
