"""Who may see and change which study. Every researcher's page and API address asks here."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest

from collection.models import Membership, Role, Study
from variants.models import Scene

User = AbstractBaseUser | AnonymousUser


def studies_of(user: User, needs: Role = Role.VIEWER) -> QuerySet[Study]:
    """The studies in which the user may do what `needs` stands for; a superuser may all in all."""
    if getattr(user, "is_superuser", False):
        return Study.objects.filter(preview_of=None)
    if not user.is_authenticated:
        return Study.objects.none()
    enough = [role for role in Role if role.includes(needs)]
    return Study.objects.filter(memberships__user=user.pk, memberships__role__in=enough, preview_of=None)


def scenes_of(user: User) -> QuerySet[Scene]:
    """The scenes of the studies that the user may see; a superuser sees all."""
    if getattr(user, "is_superuser", False):
        return Scene.objects.all()
    return Scene.objects.filter(studies__in=studies_of(user)).distinct()


def scenes_to_use(user: User) -> QuerySet[Scene]:
    """The scenes that the user may put into a study: those they may see, and those they brought in."""
    if getattr(user, "is_superuser", False) or not user.is_authenticated:
        return scenes_of(user)
    return Scene.objects.filter(Q(studies__in=studies_of(user)) | Q(uploaded_by=user.pk)).distinct()


def role_in(user: User, study: Study) -> Role | None:
    """What the user is in the study; a superuser is an owner everywhere."""
    if getattr(user, "is_superuser", False):
        return Role.OWNER
    if not user.is_authenticated:
        return None
    role = Membership.objects.filter(study=study, user=user.pk).values_list("role", flat=True).first()
    return Role(role) if role else None


def require_role(user: User, study: Study, needs: Role) -> Role:
    """The user's role where it is enough; from then on `study.your_role` says it to templates.

    Raises Http404 for somebody who is no member, who must not learn that the study is there, and
    PermissionDenied for a member whose role is too low.
    """
    role = role_in(user, study)
    if role is None:
        raise Http404("There is no such study.")
    if not role.includes(needs):
        raise PermissionDenied(f"This needs the role {needs.value} in {study.name}; yours is {role.value}.")
    study.your_role = role
    return role


def study_for(request: HttpRequest, slug: str, needs: Role = Role.VIEWER) -> Study:
    """The study of an address, for somebody who may do what `needs` stands for. Raises as `require_role`."""
    study = Study.objects.filter(slug=slug, preview_of=None).first()
    if study is None:
        raise Http404("There is no such study.")
    require_role(request.user, study, needs)
    return study
