import dataclasses
import json
import math

import pytest

from collection.design.protocol import Protocol, RuleSet


def test_the_published_protocol_is_the_default():
    protocol = Protocol()
    assert (protocol.n_main, protocol.n_checks, protocol.n_practice) == (80, 10, 3)
    assert protocol.n_questions == 93


def test_json_and_back_is_the_same_protocol():
    protocol = Protocol(n_main=40, question="Welches gefällt besser?", rules=RuleSet(min_consistency=0.8))
    again = Protocol.from_json(json.loads(json.dumps(protocol.to_json())))
    assert again == protocol
    assert again.sha256 == protocol.sha256


def test_every_setting_changes_the_hash():
    changed = {
        "n_main": 40, "consent": "Yes?", "seed": 1, "rules": RuleSet(version="2"), "validation_raters": 0.1,
    }  # fmt: skip
    hashes = {dataclasses.replace(Protocol(), **{name: value}).sha256 for name, value in changed.items()}
    assert len(hashes | {Protocol().sha256}) == len(changed) + 1


def test_the_consent_version_follows_its_text():
    assert Protocol(consent="One").consent_version != Protocol(consent="Two").consent_version


def test_rule_sets_with_another_threshold_have_another_name():
    assert RuleSet().name.startswith("2026-11-")
    assert RuleSet().name != RuleSet(min_consistency=0.8).name
    assert RuleSet().name == RuleSet().name


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("n_main", 0, "n_main is 0; it must be a whole number from 1 to 1000"),
        ("n_main", True, "n_main is True"),
        ("n_main", "40", "n_main is '40'"),
        ("n_main", 40.0, "n_main is 40.0"),
        ("n_checks", 81, r"n_checks is 81; it must be at most n_main \(80\)"),
        ("min_delta_e", "2", "min_delta_e is '2'"),
        ("min_delta_e", math.nan, "min_delta_e is nan"),
        ("min_delta_e", 25.0, "below max_delta_e"),
        ("validation_raters", 1, "validation_raters is 1"),
        ("question", "  ", "question is '  '"),
        ("consent", None, "consent is None"),
        ("surround", "#778777", "achromatic"),
        ("surround", 7, "surround is 7"),
        ("encoding", "gif", "webp_lossless or jpeg_444 or png"),
        ("rules", {"min_consistency": 1.1}, "min_consistency is 1.1; it must be a number from 0 to 1"),
        ("rules", {"min_response_ms": -1}, "min_response_ms is -1"),
        ("rules", {"version": ""}, "version is ''"),
        ("rules", 3, "RuleSet must be an object"),
        ("rules", {"min_consitency": 0.7}, "no field 'min_consitency'; did you mean 'min_consistency'"),
        ("n_mian", 80, "Protocol has no field 'n_mian'; did you mean 'n_main'"),
    ],
)
def test_an_impossible_setting_is_named(field, value, message):
    with pytest.raises(ValueError, match=message):
        Protocol.from_json({field: value})


def test_settings_are_typed_as_on_a_command_line():
    protocol = Protocol().with_settings(
        ["n_main=40", "rules.min_consistency=0.8", "question=Which one?", "surround=#808080"]
    )
    assert protocol == Protocol(
        n_main=40, rules=RuleSet(min_consistency=0.8), question="Which one?", surround="#808080"
    )


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("n_main", "NAME=VALUE"),
        ("rule.x=1", "rules.NAME"),
        ("rules.x=1", "no field 'x'"),
        ("n_main=x", "'x'"),
    ],
)
def test_a_mistyped_setting_is_named(typed, message):
    with pytest.raises(ValueError, match=message):
        Protocol().with_settings([typed])


def test_one_threshold_written_in_two_ways_has_one_name():
    assert RuleSet(min_consistency=1).name == RuleSet(min_consistency=1.0).name != RuleSet().name


def test_a_rule_set_takes_settings_as_they_are_typed():
    assert RuleSet().with_settings(["min_consistency=0.8", "rules.version=strict"]) == RuleSet(
        version="strict", min_consistency=0.8
    )
    with pytest.raises(ValueError, match="did you mean 'min_consistency'"):
        RuleSet().with_settings(["min_consistensy=0.8"])
