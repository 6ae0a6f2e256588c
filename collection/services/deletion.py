"""Deleting a study: what people gave, what was made for it, and nothing that others use.

A job in small transactions, each of which leaves less to do: killed half-way, it is run again and
finishes. The study is closed as long as it takes. The audit trail stays.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from collection.models import (
    ConflictingAnswer,
    Device,
    Export,
    Person,
    Question,
    Rater,
    Session,
    Study,
    StudyDeletion,
    StudyPair,
    StudyScene,
)
from collection.services.audit import audit_record, current_actor
from collection.services.exports import exports_end_dead
from collection.services.removal import folder_delete, removal_record
from collection.services.studies import StudyError
from variants.jobs import Job, jobs_of_dead_commands_end
from variants.models import Rendition, Scene, Version
from variants.progress import Report, silent, throttled

SESSIONS_AT_A_TIME = 50
RATERS_AT_A_TIME = 200
SCENES_AT_A_TIME = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdings:
    """What a study holds, and what of it nobody else uses."""

    n_people: int
    n_people_known_elsewhere: int
    """Of these, who take part in another study too and stay known there."""
    n_sessions: int
    n_preview_sessions: int
    """Of researchers who tried it out; their answers are not counted."""
    n_answers: int
    n_datasets: int
    """Finished ones whose folder is on disk."""
    n_photos: int
    n_photos_shared: int
    """That other studies use: they stay, whatever is asked for."""
    n_renditions: int
    """That nobody else uses."""


def study_holdings(study: Study) -> Holdings:
    scenes = Scene.objects.filter(studies=study)
    exports = study.exports.filter(state=Job.State.DONE).values_list("folder", flat=True)
    people = Person.objects.filter(Exists(study.raters.filter(person=OuterRef("pk"))))
    others = Study.objects.exclude(pk=study.pk).exclude(preview_of=study)
    elsewhere = Rater.objects.filter(person=OuterRef("pk"), study__in=others)
    return Holdings(
        n_people=people.count(),
        n_people_known_elsewhere=people.filter(Exists(elsewhere)).count(),
        n_sessions=study.sessions.count(),
        n_preview_sessions=Session.objects.filter(study__preview_of=study).count(),
        n_answers=Question.objects.filter(session__study=study, answered_at__isnull=False).count(),
        n_datasets=sum(Path(folder).is_dir() for folder in exports),
        n_photos=scenes.count(),
        n_photos_shared=_shared(study, scenes).count(),
        n_renditions=_unused_renditions(study, scenes).count(),
    )


@transaction.atomic
def study_deletion_create(
    study: Study, *, with_exports: bool = False, with_photos: bool = False
) -> StudyDeletion:
    """Close the study for good and make the job that deletes it; `enqueue()` starts it.

    One that is under way already is returned as it is. Raises StudyError while a dataset is written.

    Args:
        study: with everything in it.
        with_exports: its dataset folders on disk too.
        with_photos: photos that no other study uses too, with their originals.
    """
    study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    over = (Job.State.DONE, Job.State.FAILED, Job.State.CANCELLED)
    jobs_of_dead_commands_end(study.deletions.all())
    if under_way := study.deletions.exclude(state__in=over).first():
        return under_way
    exports_end_dead(study)
    if study.exports.exclude(state__in=over).exists():
        raise StudyError(f"a dataset of {study.slug} is being written; wait for it or cancel it first")
    for order in study.render_jobs.exclude(state__in=over):
        order.cancel()
    study.status = Study.Status.CLOSED
    study.closed_at = study.closed_at or timezone.now()
    study.save(update_fields=["status", "closed_at"])
    actor = current_actor()
    deletion = StudyDeletion.objects.create(
        study=study,
        study_slug=study.slug,
        study_name=study.name,
        with_exports=with_exports,
        with_photos=with_photos,
        started_by_id=actor.pk if actor else None,
    )
    audit_record(
        "study.delete", study, what=study.name, with_exports=with_exports, with_photos=with_photos,
        **asdict(study_holdings(study)),
    )  # fmt: skip
    return deletion


def study_delete_run(deletion: StudyDeletion, watch: Report = silent) -> None:
    """The work of the job. Whatever is gone already is passed over."""
    tell_row = throttled(deletion.report)

    def report(done: int, total: int, stage: str) -> None:
        watch(done, total, stage)
        tell_row(done, total, stage)

    if deletion.study is None:
        return
    for preview in Study.objects.filter(preview_of=deletion.study):
        _study_delete(deletion, preview, silent)
    _study_delete(deletion, deletion.study, report)
    deletion.study = None


def _study_delete(deletion: StudyDeletion, study: Study, report: Report) -> None:
    gone: Counter[str] = Counter(deletion.counts)

    def count(**n: int) -> None:
        if study.pk != deletion.study_id:  # a preview: who answers in it is a researcher, and nothing is kept
            n = {"preview_sessions": n["sessions"]} if "sessions" in n else {}
        gone.update(n)
        deletion.counts = dict(gone)
        deletion.save(update_fields=["counts"])

    for export in study.exports.all():
        count(datasets=_export_delete(export, with_files=deletion.with_exports))
    _in_batches(study.sessions.all(), SESSIONS_AT_A_TIME, report, "deleting answers", sessions_delete, count)

    def raters_delete(keys: list[int]) -> dict[str, int]:
        return _raters_delete(study, keys)

    _in_batches(study.raters.all(), RATERS_AT_A_TIME, report, "deleting people", raters_delete, count)

    def scenes_delete(keys: list[int]) -> dict[str, int]:
        return _scenes_delete(study, keys, with_photos=deletion.with_photos)

    scenes = StudyScene.objects.filter(study=study)
    _in_batches(scenes, SCENES_AT_A_TIME, report, "deleting images", scenes_delete, count)
    with transaction.atomic():
        if study.pk == deletion.study_id:
            audit_record("study.deleted", study, what=study.name, **gone)
        study.delete()


def _in_batches(rows: QuerySet, size: int, report: Report, stage: str, delete, count) -> None:  # type: ignore[no-untyped-def, type-arg]
    total, done = rows.count(), 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:size]):
        report(done, total, stage)
        with transaction.atomic():
            count(**delete(keys))
        done += len(keys)
    report(total, total, stage)


def _export_delete(export: Export, *, with_files: bool) -> int:
    removal_record(export, "the study was deleted", files_deleted=with_files, study_deleted=True)
    if with_files:
        folder_delete(Path(export.folder))
    export.delete()
    return 1


def sessions_delete(keys: list[int]) -> dict[str, int]:
    # An answer that is being stored holds its session's row.
    list(Session.objects.filter(pk__in=keys).select_for_update(of=("self",)))
    questions = Question.objects.filter(session__in=keys)
    n_answers = questions.filter(answered_at__isnull=False).count()
    ConflictingAnswer.objects.filter(question__in=questions).delete()
    questions.filter(repeats__isnull=False).delete()
    questions.delete()
    Session.objects.filter(pk__in=keys).delete()
    return {"sessions": len(keys), "answers": n_answers}


def _raters_delete(study: Study, keys: list[int]) -> dict[str, int]:
    raters = Rater.objects.filter(pk__in=keys)
    people, devices = (
        set(raters.values_list("person", flat=True)),
        set(raters.values_list("device", flat=True)),
    )
    raters.delete()
    _, deleted = Person.objects.filter(pk__in=people, raters=None).delete()
    Device.objects.filter(pk__in=devices, raters=None).delete()
    # Somebody with another device here is counted with the last of them.
    elsewhere = Person.objects.filter(pk__in=people).exclude(raters__study=study).count()
    gone = {"people": deleted.get(Person._meta.label, 0) + elsewhere}
    return gone | ({"people_known_elsewhere": elsewhere} if elsewhere else {})


def _scenes_delete(study: Study, keys: list[int], *, with_photos: bool) -> dict[str, int]:
    """Links of the study to scenes, by their keys, and what then nobody uses."""
    links = StudyScene.objects.filter(pk__in=keys)
    # Whoever makes another study of these scenes waits, or is waited for.
    scenes = Scene.objects.filter(studyscene__in=keys)
    locked = list(scenes.select_for_update(of=("self",)))
    unused = list(_unused_renditions(study, scenes))
    shared = set(_shared(study, scenes).values_list("pk", flat=True))
    StudyPair.objects.filter(study=study, pair__scene__in=locked).delete()
    links.delete()
    n_files = _files_delete(row.image.name for row in unused)
    Rendition.objects.filter(pk__in=[row.pk for row in unused]).delete()
    # A scene without a photo came with its renditions alone: nothing is left of it.
    gone = [
        scene
        for scene in locked
        if scene.pk not in shared and (with_photos or not (scene.original or scene.versions.exists()))
        if not scene.renditions.exists()
    ]
    versions = Version.objects.filter(scene__in=gone)
    n_files += _files_delete([*(row.original.name for row in gone), *(row.original.name for row in versions)])
    Scene.objects.filter(pk__in=[scene.pk for scene in gone]).delete()
    return {"renditions": len(unused), "photos": len(gone), "files": n_files}


def _shared(study: Study, scenes: QuerySet[Scene]) -> QuerySet[Scene]:
    """Scenes that other studies use."""
    others = (
        StudyScene.objects.filter(scene=OuterRef("pk")).exclude(study=study).exclude(study__preview_of=study)
    )
    return scenes.filter(Exists(others))


def _unused_renditions(study: Study, scenes: QuerySet[Scene]) -> QuerySet[Rendition]:
    """Renditions of the scenes that no other study asks about, nor may yet: a draft has not chosen."""
    mine = Q(study=study) | Q(study__preview_of=study)
    drafts = StudyScene.objects.filter(scene=OuterRef("scene"), study__status=Study.Status.DRAFT).exclude(
        mine
    )
    has_it = Q(pair__image_a=OuterRef("pk")) | Q(pair__image_b=OuterRef("pk"))
    asked = Q(left=OuterRef("pk")) | Q(right=OuterRef("pk"))
    mine_asked = Q(session__study=study) | Q(session__study__preview_of=study)
    return Rendition.objects.filter(
        ~Exists(drafts),
        ~Exists(StudyPair.objects.filter(has_it).exclude(mine)),
        ~Exists(Question.objects.filter(asked).exclude(mine_asked)),
        scene__in=scenes,
    )


def _files_delete(names: Iterable[str | None]) -> int:
    """Before their rows: a row whose file is gone is deleted at the next try, a file without a row never."""
    n = 0
    for name in names:
        if name:
            default_storage.delete(name)
            n += 1
    return n
