"""Studies: made, filled with pairs, opened, closed."""

import itertools
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from collection.design.plan import require_enough_pairs
from collection.design.preflight import preflight
from collection.design.protocol import Protocol
from collection.design.recruiting import Recruiting
from collection.design.splits import split_assign
from collection.design.study_file import ListedRecipe, recipe_from_json
from collection.models import Membership, Role, Study, StudyPair, StudyScene
from collection.models.studies import Split
from collection.selectors.rules import protocol_in_force
from collection.selectors.studies import study_pair_counts
from collection.services.audit import audit_record, current_actor
from variants.models import Pair, RenderJob, Scene
from variants.selectors import scenes_with_photos
from variants.services import Recipes, renditions_plan
from variants.sources.controlled import controlled_recipes

SLUG_LENGTH = 50
RESERVED = {"new"}
"""Words that stand in addresses where slugs do."""
N_RECIPES = 16
"""Of each scene, by default: 120 possible pairs, twice what a scene may have."""


class StudyError(ValueError):
    """A study cannot be made or changed this way; the message says what mends it."""


class SlugTaken(StudyError):
    pass


class StudyChanged(StudyError):
    """Somebody else has changed the study since it was read; `study` is what it is now."""

    def __init__(self, study: Study) -> None:
        super().__init__(f"{study.name} was changed by somebody else in the meantime")
        self.study = study


@transaction.atomic
def study_create(
    name: str,
    *,
    slug: str | None = None,
    protocol: Protocol | None = None,
    recruiting: Recruiting | None = None,
    scenes: Iterable[Scene] | None = None,
    recipes: Iterable[ListedRecipe] = (),
    simulated: bool = False,
    purpose: str = "",
    licence: str = "other",
    citation: str = "",
) -> Study:
    """Make a study in draft, on all scenes unless told otherwise.

    Whoever makes it owns it. Raises StudyError for an impossible name and for a slug that is taken. Without a slug one is made
    from the name, with a number behind it where it is taken.
    """
    protocol = protocol or Protocol()
    fields = {
        "name": _clean_name(name),
        "protocol": protocol.to_json(),
        "recruiting": (recruiting or Recruiting()).to_json(),
        "recipes": [recipe.to_json() for recipe in recipes],
        "is_simulated": simulated,
        "purpose": purpose,
        "licence": licence,
        "citation": citation,
    }
    study = _create_with_slug(slug, **fields) if slug else _create_with_free_slug(**fields)
    if actor := current_actor():
        Membership.objects.create(study=study, user_id=actor.pk, role=Role.OWNER)
    study_add_scenes(study, Scene.objects.all() if scenes is None else scenes)
    audit_record("study.create", study)
    return study


@transaction.atomic
def study_describe(
    study: Study, *, edition: int, name: str, purpose: str, licence: str, citation: str
) -> None:
    """Change what the study is called and what its datasets' cards say of it.

    Raises StudyChanged where the study has another edition by now, and StudyError for an impossible name.
    """
    locked = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    if edition != locked.edition:
        raise StudyChanged(locked)
    fields = {"name": _clean_name(name), "purpose": purpose, "licence": licence, "citation": citation}
    changed = sorted(field for field, value in fields.items() if getattr(locked, field) != value)
    if changed:
        Study.objects.filter(pk=locked.pk).update(**fields, edition=locked.edition + 1)
        audit_record("study.describe", locked, changed=changed)
    study.refresh_from_db()


def study_add_scenes(study: Study, scenes: Iterable[Scene]) -> int:
    """Add the scenes that the study does not have yet; the split of those it has stays.

    The split hangs on the scenes' IDs and the protocol's seed. Returns how many were added.
    """
    protocol = Protocol.from_json(study.protocol)
    assigned = dict(StudyScene.objects.filter(study=study).values_list("scene__public_id", "split"))
    joining = {scene.public_id: scene for scene in scenes if scene.public_id not in assigned}
    splits = split_assign(assigned, joining, share=protocol.validation_scenes, seed=protocol.seed)
    if not protocol.validation_scenes:  # nothing is held out: there is no split
        splits = dict.fromkeys(joining, Split.NONE)
    rows = [StudyScene(study=study, scene=scene, split=splits[key]) for key, scene in joining.items()]
    StudyScene.objects.bulk_create(rows)
    return len(rows)


def study_generate_variants(study: Study, recipes: Recipes | None = None) -> RenderJob:
    """Order the renditions that the study's protocol wants of its scenes.

    Without recipes, those that the study's file listed, or else controlled edits.

    Of a scene that is a set of files, the files are what is rendered.

    What is rendered already is not ordered again. `enqueue()` sends the job, which links the pairs too.
    """
    if study.status == Study.Status.CLOSED:
        raise StudyError(f"{study.slug} is closed; nothing can be asked in it any more")
    scenes = list(scenes_with_photos().filter(studies=study))
    if not scenes:
        raise StudyError(
            f"{study.slug} has no scenes with a photo to render from; "
            "import photos with `manage.py import_scenes DIR` and make a study of them"
        )
    protocol = Protocol.from_json(study.protocol)
    with transaction.atomic():
        job = renditions_plan(
            scenes,
            _usual_recipes(study, protocol) if recipes is None else recipes,
            long_side=protocol.long_side,
            encoding=protocol.encoding,
        )
        job.task = "collection.tasks.study_variants_task"
        job.save(update_fields=["task"])
        study.render_jobs.add(job)
        audit_record("study.render", study, what=job.public_id)
    return job


