"""Studies as files: made from one, and written to one."""

import dataclasses
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from django.db.models import Min, Q, QuerySet

from collection.design.plain_yaml import MAX_BYTES, YamlError
from collection.design.protocol import Protocol
from collection.design.recruiting import Recruiting
from collection.design.study_file import (
    ListedRecipe,
    Scenes,
    StudyFile,
    read_study_file,
    recipe_from_json,
)
from collection.models import Study
from collection.services.studies import StudyError, study_create
from variants.models import Pair, Rendition, Scene
from variants.selectors import scenes_with_photos

SUFFIXES = (".yaml", ".yml")


def study_file_read(path: Path) -> StudyFile:
    """Raise StudyError that names the file, the line and what mends it."""
    try:
        if not path.is_file():
            raise StudyError(f"{path} is not there, or is no file")
        with path.open("rb") as file:
            return read_study_file(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}") from error
    except YamlError as error:
        raise StudyError(f"{path}: {error}") from error


def study_create_from(file: StudyFile, *, among: QuerySet[Scene] | None = None) -> Study:
    """Make the study in draft, of scenes `among` these; of all that are here unless told otherwise.

    Raises StudyError for a slug that is taken and for scenes that are not here.
    """
    fields = {field.name: getattr(file, field.name) for field in dataclasses.fields(file)}
    scenes = _scenes(file.scenes, scenes_with_photos() if among is None else among)
    return study_create(**fields | {"slug": file.slug or None, "scenes": scenes})


def study_file_of(study: Study) -> StudyFile:
    """What `study_create_from` makes the study from again, for people, on a site with the same photos."""
    return StudyFile(
        name=study.name,
        slug=study.slug,
        purpose=study.purpose,
        licence=study.licence,
        citation=study.citation,
        scenes=Scenes(ids=tuple(sorted(study.scenes.values_list("public_id", flat=True)))),
        recipes=_recipes(study),
        recruiting=Recruiting.from_json(study.recruiting),
        protocol=Protocol.from_json(study.protocol),
    )


def _scenes(wanted: Scenes, here: QuerySet[Scene]) -> list[Scene]:
    if wanted.ids == ():
        return []
    if wanted.ids:
        found = here.filter(public_id__in=wanted.ids)
        _require(wanted.ids, found.values_list("public_id", flat=True), "no scene here has the ID {}")
    else:
        found = here
        if not found:
            raise StudyError("there are no scenes yet; import photos with `manage.py import_scenes DIR`")
    for field, names in (("category", wanted.categories), ("source_type", wanted.sources)):
        if names:
            known = sorted(set(here.values_list(field, flat=True)))
            what = f"no scene has the {field.replace('_', ' ')} {{}}; there are {', '.join(known)}"
            _require(names, known, what)
            found = found.filter(**{f"{field}__in": names})
    if not found:
        raise StudyError("no scene has both one of the categories and one of the sources")
    return list(found)


def _require(wanted: Iterable[str], known: Iterable[str], message: str) -> None:
    here = set(known)
    for name in wanted:
        if name not in here:
            raise StudyError(message.format(repr(name)))


def _recipes(study: Study) -> tuple[ListedRecipe, ...]:
    """Those of its file, then those of what it ordered or asks about, in the order in which they came in."""
    protocol = Protocol.from_json(study.protocol)
    pairs = Pair.objects.filter(studies=study)
    own = Q(job__studies=study) | Q(pk__in=pairs.values("image_a")) | Q(pk__in=pairs.values("image_b"))
    made = (
        Rendition.objects.filter(
            own,
            scene__studies=study,
            version=None,
            long_side=protocol.long_side,
            encoding=protocol.encoding,
        )
        .exclude(state=Rendition.State.REJECTED)
        .exclude(recipe__has_key="diffusion_edit")
        .order_by()
        .values("recipe_key")
        .annotate(first=Min("pk"))
        .values("first")
    )
    listed = [*study.recipes, *Rendition.objects.filter(pk__in=made).values_list("recipe", flat=True)]
    found: dict[str, ListedRecipe] = {}
    for data in listed:
        # Images that came with a dataset tell of no recipe, and a simulated camera may have other numbers by now.
        with suppress(ValueError):
            recipe = recipe_from_json(data)
            found[recipe.key] = recipe
    return tuple(found.values())
