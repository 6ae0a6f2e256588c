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
LANGUAGES = ("en", "de", "ja", "ko", "es")
"""Languages that the participants' pages speak."""
PHASES = (
    "consent",
    "display",
    "color_vision",
    "levels",
    "instructions",
    "practice",
    "main",
    "questionnaire",
)
"""In their order. Each but `main` can be left out."""
SCREENINGS = ("color_vision", "levels", "practice")
"""Phases that can be failed."""
RULE_SHARES = ("max_fast_share", "min_consistency", "max_one_side_share", "max_impossible_share")
"""Thresholds of a RuleSet that are parts from 0 to 1."""
SOURCE_TYPES = ("A", "B", "C", "D", "E")
FINISH_WHILE = ("open", "paused", "closed")
SELECTIONS = ("random", "active")
"""How pairs are chosen: those asked least, ties at random; or by what their answers are expected to tell of the rater."""
ACTIVE_SETTINGS = ("selection", "active_uniform", "active_floor")
QUOTAS_WANTED = "parts by source type that make 1 together, such as {'A': 0.4, 'D': 0.6}"


def gettext_noop(text: str) -> str:
    """Mark a text for the translators; a core knows no framework that would translate it."""
    return text


QUESTION = gettext_noop("Which one do you like better?")
CONSENT = gettext_noop("""\
## What you do
You will see two versions of the same photo at a time and choose the one that you like better.
There are no right answers.

## Why
We want to learn how people like colours and tones in their photos, and how computers can find it out.
The study is run by whoever gave you its link.

## Who can take part
Anybody who is 18 or older. Taking part is voluntary, and you can stop at any time by closing the page.
We know of no risk beyond that of looking at a screen.

## What we store
- which version you chose, when, and how long you looked
- what your browser says about your screen, and your answers to the checks and questions on the way
- random numbers in cookies, so that this site knows you when you come back
- the ID in your link, if there is one: whoever gave you the link may know whose it is

We ask for no name and no e-mail address.

## What becomes of it
We use the answers for research, keep them for as long as they are of use for it, and may publish them as a
dataset. No ID from a link and no cookie is ever in it.

## Your rights
You can take back everything that you gave: the last page has a link for it, and so has this one when you come
back. All of it is then deleted at once. What was published before cannot be called back.

If you have questions or complaints, please turn to whoever gave you the link.
""")