def study_link_pairs(study: Study, pairs: Iterable[Pair]) -> int:
    """Let the study ask about these pairs of its scenes; return how many are new to it."""
    pairs = list(pairs)
    scenes = set(StudyScene.objects.filter(study=study).values_list("scene_id", flat=True))
    for pair in pairs:
        if pair.scene_id not in scenes:
            raise StudyError(f"pair {pair} is of a scene that is not in {study.slug}")
    with transaction.atomic():
        before = StudyPair.objects.filter(study=study).count()
        rows = [StudyPair(study=study, pair=pair) for pair in pairs]
        StudyPair.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
        return StudyPair.objects.filter(study=study).count() - before


@transaction.atomic
def study_open(study: Study) -> None:
    """From now on it can be answered. Raises StudyError when something is missing for that."""
    _hold(study)
    if study.status == Study.Status.OPEN:
        return
    if study.status == Study.Status.CLOSED:
        raise StudyError(f"{study.slug} is closed, and a closed study stays closed")
    study_require_answerable(study)
    _require_passable(study)
    study.status = Study.Status.OPEN
    study.opened_at = study.opened_at or timezone.now()
    study.save(update_fields=["status", "opened_at"])
    audit_record("study.open", study)


@transaction.atomic
def study_pause(study: Study) -> None:
    """No new sessions; those under way may be finished."""
    _hold(study)
    if study.status not in (Study.Status.OPEN, Study.Status.PAUSED):
        raise StudyError(f"{study.slug} is {study.status}; only an open study can be paused")
    study.status = Study.Status.PAUSED
    study.save(update_fields=["status"])
    audit_record("study.pause", study)


@transaction.atomic
def study_close(study: Study) -> None:
    """No answers any more, and for good."""
    _hold(study)
    if study.status == Study.Status.CLOSED:
        return
    study.status = Study.Status.CLOSED
    study.closed_at = timezone.now()
    study.save(update_fields=["status", "closed_at"])
    audit_record("study.close", study)


def _hold(study: Study) -> None:
    """As it is now, until the transaction is over: whoever else opens or closes it waits."""
    study.refresh_from_db(from_queryset=Study.objects.select_for_update(no_key=True))


def study_require_answerable(study: Study) -> None:
    """Raise StudyError, which says what is missing, where nobody could answer the study."""
    try:
        protocol = Protocol.from_json(study.protocol)
    except ValueError as error:
        raise StudyError(f"the protocol of {study.slug} is not valid: {error}") from error
    if not StudyScene.objects.filter(study=study).exists():
        raise StudyError(f"{study.slug} has no scenes; import some with `manage.py import_scenes DIR`")
    counts = study_pair_counts(study)
    if counts.unrendered:
        raise StudyError(
            f"{counts.unrendered} pairs of {study.slug} have images that are not rendered; "
            f"run `manage.py generate_variants {study.slug}`"
        )
    try:
        require_enough_pairs(counts.askable_by_source, protocol)
    except ValueError as error:
        hint = "" if counts.askable else f" (`manage.py generate_variants {study.slug}` makes pairs)"
        raise StudyError(f"{study.slug} cannot be opened: {error}{hint}") from error


def _usual_recipes(study: Study, protocol: Protocol) -> Recipes:
    if study.recipes:
        return [recipe_from_json(data) for data in study.recipes]
    return controlled_recipes(N_RECIPES, protocol.seed)


def _require_passable(study: Study) -> None:
    """Raise StudyError where the rules in force leave everybody out, so that no answer could be used."""
    cautions = preflight(protocol_in_force(study), {}).warnings
    if reasons := [caution.text for caution in cautions if caution.leaves_out_everybody]:
        raise StudyError(
            f"{study.slug} cannot be opened: its rules leave everybody out. {' '.join(reasons)} "
            "Change these thresholds first"
        )


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 200:
        raise StudyError(f"a study's name has 1 to 200 characters, this one has {len(name)}")
    return name


def _create_with_slug(slug: str, **fields: object) -> Study:
    if slugify(slug) != slug or len(slug) > SLUG_LENGTH:
        raise StudyError(
            f"the slug {slug!r} is not one: at most {SLUG_LENGTH} of a-z, 0-9, - and _, such as {slugify(slug)!r}"
        )
    if slug in RESERVED:
        raise StudyError(f"the slug {slug!r} is an address of its own; choose another")
    try:
        with transaction.atomic():
            return Study.objects.create(slug=slug, **fields)
    except IntegrityError as error:
        raise SlugTaken(f"a study with the slug {slug!r} is already here") from error


def _create_with_free_slug(**fields: object) -> Study:
    base = slugify(str(fields["name"]))[:SLUG_LENGTH].strip("-") or "study"
    for n in itertools.count(1):
        slug = base if n == 1 else f"{base[: SLUG_LENGTH - len(str(n)) - 1]}-{n}"
        if slug in RESERVED or Study.objects.filter(slug=slug).exists():
            continue
        try:
            with transaction.atomic():
                return Study.objects.create(slug=slug, **fields)
        except IntegrityError:  # somebody else took it just now
            continue
    raise AssertionError("counting never ends")
