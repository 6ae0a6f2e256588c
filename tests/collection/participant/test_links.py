"""What a link says of its visitor."""

import pytest
from django.http import QueryDict

from collection.participant.links import Link, LinkError, link_read

PROLIFIC = "PROLIFIC_PID=5f1a&STUDY_ID=study1&SESSION_ID=visit1"
MTURK = "workerId=W1&assignmentId=A1&hitId=H1&turkSubmitTo=https%3A%2F%2Fworkersandbox.mturk.com"


def read(query, panel=""):
    return link_read(QueryDict(query), panel)


def test_prolific_names_the_person_and_the_visit():
    assert read(PROLIFIC, "prolific") == Link(
        panel="prolific", panel_id="5f1a", recruitment={"study": "study1", "submission": "visit1"}
    )


def test_mturk_names_the_worker_and_where_the_assignment_goes():
    submit_to = "https://workersandbox.mturk.com/mturk/externalSubmit"
    assert read(MTURK, "mturk") == Link(
        panel="mturk", panel_id="W1", recruitment={"assignment": "A1", "hit": "H1", "submit_to": submit_to}
    )


def test_an_assignment_without_an_address_goes_to_mturk_itself():
    link = read("workerId=W1&assignmentId=A1&hitId=H1", "mturk")
    assert link.recruitment["submit_to"] == "https://www.mturk.com/mturk/externalSubmit"


def test_an_assignment_that_nobody_accepted_is_a_preview():
    assert read("assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=H1", "mturk") == Link(is_preview=True)


@pytest.mark.parametrize(
    "address",
    [
        "http://www.mturk.com",
        "https://mturk.com.example.org",
        "https://evilmturk.com",
        "https://user@www.mturk.com",
        "https://www.mturk.com:8443",
        "//www.mturk.com",
        "javascript:alert(1)",
        "https://[www.mturk.com",
    ],
)
def test_assignments_are_handed_in_to_nobody_but_mturk(address):
    query = QueryDict(MTURK, mutable=True)
    query["turkSubmitTo"] = address
    with pytest.raises(LinkError, match="turkSubmitTo"):
        link_read(query, "mturk")


def test_a_plain_link_may_carry_an_id():
    for panel in ("", "pid"):
        assert read("pid=P1", panel) == Link(panel="pid", panel_id="P1")
        assert read("", panel) == Link()


def test_an_invitation_comes_before_a_panel():
    for panel in ("", "prolific", "mturk"):
        assert read(f"invite=abc&pid=P1&{PROLIFIC}&{MTURK}", panel) == Link(
            panel="invitation", panel_id="abc"
        )


def test_the_words_of_another_panel_name_nobody():
    assert read(PROLIFIC, "mturk") == read(MTURK, "prolific") == read(PROLIFIC, "pid") == Link()
    assert read("pid=P1", "prolific") == Link()


def test_a_visit_without_its_person_is_nobodys():
    assert read("STUDY_ID=study1&SESSION_ID=visit1", "prolific") == Link()
    assert read("assignmentId=A1&hitId=H1", "mturk") == Link()


@pytest.mark.parametrize(
    ("query", "panel"),
    [
        ("pid=" + 201 * "x", ""),
        ("pid=a%00b", ""),
        ("pid=a%0Ab", ""),
        ("invite=" + 10_000 * "x", ""),
        ("PROLIFIC_PID=" + 201 * "x", "prolific"),
        ("PROLIFIC_PID=5f1a&SESSION_ID=a%00b", "prolific"),
        ("workerId=a%E2%80%AEb&assignmentId=A1", "mturk"),
    ],
)
def test_what_cannot_be_an_id_makes_the_link_wrong(query, panel):
    with pytest.raises(LinkError, match="printable"):
        read(query, panel)


@pytest.mark.parametrize(
    "value", ["{{%PROLIFIC_PID%}}", "%PROLIFIC_PID%", "${e://Field/pid}", "undefined", "null", "None", "NaN"]
)
def test_a_placeholder_is_nobodys_id(value):
    """All of a panel's people would be one person: Dallinger's issue 827 had "undefined" for everybody."""
    query = QueryDict(mutable=True)
    query["PROLIFIC_PID"] = value
    with pytest.raises(LinkError, match="placeholder"):
        link_read(query, "prolific")


def test_an_id_that_is_given_twice_and_differs_is_wrong():
    with pytest.raises(LinkError, match="twice"):
        read("pid=P1&pid=P2")
    assert read("pid=P1&pid=P1").panel_id == "P1"
