from collection.design.protocol import SCREENINGS, Protocol
from collection.design.recruiting import ACCESS, Recruiting
from collection.design.rules import judge_rater
from collection.design.wording import REASONS, reason_words
from collection.researcher.words import (
    ACCESS_MEANING,
    SCREENING_WORDS,
    SESSION_STATE_WORDS,
    protocol_settings,
    recipe_words,
    recruiting_settings,
)
from collection.selectors.research import SESSION_STATES


def test_every_rule_has_words():
    rules = judge_rater([], Protocol().rules).evidence.keys() - {"pay"}
    assert rules == REASONS.keys()
    assert reason_words("a_later_rule") == "a later rule"


def test_every_setting_has_words():
    settings = {s.name for _, group in protocol_settings(Protocol()) for s in group}
    data = Protocol().to_json()
    assert settings == (data.keys() | data["rules"].keys()) - {"rules", "consent"}


def test_every_setting_of_recruiting_has_words():
    settings = {setting.name: setting.value for setting in recruiting_settings(Recruiting())}
    assert settings.keys() == Recruiting().to_json().keys()
    assert (settings["access"], settings["completion_code"]) == ("open", "none")


def test_every_state_and_screening_has_words():
    assert SESSION_STATE_WORDS.keys() == SESSION_STATES.keys()
    assert tuple(SCREENING_WORDS) == SCREENINGS
    assert tuple(ACCESS_MEANING) == ACCESS


def test_recipes_read_as_what_they_do():
    assert recipe_words({"steps": []}) == "neutral"
    steps = [{"concept": "exposure", "strength": 0.5}, {"concept": "tint", "strength": -1.0}]
    look = {"name": "golden", "strength": 1.0}
    assert recipe_words({"steps": steps, "look": look}) == "exposure +0.5, tint −1, look golden"
    assert recipe_words({"steps": [], "lut": {"sha256": "3f" * 32, "strength": 1.0}}) == "LUT 3f3f3f3f"
    file = {"maker": "expert C", "sha256": "3f" * 32, "frame": [60, 40]}
    assert recipe_words({"file": file}) == "expert C"
    assert recipe_words({"simulated_camera": "old_film", "numbers": "3f"}) == "simulated camera old_film"
    edit = {"model": "owner/FLUX.1-Kontext-dev", "instruction": "warm the light"}
    assert recipe_words({"diffusion_edit": edit}) == "FLUX.1-Kontext-dev: warm the light"
    unwritten = recipe_words({"diffusion_edit": edit | {"instruction": ""}})
    assert unwritten == "FLUX.1-Kontext-dev: instruction to be written"
    assert recipe_words({"generator": "G7"}) == "generator G7"
