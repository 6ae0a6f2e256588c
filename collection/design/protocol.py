"""A study's protocol: everything that decides what is asked, how, and whose answers count.

It is data: it goes into the study's row, its hash onto every session, and as
protocol.json into the dataset folder.
"""

import dataclasses
import difflib
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Self

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
            _check(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share from 0 to 1")
        for name in ("min_response_ms", "min_median_response_ms"):
            _check(
                0 <= getattr(self, name) <= 60_000, name, getattr(self, name), "milliseconds from 0 to 60000"
            )
        _check(bool(self.version), "version", self.version, "a name")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
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
            value = getattr(self, name)
            _check(
                isinstance(value, int) and low <= value <= high,
                name,
                value,
                f"a whole number from {low} to {high}",
            )
        _check(self.n_checks <= self.n_main, "n_checks", self.n_checks, f"at most n_main ({self.n_main})")
        _check(
            0 <= self.min_delta_e < self.max_delta_e,
            "min_delta_e",
            self.min_delta_e,
            "from 0 to below max_delta_e",
        )
        for name in ("validation_scenes", "validation_raters"):
            _check(0 <= getattr(self, name) < 1, name, getattr(self, name), "a share from 0 to below 1")
        _check(_is_grey(self.surround), "surround", self.surround, "an achromatic colour such as #777777")
        _check(
            self.encoding in ("webp_lossless", "jpeg_444", "png"),
            "encoding",
            self.encoding,
            "webp_lossless, jpeg_444 or png",
        )
        _check(bool(self.question.strip()), "question", self.question, "a question")

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
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Raise ValueError that names the field for unknown fields and impossible values."""
        known = _known_fields(cls, data)
        if "rules" in known and not isinstance(known["rules"], RuleSet):
            known["rules"] = RuleSet.from_json(known["rules"])
        return cls(**known)


def _check(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value!r}; it must be {wanted}")


def _is_grey(colour: str) -> bool:
    digits = colour.removeprefix("#").lower()
    return (
        len(digits) == 6
        and all(c in "0123456789abcdef" for c in digits)
        and digits[:2] == digits[2:4] == digits[4:]
    )


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
