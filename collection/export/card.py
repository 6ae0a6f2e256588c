"""README.md of a dataset folder: a Hugging Face dataset card, then a datasheet.

Written from what the folder holds, so that its numbers are those of its tables.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from collection.export.facts import Facts, default_name, size_category
from collection.export.format import TABLES

SIMULATED = """\
> **SIMULATED.** {n} of the {all} raters in this dataset are simulated: programs with a known taste, not people.
> Nothing in it is evidence about what people prefer.
"""

FILES = """\
| file | holds |
| --- | --- |
| `judgments.parquet` | one choice a row: who, which pair, what was on which side, what was chosen, how long it took |
| `raters.parquet` | one person on one device a row: display, screenings, what they said of their surroundings, the study's verdict, the split |
| `pairs.parquet` | two renditions of one scene, with their mean CIEDE2000 difference |
| `images.parquet` | one rendition a row, with the recipe that makes it again from its scene |
| `scenes.parquet` | one photographed scene a row, with the split |
| `images/` | the renditions, sRGB |
| `protocol.json` | the study's settings as run |
| `DATASHEET.md` | motivation, composition, collection, uses, distribution, maintenance (Gebru et al.) |
| `croissant.json` | this description for machines (MLCommons Croissant 1.0) |
| `MANIFEST.sha256` | the sha256 of every other file: `sha256sum --check MANIFEST.sha256` |
"""

LOADING = """\
```python
from datasets import load_dataset

judgments = load_dataset("PATH/TO/THIS/FOLDER", "judgments")["train"]
```
Each table is a configuration: {names}. The word `train` above is the name that the library gives to a
table's rows; who is held out stands in the `split` columns of `raters` and `scenes`.
"""

RULES = {
    "screened_out": "failed a screening of a study that turns away for it",
    "too_few_answers": "did not finish",
    "too_fast": "too many answers faster than a person can look",
    "median_too_fast": "the middle response time is too short",
    "impossible_times": "looked for longer than the question had been handed out, by the server's clock",
    "inconsistent": "too few of the flipped checks agree with the first answer",
    "one_sided": "nearly all answers on one side",
    "color_vision": "failed the colour-vision plates, which the study's rules require",
    "levels": "failed the black and white level check, which the study's rules require",
    "practice": "did not pass the practice, which the study's rules require",
}

TOLD = {
    "language": "language of the pages",
    "color_vision": "colour-vision plates",
    "levels": "black and white levels",
    "practice": "practice",
    "night_mode": "night mode or blue filter on",
    "room_light": "light in the room",
    "device_kind": "device in hand",
}
"""Columns of the raters in words, for the counts of what they did and said."""

TOLD_MEANING = """
Of the screenings `unknown` means that they could not be run. What people wrote in their own words is not in
the dataset.
"""

USES = """\
Learning and evaluating models of a person's taste in colour and tone from pairwise choices; studying how
far people agree with themselves and with each other. Raters are split, never judgments: evaluate on the
raters and scenes whose `split` is `validation`, and leave the checks (`is_check`) out of training and
evaluation: they repeat another judgment with the sides flipped. In a tie (`chosen_side` is `tie`: no
difference) no image is preferred; what learns from choices skips it.
"""

UNKNOWN = "The study does not say; whoever publishes the dataset adds it here."

LIMITS = """\
{displays}
- The raters were not drawn to represent any population.
- A choice between two renditions says which is nearer to a person's taste, not what that taste is.
- The judgments of raters who failed a filter are in the files; `valid` in `raters.parquet` marks them.
"""

PRIVACY = """\
- It holds no name, address or panel ID. People who withdrew are not in it. Nobody may try to find out who
  a rater is.
