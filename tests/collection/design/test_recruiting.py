"""How people come to a study, as data."""

import pytest

from collection.design.recruiting import Recruiting


def test_prolific_has_an_address_of_its_own():
    recruiting = Recruiting(panel="prolific", completion_code="C1")
    assert recruiting.address("completion") == "https://app.prolific.com/submissions/complete?cc=C1"
    assert recruiting.address("screened_out") == ""


def test_an_address_that_is_given_comes_first_and_is_filled_in():
    recruiting = Recruiting(
        panel="prolific", completion_code="C 1", completion_url="https://example.org/?c={code}&p={pid}"
    )
    assert recruiting.address("completion", "a&b") == "https://example.org/?c=C%201&p=a%26b"


def test_settings_are_texts_even_where_they_look_like_numbers():
    recruiting = Recruiting().with_settings(["panel=prolific", "completion_code=0012", "access=panel"])
    assert recruiting == Recruiting(panel="prolific", completion_code="0012", access="panel")
    assert recruiting.with_settings(["completion_code="]).completion_code == ""


def test_it_is_the_same_after_json():
    recruiting = Recruiting(panel="mturk", access="panel", screened_out_code="S1")
    assert Recruiting.from_json(recruiting.to_json()) == recruiting
    assert Recruiting.from_json({}) == Recruiting()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("access=all", "open or panel or invited"),
        ("panel=prolofic", "prolific or mturk or pid"),
        ("access=panel", "named for access by panel"),
        ("completion_url=http://example.org", "https://"),
        ("completion_url=javascript:alert(1)", "https://"),
        ("no_consent_code=" + 61 * "x", "at most 60"),
        ("completion_cod=C1", "did you mean 'completion_code'"),
        ("panel", "NAME=VALUE"),
    ],
)
def test_what_cannot_be_is_named(setting, words):
    with pytest.raises(ValueError, match=words):
        Recruiting().with_settings([setting])
