"""Photos of a study on the pages: a folder uploaded file by file, a folder of the server, scenes already there."""

import json
import re
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.access import scenes_to_use, study_for
from collection.models import Role, Study
from collection.researcher.jobs import job_cancel, job_progress
from collection.researcher.pages import can_edit, page_of
from collection.services.photos import (
    UploadError,
    photo_recall,
    photo_store,
    photos_begin,
    photos_finish,
    photos_uploading,
    scene_remove,
    scenes_choose,
)
from collection.services.studies import StudyError
from variants.import_folder import ImportFolderError, folders_below
from variants.jobs import Job
from variants.models import PhotoFile, PhotoJob, Scene
from variants.services import photos_discard
from variants.sources.manifest import SUFFIXES
from variants.tone.images import Limits

SCENES_PER_PAGE = 60
FAULTS_SHOWN = 200
ONE_YEAR = 365 * 24 * 3600


class PhotosForm(forms.Form):
    """What is said of photos that come in."""

    category = forms.CharField(max_length=50, required=False, help_text="Such as people or food.")
    folders_are_categories = forms.BooleanField(
        required=False, label="The folder that a photo lies in is its category"
    )
    licence = forms.CharField(
        max_length=200,
        required=False,
        label="Licence of the photos",
        help_text="Under which they may be shown.",
    )
    attribution = forms.CharField(
        max_length=300, required=False, label="Author", help_text="Empty: whom the file names."
    )