"""


def dataset_card(facts: Facts, document: dict[str, Any]) -> str:
    """The card of a dataset with these facts; `document` is its protocol.json."""
    study = document.get("study", {})
    name = str(study.get("name") or default_name(facts))
    parts = [
        _front_matter(name, study, facts),
        f"# {name}\n",
        SIMULATED.format(n=facts.simulated_raters, all=facts.rows["raters"]) if facts.is_simulated else None,
        _summary(facts),
        "## Load it\n\n" + LOADING.format(names=", ".join(f"`{table}`" for table in TABLES)),
        "## Files\n\n" + FILES,
        "## Purpose\n\n" + _purpose(study),
        "## Protocol, as it was run\n\n" + _protocol(document, facts),
        "## Who answered\n\n" + _people(facts),
        "## Filters, and what they removed\n\n" + _filters(facts),
        "## Photos\n\n" + _photos(facts),
        "## Splits\n\n" + _splits(facts),
        "## Intended use\n\n" + USES,
        "## Limits\n\n" + limits(facts),
        "## Citation\n\n" + f"{citation(study, name)}\n",
    ]
    return "\n".join(part for part in parts if part is not None)


def _front_matter(name: str, study: dict[str, Any], facts: Facts) -> str:
    """YAML; strings are quoted as JSON, which YAML reads alike."""
    lines = [
        "---",
        f"pretty_name: {json.dumps(name, ensure_ascii=False)}",
        f"license: {json.dumps(str(study.get('licence') or 'other'))}",
        "language:",
        "- en",
        "size_categories:",
        f"- {size_category(facts.rows['judgments'])}",
        "annotations_creators:",
        f"- {'machine-generated' if facts.is_simulated else 'crowdsourced'}",
        "tags:",
        "- preference",
        "- pairwise-comparison",
        "- photography",
        *(["- simulated"] if facts.is_simulated else []),
        "configs:",
    ]
    for table in ("judgments", *(name for name in TABLES if name != "judgments")):
        lines += [f"- config_name: {table}", f"  data_files: {table}.parquet"]
        lines += ["  default: true"] if table == "judgments" else []
    return "\n".join([*lines, "---", ""])


def _summary(facts: Facts) -> str:
    rows = facts.rows
    ties = f"; {facts.ties:,} of all are ties" if facts.ties else ""
    return (
        f"{rows['judgments']:,} choices between two renditions of one photographed scene "
        f"({facts.main:,} main answers and {facts.checks:,} checks that show an earlier pair again, flipped{ties}) "
        f"by {rows['raters']:,} {'simulated ' if facts.is_simulated else ''}raters; "
        f"{rows['scenes']:,} scenes, {rows['images']:,} images, {rows['pairs']:,} pairs.\n"
    )


def citation(study: Mapping[str, Any], name: str) -> str:
    return str(study.get("citation") or f"None was given; cite it as “{name}”.")


def limits(facts: Facts) -> str:
    """What the dataset cannot say, as a list; nothing is said of displays and people where there were none."""
    shown = "\n".join(f"- {line}" for line in displays(facts))
    return LIMITS.format(displays=shown) + ("" if facts.are_all_simulated else PRIVACY)


def displays(facts: Facts) -> list[str]:
    """What the raters saw the images on, in sentences."""
    people = (
        "Displays were the raters' own and not calibrated; what is known of each stands in `raters.parquet`."
    )
    programs = "Simulated raters are programs with a known taste: they saw no display, and nobody was asked."
    return [
        *([] if facts.are_all_simulated else [people]),
        *([programs] if facts.is_simulated else []),
    ]


def _purpose(study: dict[str, Any]) -> str:
    return str(study.get("purpose") or UNKNOWN) + "\n"


def _protocol(document: dict[str, Any], facts: Facts) -> str:
    protocol = document.get("protocol")
    if not protocol:
        return "Not known: this folder's protocol.json holds no protocol.\n"
    texts = ("consent", "question", "translations", "rules")
    settings = {key: protocol[key] for key in protocol if key not in texts}
    tie = ", or “no difference”" if protocol.get("allow_tie") else ""
    return (
        f"The question was: “{protocol.get('question', '')}” Two images stood side by side, above one another on "
        f"tall screens, and one had to be chosen{tie}. Each session had {_practice(protocol)}"
        f"{protocol.get('n_main')} main questions and {protocol.get('n_checks')} checks.{_versions(document)}\n\n"
        + _two_columns("setting", "value", settings.items())
        + "\nRules for whose answers may be used:\n\n"
        + _two_columns("rule", "value", protocol.get("rules", {}).items())
        + _consent(protocol, facts)
    )


def _versions(document: dict[str, Any]) -> str:
    n = len(document.get("protocol_versions", ()))
    if n < 2:
        return ""
    return f" The protocol had {n} versions while people answered; this is the last, and `protocol.json` has all, each with its raters."


def _practice(protocol: dict[str, Any]) -> str:
    if "practice" not in protocol.get("phases", ("practice",)):
        return ""
    return f"{protocol.get('n_practice')} practice pairs (not in the files), "


def _consent(protocol: dict[str, Any], facts: Facts) -> str:
    if "consent" not in protocol.get("phases", ("consent",)):
        return "\nNobody was asked for consent on these pages.\n"
    lines = str(protocol.get("consent", "")).splitlines()
    what = (
        "The study's text of consent, which no simulated rater was asked to agree to"
        if facts.are_all_simulated
        else "The text that people agreed to"
    )
    return f"\n{what}:\n\n" + "".join(f"> {line}".rstrip() + "\n" for line in lines)


def _people(facts: Facts) -> str:
    days = f"{facts.first_day} to {facts.last_day}" if facts.first_day else "no answers yet"
    rows = [
        ("raters (a person on a device)", f"{facts.rows['raters']:,}"),
        ("of them simulated", f"{facts.simulated_raters:,}"),
        ("persons, programs among them" if facts.simulated_raters else "people", f"{facts.people:,}"),
        ("answered", days),
        *((f"colour gamut of the display: {gamut}", f"{n:,}") for gamut, n in facts.displays.items()),
        *(
            (f"{words}: {value.replace('_', ' ')}", f"{n:,}")
            for name, words in TOLD.items()
            for value, n in facts.told.get(name, {}).items()
        ),
    ]
    return _two_columns("who", "count", rows) + (TOLD_MEANING if facts.told else "")


def _filters(facts: Facts) -> str:
    n, valid = facts.rows["raters"], facts.valid_raters
    text = (
        f"{valid:,} of {n:,} raters passed all rules; "
        f"{facts.valid_judgments:,} of {facts.rows['judgments']:,} judgments are theirs.\n"
    )
    if facts.exclusions:
        rows = [
            f"| `{e.reason}` | {RULES.get(e.reason, '')} | {e.raters:,} | {e.judgments:,} |\n"
            for e in facts.exclusions
        ]
        text += "\n| rule | meaning | raters | judgments |\n| --- | --- | --- | --- |\n" + "".join(rows)
        text += "\nOne rater may fail several rules.\n"
    if facts.consistency_quartiles:
        low, middle, high = facts.consistency_quartiles
        text += (
            f"\nSelf-consistency on the flipped checks, over raters: median {middle:.2f} "
            f"(quartiles {low:.2f} and {high:.2f}); 0.50 is chance.\n"
        )
    if facts.response_quartiles_ms:
        low, middle, high = facts.response_quartiles_ms
        text += (
            f"\nResponse time, over raters' medians: {middle:.0f} ms (quartiles {low:.0f} and {high:.0f}).\n"
        )
    return text


def _photos(facts: Facts) -> str:
    licences = ((licence, f"{n:,}") for licence, n in facts.scene_licences.items())
    types = ((kind, f"{n:,}") for kind, n in facts.image_types.items())
    return (
        _two_columns("licence of the scene", "scenes", licences)
        + "\nWhom to name for each stands in `attribution` of `scenes.parquet`.\n\n"
        + _two_columns("source type of the image", "images", types)
        + "\nA: several professionals' edits. B: several cameras. C: generated scene, diffusion edit. "
        "D: controlled edit. E: natural photo.\n"
    )


def _splits(facts: Facts) -> str:
    names = ("train", "validation", "none")
    rows = [
        f"| {what} | " + " | ".join(f"{splits.get(name, 0):,}" for name in names) + " |\n"
        for what, splits in (("raters", facts.rater_splits), ("scenes", facts.scene_splits))
    ]
    return "| | train | validation | none |\n| --- | --- | --- | --- |\n" + "".join(rows)


def _two_columns(left: str, right: str, rows: Iterable[tuple[str, Any]]) -> str:
    cells = "".join(f"| {_cell(key)} | {_cell(value)} |\n" for key, value in rows)
    return f"| {left} | {right} |\n| --- | --- |\n{cells}"


def _cell(value: object) -> str:
    """Text that cannot break out of its table cell."""
    if isinstance(value, list | dict):
        value = ", ".join(map(str, value)) if isinstance(value, list) else json.dumps(value)
    return " ".join(str(value).replace("|", "\\|").split())
