"""A study as one YAML file, to be reviewed, published and made again: `create_study FILE`, `export_study`."""

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from collection.design.plain_yaml import Document, YamlError, read_yaml, write_yaml
from collection.design.protocol import (
    SOURCE_TYPES,
    FieldError,
    Protocol,
    RuleSet,
    check,
    is_text,
    known_fields,
)
from collection.design.recruiting import ENDS, Recruiting
from variants.sources.cameras import CameraRecipe
from variants.sources.controlled import MAX_RECIPES
from variants.tone.recipes import Recipe

HEADER = """\
# A study. `manage.py create_study FILE` makes it; what is left out is as by default. A photo's ID is the first
# 32 digits of its sha256, so that a site with the same photos finds them. `generate_variants` makes the renditions
# by `recipes`, and draws the pairs by the protocol's seed: the same ones where all renditions were ordered at once.
# Not held: renditions thrown out by hand, pairs of several orders, images
# without a recipe of this site's, diffusion edits, LUT files, answers, members.
"""
CODES_LEFT_OUT = (
    "# Codes and addresses of the ends are not in this file; `manage.py set_recruiting` sets them.\n"
)


ListedRecipe = Recipe | CameraRecipe
"""What a file may list; diffusion edits need a model, and stay with the command line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenes:
    """Which of the site's scenes: those that are in every list that is given."""

    categories: tuple[str, ...] = ()
    """Of any category where empty."""
    sources: tuple[str, ...] = ()
    """Source types of scenes, A to E; of any where empty."""
    ids: tuple[str, ...] | None = None
    """None for all; an empty list for a study without scenes."""

    def __post_init__(self) -> None:
        for name in ("categories", "sources", "ids"):
            value = getattr(self, name)
            if name == "ids" and value is None:
                continue
            texts = isinstance(value, tuple) and all(isinstance(item, str) for item in value)
            check(texts, name, value, "a list of texts")
        known = set(self.sources) <= set(SOURCE_TYPES)
        check(known, "sources", self.sources, "a list of some of " + ", ".join(SOURCE_TYPES))

    @classmethod
    def from_json(cls, data: object) -> "Scenes":
        """Raise FieldError for unknown fields and impossible values."""
        lists = {name: tuple(v) if isinstance(v, list) else v for name, v in known_fields(cls, data).items()}
        return cls(**lists)


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyFile:
    name: str
    slug: str = ""
    """Made from the name where empty."""
    simulated: bool = False
    purpose: str = ""
    licence: str = "other"
    citation: str = ""
    scenes: Scenes = field(default_factory=Scenes)
    recipes: tuple[ListedRecipe, ...] = ()
    """What is rendered of each photo; the site's usual edits where empty."""
    recruiting: Recruiting = field(default_factory=Recruiting)
    protocol: Protocol = field(default_factory=Protocol)

    def __post_init__(self) -> None:
        check(is_text(self.name, 200), "name", self.name, "a text of at most 200 characters")
        check(_is_slug(self.slug), "slug", self.slug, "at most 50 of a-z, 0-9, - and _")
        check(isinstance(self.simulated, bool), "simulated", self.simulated, "true or false")
        check(is_text(self.licence, 50), "licence", self.licence, "a text of at most 50 characters")
        for name in ("purpose", "citation"):
            value = getattr(self, name)
            check(value == "" or is_text(value, 20_000), name, value, "a text of at most 20000 characters")


def recipe_from_json(data: object) -> ListedRecipe:
    """Raise ValueError, which names step and field, for anything but an edit or a simulated camera."""
    if not isinstance(data, dict) or "simulated_camera" not in data:
        return Recipe.from_json(data)
    if set(data) != {"simulated_camera", "numbers"} or not all(isinstance(v, str) for v in data.values()):
        raise ValueError(
            "a simulated camera has the texts `simulated_camera` and `numbers`, and nothing else"
        )
    return CameraRecipe.from_json(data)


def read_study_file(content: bytes) -> StudyFile:
    """Read a study; YamlError says what is wrong, and in which line."""
    document = read_yaml(content)
    with _lines_named(document):
        fields = known_fields(StudyFile, _hinted(document.value))
        if "name" not in fields:
            raise FieldError("", "a study needs a `name`")
    for name, of in (("scenes", Scenes), ("recruiting", Recruiting), ("protocol", Protocol)):
        if name in fields:
            fields[name] = _section(document, of, fields[name], name)
    if "recipes" in fields:
        fields["recipes"] = _recipes(document, fields["recipes"])
    with _lines_named(document):
        return StudyFile(**fields)


def _recipes(document: Document, listed: Any) -> tuple[ListedRecipe, ...]:
    line = document.lines["recipes",]
    if not isinstance(listed, list) or len(listed) > MAX_RECIPES:
        raise YamlError(f"recipes must be a list of at most {MAX_RECIPES:,} recipes", line)
    found = []
    for number, data in enumerate(listed):
        try:
            found.append(recipe_from_json(data))
        except (ValueError, TypeError) as error:
            raise YamlError(f"recipe {number + 1}: {error}", document.lines["recipes", number]) from error
    return tuple(found)


def _section(document: Document, of: Any, value: Any, *place: str) -> Any:
    if of is Protocol and isinstance(value, dict) and "rules" in value:
        value = value | {"rules": _section(document, RuleSet, value["rules"], *place, "rules")}
    with _lines_named(document, *place):
        return of.from_json(value)


def _hinted(value: object) -> object:
    """Settings that stand one level too high are the commonest slip."""
    names = [f.name for f in dataclasses.fields(Protocol)]
    for name in value if isinstance(value, dict) else ():
        if name in names:
            raise FieldError(name, f"{name!r} belongs under `protocol:`")
    return value


def _is_slug(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[a-z0-9_-]{0,50}", value))


@contextmanager
def _lines_named(document: Document, *place: str) -> Iterator[None]:
    try:
        yield
    except FieldError as error:
        line = document.lines.get((*place, error.name)) or document.lines.get(place)
        raise YamlError(str(error), line, ".".join(filter(None, (*place, error.name)))) from error


def write_study_file(study: StudyFile, *, with_codes: bool = False) -> str:
    """Write a study so that it reads back alike, all of its protocol spelled out.

    Codes and addresses of a panel's ends stay out unless `with_codes`: who has them is paid.
    """
    recruiting = study.recruiting.to_json()
    ends = [f"{end}_{kind}" for end in ENDS for kind in ("code", "url")]
    hidden = not with_codes and any(recruiting[name] for name in ends)
    if hidden:
        recruiting |= dict.fromkeys(ends, "")
    head = {
        name: getattr(study, name) for name in ("name", "slug", "simulated", "purpose", "licence", "citation")
    }
    scenes = dataclasses.asdict(study.scenes)
    ids = scenes.pop("ids")
    chosen = _told({k: list(v) for k, v in scenes.items()}) | ({} if ids is None else {"ids": list(ids)})
    recipes = [recipe.to_json() for recipe in study.recipes]
    sections = [
        HEADER + write_yaml(_told(head)),
        _written("scenes", chosen),
        _written("recipes", recipes),
        (CODES_LEFT_OUT if hidden else "") + _written("recruiting", _told(recruiting)),
        _written("protocol", study.protocol.to_json()),
    ]
    return "\n".join(section for section in sections if section)


def _told(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value not in ("", [], False)}


def _written(name: str, data: dict[str, Any] | list[Any]) -> str:
    return write_yaml({name: data}) if data else ""
