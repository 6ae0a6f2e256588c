"""Jobs of every kind as one list: who sees which, who may cancel one or start it again, what it is for."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from collection.access import User, role_in, studies_of
from collection.models import Export, Role, StatisticsJob, Study, StudyDeletion
from collection.services.audit import audit_record
from evaluation.access import report_may, reports_of
from evaluation.models import Report
from evaluation.services.reports import report_cancel
from learning.access import photos_of, run_may, runs_of
from learning.models import Adaptation, BlindTest, LookOrder, PhotoRequest, RaterAdaptation, Run, StudyLook
from learning.services.adaptations import adaptation_cancel
from learning.services.blind_tests import blind_test_cancel
from learning.services.runs import run_cancel, run_resume
from variants.jobs import STALE_AFTER, UNDER_WAY, Job
from variants.models import PhotoJob, RenderJob, SceneJob
from variants.progress import about

MOST_UNDER_WAY = 200
MOST_OVER = 50
OVER_WITHIN = dt.timedelta(days=7)
KNOWN_AFTER = 0.02
"""Part done from which on the pace says how long the rest takes."""
PARTS = (RaterAdaptation,)
"""Shares of another job, which is listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of job; `name` stands in addresses."""

    name: str
    words: str
    model: type[Job]
    seen_by: Callable[[User], QuerySet[Any]]
    study_of: Callable[[Any], Study | None]
    what: Callable[[Any], str]
    page: Callable[[Any], str]
    """Address of the page that shows it; empty for none."""
    may: Callable[[User, Any, Study | None], bool]
    """Whether the user may cancel it and start it again."""
    cancel: Callable[[Any], None] | None = None
    retry: Callable[[Any], None] | None = None
    may_retry: Callable[[Any], bool] = lambda job: True
    lists_done: bool = True
    """Off for what comes by the thousand."""


def _edits(user: User, job: Any, study: Study | None) -> bool:
    return _has_role(user, study, Role.EDITOR)


def _owns(user: User, job: Any, study: Study | None) -> bool:
    return _has_role(user, study, Role.OWNER)


def _has_role(user: User, study: Study | None, needs: Role) -> bool:
    if study is None:
        return bool(getattr(user, "is_superuser", False))
    role = role_in(user, study)
    return role is not None and role.includes(needs)


def _of_studies(model: type[Job], path: str) -> Callable[[User], QuerySet[Any]]:
    """Those of the studies that the user may see; a superuser sees those without a study too."""

    def seen_by(user: User) -> QuerySet[Any]:
        rows = model._default_manager.all()
        if path != "studies":  # which are many
            rows = rows.select_related(path)
        if getattr(user, "is_superuser", False):
            return rows
        return rows.filter(**{f"{path}__in": studies_of(user)}).distinct()

    return seen_by


def _study_page(name: str) -> Callable[[Any], str]:
    """A page of the job's study."""

    def page(job: Any) -> str:
        study = kind_of(job).study_of(job)
        return reverse(name, args=[study.slug]) if study else ""

    return page


def _own_page(name: str) -> Callable[[Any], str]:
    return lambda job: reverse(name, args=[job.public_id])


def _study_of_run(run: Run | None) -> Study | None:
    return run.export.study if run and run.export else None


def _of_runs(model: type[BlindTest | Adaptation]) -> Callable[[User], QuerySet[Any]]:
    return lambda user: model._default_manager.filter(learner__in=runs_of(user)).select_related(
        "learner__export__study"
    )


def _photos_page(request: PhotoRequest) -> str:
    return reverse("learning:photo-request", args=[request.public_id])


