"""Pages about who works on a study: members, and how others become some."""

import logging
from smtplib import SMTPException

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from collection.access import require_role, study_for
from collection.models import MemberInvitation, Membership, Role, Study
from collection.researcher.words import ROLE_MEANING
from collection.selectors.members import (
    INVITATION_KEY,
    code_sha256,
    invitation_with,
    invitations_waiting,
    members_of,
)
from collection.services import members
from collection.services.members import INVITATION_DAYS, MemberError

logger = logging.getLogger(__name__)

LINK_KEY = "member_invitation_link"
"""In an owner's session, until the page has shown it: elsewhere only its hash is kept."""


class InviteForm(forms.Form):
    email = forms.EmailField(max_length=254, label="E-mail address")
    role = forms.ChoiceField(choices=Role.choices, initial=Role.EDITOR.value)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


@login_required
@require_safe
@never_cache  # it may show a link that is shown once
def study_members(request: HttpRequest, slug: str) -> HttpResponse:
    return _members_page(request, study_for(request, slug), InviteForm())


@login_required
@require_POST
def member_invite(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.OWNER)
    form = InviteForm(request.POST)
    if form.is_valid():
        try:
            invitation, code = members.member_invite(
                study, form.cleaned_data["email"], Role(form.cleaned_data["role"])
            )
        except MemberError as error:
            form.add_error("email", str(error))
        else:
            link = request.build_absolute_uri(reverse("member-join", args=[code]))
            is_sent = _invitation_send(invitation, link)
            request.session[LINK_KEY] = {"email": invitation.email, "link": link, "is_sent": is_sent}
            return redirect("researcher:study-members", slug)
    return _members_page(request, study, form)


@login_required
@require_POST
def member_uninvite(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = study_for(request, slug, Role.OWNER)
    invitation = get_object_or_404(MemberInvitation.objects.select_related("study"), study=study, pk=pk)
    try:
        members.member_uninvite(invitation)
    except MemberError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The invitation of {invitation.email} is taken back.")
    return redirect("researcher:study-members", slug)


@login_required
@require_POST
def member_role(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = study_for(request, slug, Role.OWNER)
    member = _member(study, pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "That is no role. Choose owner, editor or viewer.")
        return redirect("researcher:study-members", slug)
    role = Role(form.cleaned_data["role"])
    try:
        members.member_set(study, member.user, role)
    except MemberError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{member.user.get_username()} is {role.label.lower()} now.")
    return redirect("researcher:study-members", slug)


@login_required
@require_POST
def member_remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """An owner removes anybody; everybody may go."""
    study = study_for(request, slug)
    is_leaving = Membership.objects.filter(study=study, pk=pk, user=request.user.pk).exists()
    if not is_leaving:
        require_role(request.user, study, Role.OWNER)
    member = _member(study, pk)
    try:
        members.member_remove(study, member.user)
    except MemberError as error:
        messages.error(request, str(error))
        return redirect("researcher:study-members", slug)
    if is_leaving:
        messages.success(request, f"You are no member of {study.name} any more.")
        return redirect("researcher:study-list")
    messages.success(request, f"{member.user.get_username()} is no member any more.")
    return redirect("researcher:study-members", slug)


@never_cache
def member_join(request: HttpRequest, code: str) -> HttpResponse:
    """Where the link of an invitation leads, for people with an account and without."""
    sha256 = code_sha256(code)
    invitation = invitation_with(sha256)
    if invitation is None:
        return _join_over(request, sha256)
    request.session[INVITATION_KEY] = sha256  # with it an account may be made
    if request.method == "POST" and request.user.is_authenticated:
        try:
            members.member_join(invitation, request.user)
        except MemberError as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request, f"You are {invitation.get_role_display().lower()} of {invitation.study.name}."
            )
        return redirect(invitation.study)
    context = {
        "invitation": invitation,
        "meaning": ROLE_MEANING[invitation.role],
        "next": request.path,
    }
    return render(request, "account/join.html", context)


def _join_over(request: HttpRequest, sha256: str) -> HttpResponse:
    """A member who comes back by the link gets to the study; nobody else learns what it was for."""
    used = MemberInvitation.objects.select_related("study").filter(code_sha256=sha256).first()
    if (
        used
        and request.user.is_authenticated
        and used.study.memberships.filter(user=request.user.pk).exists()
    ):
        return redirect(used.study)
    return render(request, "account/join_over.html", status=410)


def _members_page(request: HttpRequest, study: Study, form: InviteForm) -> HttpResponse:
    is_owner = study.your_role is Role.OWNER
    context = {
        "area": "studies",
        "study": study,
        "members": members_of(study),
        "roles": [(role.value, role.label, ROLE_MEANING[role.value]) for role in Role],
        "waiting": invitations_waiting().filter(study=study).select_related("invited_by") if is_owner else (),
        "form": form,
        "fresh": request.session.pop(LINK_KEY, None) if is_owner else None,
        "days": INVITATION_DAYS,
    }
    return render(request, "researcher/study_members.html", context, status=422 if form.errors else 200)


def _invitation_send(invitation: MemberInvitation, link: str) -> bool:
    """Whether its mail is on the way; where it is not, the page says so and shows the link."""
    context = {"invitation": invitation, "link": link, "days": INVITATION_DAYS}
    text = render_to_string("researcher/email/invitation.txt", context)
    subject = " ".join(f"{invitation.study.name}: an invitation on Tonalist".split())
    try:
        return send_mail(subject, text, None, [invitation.email]) == 1
    except (SMTPException, OSError):
        logger.exception("the mail of an invitation could not be sent")
        return False


def _member(study: Study, pk: int) -> Membership:
    return get_object_or_404(Membership.objects.select_related("user"), study=study, pk=pk)
