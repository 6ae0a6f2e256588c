"""A study's protocol: everything that decides what is asked, how, and whose answers count.

It is data: it goes into the study's row, its hash onto every session, and as
protocol.json into the dataset folder.
"""

import dataclasses
import difflib
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

ENCODINGS = ("webp_lossless", "jpeg_444", "png")
CONSENT = """\
You will see two versions of the same photo at a time and choose the one that you like better.
There are no right answers.

We store which version you chose, how long it took, and what your browser says about your screen.
We store no name and no address. You can stop at any time.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSet:
    """Whose answers may be used. A new `version` whenever a threshold or its meaning changes."""

    version: str = "2026-11"
    min_response_ms: int = 300
    """An answer below it cannot have looked: hands alone take 200 to 300 ms."""
    max_fast_share: float = 0.1
    """Part of the main answers that may be faster than `min_response_ms`."""
    min_median_response_ms: int = 500
    """A rater's median over the main answers."""
    min_consistency: float = 0.7
    """Part of the flipped checks that must agree with the first answer; a random clicker reaches 7 of 10 with 17 %."""
    max_one_side_share: float = 0.8
    """Part of the main answers that may be on one side, sides being balanced; 64 of 80 by chance has p < 1e-7."""

    def __post_init__(self) -> None:
        for name in ("max_fast_share", "min_consistency", "max_one_side_share"):
            _check_number(self, name, 0, 1)
        for name in ("min_response_ms", "min_median_response_ms"):
            _check_whole(self, name, 0, 60_000)
        _check(_is_text(self.version, 60), "version", self.version, "a name of at most 60 characters")

    @property
    def name(self) -> str:
        """Version and hash: what verdicts are kept under, so that two sets never pass for one."""
        return f"{self.version}-{_sha256(dataclasses.asdict(self))[:12]}"

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Raise ValueError that names the field for unknown fields and impossible values."""
        return cls(**_known_fields(cls, data))


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    n_practice: int = 3
    n_main: int = 80
    n_checks: int = 10
    """Checks show an earlier pair again with the sides flipped."""
    check_lag: int = 15
    """Questions between a pair and its check, at least, where the length allows it."""
    scene_gap: int = 2
    """Questions between two of the same scene, at least, where the number of scenes allows it."""
    question: str = "Which one do you like better?"
    consent: str = CONSENT
    """Markdown."""
    surround: str = "#777777"
    """Achromatic colour around the photos."""
    long_side: int = 768
    """Of the served renditions, in pixels."""
    encoding: str = "webp_lossless"
    """The same for both sides of every pair."""
    min_delta_e: float = 2.0
    """Mean CIEDE2000 of a pair: below it the difference can hardly be seen."""
    max_delta_e: float = 25.0
    """Above it the answer says nothing about taste."""
    max_pairs_per_scene: int = 60
    validation_scenes: float = 0.25
    """Part of the scenes held out of all training; 0 for none."""
    validation_raters: float = 0.2
    """Part of the valid raters that learners are judged on; 0 for none."""
    seed: int = 0
    rules: RuleSet = field(default_factory=RuleSet)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("n_practice", 0, 20),
            ("n_main", 1, 1000),
            ("n_checks", 0, 500),
            ("check_lag", 1, 500),
            ("scene_gap", 0, 100),
            ("long_side", 64, 4096),
            ("max_pairs_per_scene", 1, 10_000),
            ("seed", 0, 2**63 - 1),
        ):
            _check_whole(self, name, low, high)
        for name in ("min_delta_e", "max_delta_e"):
            _check_number(self, name, 0, 200)
        for name in ("validation_scenes", "validation_raters"):
            _check_number(self, name, 0, 0.9)
        for name in ("question", "consent"):
            _check(_is_text(getattr(self, name), 20_000), name, getattr(self, name), "a text")
        _check(self.n_checks <= self.n_main, "n_checks", self.n_checks, f"at most n_main ({self.n_main})")
        _check(
            self.min_delta_e < self.max_delta_e,
            "min_delta_e",
            self.min_delta_e,
            f"below max_delta_e ({self.max_delta_e})",
        )
        _check(_is_grey(self.surround), "surround", self.surround, "an achromatic colour such as #777777")
        _check(self.encoding in ENCODINGS, "encoding", self.encoding, " or ".join(ENCODINGS))
        _check(isinstance(self.rules, RuleSet), "rules", self.rules, "an object with the rules' fields")

    @property
    def n_questions(self) -> int:
        """Practice, main and checks together."""
        return self.n_practice + self.n_main + self.n_checks

    @property
    def consent_version(self) -> str:
        """Changes with every character of the text that people agree to."""
        return hashlib.sha256(self.consent.encode()).hexdigest()[:16]

    @property
    def sha256(self) -> str:
        return _sha256(self.to_json())

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Raise ValueError that names the field for unknown fields and impossible values."""
        known = _known_fields(cls, data)
        if "rules" in known and not isinstance(known["rules"], RuleSet):
            known["rules"] = RuleSet.from_json(known["rules"])
        return cls(**known)

    def with_settings(self, assignments: Iterable[str]) -> Self:
        """A copy with settings as they are typed: `n_main=40`, `rules.min_consistency=0.8`.

        Values are JSON where they can be read as such, and text otherwise.
        """
        data = self.to_json()
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            _check(bool(equals), "setting", assignment, "NAME=VALUE, such as n_main=40")
            part, _, field_name = name.rpartition(".")
            _check(part in ("", "rules"), "setting", assignment, "NAME=VALUE or rules.NAME=VALUE")
            (data["rules"] if part else data)[field_name] = _json_or_text(text)
        return type(self).from_json(data)


def _check(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value!r}; it must be {wanted}")


def _check_whole(owner: object, name: str, low: int, high: int) -> None:
    value = getattr(owner, name)
    whole = isinstance(value, int) and not isinstance(value, bool)
    _check(whole and low <= value <= high, name, value, f"a whole number from {low} to {high}")


def _check_number(owner: object, name: str, low: float, high: float) -> None:
    value = getattr(owner, name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    _check(number and low <= value <= high, name, value, f"a number from {low} to {high}")


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= longest


def _is_grey(colour: object) -> bool:
    if not isinstance(colour, str) or not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        return False
    red, green, blue = (colour[i : i + 2].lower() for i in (1, 3, 5))
    return red == green == blue


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _sha256(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _known_fields(cls: type, data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"{cls.__name__} must be an object with named fields, not {type(data).__name__}")
    names = [f.name for f in dataclasses.fields(cls)]
    for name in data:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            raise ValueError(
                f"{cls.__name__} has no field {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    return dict(data)