class FieldError(ValueError):
    """A field that is unknown or has an impossible value; `name` is the field's, empty where it is the whole."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSet:
    """Whose answers may be used. A new `version` whenever a threshold or its meaning changes."""

    version: str = "2026-11-3"
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
    max_impossible_share: float = 0.05
    """Part of the main answers whose time by the client's clock may exceed the time since they were handed out."""
    require_color_vision: bool = False
    require_levels: bool = False
    require_practice: bool = False
    """Whether a failed screening costs the use of the answers; a screening that is unknown never does."""

    def __post_init__(self) -> None:
        for name in RULE_SHARES:
            _check_number(self, name, 0, 1)
        for name in SCREENINGS:
            _check_flag(self, f"require_{name}")
        for name in ("min_response_ms", "min_median_response_ms"):
            _check_whole(self, name, 0, 60_000)
        check(is_text(self.version, 60), "version", self.version, "a name of at most 60 characters")

    @property
    def name(self) -> str:
        """Version and hash: what verdicts are kept under, so that two sets never pass for one."""
        shares = {name: float(getattr(self, name)) for name in RULE_SHARES}  # 1 and 1.0 are one threshold
        return f"{self.version}-{_sha256(self.to_json() | shares)[:12]}"

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Raise ValueError that names the field for unknown fields and impossible values."""
        return cls(**known_fields(cls, data))

    def with_settings(self, assignments: Iterable[str]) -> Self:
        """A copy with settings as they are typed: `min_consistency=0.8`, with or without `rules.` before it."""
        data = self.to_json()
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            check(bool(equals), "setting", assignment, "NAME=VALUE, such as min_consistency=0.8")
            data[name.removeprefix("rules.")] = _json_or_text(text)
        return type(self).from_json(data)


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    phases: tuple[str, ...] = (
        "consent",
        "display",
        "levels",
        "instructions",
        "practice",
        "main",
        "questionnaire",
    )
    """What a session goes through, in the order of PHASES."""
    turn_away: tuple[str, ...] = ()
    """Screenings that end the session of whoever fails them. Without them screening is data for the rules."""
    n_practice: int = 3
    practice_tries: int = 2
    """How often the practice is asked until it is passed; its last question says which side to choose."""
    n_main: int = 80
    n_checks: int = 10
    """Checks show an earlier pair again with the sides flipped."""
    check_lag: int = 15
    """Questions between a pair and its check, at least, where the length allows it."""
    scene_gap: int = 2
    """Questions between two of the same scene, at least, where the number of scenes allows it."""
    block_size: int = 45
    """Questions that count between two breaks; 0 for no break."""
    source_quotas: dict[str, float] = field(default_factory=dict)
    """Source type → its part of the main questions, 1 together; empty for whatever was asked least."""
    selection: str = "random"
    """"random": the pairs asked least; "active": by what is known of the rater so far, see `collection.design.active`."""
    active_uniform: float = 0.15
    """Of active questions: the part chosen by chance alone, so that every pair has a known chance above 0."""
    active_floor: float = 0.25
    """Of active questions: pairs asked less often than this part of the mean of all, rounded down, come first."""
    allow_tie: bool = False
    """Whether "no difference" may be answered."""
    allow_undo: bool = False
    """Whether the last answer may be taken back; it is kept apart."""
    finish_begun: str = "paused"
    """Until when sessions under way may be finished: while the study is "open", "paused" too, or even "closed"."""
    abandon_after_hours: float = 24.0
    """Without an answer for so long, a session gives its places back; who returns takes them again."""
    title: str = ""
    """What participants see of the study's name, if anything: a name that tells what is looked for would tell them too."""
    language: str = "en"
    """Of `title`, `question` and `consent`."""
    question: str = QUESTION
    consent: str = CONSENT
    """Markdown."""
    translations: dict[str, dict[str, str]] = field(default_factory=dict)
    """Language → the `question` and the `consent` in it. The default texts have theirs already."""
    languages: tuple[str, ...] = ()
    """Offered to participants; empty for all that have both texts."""
    surround: str = "#777777"
    """Achromatic colour around the photos."""
    long_side: int = 1080
    """Of the served renditions, in pixels; photos are never shown larger than their pixels, and 1080 fill a phone's width."""
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
            ("practice_tries", 1, 5),
            ("block_size", 0, 1000),
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
        _check_number(self, "abandon_after_hours", 0.1, 24 * 365)
        check(self.selection in SELECTIONS, "selection", self.selection, " or ".join(SELECTIONS))
        _check_number(self, "active_uniform", 0.05, 1)
        _check_number(self, "active_floor", 0, 0.9)
        for name in ("allow_tie", "allow_undo"):
            _check_flag(self, name)
        _check_choices(self, "phases", PHASES)
        check("main" in self.phases, "phases", self.phases, "a list with main")
        _check_choices(self, "turn_away", tuple(name for name in SCREENINGS if name in self.phases))
        _check_choices(self, "languages", LANGUAGES)
        check(self.finish_begun in FINISH_WHILE, "finish_begun", self.finish_begun, " or ".join(FINISH_WHILE))
        check(_are_quotas(self.source_quotas), "source_quotas", self.source_quotas, QUOTAS_WANTED)
        self._check_texts()
        check(self.n_checks <= self.n_main, "n_checks", self.n_checks, f"at most n_main ({self.n_main})")
        check(
            self.min_delta_e < self.max_delta_e,
            "min_delta_e",
            self.min_delta_e,
            f"below max_delta_e ({self.max_delta_e})",
        )
        check(_is_grey(self.surround), "surround", self.surround, "an achromatic colour such as #777777")
        check(self.encoding in ENCODINGS, "encoding", self.encoding, " or ".join(ENCODINGS))
        check(isinstance(self.rules, RuleSet), "rules", self.rules, "an object with the rules' fields")

    def _check_texts(self) -> None:
        check(
            not self.title or is_text(self.title, 100),
            "title",
            self.title,
            "a text of at most 100 characters",
        )
        check(self.language in LANGUAGES, "language", self.language, " or ".join(LANGUAGES))
        for name in ("question", "consent"):
            check(is_text(getattr(self, name), 20_000), name, getattr(self, name), "a text")
        check(
            _are_translations(self.translations),
            "translations",
            self.translations,
            'language → {"question": text, "consent": text}, languages being ' + ", ".join(LANGUAGES),
        )
        for language in self.languages:
            check(
                language in self._languages_with_texts(),
                "languages",
                self.languages,
                f"languages that have both texts; {language!r} needs them in `translations`",
            )

    def _languages_with_texts(self) -> tuple[str, ...]:
        return tuple(
            language
            for language in LANGUAGES
            if all(self.text(name, language) or self.has_default(name) for name in ("question", "consent"))
        )

    @property
    def languages_offered(self) -> tuple[str, ...]:
        """What participants can choose between, the study's own language first."""
        offered = self.languages or self._languages_with_texts()
        return tuple(sorted(offered, key=lambda language: language != self.language))

    def text(self, name: str, language: str) -> str:
        """The `question` or the `consent` in a language as the study gives it; empty where it gives none."""
        if language == self.language:
            return str(getattr(self, name))
        return self.translations.get(language, {}).get(name, "")

    def has_default(self, name: str) -> bool:
        """Whether the `question` or the `consent` is the text that comes with translations of its own."""
        return bool(getattr(self, name) == {"question": QUESTION, "consent": CONSENT}[name])

    @property
    def main_by_source(self) -> dict[str, int]:
        """Main questions by source type, apportioned by largest remainders; empty without quotas."""
        exact = {name: share * self.n_main for name, share in sorted(self.source_quotas.items())}
        counts = {name: int(wanted) for name, wanted in exact.items()}
        by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
        for name in by_remainder[: self.n_main - sum(counts.values())]:
            counts[name] += 1
        return {name: n for name, n in counts.items() if n}

    @property
    def n_practice_planned(self) -> int:
        """Practice questions of all tries together; 0 where practice is left out."""
        return self.n_practice * self.practice_tries if "practice" in self.phases else 0

    @property
    def n_questions(self) -> int:
        """Practice, main and checks together, for whoever passes the practice at once."""
        n_practice = self.n_practice if "practice" in self.phases else 0
        return n_practice + self.n_main + self.n_checks

    @property
    def consent_version(self) -> str:
        """Of the text in the study's own language."""
        return consent_version(self.consent)

    @property
    def is_active(self) -> bool:
        return self.selection == "active"

    @property
    def sha256(self) -> str:
        data = self.to_json()
        if not self.is_active:
            # They say nothing then, and sessions that began before there were active questions know their protocol by it.
            data = {name: value for name, value in data.items() if name not in ACTIVE_SETTINGS}
        return _sha256(data)

    def to_json(self) -> dict[str, Any]:
        """As JSON reads it back: lists for tuples."""
        data = dataclasses.asdict(self)
        return data | {name: list(data[name]) for name in ("phases", "turn_away", "languages")}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Raise ValueError that names the field for unknown fields and impossible values."""
        known = known_fields(cls, data)
        for name in ("phases", "turn_away", "languages"):
            if isinstance(known.get(name), list):
                known[name] = tuple(known[name])
        if "rules" in known and not isinstance(known["rules"], RuleSet):
            try:
                known["rules"] = RuleSet.from_json(known["rules"])
            except FieldError as error:
                raise FieldError(".".join(filter(None, ("rules", error.name))), str(error)) from error
        return cls(**known)

    def with_settings(self, assignments: Iterable[str]) -> Self:
        """A copy with settings as they are typed: `n_main=40`, `rules.min_consistency=0.8`.

        Values are JSON where they can be read as such, and text otherwise.
        """
        data = self.to_json()
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            check(bool(equals), "setting", assignment, "NAME=VALUE, such as n_main=40")
            part, _, field_name = name.rpartition(".")
            check(part in ("", "rules"), "setting", assignment, "NAME=VALUE or rules.NAME=VALUE")
            (data["rules"] if part else data)[field_name] = _json_or_text(text)
        return type(self).from_json(data)


def consent_version(text: str) -> str:
    """Changes with every character of the text that people agree to."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise FieldError(name, f"{name} is {_short(value)}; it must be {wanted}")


