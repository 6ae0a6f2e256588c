"""Who may see and change which report. Every page and API address about reports asks here.

A report shows its runs' edits and its raters' answers, so it is seen by whoever may see all of its runs, and by
who made it.
"""

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest

from collection.access import User
from collection.models import Role
from evaluation.models import Report
from learning.access import run_may, runs_of
from learning.models import Run


def reports_of(user: User) -> QuerySet[Report]:
    """The reports that the user may see; a superuser sees all."""
    reports = Report.objects.prefetch_related("runs__export__study")
    if getattr(user, "is_superuser", False):
        return reports
    if not user.is_authenticated:
        return reports.none()
    own = Run.objects.filter(reports=OuterRef("pk"))
    hidden = own.exclude(pk__in=runs_of(user).values("pk"))
    return reports.filter(Q(started_by=user.pk) | (Exists(own) & ~Exists(hidden)))


def report_may(user: User, report: Report, needs: Role) -> bool:
    """Whether the user may do with the report what `needs` stands for: its maker all, others what they may with its runs."""
    if getattr(user, "is_superuser", False) or (user.is_authenticated and report.started_by_id == user.pk):
        return True
    runs = list(report.runs.all())
    return bool(runs) and all(run_may(user, run, needs) for run in runs)


def report_for(request: HttpRequest, public_id: str, needs: Role = Role.VIEWER) -> Report:
    """The report of an address, for somebody who may do what `needs` stands for.

    Raises Http404 for somebody who may not see it, and PermissionDenied for one who may see it and no more.
    """
    report = reports_of(request.user).filter(public_id=public_id).first()
    if report is None:
        raise Http404("There is no such report.")
    if not report_may(request.user, report, needs):
        raise PermissionDenied(f"This needs the role {needs.value} in the study that the runs learnt from.")
    return report