ALL = (
    Kind(
        name="export",
        words="Dataset",
        model=Export,
        seen_by=_of_studies(Export, "study"),
        study_of=lambda job: job.study,
        what=lambda job: f"{job.study.name}, version {job.number}",
        page=_own_page("researcher:export-detail"),
        may=_edits,
    ),
    Kind(
        name="statistics",
        words="Statistics",
        model=StatisticsJob,
        seen_by=_of_studies(StatisticsJob, "study"),
        study_of=lambda job: job.study,
        what=lambda job: job.study.name,
        page=_study_page("researcher:study-statistics"),
        may=_edits,
    ),
    Kind(
        name="deletion",
        words="Deletion",
        model=StudyDeletion,
        seen_by=_of_studies(StudyDeletion, "study"),
        study_of=lambda job: job.study,
        what=lambda job: job.study_name,
        page=lambda job: "",
        may=_owns,
    ),
    Kind(
        name="render",
        words="Renditions",
        model=RenderJob,
        seen_by=_of_studies(RenderJob, "studies"),
        study_of=lambda job: job.studies.first(),
        what=lambda job: ", ".join(job.studies.values_list("name", flat=True)) or "by a command",
        page=_study_page("researcher:study-detail"),
        may=_edits,
    ),
    Kind(
        name="photos",
        words="Photos coming in",
        model=PhotoJob,
        seen_by=_of_studies(PhotoJob, "studies"),
        study_of=lambda job: job.studies.first(),
        what=lambda job: ", ".join(job.studies.values_list("name", flat=True)) or "no study",
        page=_study_page("researcher:study-photos"),
        may=_edits,
        # Of a cancelled one the files are gone.
        may_retry=lambda job: job.state == Job.State.FAILED,
    ),
    Kind(
        name="scenes",
        words="Generated scenes",
        model=SceneJob,
        seen_by=lambda user: (
            SceneJob.objects.all() if getattr(user, "is_superuser", False) else SceneJob.objects.none()
        ),
        study_of=lambda job: None,
        what=lambda job: f"{job.orders.count()} scenes",
        page=lambda job: "",
        may=_edits,
    ),
    Kind(
        name="run",
        words="Training",
        model=Run,
        seen_by=runs_of,
        study_of=_study_of_run,
        what=lambda job: f"{job.system} {job.preset}",
        page=_own_page("learning:run-detail"),
        may=lambda user, job, study: run_may(user, job, Role.EDITOR),
        cancel=run_cancel,
        retry=run_resume,
    ),
    Kind(
        name="styled-photos",
        words="Photos to a taste",
        model=PhotoRequest,
        seen_by=photos_of,
        study_of=lambda job: None,
        what=lambda job: job.taste_words,
        page=_photos_page,
        may=lambda user, job, study: True,  # only whoever uploaded them, and superusers, sees them
        may_retry=lambda job: not job.is_expired,
    ),
    Kind(
        name="blind-test",
        words="Blind test",
        model=BlindTest,
        seen_by=_of_runs(BlindTest),
        study_of=lambda job: _study_of_run(job.learner),
        what=lambda job: f"{job.learner} against {job.against_words}",
        page=_own_page("learning:blind-test"),
        may=lambda user, job, study: run_may(user, job.learner, Role.EDITOR),
        cancel=blind_test_cancel,
    ),
    Kind(
        name="adaptation",
        words="Raters' profiles",
        model=Adaptation,
        seen_by=_of_runs(Adaptation),
        study_of=lambda job: _study_of_run(job.learner),
        what=lambda job: f"{job.get_whose_display()} of {job.learner}",
        page=_own_page("learning:adaptation"),
        may=lambda user, job, study: run_may(user, job.learner, Role.EDITOR),
        cancel=adaptation_cancel,
    ),
    Kind(
        name="study-look",
        words="Looks made ready",
        model=StudyLook,
        seen_by=_of_studies(StudyLook, "study"),
        study_of=lambda job: job.study,
        what=lambda job: job.study.name,
        page=_study_page("learning:study-look"),
        may=_edits,
        may_retry=lambda job: job.is_open,
    ),
    Kind(
        name="look",
        words="A participant's look",
        model=LookOrder,
        seen_by=_of_studies(LookOrder, "look__session__study"),
        study_of=lambda job: job.look.session.study,
        what=lambda job: f"{job.look.session.study.name}: {job.get_what_display()}",
        page=lambda job: "",
        may=_edits,
        lists_done=False,
    ),
    Kind(
        name="report",
        words="Report",
        model=Report,
        seen_by=reports_of,
        study_of=lambda job: next((_study_of_run(run) for run in job.runs.all()), None),
        what=lambda job: ", ".join(str(run) for run in job.runs.all()),
        page=_own_page("evaluation:report-detail"),
        may=lambda user, job, study: report_may(user, job, Role.EDITOR),
        cancel=report_cancel,
    ),
)
KINDS = {kind.name: kind for kind in ALL}
_BY_MODEL = {kind.model: kind for kind in ALL}


