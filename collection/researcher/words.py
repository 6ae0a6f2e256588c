"""Names of the code in the words of researchers. Pure."""

from dataclasses import dataclass
from typing import Any

from collection.design.protocol import Protocol, RuleSet

STATUS_MEANING = {
    "draft": "Nobody can answer yet. Once it is open, its scenes and protocol stay as they are.",
    "open": "Everybody with the address can answer.",
    "paused": "Whoever opens the address is told to come back later. Answers so far are kept.",
    "closed": "It takes no more answers.",
}
SIMULATED_MEANING = "Simulated raters answer it. People who open the address are told so and turned away."
STATUS_ACTIONS = {
    "draft": ("open",),
    "open": ("pause", "close"),
    "paused": ("open", "close"),
    "closed": (),
}

PROTOCOL_SECTIONS: dict[str, dict[str, str]] = {
    "Session": {
        "question": "Question",
        "n_practice": "Practice questions",
        "n_main": "Main questions",
        "n_checks": "Checks: an earlier pair again, sides flipped",
        "check_lag": "Questions between a pair and its check, at least",
        "scene_gap": "Questions between two of one scene, at least",
        "surround": "Colour around the photos",
    },
    "Images and pairs": {
        "long_side": "Long side of the renditions, px",
        "encoding": "Encoding",
        "min_delta_e": "Smallest difference of a pair, mean ΔE00",
        "max_delta_e": "Largest difference of a pair, mean ΔE00",
        "max_pairs_per_scene": "Pairs per scene, at most",
    },
    "Splits and chance": {
        "validation_scenes": "Scenes held out of all training",
        "validation_raters": "Valid raters that learners are judged on",
        "seed": "Seed",
    },
}
RULES = {
    "version": "Version",
    "min_response_ms": "An answer is fast below, ms",
    "max_fast_share": "Main answers that may be fast",
    "min_median_response_ms": "Median response, at least, ms",
    "min_consistency": "Checks that agree, at least",
    "max_one_side_share": "Main answers on one side, at most",
}
REASONS = {
    "too_few_answers": "unfinished session",
    "too_fast": "too many fast answers",
    "median_too_fast": "fast median response",
    "inconsistent": "inconsistent checks",
    "one_sided": "one-sided answers",
}
SHARES = {"validation_scenes", "validation_raters", "max_fast_share", "min_consistency", "max_one_side_share"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    name: str
    words: str
    value: str


def protocol_settings(protocol: Protocol) -> list[tuple[str, list[Setting]]]:
    """All settings but the consent text, in sections."""
    sections = [(title, _settings(protocol, names)) for title, names in PROTOCOL_SECTIONS.items()]
    return [*sections, ("Rules", _settings(protocol.rules, RULES))]


def reason_words(name: str) -> str:
    """A failed rule; one that only another version knows is shown by its name."""
    return REASONS.get(name, name.replace("_", " "))


def recipe_words(recipe: dict[str, Any]) -> str:
    """What a rendition's recipe does, as `exposure +0.5, look golden`; `neutral` for nothing."""
    steps = [f"{step['concept']} {step['strength']:+g}".replace("-", "−") for step in recipe.get("steps", ())]
    look = [f"look {recipe['look']['name']}"] if recipe.get("look") else []
    others = [f"{name} {value}" for name, value in recipe.items() if name not in ("steps", "look")]
    return ", ".join([*steps, *look, *others]) or "neutral"


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def percents(interval: tuple[float, float]) -> str:
    """An interval of a share, as `44 to 98 %`."""
    return f"{100 * interval[0]:.0f} to {100 * interval[1]:.0f} %"


def seconds(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def _settings(owner: Protocol | RuleSet, names: dict[str, str]) -> list[Setting]:
    return [Setting(name=name, words=words, value=_value(owner, name)) for name, words in names.items()]


def _value(owner: Protocol | RuleSet, name: str) -> str:
    value = getattr(owner, name)
    return percent(value) if name in SHARES else str(value)
