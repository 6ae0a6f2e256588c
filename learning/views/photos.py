"""Pages about photos that are rendered to a rater's taste. Only who uploaded them, and superusers, see them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from collection.researcher.jobs import job_cancel_tell, job_progress
from learning import services
from learning.access import photos_for, photos_of, run_for
from learning.models import PhotoRequest
from learning.photo_files import has_preset, photo_file_response, preset_file_response, small_pictures
from learning.photo_forms import ConceptsForm, MixForm, PhotosForm, StyleForm
from learning.selectors import raters_to_render
from learning.services import PhotosRefused
from learning.systems import MIXERS
from variants.jobs import Job


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
        "requests": photos_of(request.user).filter(learner=run),
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
                **form.beside,
                strength=form.cleaned_data["strength"],
            )
        except PhotosRefused as error:
            form.add_error(None, capfirst(str(error)))
        else:
            made.enqueue()
            return redirect("learning:photo-request", made.public_id)
    kept = photos_of(request.user).filter(rater_id="").prefetch_related("photos")
    context = {
        "area": "styles",
        "form": form,
        "styles": [(style, small_pictures(style)[:1]) for style in kept],
    }
    return render(request, "researcher/styles.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def style_change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another strength, or concepts set by hand."""
    asked = photos_for(request, public_id)
    form = ConceptsForm(asked, request.POST)
    if not form.is_valid():
        return render(request, "researcher/render_photos.html", _shown(request, asked, form), status=422)
    try:
        services.style_change(asked, strength=form.cleaned_data["strength"], strengths=form.changed_strengths)
    except PhotosRefused as error:
        messages.error(request, f"{capfirst(str(error))}.")
    else:
        asked.enqueue()
    return redirect("learning:photo-request", public_id)


@login_required
@require_POST
def style_mix(request: HttpRequest, public_id: str) -> HttpResponse:
    """A new style of this one and another."""
    asked = photos_for(request, public_id)
    form = MixForm(_mixable(request, asked), request.POST)
    if not form.is_valid():
        messages.error(request, "Choose another style of yours, and a share from 0 to 100 %.")
        return redirect("learning:photo-request", public_id)
    assert request.user.is_authenticated
    share, other = form.cleaned_data["share"] / 100, form.cleaned_data["other"]
    try:
        made = services.style_mix(asked, other, share=share, uploaded_by=request.user)
    except PhotosRefused as error:
        messages.error(request, f"{capfirst(str(error))}.")
        return redirect("learning:photo-request", public_id)
    made.enqueue()
    return redirect("learning:photo-request", made.public_id)


def _mixable(request: HttpRequest, asked: PhotoRequest) -> "QuerySet[PhotoRequest]":
    """The styles that this one can be mixed with."""
    same = photos_of(request.user).filter(
        rater_id="", state=Job.State.DONE, learner=asked.learner, system=asked.system
    )
    can = asked.is_style and asked.reader in MIXERS
    return same.exclude(pk=asked.pk) if can else same.none()


@login_required
@require_safe
def photo_request(request: HttpRequest, public_id: str) -> HttpResponse:
    asked = photos_for(request, public_id)
    return render(request, "researcher/render_photos.html", _shown(request, asked, ConceptsForm(asked)))


def _shown(request: HttpRequest, asked: PhotoRequest, form: ConceptsForm) -> dict[str, object]:
    others = _mixable(request, asked)
    return {
        "mix": MixForm(others) if asked.state == Job.State.DONE and others.exists() else None,
        "has_preset": has_preset(asked),
        "area": "styles" if asked.is_style else "runs",
        "asked": asked,
        "run": asked.learner,
        "form": form,
        "photos": asked.photos.filter(is_liked=False),
        "liked": asked.photos.filter(is_liked=True),
    }


@login_required
@require_safe
def photo_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    asked = photos_for(request, public_id)
    context = {"asked": asked, "photos": asked.photos.filter(is_liked=False)}
    return job_progress(asked, {"photos": render_to_string("researcher/_render_photos.html", context)})


@login_required
@require_POST
def photo_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    asked = photos_for(request, public_id)
    asked.cancel()
    job_cancel_tell(request, asked, "rendering")
    return redirect("learning:photo-request", public_id)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def photo_delete(request: HttpRequest, public_id: str) -> HttpResponse:
    """Says what will be gone; a POST does it."""
    asked = photos_for(request, public_id)
    if request.method != "POST":
        own, liked = (asked.photos.filter(is_liked=is_liked).count() for is_liked in (False, True))
        context = {"area": "styles" if asked.is_style else "runs", "asked": asked, "own": own, "liked": liked}
        return render(request, "researcher/photos_delete.html", context)
    run = None if asked.is_style else asked.learner
    services.photos_delete(asked)
    messages.success(request, "The photos and what was made of them are deleted.")
    return redirect("learning:photo-list", run.public_id) if run else redirect("learning:style-list")


@login_required
@require_safe
def photo_file(request: HttpRequest, public_id: str, index: int, name: str) -> HttpResponseBase:
    asked = photos_for(request, public_id)
    return photo_file_response(asked, index, name)


@login_required
@require_safe
def style_preset(request: HttpRequest, public_id: str) -> HttpResponseBase:
    return preset_file_response(photos_for(request, public_id))
