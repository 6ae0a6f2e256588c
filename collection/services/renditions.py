"""A researcher's choice among the renditions of a study, before anybody is asked about them."""

from django.db import transaction
from django.db.models import Q

from collection.access import studies_of
from collection.design.protocol import Protocol
from collection.models import Role, Study, StudyPair
from collection.services.audit import audit_record, current_actor
from collection.services.studies import StudyError
from variants.models import Pair, Rendition
from variants.pairing import compared_groups


@transaction.atomic
def rendition_reject(study: Study, rendition: Rendition) -> int:
    """Throw a rendition out, and its pairs out of every study in draft; return how many `study` lost.

    Raises StudyError where one of these studies is not whoever acts may change.
    """
    _check_free(study, rendition)
    _move(rendition, Rendition.State.RENDERED, Rendition.State.REJECTED)
    pairs = StudyPair.objects.filter(_has(rendition, "pair__"))
    lost = pairs.filter(study=study).count()
    pairs.delete()
    audit_record("rendition.reject", study, what=rendition.public_id, n_pairs=lost)
    return lost


@transaction.atomic
def rendition_restore(study: Study, rendition: Rendition) -> int:
    """Take a rendition back, and into `study` its pairs that the protocol allows; return how many."""
    _check_free(study, rendition)
    _move(rendition, Rendition.State.REJECTED, Rendition.State.RENDERED)
    protocol = Protocol.from_json(study.protocol)
    pairs = Pair.objects.filter(
        _has(rendition),
        image_a__state=Rendition.State.RENDERED,
        image_b__state=Rendition.State.RENDERED,
        delta_e__range=(protocol.min_delta_e, protocol.max_delta_e),
    ).exclude(studies=study)
    known = list(
        StudyPair.objects.filter(study=study, pair__scene=rendition.scene).values_list(
            "pair__image_a", "pair__image_b"
        )
    )
    chosen: list[Pair] = []
    # First what joins renditions that nothing compares, above the cap too; then as many as it leaves room for.
    for room in (0, protocol.max_pairs_per_scene):
        for pair in pairs.order_by("public_id"):
            couple = (pair.image_a_id, pair.image_b_id)
            is_joined = any(group.issuperset(couple) for group in compared_groups(known))
            if pair not in chosen and (not is_joined or len(known) < room):
                chosen.append(pair)
                known.append(couple)
    StudyPair.objects.bulk_create(StudyPair(study=study, pair=pair) for pair in chosen)
    audit_record("rendition.restore", study, what=rendition.public_id, n_pairs=len(chosen))
    return len(chosen)


def _check_free(study: Study, rendition: Rendition) -> None:
    """What people are, or were, asked about stays as it is."""
    if study.status != Study.Status.DRAFT:
        raise StudyError(f"{study.name} has been opened: its renditions stay as they are.")
    actor = current_actor()
    others = Study.objects.filter(_has(rendition, "pairs__"), preview_of=None).exclude(pk=study.pk)
    if actor is not None and others.exclude(pk__in=studies_of(actor, Role.EDITOR)).exists():
        raise StudyError(
            "A study that you may not change asks about this rendition too: it stays as it is. "
            "Render your study at another size to have renditions of its own."
        )
    asked_in = (
        Study.objects.filter(_has(rendition, "pairs__"), preview_of=None)
        .exclude(status=Study.Status.DRAFT)
        .distinct()
        .first()
    )
    if asked_in:
        raise StudyError(
            f"The study {asked_in.name} asks about this rendition too, and has been opened: it stays as it is."
        )


def _move(rendition: Rendition, before: Rendition.State, after: Rendition.State) -> None:
    """One of two researchers who press at once is told."""
    moved = Rendition.objects.filter(pk=rendition.pk, state=before).update(state=after)
    if not moved:
        rendition.refresh_from_db()
        raise StudyError(f"The rendition is {rendition.get_state_display()}, not {before.label}.")
    rendition.state = after


def _has(rendition: Rendition, path: str = "") -> Q:
    return Q(**{f"{path}image_a": rendition}) | Q(**{f"{path}image_b": rendition})