def _short(value: object) -> str:
    """One line that can be read, of texts too that are pages long."""
    shown = repr(value)
    return shown if len(shown) <= 120 else f"{shown[:120]}…"


def _check_whole(owner: object, name: str, low: int, high: int) -> None:
    value = getattr(owner, name)
    whole = isinstance(value, int) and not isinstance(value, bool)
    check(whole and low <= value <= high, name, value, f"a whole number from {low} to {high}")


def _check_number(owner: object, name: str, low: float, high: float) -> None:
    value = getattr(owner, name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    check(number and low <= value <= high, name, value, f"a number from {low} to {high}")


def _check_flag(owner: object, name: str) -> None:
    value = getattr(owner, name)
    check(isinstance(value, bool), name, value, "true or false")


def _check_choices(owner: object, name: str, choices: tuple[str, ...]) -> None:
    """A tuple of some of the choices, none twice; given back in their order."""
    value = getattr(owner, name)
    distinct = isinstance(value, tuple) and len(set(map(str, value))) == len(value)
    fits = distinct and all(item in choices for item in value)
    check(fits, name, value, "a list of some of " + ", ".join(choices))
    object.__setattr__(owner, name, tuple(choice for choice in choices if choice in value))


def _are_quotas(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    shares = list(value.values())
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) and 0 <= x <= 1 for x in shares)
    return numbers and set(value) <= set(SOURCE_TYPES) and (not shares or abs(sum(shares) - 1) < 1e-6)


def _are_translations(value: object) -> bool:
    return isinstance(value, dict) and all(_are_texts(language, texts) for language, texts in value.items())


def _are_texts(language: object, texts: object) -> bool:
    return (
        language in LANGUAGES
        and isinstance(texts, dict)
        and set(texts) <= {"question", "consent"}
        and all(is_text(text, 20_000) for text in texts.values())
    )


def is_text(value: object, longest: int) -> bool:
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


def known_fields(cls: type, data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise FieldError("", f"{cls.__name__} must be an object with named fields, not {type(data).__name__}")
    names = [f.name for f in dataclasses.fields(cls)]
    for name in data:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise FieldError(name, f"{cls.__name__} has no field {name!r}{hint}")
    return dict(data)
