"""DATASHEET.md of a dataset folder, and what Croissant says of responsible use: the same sentences.

The headings are those of T. Gebru et al., Datasheets for Datasets (Communications of the ACM 64, 2021).
Every number comes from the folder's facts. What neither the tables nor the study's settings know is
said to be unknown; whoever publishes the dataset fills it in.
"""

from collections.abc import Mapping
from typing import Any

from collection.design.wording import percent
from collection.export.card import RULES, SIMULATED, UNKNOWN, USES, citation, displays, limits
from collection.export.facts import Facts, default_name
from collection.export.format import TABLES

ITEM = "An item is a pair of renditions of one scene, judged once by each of some raters."

Document = Mapping[str, Any]
"""protocol.json."""


def datasheet(facts: Facts, document: Document) -> str:
    """DATASHEET.md of a dataset with these facts."""
    study = document.get("study", {})
    name = str(study.get("name") or default_name(facts))
    simulated = SIMULATED.format(n=facts.simulated_raters, all=facts.rows["raters"])
    parts = [f"# Datasheet of {' '.join(name.split())}\n"]
    parts += [simulated] if facts.is_simulated else []
    parts += [
        "README.md says what the files hold and how to load them. Headings: Gebru et al., Datasheets for Datasets.\n"
    ]
    for heading, answers in _sections(facts, document).items():
        asked = "\n".join(f"**{question}** {' '.join(answer.split())}\n" for question, answer in answers)
        parts.append(f"## {heading}\n\n{asked}")
    return "\n".join(parts)


def responsible_ai(facts: Facts, document: Document) -> dict[str, Any]:
    """Fields of the responsible-AI extension of Croissant; empty ones are left out."""
    days = [str(day) for day in (facts.first_day, facts.last_day) if day]
    fields = {
        "rai:dataCollection": collected(facts, document),
        "rai:dataCollectionType": ["Software Collection" if facts.is_simulated else "Crowdsourcing"],
        "rai:dataCollectionMissingData": missing(facts),
        "rai:dataCollectionRawData": RAW,
        "rai:dataCollectionTimeframe": days,
        "rai:dataImputationProtocol": "Nothing is imputed: what is not known is null.",
        "rai:dataPreprocessingProtocol": [RENDERED],
        "rai:dataAnnotationProtocol": [asked(document), filtered(facts), "All settings: protocol.json."],
        "rai:dataAnnotationPlatform": [platform(document)],
        "rai:dataAnnotationAnalysis": [consistency(facts)],
        "rai:annotationsPerItem": per_item(facts),
        "rai:annotatorDemographics": [demographics(facts)],
        "rai:machineAnnotationTools": [MADE_BY_PROGRAMS] if facts.is_simulated else [],
        "rai:dataUseCases": [USES],
        "rai:dataBiases": biases(facts, document),
        "rai:dataLimitations": [line.removeprefix("- ") for line in limits(facts).split("\n- ")],
        "rai:dataSocialImpact": SOCIAL,
        "rai:personalSensitiveInformation": [personal(facts)],
        "rai:dataReleaseMaintenancePlan": maintained(document),
        "rai:hasSyntheticData": facts.is_simulated,
    }
    return {
        name: _one_line(value) for name, value in fields.items() if value or isinstance(value, bool)
    }  # fmt: skip


RAW = "judgments.parquet holds every answer as it was given, those of raters who failed the study's rules too; practice is left out."
RENDERED = "Each image was rendered once from its scene by the recipe in images.parquet and shown to all raters with the same bytes; their sha256 stand in images.parquet."
ASKED_LEAST = "Those that were asked least so far, ties at random: no answer decided what was asked."
ACTIVE = (
    "Questions were chosen actively: pairs whose answer was expected to tell most of the rater were asked more often, so "
    "plain shares over the judgments are not shares over all pairs. judgments.parquet holds each question's policy and "
    "propensity; weights of 1 / propensity undo the choice."
)
NO_PEOPLE = "All raters are simulated: nobody was asked."
MADE_BY_PROGRAMS = "The answers were given by simulated raters: programs with a known taste."
PERSONAL = (
    "None that is known: people and devices are random identifiers; names, addresses, panel IDs and what people "
    "wrote in their own words are not in it. Displays, languages and what raters said of their surroundings are."
)
SOCIAL = (
    "A model of a person's taste can serve that person and can be used to influence them. The raters represent no "
    "population: what they like is no norm."
)


