"""Finding a study by what people type, and what is there to open it with."""

import difflib
from dataclasses import dataclass

from django.db.models import Count, Q

from collection.models import Study, StudyPair
from variants.models import Rendition


class StudyNotFound(LookupError):
    """No study has this name; the message says which ones come near."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairCounts:
    """Pairs of a study, by whether they can be asked about."""

    askable: int
    unrendered: int
    """At least one image is not rendered yet, or could not be."""


def study_find(name: str) -> Study:
    """The study with this slug, public ID or exact name. Raises StudyNotFound with near matches."""
    studies = list(Study.objects.filter(Q(slug=name) | Q(public_id=name) | Q(name=name)))
    exact = [study for study in studies if name in (study.slug, study.public_id)] or studies
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise StudyNotFound(f"{len(exact)} studies are named {name!r}; say which: {_slugs(exact)}")
    raise StudyNotFound(f"there is no study {name!r}; {_near(name)}")


def study_pair_counts(study: Study) -> PairCounts:
    """Pairs with an image that was thrown out count as neither."""
    rendered = Q(pair__image_a__state=Rendition.State.RENDERED, pair__image_b__state=Rendition.State.RENDERED)
    missing = [Rendition.State.PLANNED, Rendition.State.FAILED]
    unrendered = Q(pair__image_a__state__in=missing) | Q(pair__image_b__state__in=missing)
    counts = StudyPair.objects.filter(study=study).aggregate(
        askable=Count("pk", filter=rendered), unrendered=Count("pk", filter=unrendered)
    )
    return PairCounts(**counts)


def _near(name: str) -> str:
    slugs = list(Study.objects.values_list("slug", flat=True))
    if not slugs:
        return "there is none yet: make one with `manage.py create_study NAME`"
    near = difflib.get_close_matches(name, slugs, n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(slugs[:10])}"


def _slugs(studies: list[Study]) -> str:
    return ", ".join(study.slug for study in studies)
