"""Who may see and change which run. Every page and API address about runs asks here.

A run shows its dataset's answers in its curves and edits, so it is seen by whoever may see the study that
the dataset came from; a run on a folder of the server belongs to who started it.
"""

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone

from collection.access import User, role_in, studies_of
from collection.models import Export, Role
from learning.models import Adaptation, PhotoRequest, Run
from learning.selectors import exports_done

CHANGERS = (Role.OWNER, Role.EDITOR)


def runs_of(user: User) -> QuerySet[Run]:
    """The runs that the user may see; a superuser sees all."""
    runs = Run.objects.select_related("export__study", "started_by")
    if getattr(user, "is_superuser", False):
        return runs
    if not user.is_authenticated:
        return runs.none()
    return runs.filter(Q(started_by=user.pk) | Q(export__study__in=studies_of(user)))


def run_may(user: User, run: Run, needs: Role) -> bool:
    """Whether the user may do with the run what `needs` stands for in its study; who started it may do all."""
    if getattr(user, "is_superuser", False) or (user.is_authenticated and run.started_by_id == user.pk):
        return True
    role = role_in(user, run.export.study) if run.export else None
    return role is not None and role.includes(needs)


def run_for(request: HttpRequest, public_id: str, needs: Role = Role.VIEWER) -> Run:
    """The run of an address, for somebody who may do what `needs` stands for.

    Raises Http404 for somebody who may not see it, and PermissionDenied for one who may see it and no more.
    """
    run = runs_of(request.user).filter(public_id=public_id).first()
    if run is None:
        raise Http404("There is no such run.")
    if not run_may(request.user, run, needs):
        raise PermissionDenied(f"This needs the role {needs.value} in the study that the run learnt from.")
    return run


def exports_to_train_on(user: User) -> QuerySet[Export]:
    """Finished dataset folders of the studies in which the user may start runs."""
    exports = exports_done()
    if getattr(user, "is_superuser", False):
        return exports
    if not user.is_authenticated:
        return exports.none()
    return exports.filter(study__memberships__user=user.pk, study__memberships__role__in=CHANGERS)


def photos_of(user: User) -> QuerySet[PhotoRequest]:
    """What is kept still of the photos that this user has uploaded; of everybody's for a superuser."""
    kept = PhotoRequest.objects.filter(keep_until__gt=timezone.now()).select_related("learner", "uploaded_by")
    return kept if getattr(user, "is_superuser", False) else kept.filter(uploaded_by=user.pk)


def photos_for(request: HttpRequest, public_id: str) -> PhotoRequest:
    """The photos of an address, for who uploaded them; Http404 for everybody else."""
    asked = photos_of(request.user).filter(public_id=public_id).first()
    if asked is None:
        raise Http404("There are no such photos.")
    return asked


def adaptation_for(request: HttpRequest, public_id: str, needs: Role = Role.VIEWER) -> Adaptation:
    """The adaptation of an address: whoever may see the run may see it."""
    adaptation = Adaptation.objects.filter(public_id=public_id).select_related("learner").first()
    if adaptation is None:
        raise Http404("There is no such adaptation.")
    adaptation.learner = run_for(request, adaptation.learner.public_id, needs)
    return adaptation