@login_required
@require_safe
def study_photos(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    page = page_of(request, Paginator(study.scenes.order_by("pk"), SCENES_PER_PAGE))
    job = study.photo_jobs.exclude(stage="being uploaded", state="queued").first()
    waiting = photos_uploading(study, request.user)
    context = {
        "area": "studies",
        "study": study,
        "page": page,
        "job": job,
        "outcome": _outcome(job) if job else None,
        "waiting": waiting if waiting and waiting.files.exists() else None,
        "can_change": study.status == Study.Status.DRAFT and can_edit(study),
        "form": PhotosForm(),
        "folder_form": PhotosForm(prefix="folder"),
        "suffixes": " ".join(sorted(SUFFIXES)),
        "limits": Limits(),
        "most_mb": round(Limits().max_bytes / 1e6),
        "most_megapixels": round(Limits().max_pixels / 1e6),
        "n_others": scenes_to_use(request.user).exclude(studies=study).count(),
        **_server_folders(request),
    }
    return render(request, "researcher/study_photos.html", context)


def _server_folders(request: HttpRequest) -> dict[str, Any]:
    """Only whoever runs the site may read its disk."""
    if not request.user.is_staff and not request.user.is_superuser:
        return {"folders": None}
    try:
        return {"folders": folders_below()}
    except ImportFolderError as error:
        return {"folders": [], "no_folders": str(error)}


def _outcome(job: PhotoJob) -> dict[str, Any]:
    files = job.files.exclude(error="")
    counts = {state: job.files.filter(state=state).count() for state in PhotoFile.State.values}
    return {"counts": counts, "files": files[:FAULTS_SHOWN], "n_more": max(0, files.count() - FAULTS_SHOWN)}


@login_required
@require_POST
def photos_begin_page(request: HttpRequest, slug: str) -> JsonResponse:
    """A job for the files that are sent next, or the one that broke off."""
    study = study_for(request, slug, Role.EDITOR)
    form = PhotosForm(request.POST)
    if not form.is_valid():
        errors = "; ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in form.errors.items())
        return _problem(422, errors)
    try:
        job = photos_begin(study, request.user, **form.cleaned_data)
    except StudyError as error:
        return _problem(409, str(error))
    return JsonResponse({"job": job.public_id, "there": job.files.count()})


@login_required
@require_POST
def photo_known(request: HttpRequest, slug: str, public_id: str) -> JsonResponse:
    """Whether a file need not be sent, by its sha256."""
    study = study_for(request, slug, Role.EDITOR)
    sha256, name = request.POST.get("sha256", ""), request.POST.get("name", "")
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        return _problem(400, "sha256 must be 64 hexadecimal digits")
    try:
        known = photo_recall(_job(study, request, public_id), request.user, name, sha256)
    except UploadError as error:
        return _problem(error.status, str(error))
    return JsonResponse({"known": known})


@login_required
@require_POST
def photo_upload(request: HttpRequest, slug: str, public_id: str) -> JsonResponse:
    """One file as the request's body, read in pieces; refused by its length before any of it is read."""
    study = study_for(request, slug, Role.EDITOR)
    job = _job(study, request, public_id)
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal():
        return _problem(411, "the request must say how long the file is (Content-Length)")
    try:
        file = photo_store(job, request.GET.get("name", ""), request, int(length))  # type: ignore[arg-type]
    except UploadError as error:
        return _problem(error.status, str(error))
    except (UnreadablePostError, OSError) as error:
        return _problem(400, f"the upload broke off ({error}); send the file again")
    return JsonResponse({"sha256": file.sha256}, status=201)


@login_required
@require_POST
def photos_finish_page(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    if not photos_finish(_job(study, request, public_id)):
        messages.error(request, "No file has come yet.")
    return redirect("researcher:study-photos", slug)


@login_required
@require_POST
def photos_folder(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    if not request.user.is_staff and not request.user.is_superuser:
        raise Http404("Folders of the server are for its staff.")
    form = PhotosForm(request.POST, prefix="folder")
    folder = request.POST.get("folder", "")
    if not form.is_valid() or not folder:
        messages.error(request, "Choose a folder." if form.is_valid() else json.dumps(form.errors))
        return redirect("researcher:study-photos", slug)
    try:
        photos_begin(study, request.user, folder=folder, **form.cleaned_data).enqueue()
    except (StudyError, ImportFolderError) as error:
        messages.error(request, capfirst(str(error)))
    return redirect("researcher:study-photos", slug)


@login_required
@require_safe
def photos_progress(request: HttpRequest, slug: str, public_id: str) -> JsonResponse:
    study = study_for(request, slug)
    return job_progress(get_object_or_404(study.photo_jobs, public_id=public_id))


@login_required
@require_POST
def photos_cancel(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    job = get_object_or_404(study.photo_jobs, public_id=public_id)
    job_cancel(request, job, "import")
    if job.state == Job.State.CANCELLED:  # nobody had begun: a worker clears up behind itself
        photos_discard(job)
    return redirect("researcher:study-photos", slug)


@login_required
def scenes_choose_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Photos that are on the site already, of the studies that the user may see or brought in by the user."""
    study = study_for(request, slug, Role.EDITOR)
    others = scenes_to_use(request.user).exclude(studies=study)
    category = request.GET.get("category", "")
    shown = (others.filter(category=category) if category else others).order_by("-pk")
    if request.method == "POST":
        chosen = (
            list(shown.values_list("public_id", flat=True))
            if "all" in request.POST
            else request.POST.getlist("scene")
        )
        try:
            n = scenes_choose(study, request.user, chosen)
        except StudyError as error:
            messages.error(request, capfirst(str(error)))
        else:
            messages.success(request, f"{n} photo{'' if n == 1 else 's'} added.")
            return redirect("researcher:study-photos", slug)
    context = {
        "area": "studies",
        "study": study,
        "page": page_of(request, Paginator(shown, SCENES_PER_PAGE)),
        "category": category,
        "categories": sorted(set(others.exclude(category="").values_list("category", flat=True))),
        "n_shown": shown.count(),
    }
    return render(request, "researcher/scenes_choose.html", context)


@login_required
@require_POST
def scene_remove_page(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    scene = get_object_or_404(study.scenes, public_id=public_id)
    try:
        n = scene_remove(study, scene)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
    else:
        lost = f", and with it {n} pair{'' if n == 1 else 's'}" if n else ""
        messages.success(request, f"{scene.name} is out of the study{lost}. The photo stays on the site.")
    return redirect("researcher:study-photos", slug)


@login_required
@require_safe
def scene_thumbnail(request: HttpRequest, public_id: str) -> HttpResponse:
    scene = get_object_or_404(Scene, public_id=public_id, pk__in=scenes_to_use(request.user).values("pk"))
    if not scene.thumbnail:
        raise Http404("This scene has no small picture.")
    try:
        with scene.thumbnail.open("rb") as file:
            reply = HttpResponse(file.read(), content_type="image/jpeg")
    except FileNotFoundError as error:
        raise Http404("The picture's file is gone.") from error
    reply["Cache-Control"] = f"private, max-age={ONE_YEAR}, immutable"
    return reply


def _job(study: Study, request: HttpRequest, public_id: str) -> PhotoJob:
    """The user's own upload into the study."""
    job: PhotoJob = get_object_or_404(study.photo_jobs, public_id=public_id, owner=request.user.pk)
    return job


def _problem(status: int, message: str) -> JsonResponse:
    return JsonResponse({"error": capfirst(message)}, status=status)
