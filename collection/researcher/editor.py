"""The editor of a study's protocol: a form whose every judgment is the Protocol's own."""

import dataclasses
import difflib
import json
import re
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST

from collection.access import study_for
from collection.design.preflight import preflight
from collection.design.protocol import (
    ENCODINGS,
    FINISH_WHILE,
    LANGUAGES,
    PHASES,
    SCREENINGS,
    SELECTIONS,
    SOURCE_TYPES,
    FieldError,
    Protocol,
    RuleSet,
)
from collection.models import Role, Study
from collection.researcher.words import PROTOCOL_SECTIONS, RULES, protocol_value
from collection.selectors.studies import study_pair_counts
from collection.services.protocols import FROZEN, ProtocolChanged, ProtocolError, study_set_protocol

SECTIONS = {
    "Session": (
        "n_main", "n_checks", "check_lag", "scene_gap", "block_size", "n_practice", "practice_tries",
        "selection", "active_uniform", "active_floor", "allow_tie", "allow_undo", "surround",
    ),
    "Phases": ("phases", "turn_away", "finish_begun", "abandon_after_hours"),
    "Texts": ("title", "language", "question", "consent"),
    "Other languages": ("languages", "translations"),
    "Images and pairs": (
        "long_side", "encoding", "min_delta_e", "max_delta_e", "max_pairs_per_scene", "source_quotas",
    ),
    "Splits and chance": ("validation_scenes", "validation_raters", "seed"),
    "Rules": ("rules",),
}  # fmt: skip
HELP = {
    "title": "At most 100 characters. Empty for none: a name that tells what is looked for would tell participants too.",
    "question": "What stands above every pair.",
    "consent": "Markdown. Whoever begins agrees to it; its version goes onto every session.",
    "language": "The language that title, question and consent are written in.",
    "languages": "None ticked: all languages that have both texts. The default texts have theirs in all five.",
    "phases": "In this order. Consent, display check and practice can be left out; the main questions cannot.",
    "turn_away": "Whoever fails one of these is thanked and goes no further. Else it is kept as data for the rules.",
    "allow_tie": "Easier for people; datasets then hold ties, which some learners leave out.",
    "allow_undo": "The first answer is kept apart.",
    "finish_begun": "A paused or closed study can let those who have begun finish.",
    "abandon_after_hours": "Then its pairs can be asked of somebody else. Whoever returns goes on all the same.",
    "n_practice": "Shown first, not counted.",
    "practice_tries": "The practice is asked again until it is passed, so many times at most.",
    "n_main": "The answers that count. 80 take about 11 minutes.",
    "n_checks": "Ten cannot tell 70 % from 90 %; twenty do better.",
    "check_lag": "Far enough that nobody remembers; less where the session is short.",
    "scene_gap": "So that a photo is not seen twice in a row.",
    "block_size": "People rest as long as they like.",
    "selection": "Random: the pairs asked least. Active: those whose answer is expected to tell most of this rater, by "
    "what they and others answered; statistics of all raters together then need weights.",
    "active_uniform": "A part from 0.05 to 1; 0.1 to 0.2 keeps every pair possible and costs little.",
    "active_floor": "A part from 0 to 0.9: pairs asked less often than this part of the mean, rounded down, go first.",
    "surround": "An achromatic colour such as #777777, so that it cannot tint the judgment.",
    "long_side": "Photos are never shown larger than their pixels.",
    "encoding": "The same for both sides of every pair.",
    "min_delta_e": "Below 2 a difference over a whole photo is hardly seen.",
    "max_delta_e": "Above 25 one of the two is an odd picture, and the answer says little of taste.",
    "max_pairs_per_scene": "More only where it takes them to connect every rendition.",
    "source_quotas": "Parts from 0 to 1 that make 1 together, such as 0.4 and 0.6. All empty: whatever was asked least.",
    "validation_scenes": "Part of the scenes, 0 to 0.9, that no learner is trained on.",
    "validation_raters": "Part of the valid raters, 0 to 0.9.",
    "seed": "Decides splits and recipes; the same seed gives the same study.",
    "rules.version": "A new name whenever a threshold changes its meaning.",
    "rules.min_response_ms": "Hands alone take 200 to 300 ms.",
    "rules.max_fast_share": "A part from 0 to 1.",
    "rules.min_median_response_ms": "Over a rater's main answers.",
    "rules.min_consistency": "A part from 0 to 1; a random clicker agrees in half of them.",
    "rules.max_one_side_share": "A part from 0 to 1; sides are balanced.",
    "rules.max_impossible_share": "A part from 0 to 1: by the client's clock longer than by the server's.",
}  # fmt: skip
CHOICES: dict[str, tuple[str, ...]] = {
    "language": LANGUAGES,
    "languages": LANGUAGES,
    "phases": PHASES,
    "turn_away": SCREENINGS,
    "finish_begun": FINISH_WHILE,
    "selection": SELECTIONS,
    "encoding": ENCODINGS,
}
LANGUAGE_NAMES = {"en": "English", "de": "German", "ja": "Japanese", "ko": "Korean", "es": "Spanish"}
TRANSLATED = ("question", "consent")
GROUPS = {"source_quotas": SOURCE_TYPES, "translations": LANGUAGES}
"""Settings that have a field for each of these."""
LONG_TEXTS = ("consent",)
WHOLE = re.compile(r"-?\d{1,19}")
NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,12})?")


