"""Finding a study by what people type, and what is there to open it with."""

import difflib
from dataclasses import dataclass

from django.db.models import Count, Q

from collection.models import Study, StudyDeletion, StudyPair
from variants.jobs import Job
from variants.models import Rendition


class StudyNotFound(LookupError):
    """No study has this name; the message says which ones come near."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairCounts:
    """Pairs of a study, by whether they can be asked about."""

    askable_by_source: dict[str, int]
    """Source type → pairs of it."""
    unrendered: int
    """At least one image is not rendered yet, or could not be."""

    @property
    def askable(self) -> int:
        return sum(self.askable_by_source.values())


def study_find(name: str) -> Study:
    """The study with this slug, public ID or exact name. Raises StudyNotFound with near matches."""
    named = Q(slug=name) | Q(public_id=name) | Q(name=name)
    studies = list(Study.objects.filter(named, preview_of=None))
    exact = [study for study in studies if name in (study.slug, study.public_id)] or studies
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise StudyNotFound(f"{len(exact)} studies are named {name!r}; say which: {_slugs(exact)}")
    gone = StudyDeletion.objects.filter(Q(study_slug=name) | Q(study_name=name), state=Job.State.DONE).first()
    if gone and gone.finished_at:
        raise StudyNotFound(
            f"the study {name!r} was deleted on {gone.finished_at:%Y-%m-%d}; nothing of it is left"
        )
    raise StudyNotFound(f"there is no study {name!r}; {_near(name)}")


def study_pair_counts(study: Study) -> PairCounts:
    """Pairs with an image that was thrown out count as neither."""
    rendered = Q(pair__image_a__state=Rendition.State.RENDERED, pair__image_b__state=Rendition.State.RENDERED)
    missing = [Rendition.State.PLANNED, Rendition.State.FAILED]
    unrendered = Q(pair__image_a__state__in=missing) | Q(pair__image_b__state__in=missing)
    counts = (
        StudyPair.objects.filter(study=study)
        .values_list("pair__source_type")
        .annotate(askable=Count("pk", filter=rendered), unrendered=Count("pk", filter=unrendered))
    )
    return PairCounts(
        askable_by_source={source_type: askable for source_type, askable, _ in counts},
        unrendered=sum(unrendered for _, _, unrendered in counts),
    )


def _near(name: str) -> str:
    slugs = list(Study.objects.filter(preview_of=None).values_list("slug", flat=True))
    if not slugs:
        return "there is none yet: make one with `manage.py create_study NAME`"
    near = difflib.get_close_matches(name, slugs, n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(slugs[:10])}"


def _slugs(studies: list[Study]) -> str:
    return ", ".join(study.slug for study in studies)
