"""Names of the code in the words of researchers. Pure."""

import re
from dataclasses import dataclass
from typing import Any

from collection.design.protocol import RULE_SHARES, Protocol, RuleSet
from collection.design.recruiting import Recruiting
from collection.design.wording import percent

ROLE_MEANING = {
    "owner": "All that an editor may; and members, closing, deleting",
    "editor": "Changes the study, judges raters, exports, starts runs",
    "viewer": "Looks at everything and downloads it",
}
STATUS_MEANING = {
    "draft": "Nobody can answer yet. Once it is open, its photos and renditions stay as they are.",
    "paused": "Whoever opens the address is told to come back later. Answers so far are kept.",
    "closed": "It takes no more answers.",
}
ACCESS_MEANING = {
    "open": "Everybody with the address can answer.",
    "panel": "Everybody whom the panel sends can answer.",
    "invited": "Everybody with a personal link can answer.",
}
"""Of an open study."""
SIMULATED_MEANING = "Simulated raters answer it. People who open the address are told so and turned away."
STATUS_ACTIONS = {
    "draft": ("open",),
    "open": ("pause", "close"),
    "paused": ("open", "close"),
    "closed": (),
}

PROTOCOL_SECTIONS: dict[str, dict[str, str]] = {
    "Participants": {
        "title": "Title for participants",
        "question": "Question",
        "language": "Its language",
        "languages": "Languages offered, none for all that have texts",
        "translations": "Languages with texts of the study's own",
        "phases": "Phases of a session",
        "turn_away": "Screenings that end the session of whoever fails them",
        "allow_tie": "“No difference” may be answered",
        "allow_undo": "The last answer may be taken back",
        "finish_begun": "Last state of the study in which sessions under way may be finished",
        "abandon_after_hours": "Hours without an answer until a session gives its places back",
    },
    "Session": {
        "n_practice": "Practice questions a try",
        "practice_tries": "Tries at the practice, at most",
        "n_main": "Main questions",
        "n_checks": "Checks: an earlier pair again, sides flipped",
        "check_lag": "Questions between a pair and its check, at least",
        "scene_gap": "Questions between two of one scene, at least",
        "selection": "How pairs are chosen",
        "active_uniform": "Of active questions: part chosen by chance alone",
        "active_floor": "Of active questions: pairs below this part of the mean come first",
        "block_size": "Questions between two breaks, 0 for no break",
        "surround": "Colour around the photos",
    },
    "Images and pairs": {
        "long_side": "Long side of the renditions, px",
        "encoding": "Encoding",
        "min_delta_e": "Smallest difference of a pair, mean ΔE00",
        "max_delta_e": "Largest difference of a pair, mean ΔE00",
        "max_pairs_per_scene": "Pairs per scene, at most",
        "source_quotas": "Main questions by source type",
    },
    "Splits and chance": {
        "validation_scenes": "Scenes held out of all training",
        "validation_raters": "Valid raters that learners are judged on",
        "seed": "Seed",
    },
}
RECRUITING = {
    "access": "Who is let in: open, panel, invited",
    "panel": "Panel",
    "completion_code": "Code at the end",
    "screened_out_code": "Code for whoever is screened out",
    "no_consent_code": "Code for whoever does not agree",
    "closed_code": "Code for whoever was under way at its close",
    "completion_url": "Address at the end, the panel's own where it has one",
    "screened_out_url": "Address for whoever is screened out",
    "no_consent_url": "Address for whoever does not agree",
    "closed_url": "Address for whoever was under way at its close",
}
END_WORDS = {
    "completion": "All questions answered",
    "screened_out": "Screened out",
    "no_consent": "Does not agree",
    "closed": "Under way when the study was closed",
}
"""How a visit ends."""
SESSION_STATE_WORDS = {
    "finished": "finished",
    "screened_out": "screened out",
    "abandoned": "abandoned",
    "under_way": "under way",
}
SCREENING_WORDS = {"color_vision": "colour vision", "levels": "levels", "practice": "practice"}
RULES = {
    "version": "Version",
    "min_response_ms": "An answer is fast below, ms",
    "max_fast_share": "Main answers that may be fast",
    "min_median_response_ms": "Median response, at least, ms",
    "min_consistency": "Checks that agree, at least",
    "max_one_side_share": "Main answers on one side, at most",
    "max_impossible_share": "Main answers with an impossible time, at most",
    "require_color_vision": "Colour vision must not be failed",
    "require_levels": "The black and white level check must not be failed",
    "require_practice": "The practice must not be failed",
}
SHARES = {"active_uniform", "active_floor", "validation_scenes", "validation_raters", *RULE_SHARES}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    name: str
    words: str
    value: str


def protocol_settings(protocol: Protocol) -> list[tuple[str, list[Setting]]]:
    """All settings but the consent text, in sections."""
    sections = [(title, _settings(protocol, names)) for title, names in PROTOCOL_SECTIONS.items()]
    return [*sections, ("Rules", _settings(protocol.rules, RULES))]


def protocol_value(protocol: Protocol, name: str) -> str:
    """A setting as it is shown."""
    return _value(protocol, name)


def recruiting_settings(recruiting: Recruiting) -> list[Setting]:
    return _settings(recruiting, RECRUITING)


def file_name(name: str) -> str:
    """A study's name in that of a download: letters of any script, digits, - and _; empty where none is left."""
    return re.sub(r"[^\w-]+", "_", name).strip("_")


def recipe_words(recipe: dict[str, Any]) -> str:
    """What a rendition's recipe does, as `exposure +0.5, look golden`; `neutral` for nothing."""
    if "file" in recipe:
        return str(recipe["file"]["maker"])
    if "simulated_camera" in recipe:
        return f"simulated camera {recipe['simulated_camera']}"
    if "diffusion_edit" in recipe:
        edit = recipe["diffusion_edit"]
        return f"{edit['model'].rstrip('/').rpartition('/')[2]}: {edit['instruction'] or 'instruction to be written'}"
    if "output" in recipe:
        output = recipe["output"]
        return f"run {output['run'][:8]}, taste {output['taste'][:8]}" if output["run"] else "untouched"
    steps = [f"{step['concept']} {step['strength']:+g}".replace("-", "−") for step in recipe.get("steps", ())]
    look = [f"look {recipe['look']['name']}"] if recipe.get("look") else []
    lut = [f"LUT {recipe['lut']['sha256'][:8]}"] if recipe.get("lut") else []
    others = [f"{name} {value}" for name, value in recipe.items() if name not in ("steps", "look", "lut")]
    return ", ".join([*steps, *look, *lut, *others]) or "neutral"


def seconds(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def _settings(owner: Protocol | RuleSet | Recruiting, names: dict[str, str]) -> list[Setting]:
    return [Setting(name=name, words=words, value=_value(owner, name)) for name, words in names.items()]


def _value(owner: Protocol | RuleSet | Recruiting, name: str) -> str:
    value = getattr(owner, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "source_quotas":
        return ", ".join(f"{kind} {percent(share)}" for kind, share in value.items()) or "none"
    if isinstance(value, tuple | dict):
        return ", ".join(value) or "none"
    return percent(value) if name in SHARES else str(value) or "none"