def kind_of(job: Job) -> Kind:
    return _BY_MODEL[type(job)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One job as the list shows it."""

    job: Any
    kind: Kind
    what: str
    page: str
    is_stalled: bool
    since: dt.datetime
    """It waits, is at work or is over since then."""
    left: str
    may_cancel: bool
    may_retry: bool

    @property
    def worker(self) -> str:
        return ":".join(self.job.worker.split(":")[:2])


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    under_way: list[Row]
    over: list[Row]
    n_more: int
    """Under way, and not listed."""


def jobs_listed(user: User, *, kind: str = "", only_failed: bool = False) -> Listed:
    """The user's jobs: those under way, the oldest first, and the last that are over, the newest first."""
    now = timezone.now()
    under_way: list[Any] = []
    over: list[Any] = []
    n_more = 0
    for each in ALL:
        if kind and each.name != kind:
            continue
        seen = each.seen_by(user)
        if not only_failed:
            waiting = seen.filter(state__in=UNDER_WAY)
            found = list(waiting.order_by("pk")[:MOST_UNDER_WAY])
            under_way += found
            n_more += waiting.count() - len(found) if len(found) == MOST_UNDER_WAY else 0
        ended = seen.filter(finished_at__gte=now - OVER_WITHIN).exclude(state__in=UNDER_WAY)
        if only_failed or not each.lists_done:
            ended = ended.filter(state=Job.State.FAILED)
        over += ended.order_by("-finished_at")[:MOST_OVER]
    under_way.sort(key=lambda job: (job.state != Job.State.RUNNING, job.created_at))
    over.sort(key=lambda job: job.finished_at, reverse=True)
    n_more += max(0, len(under_way) - MOST_UNDER_WAY)
    return Listed(
        under_way=[job_row(user, job) for job in under_way[:MOST_UNDER_WAY]],
        over=[job_row(user, job) for job in over[:MOST_OVER]],
        n_more=n_more,
    )


def job_row(user: User, job: Any) -> Row:
    kind = kind_of(job)
    now = timezone.now()
    may = kind.may(user, job, kind.study_of(job))
    is_running = job.state == Job.State.RUNNING
    is_stalled = is_running and (job.heartbeat_at is None or job.heartbeat_at < now - STALE_AFTER)
    since = job.finished_at if job.is_over else job.started_at if is_running else None
    return Row(
        job=job,
        kind=kind,
        what=kind.what(job),
        page=kind.page(job),
        is_stalled=is_stalled,
        since=since or job.created_at,
        # Some say it themselves, of the step that they are at.
        left="" if is_stalled or not is_running or job.stage.endswith("left") else _left(job, now),
        may_cancel=may and not job.is_over and not job.cancel_requested,
        may_retry=may and job.state in (Job.State.FAILED, Job.State.CANCELLED) and kind.may_retry(job),
    )


def _left(job: Job, now: dt.datetime) -> str:
    if job.started_at is None or not KNOWN_AFTER < job.fraction < 1:
        return ""
    return about((now - job.started_at).total_seconds() * (1 - job.fraction) / job.fraction)


def job_cancel(job: Any) -> None:
    """Ask the job to stop, whichever kind it is."""
    kind = kind_of(job)
    if kind.cancel is not None:
        kind.cancel(job)
    elif not job.is_over:
        job.cancel()
        audit_record("job.cancel", kind.study_of(job), what=job.public_id, kind=kind.name)


def job_retry(job: Any) -> bool:
    """Start a job once more that has failed or was cancelled; false where it is neither, or cannot be."""
    kind = kind_of(job)
    if job.state not in (Job.State.FAILED, Job.State.CANCELLED) or not kind.may_retry(job):
        return False
    with transaction.atomic():
        if kind.retry is not None:
            kind.retry(job)
        elif not job.retry():
            return False
        else:
            audit_record("job.retry", kind.study_of(job), what=job.public_id, kind=kind.name)
        job.enqueue()
    return True


def jobs_counted(user: User) -> Iterator[tuple[str, int]]:
    """How many of the user's wait, run, or have failed within a day."""
    now = timezone.now()
    conditions = {
        "waiting": Q(state=Job.State.QUEUED),
        "at work": Q(state=Job.State.RUNNING),
        "failed in 24 h": Q(state=Job.State.FAILED, finished_at__gte=now - dt.timedelta(hours=24)),
    }
    for words, condition in conditions.items():
        yield words, sum(kind.seen_by(user).filter(condition).count() for kind in ALL)
