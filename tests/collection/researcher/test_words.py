from collection.design.protocol import Protocol
from collection.design.rules import judge_rater
from collection.researcher.words import REASONS, protocol_settings, reason_words, recipe_words


def test_every_rule_has_words():
    rules = judge_rater([], Protocol().rules).evidence.keys() - {"pay"}
    assert rules == REASONS.keys()
    assert reason_words("a_later_rule") == "a later rule"


def test_every_setting_has_words():
    settings = {s.name for _, group in protocol_settings(Protocol()) for s in group}
    data = Protocol().to_json()
    assert settings == (data.keys() | data["rules"].keys()) - {"rules", "consent"}


def test_recipes_read_as_what_they_do():
    assert recipe_words({"steps": []}) == "neutral"
    steps = [{"concept": "exposure", "strength": 0.5}, {"concept": "tint", "strength": -1.0}]
    look = {"name": "golden", "strength": 1.0}
    assert recipe_words({"steps": steps, "look": look}) == "exposure +0.5, tint −1, look golden"
    assert recipe_words({"camera": "B12"}) == "camera B12"