OWN = ("edition", "begun_from")
"""Fields of the form that are no settings."""


class Verbatim(forms.Field):
    """What was typed, as it was typed: the Protocol says what is wrong with it."""

    def clean(self, value: Any) -> Any:
        return value.replace("\r\n", "\n").replace("\0", "") if isinstance(value, str) else value


class ProtocolForm(forms.Form):
    """Every setting of a protocol but those that are frozen; after `is_valid()` there is `protocol`."""

    edition = forms.IntegerField(widget=forms.HiddenInput, min_value=1, required=False)
    begun_from = forms.CharField(widget=forms.HiddenInput, required=False)
    """The protocol that the form was filled from: it tells what was typed from what only stood there."""

    def __init__(self, data: Any = None, *, base: Protocol, edition: int, is_frozen: bool) -> None:
        begun_from = json.dumps(base.to_json())
        super().__init__(data, initial={"edition": edition, "begun_from": begun_from} | _initial(base))
        self.base = base
        self.is_frozen = is_frozen
        for name in _field_names():
            if not (is_frozen and name.partition(".")[0] in FROZEN):
                self.fields[name] = _field(name)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self.protocol, errors = protocol_read(cleaned, self.base, self.fields)
        for name, error in errors.items():
            self.add_error(name if name in self.fields else None, _in_words(error))
        return cleaned

    @property
    def messages(self) -> dict[str, str]:
        """Field → message."""
        return {name: " ".join(str(text) for text in texts) for name, texts in self.errors.items()}

    @property
    def sections(self) -> list[dict[str, Any]]:
        return [
            {
                "title": title,
                "fields": [self[name] for name in self.fields if name.partition(".")[0] in names],
                "frozen": [
                    {"words": _label(name), "value": protocol_value(self.base, name), "why": FROZEN[name]}
                    for name in names
                    if self.is_frozen and name in FROZEN and name != "rules"
                ],
                "rules_elsewhere": self.is_frozen and names == ("rules",),
            }
            for title, names in SECTIONS.items()
        ]


def protocol_read(
    typed: dict[str, Any], base: Protocol, names: Any
) -> tuple[Protocol | None, dict[str, str]]:
    """The protocol that was typed over `base`, and field → what is wrong with it; None where anything is."""
    data = base.to_json()
    rules = data.pop("rules")
    for name in names:
        part, _, rest = name.partition(".")
        if part in OWN or typed.get(name) is None:  # what was not posted stays as it is
            continue
        value = _value(name, typed[name])
        if part == "rules":
            rules[rest] = value
        elif part in GROUPS:
            continue
        else:
            data[name] = value
    if "source_quotas.A" in names:
        quotas = {
            kind: _value("source_quotas", typed.get(f"source_quotas.{kind}") or "") for kind in SOURCE_TYPES
        }
        data["source_quotas"] = {kind: share for kind, share in quotas.items() if share != ""}
        data["translations"] = _translations(typed)
    errors: dict[str, str] = {}
    rule_set = _made(RuleSet, rules, "rules.", errors)
    protocol = _made(Protocol, data | {"rules": rule_set or base.rules}, "", errors)
    return (None if errors else protocol), errors


def _made(of: Any, data: dict[str, Any], prefix: str, errors: dict[str, str]) -> Any:
    """What the data make; each impossible value is told and replaced by the default to find the next."""
    default = of()
    while True:
        try:
            return of.from_json(data)
        except FieldError as error:
            told = prefix + FIRST_FIELD.get(error.name, error.name)
            if told in errors or not error.name:
                return None
            errors[told] = str(error)
            data = data | {error.name: getattr(default, error.name)}


FIRST_FIELD = {"source_quotas": "source_quotas.A", "translations": f"translations.{LANGUAGES[0]}.question"}


