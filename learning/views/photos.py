"""Pages about photos that are rendered to a rater's taste. Only who uploaded them, and superusers, see them."""

from pathlib import Path

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.text import capfirst, slugify
from django.views.decorators.http import require_POST, require_safe

from collection.researcher.jobs import job_cancel_tell, job_progress
from learning import services
from learning.access import run_for
from learning.forms import ConceptsForm, PhotosForm, StyleForm
from learning.models import Photo, PhotoRequest
from learning.selectors import raters_to_render
from learning.services import PhotosRefused
from variants.jobs import Job

FILES = {
    "before": ("before.jpg", "image/jpeg"),
    "after": ("after.jpg", "image/jpeg"),
    "result": ("result.jpg", "image/jpeg"),
    "cube": ("look.cube", "text/plain"),
}
"""What an address may name → the file and its type."""


@login_required
def photo_list(request: HttpRequest, public_id: str) -> HttpResponse:
    """The form, and what of one's own is still kept."""
    run = run_for(request, public_id)
    form = PhotosForm(raters_to_render(run), request.POST or None, request.FILES or None)
    if form.is_valid():
        assert request.user.is_authenticated
        try:
            made = services.photos_request(
                run,
                form.cleaned_data["photos"],
                rater_id=form.cleaned_data["rater"],
                strength=form.cleaned_data["strength"],
                uploaded_by=request.user,
            )
        except PhotosRefused as error:
            form.add_error(None, capfirst(str(error)))
        else:
            made.enqueue()
            return redirect("learning:photo-request", made.public_id)
    context = {
        "area": "runs",
        "run": run,
        "form": form,
        "is_ready": run.state == Job.State.DONE,
        "requests": _own(request).filter(learner=run),
    }
    return render(request, "researcher/run_photos.html", context, status=422 if form.errors else 200)


@login_required
def style_list(request: HttpRequest) -> HttpResponse:
    """Style from photos: the form, and what of one's own is still kept."""
    form = StyleForm(request.user, request.POST or None, request.FILES or None)
    if form.is_valid():
        assert request.user.is_authenticated
        try:
            made = services.style_request(
                form.cleaned_data["liked"],
                form.cleaned_data["photos"],
                uploaded_by=request.user,
                **form.taste_reader,
                strength=form.cleaned_data["strength"],
            )
        except PhotosRefused as error:
            form.add_error(None, capfirst(str(error)))
        else:
            made.enqueue()
            return redirect("learning:photo-request", made.public_id)
    context = {"area": "styles", "form": form, "requests": _own(request).filter(rater_id="")}
    return render(request, "researcher/styles.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def style_change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another strength, or concepts set by hand."""
    asked = _asked(request, public_id)
    form = ConceptsForm(asked, request.POST)
    if not form.is_valid():
        return render(request, "researcher/render_photos.html", _shown(asked, form), status=422)
    try:
        services.style_change(asked, strength=form.cleaned_data["strength"], strengths=form.changed_strengths)
    except PhotosRefused as error:
        messages.error(request, f"{capfirst(str(error))}.")
    else:
        asked.enqueue()
    return redirect("learning:photo-request", public_id)


@login_required
@require_safe
def photo_request(request: HttpRequest, public_id: str) -> HttpResponse:
    asked = _asked(request, public_id)
    return render(request, "researcher/render_photos.html", _shown(asked, ConceptsForm(asked)))


def _shown(asked: PhotoRequest, form: ConceptsForm) -> dict[str, object]:
    return {
        "area": "styles" if asked.is_of_liked_photos else "runs",
        "asked": asked,
        "run": asked.learner,
        "form": form,
        "photos": asked.photos.filter(is_liked=False),
        "liked": asked.photos.filter(is_liked=True),
    }


@login_required
@require_safe
def photo_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    asked = _asked(request, public_id)
    context = {"asked": asked, "photos": asked.photos.filter(is_liked=False)}
    return job_progress(asked, {"photos": render_to_string("researcher/_render_photos.html", context)})


@login_required
@require_POST
def photo_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    asked = _asked(request, public_id)
    asked.cancel()
    job_cancel_tell(request, asked, "rendering")
    return redirect("learning:photo-request", public_id)


@login_required
@require_POST
def photo_delete(request: HttpRequest, public_id: str) -> HttpResponse:
    asked = _asked(request, public_id)
    run = None if asked.is_of_liked_photos else asked.learner
    services.photos_delete(asked)
    messages.success(request, "The photos and what was made of them are deleted.")
    return redirect("learning:photo-list", run.public_id) if run else redirect("learning:style-list")


@login_required
@require_safe
def photo_file(request: HttpRequest, public_id: str, index: int, name: str) -> HttpResponseBase:
    """A file by one of four fixed names: no address can name another."""
    asked = _asked(request, public_id)
    photo = asked.photos.filter(index=index, state=Photo.State.RENDERED).first()
    if photo is None or name not in FILES:
        raise Http404("There is no such photo.")
    file_name, content_type = FILES[name]
    try:
        file = (Path(asked.folder) / str(index) / file_name).open("rb")
    except OSError as error:
        raise Http404("The file is gone.") from error
    ending = Path(file_name).suffix
    reply = FileResponse(
        file,
        as_attachment=name in ("result", "cube"),
        filename=f"{Path(photo.name).stem}-{slugify(asked.taste_words)}{ending}",
        content_type=content_type,
    )
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Cache-Control"] = "private, no-store"
    return reply


def _own(request: HttpRequest) -> "QuerySet[PhotoRequest]":
    """What is kept still, of this user; of everybody for a superuser."""
    kept = PhotoRequest.objects.filter(keep_until__gt=timezone.now()).select_related("learner", "uploaded_by")
    return kept if request.user.is_superuser else kept.filter(uploaded_by=request.user.pk)


def _asked(request: HttpRequest, public_id: str) -> PhotoRequest:
    asked = _own(request).filter(public_id=public_id).first()
    if asked is None:
        raise Http404("There are no such photos.")
    return asked