def personal(facts: Facts) -> str:
    return NO_PEOPLE if facts.are_all_simulated else PERSONAL


def collected(facts: Facts, document: Document) -> str:
    if facts.are_all_simulated:
        return f"Paired comparison by programs: each chose one of two renditions of a scene by its known taste. {asked(document)}"
    return (
        "Paired comparison in a web browser: two renditions of one photographed scene side by side, above one another "
        f"on tall screens, one of them chosen. {asked(document)}"
    )


def asked(document: Document) -> str:
    protocol = document.get("protocol")
    if not protocol:
        return "Which question was asked is not known."
    tie = " “No difference” was allowed." if protocol.get("allow_tie") else ""
    return (
        f"The question was: “{protocol.get('question', '')}”{tie} A session had {protocol.get('n_main')} main questions "
        f"and {protocol.get('n_checks')} checks, which show an earlier pair again with its sides flipped."
    )


def filtered(facts: Facts) -> str:
    reasons = ", ".join(
        f"{RULES.get(each.reason, each.reason)} ({each.raters:,})" for each in facts.exclusions
    )
    return (
        f"{facts.valid_raters:,} of {facts.rows['raters']:,} raters passed the study's rules; theirs are "
        f"{facts.valid_judgments:,} of the {facts.rows['judgments']:,} judgments."
        + (f" Raters by failed rule, where one may fail several: {reasons}." if reasons else "")
    )


def per_item(facts: Facts) -> str:
    if not facts.answers_per_pair:
        return f"{ITEM} Nobody has judged any."
    low, middle, high = facts.answers_per_pair
    return (
        f"{ITEM} The {facts.rows['pairs']:,} pairs have {_range(low, high)} main judgments each, median {middle:g}, by "
        f"raters of any verdict; {facts.checks:,} checks come on top."
    )


def consistency(facts: Facts) -> str:
    if not facts.consistency_quartiles:
        return "How far raters agree with themselves is not known: there are no checks."
    low, middle, high = facts.consistency_quartiles
    return (
        f"Raters agree with their own first answer in {percent(middle)} of the flipped checks (median over raters; "
        f"quartiles {percent(low)} and {percent(high)}); 50 % is chance. Tastes differ, so raters need not agree with each other."
    )


def missing(facts: Facts) -> str:
    unknown = facts.displays.get("unknown", 0)
    return (
        f"{facts.without_time:,} of {facts.rows['judgments']:,} judgments have no response time; the "
        f"display's colour gamut is not known of {unknown:,} of {facts.rows['raters']:,} raters. What is missing is null."
    )


def demographics(facts: Facts) -> str:
    if facts.are_all_simulated:
        return NO_PEOPLE
    languages = facts.told.get("language", {})
    words = ", ".join(f"{language} {n:,}" for language, n in languages.items())
    return "Age, gender and origin were not asked." + (
        f" Raters by language of the pages: {words}." if words else ""
    )


def biases(facts: Facts, document: Document) -> list[str]:
    return [
        *([ACTIVE] if _is_active(document) else []),
        "Raters were not drawn to represent any population.",
        *displays(facts),
        f"Scenes and renditions are those that the study chose: {_counted(facts.image_types)} images by source type.",
    ]


def which_pairs(document: Document) -> str:
    if _is_active(document):
        return ACTIVE
    return ASKED_LEAST if "selection" in (document.get("protocol") or {}) else UNKNOWN


def _is_active(document: Document) -> bool:
    """Whether raters were asked actively, by the last protocol or an earlier one."""
    versions = [document, *document.get("protocol_versions", [])]
    return any((version.get("protocol") or {}).get("selection") == "active" for version in versions)


def platform(document: Document) -> str:
    software = document.get("software", {})
    return " ".join(filter(None, (software.get("name"), software.get("version")))) or "Not known."