def _in_words(error: str) -> str:
    """The Protocol's message beside the field that it is about, whose name in code need not be said."""
    found, must, wanted = error.partition("; it must be ")
    return f"It must be {wanted}; it is {found.partition(' is ')[2]}." if must else capfirst(error)


def _translations(typed: dict[str, Any]) -> dict[str, dict[str, str]]:
    found = {
        language: {
            name: text
            for name in TRANSLATED
            if (text := typed.get(f"translations.{language}.{name}") or "").strip()
        }
        for language in LANGUAGES
    }
    return {language: texts for language, texts in found.items() if texts}


def _value(name: str, typed: Any) -> Any:
    """Numbers where numbers are meant and typed; all else stays for the Protocol to refuse."""
    kind = _kind(name)
    if not isinstance(typed, str) or kind is str:
        return typed
    text = typed.strip()
    if WHOLE.fullmatch(text):
        return int(text)
    return float(text) if kind is float and NUMBER.fullmatch(text) else text


def _kind(name: str) -> type:
    part, _, rest = name.partition(".")
    if part == "source_quotas":
        return float
    if part == "translations":
        return str
    return type(getattr(RuleSet() if part == "rules" else Protocol(), rest or part))


def _field_names() -> list[str]:
    names: list[str] = []
    for of_section in SECTIONS.values():
        for name in of_section:
            if name == "rules":
                names += [f"rules.{field.name}" for field in dataclasses.fields(RuleSet)]
            elif name == "source_quotas":
                names += [f"source_quotas.{kind}" for kind in SOURCE_TYPES]
            elif name == "translations":
                names += [f"translations.{language}.{text}" for language in LANGUAGES for text in TRANSLATED]
            else:
                names.append(name)
    return names


def _field(name: str) -> forms.Field:
    part = name.partition(".")[0]
    options: dict[str, Any] = {"required": False, "label": _label(name), "help_text": HELP.get(name, "")}
    kind = _kind(name)
    if kind is bool:
        return forms.BooleanField(**options)
    choices = [
        (choice, LANGUAGE_NAMES.get(choice, choice.replace("_", " "))) for choice in CHOICES.get(name, ())
    ]
    if kind is tuple:
        return Verbatim(widget=forms.CheckboxSelectMultiple(choices=choices), **options)
    if choices:
        return Verbatim(widget=forms.Select(choices=choices), **options)
    if name in LONG_TEXTS or name.endswith(".consent"):
        return Verbatim(widget=forms.Textarea(attrs={"rows": 8, "lang": _language(name)}), **options)
    numeric = kind in (int, float) or part == "source_quotas"
    # No number inputs: what is typed there and is no number never reaches the server.
    attrs = {"inputmode": "decimal" if kind is float else "numeric"} if numeric else {"lang": _language(name)}
    return Verbatim(widget=forms.TextInput(attrs=attrs), **options)


def _language(name: str) -> str:
    return name.split(".")[1] if name.startswith("translations.") else ""


def _label(name: str) -> str:
    part, _, rest = name.partition(".")
    if part == "rules":
        return RULES.get(rest, "Rules")
    if part == "source_quotas" and rest:
        return f"Part of source {rest}"
    if part == "translations" and rest:
        language, _, text = rest.partition(".")
        return f"{LANGUAGE_NAMES[language]}: {text}"
    return next((words[name] for words in PROTOCOL_SECTIONS.values() if name in words), "Consent text")


def _initial(protocol: Protocol) -> dict[str, Any]:
    data = protocol.to_json()
    found = {f"rules.{name}": value for name, value in data.pop("rules").items()}
    found |= {f"source_quotas.{kind}": share for kind, share in data.pop("source_quotas").items()}
    for language, texts in data.pop("translations").items():
        found |= {f"translations.{language}.{name}": text for name, text in texts.items()}
    return data | found


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    name: str
    words: str
    before: str
    after: str
    lines: tuple[str, ...] = ()
    """Of texts: what was taken out and put in, line by line."""


def protocol_differences(one: Protocol, other: Protocol) -> list[Difference]:
    """Setting by setting, rules among them."""
    before, after = _initial(one), _initial(other)
    return [
        Difference(
            name=name,
            words=_label(name),
            before=_shown(before.get(name, "")),
            after=_shown(after.get(name, "")),
            lines=_line_changes(before.get(name, ""), after.get(name, "")),
        )
        for name in _field_names()
        if before.get(name, "") != after.get(name, "")
    ]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    text = str(value)
    return f"{text[:120]}…" if len(text) > 120 else text or "none"


