"""The page of how people come to a study and what they take away; its personal links."""

import json
from dataclasses import dataclass, fields
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from collection.access import study_for
from collection.design.csv_text import csv_text
from collection.design.protocol import FieldError
from collection.design.recruiting import ENDS, Recruiting
from collection.models import Invitation, Role, Study
from collection.researcher.pages import csv_download, page_of
from collection.researcher.words import ACCESS_MEANING, END_WORDS, RECRUITING
from collection.selectors.recruiting import codes_begun, invitations_of
from collection.selectors.research import invitation_counts
from collection.services import recruiting as services
from collection.services.audit import audit_record
from collection.services.recruiting import InvitationError, RecruitingChanged

INVITATIONS_PER_PAGE = 50
MOST_MADE = 1_000
"""Links made at once on the page; the command makes more."""
COLUMNS = ("label", "link", "made", "begun", "taken_back")
PANEL_LINKS = {
    "prolific": "?PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}",
    "mturk": "",
    "pid": "?pid=ID",
}
"""What a panel's link has behind the study's address; MTurk adds its own."""


class RecruitingForm(forms.Form):
    """Every setting as it is typed; Recruiting says what is wrong with them."""

    access = forms.ChoiceField(
        choices=[
            ("open", "Everybody with the address"),
            ("panel", "Only whom the panel sends"),
            ("invited", "Only who has a personal link"),
        ],
        label="Who may come",
    )
    panel = forms.ChoiceField(
        choices=[
            ("", "None"),
            ("prolific", "Prolific"),
            ("mturk", "MTurk"),
            ("pid", "Another, which puts ?pid= into the link"),
        ],
        required=False,
        label="Panel",
    )
    begun_from = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for end in ENDS:
            for what in ("code", "url"):
                name = f"{end}_{what}"
                self.fields[name] = forms.CharField(required=False, label=RECRUITING[name])
                self.fields[name].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
                if what == "url":
                    self.fields[name].widget.attrs |= {"inputmode": "url", "placeholder": "https://"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        typed = {name: value for name, value in cleaned.items() if name in SETTINGS}
        while True:
            try:
                self.recruiting = Recruiting.from_json(typed)
                break
            except FieldError as error:
                if error.name in self.errors or error.name not in self.fields:
                    break
                self.add_error(error.name, capfirst(str(error)))
                typed.pop(error.name, None)  # another may be wrong too
                if error.name == "panel":  # without one, nobody comes by it
                    typed.pop("access", None)
        return cleaned

    @property
    def ends(self) -> list[dict[str, Any]]:
        return [
            {"name": end, "words": END_WORDS[end], "code": self[f"{end}_code"], "url": self[f"{end}_url"]}
            for end in ENDS
        ]


SETTINGS = tuple(field.name for field in fields(Recruiting))


class InviteForm(forms.Form):
    """So many links, or one for each line of `labels`."""

    count = forms.IntegerField(required=False, min_value=1, max_value=MOST_MADE, label="Links without labels")
    labels = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        label="Or one for each of these lines",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        lines, count = services.labels_in(cleaned["labels"]), cleaned["count"]
        if bool(lines) == bool(count):
            self.add_error("count", "Say how many links, or give a line for each: one of the two.")
        elif len(lines) > MOST_MADE:
            self.add_error("labels", f"{len(lines):,} lines; the page makes {MOST_MADE:,} links at once.")
        self.for_each = lines or [""] * (count or 0)
        return cleaned


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache  # whoever has a link can answer by it
def study_recruiting(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    if request.method != "POST":
        return _page(request, study)
    form, theirs = RecruitingForm(request.POST), None
    if form.is_valid():
        try:
            services.study_set_recruiting(
                study, form.recruiting, begun_from=_begun_from(form.cleaned_data["begun_from"])
            )
        except RecruitingChanged as changed:
            theirs = changed.present
        else:
            messages.success(request, "Saved; it holds from now on.")
            return redirect("researcher:study-recruiting", slug)
    return _page(request, study, form=form, theirs=theirs)


@login_required
@require_POST
@never_cache
def invitations_make(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    form = InviteForm(request.POST)
    if form.is_valid():
        try:
            made = services.invitations_create(study, form.for_each)
        except InvitationError as error:
            form.add_error("labels", capfirst(str(error)))
        else:
            n = f"{len(made):,} link{'s are' if len(made) > 1 else ' is'}"
            messages.success(request, f"{n} made. Each is one person: whoever has it can answer as them.")
            return redirect(reverse("researcher:study-recruiting", args=[slug]) + "#links")
    return _page(request, study, invite=form)


@login_required
@require_POST
def invitation_revoke(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    invitation = get_object_or_404(Invitation.objects.select_related("study"), study=study, pk=pk)
    services.invitation_revoke(invitation, timezone.now())
    messages.success(request, f"The link of {invitation} leads nowhere now. What was answered by it stays.")
    return redirect(reverse("researcher:study-recruiting", args=[slug]) + "#links")


@login_required
@require_safe
def invitations_download(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    lines = _lines(request, study, list(invitations_of(study).reverse()))
    rows = [
        (
            line.invitation.label,
            line.link,
            line.invitation.created_at.isoformat(timespec="seconds"),
            "yes" if line.is_begun else "no",
            line.invitation.revoked_at.isoformat(timespec="seconds") if line.invitation.revoked_at else "",
        )
        for line in lines
    ]
    if request.method == "GET":
        audit_record("invitation.download", study, n=len(rows))
    return csv_download(study, "links", csv_text(COLUMNS, rows))


@dataclass(frozen=True, kw_only=True, slots=True)
class InvitationLine:
    invitation: Invitation
    link: str
    is_begun: bool


def _lines(request: HttpRequest, study: Study, invitations: list[Invitation]) -> list[InvitationLine]:
    landing, begun = _landing(request, study), codes_begun(study, [each.code for each in invitations])
    return [
        InvitationLine(invitation=each, link=f"{landing}?invite={each.code}", is_begun=each.code in begun)
        for each in invitations
    ]


def _page(
    request: HttpRequest,
    study: Study,
    *,
    form: RecruitingForm | None = None,
    invite: InviteForm | None = None,
    theirs: Recruiting | None = None,
) -> HttpResponse:
    present = theirs or Recruiting.from_json(study.recruiting)
    begun_from = json.dumps(present.to_json())
    form = form or RecruitingForm(initial=present.to_json() | {"begun_from": begun_from})
    page = page_of(request, Paginator(invitations_of(study), INVITATIONS_PER_PAGE))
    n_invitations, n_revoked = invitation_counts(study)
    landing = _landing(request, study)
    context = {
        "area": "studies",
        "study": study,
        "form": form,
        "begun_from": begun_from if theirs else form["begun_from"].value(),
        "conflict": _differences(theirs, form) if theirs else [],
        "is_conflict": theirs is not None,
        "recruiting": present,
        "meaning": ACCESS_MEANING[present.access],
        "panel_name": dict(RecruitingForm.base_fields["panel"].choices)[present.panel].partition(",")[0],  # type: ignore[attr-defined]
        "panel_link": landing + PANEL_LINKS[present.panel] if present.panel else "",
        "invite": invite or InviteForm(),
        "most_made": MOST_MADE,
        "page": page,
        "lines": _lines(request, study, list(page)),
        "n_invitations": n_invitations,
        "n_revoked": n_revoked,
        "nobody_can_come": present.access == "invited" and n_invitations == n_revoked,
    }
    is_wrong = form.errors or (invite is not None and invite.errors)
    status = 409 if theirs else 422 if is_wrong else 200
    return render(request, "researcher/study_recruiting.html", context, status=status)


def _differences(theirs: Recruiting, form: RecruitingForm) -> list[tuple[str, str, str]]:
    """(setting, theirs, ours) where the two are not the same."""
    ours, saved = form.recruiting.to_json(), theirs.to_json()
    return [(RECRUITING[name], saved[name], ours[name]) for name in SETTINGS if saved[name] != ours[name]]


def _begun_from(text: str) -> Recruiting | None:
    """None where it was changed on its way: then nothing is known of what was read."""
    try:
        return Recruiting.from_json(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _landing(request: HttpRequest, study: Study) -> str:
    """By the study's ID: its slug may tell what it looks for."""
    return request.build_absolute_uri(reverse("participant:study-landing", args=[study.public_id]))