def maintained(document: Document) -> str:
    version = document.get("dataset_version")
    which = f"This is version {version} of the study's dataset. " if version else ""
    return (
        f"{which}A version never changes: MANIFEST.sha256 holds the sha256 of every file. A later version has the answers "
        "that came in since and lacks those of people who withdrew; whoever holds an earlier one is asked to replace it."
    )


def _sections(facts: Facts, document: Document) -> dict[str, list[tuple[str, str]]]:
    study, rows = document.get("study", {}), facts.rows
    name = " ".join(str(study.get("name") or default_name(facts)).split())
    protocol = document.get("protocol") or {}
    days = "There are no answers yet."
    if facts.first_day and facts.last_day:
        days = f"{_range(facts.first_day, facts.last_day)}."
    tables = ", ".join(f"{rows[name]:,} {name}" for name in TABLES)
    licences = ", ".join(f"{licence} ({n:,})" for licence, n in facts.scene_licences.items()) or "none"
    people = not facts.are_all_simulated
    consents = "consent" in protocol.get("phases", ("consent",)) and protocol.get("consent")
    agreed = (
        "To the text that stands in README.md, before they began."
        if consents
        else "Nobody was asked on these pages."
    )
    return {
        "Motivation": [
            ("For what purpose was it made?", str(study.get("purpose") or UNKNOWN)),
            ("Who made it, and who paid for it?", str(study.get("creator") or UNKNOWN)),
        ],
        "Composition": [
            ("What are the instances?", f"Judgments: one choice each between two renditions of one scene. {ITEM}"),
            (
                "How many are there?",
                f"{tables}. Of the judgments {facts.main:,} are main answers and {facts.checks:,} checks; {facts.ties:,} "
                f"are ties. {per_item(facts)}",
            ),
            ("Is it a sample?", f"{'Scenes' if facts.are_all_simulated else 'Raters and scenes'} are what the study could get, and no random sample of any population."),
            ("Is anything missing?", missing(facts)),
            ("How are instances related?", "By the ID columns of the tables. One person may be several raters, one on each device, with one `person_id`."),
            (
                "Are there recommended splits?",
                f"`split`: raters {_counted(facts.rater_splits)}; scenes {_counted(facts.scene_splits)}. Raters are split, never judgments.",
            ),
            ("Are there errors or noise?", consistency(facts)),
            ("Which pairs were asked?", which_pairs(document)),
            ("Does it hold anything confidential, or tell who somebody is?", personal(facts)),
        ],
        "Collection process": [
            ("How was it collected?", collected(facts, document)),
            ("Who answered?", f"{rows['raters']:,} raters (a person on a device) of {facts.people:,} people or programs, {facts.simulated_raters:,} of the raters simulated. {demographics(facts)}"),
            ("Were they paid?", UNKNOWN if people else NO_PEOPLE),
            ("When?", days),
            ("Was it reviewed by an ethics board?", UNKNOWN),
            ("Did people agree?", agreed if people else NO_PEOPLE),
            (
                "Could they take it back?",
                "Whoever withdrew before this version was made is not in it." if people else NO_PEOPLE,
            ),
        ],
        "Preprocessing, cleaning, labelling": [
            ("What was done to the photos?", RENDERED),
            ("What was done to the answers?", f"Nothing is changed or left out; raters are marked. {filtered(facts)}"),
            ("Is the raw data there?", RAW),
        ],
        "Uses": [
            ("What is it for?", USES),
            ("What should it not be used for?", f"To say what people in general like, or to find out who a rater is. {SOCIAL}"),
        ],
        "Distribution": [
            ("Under which licence?", f"{study.get('licence') or 'other'}. The photos' own licences: {licences}; whom to name for each stands in scenes.parquet."),
            ("How is it cited?", citation(study, name)),
        ],
        "Maintenance": [
            ("Will it change?", maintained(document)),
            ("Who keeps it?", UNKNOWN),
            ("How is it checked?", "`sha256sum --check MANIFEST.sha256`, or `manage.py verify_dataset DIR`."),
        ],
    }  # fmt: skip


def _range(low: object, high: object) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items()) or "none"


def _one_line(value: Any) -> Any:
    if isinstance(value, list):
        return [_one_line(part) for part in value]
    return " ".join(value.split()) if isinstance(value, str) else value