def _line_changes(before: Any, after: Any) -> tuple[str, ...]:
    if not (isinstance(before, str) and isinstance(after, str)) or "\n" not in before + after:
        return ()
    found = difflib.ndiff(before.splitlines(), after.splitlines())
    return tuple(line for line in found if line[:1] in "+-")


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """What somebody typed, put together with what somebody else has saved meanwhile."""

    data: Any
    """For the form: theirs where nothing else was typed, what was typed everywhere else."""
    taken: list[Difference]
    """Settings that follow theirs."""
    clashes: list[Difference]
    """Settings that both have changed: theirs before, ours after. Ours stand in the form."""


def merge(form: ProtocolForm, theirs: Protocol, edition: int) -> Merged:
    """Put a valid form together with the protocol that was saved since it was filled, and its edition."""
    begun_from = _protocol_or(form.cleaned_data["begun_from"], theirs)
    before, saved, typed = _initial(begun_from), _initial(theirs), _initial(form.protocol or theirs)
    data = QueryDict(mutable=True)
    data["edition"], data["begun_from"] = str(edition), json.dumps(theirs.to_json())
    taken, clashes = set(), set()
    for name in form.fields:
        if name in OWN:
            continue
        untouched = typed.get(name) == before.get(name)
        _put(data, name, (saved if untouched else typed).get(name))
        if saved.get(name) != before.get(name):
            if untouched:
                taken.add(name)
            elif saved.get(name) != typed.get(name):
                clashes.add(name)
    return Merged(
        data=data,
        taken=[d for d in protocol_differences(begun_from, theirs) if d.name in taken],
        clashes=[d for d in protocol_differences(theirs, form.protocol or theirs) if d.name in clashes],
    )


def _protocol_or(text: str, otherwise: Protocol) -> Protocol:
    try:
        return Protocol.from_json(json.loads(text))
    except (
        ValueError
    ):  # changed on its way: nothing is known of what was touched, and everything counts as typed
        return otherwise


def _put(data: QueryDict, name: str, value: Any) -> None:
    """As a browser would post it."""
    if isinstance(value, list):
        data.setlist(name, value)
    elif isinstance(value, bool):
        if value:
            data[name] = "on"
    else:
        data[name] = "" if value is None else str(value)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def protocol_edit(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    form = _form(study, request.POST if request.method == "POST" else None)
    status, merged = 200, None
    if form.is_bound and form.is_valid() and form.protocol:
        try:
            study_set_protocol(study, form.protocol, edition=form.cleaned_data["edition"] or 0)
        except ProtocolError as error:
            for name, why in (error.fields or {"": str(error)}).items():
                form.add_error(name if name in form.fields else None, capfirst(why))
        except ProtocolChanged as changed:
            merged, status = merge(form, changed.present, changed.edition), 409
            study.refresh_from_db()
            form = _form(study, merged.data)
            form.is_valid()
        else:
            messages.success(request, _saved(study))
            return redirect("researcher:study-protocol", slug)
    context = {
        "area": "studies",
        "study": study,
        "form": form,
        "merged": merged,
        "summary": _summary(study, (form.protocol if form.is_bound else None) or form.base),
    }
    if form.errors and not merged:
        status = 422
    return render(request, "researcher/protocol_edit.html", context, status=status)


@login_required
@require_POST
def protocol_validate(request: HttpRequest, slug: str) -> JsonResponse:
    """What is wrong with the form as it stands, for static/js/researcher/editor.js: field → message."""
    study = study_for(request, slug, Role.EDITOR)
    form = _form(study, request.POST)
    form.is_valid()
    summary = _summary(study, form.protocol) if form.protocol else None
    reply = JsonResponse(
        {
            "errors": form.messages,
            "parts": {
                "protocol-summary": render_to_string(
                    "researcher/_protocol_summary.html", {"summary": summary}
                )
            }
            if summary
            else {},
        }
    )
    reply["Cache-Control"] = "no-store"
    return reply


def _form(study: Study, data: Any) -> ProtocolForm:
    return ProtocolForm(
        data,
        base=Protocol.from_json(study.protocol),
        edition=study.edition,
        is_frozen=study.sessions.exists(),
    )


def _summary(study: Study, protocol: Protocol) -> dict[str, Any]:
    found = preflight(protocol, study_pair_counts(study).askable_by_source)
    return {
        "found": found,
        "protocol": protocol,
        "raters_for_twenty": -(-20 * found.n_pairs // protocol.n_main),
    }


def _saved(study: Study) -> str:
    if study.sessions.exists():
        return "Saved as a new version: sessions that begin from now on are planned by it, those under way by theirs."
    return "The protocol is saved."
