"""A study tried out by its researcher, on the participants' own pages."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from collection.access import study_for
from collection.models import Role
from collection.services.copies import study_preview
from collection.services.studies import StudyError


@login_required
@require_POST
def preview_begin(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    try:
        preview = study_preview(study, short="whole" not in request.POST)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
        return redirect(study)
    return redirect("participant:study-landing", preview.public_id)
