"""Pages on which something goes for good: a rater, a dataset's files, a study; and how long data is kept."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import DateField, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_safe

from collection.access import require_role, study_for
from collection.models import Export, Role, Study, StudyDeletion
from collection.researcher.jobs import job_progress
from collection.researcher.pages import is_named
from collection.selectors.marks import export_mark, removal_of
from collection.services import deletion, removal, retention
from collection.services.studies import StudyError
from collection.services.withdrawal import given_by, person_withdraw

get_or_post = require_http_methods(["GET", "HEAD", "POST"])


@login_required
@get_or_post
def rater_remove(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    """What goes is said first; it goes on all of the person's devices."""
    study = study_for(request, slug, Role.EDITOR)
    rater = get_object_or_404(study.raters.select_related("person"), public_id=public_id)
    if rater.withdrawn_at:
        messages.info(request, f"Rater {rater} has withdrawn already; nothing of theirs is left.")
        return redirect("researcher:study-people", slug)
    if request.method == "POST":
        gone = person_withdraw(study, rater.person, timezone.now())
        marked = f" {gone.n_datasets} datasets that hold them are marked." if gone.n_datasets else ""
        messages.success(request, f"Rater {rater} is removed, with {gone.n_answers} answers.{marked}")
        return redirect("researcher:study-people", slug)
    given = given_by(study, rater.person)
    context = {"area": "studies", "study": study, "rater": rater, "given": given}
    return render(request, "researcher/rater_remove.html", context)


@login_required
@get_or_post
def dataset_delete(request: HttpRequest, public_id: str) -> HttpResponse:
    export = get_object_or_404(Export.objects.select_related("study"), public_id=public_id)
    require_role(request.user, export.study, Role.OWNER)
    error = ""
    if request.method == "POST":
        try:
            removal.dataset_delete_files(export, request.POST.get("why", ""))
        except StudyError as refused:
            error = capfirst(str(refused))
        else:
            messages.success(request, "The dataset's files are deleted.")
            return redirect("researcher:export-detail", public_id)
    context = {
        "area": "studies",
        "study": export.study,
        "export": export,
        "mark": export_mark(export),
        "n_runs": export.runs.count(),
        "why": request.POST.get("why", ""),
        "error": error,
    }
    return render(request, "researcher/dataset_delete.html", context, status=422 if error else 200)


def dataset_gone(request: HttpRequest, public_id: str) -> HttpResponse:
    """What the address of a dataset answers whose study was deleted. Raises Http404 where there never was one."""
    gone = removal_of(public_id)
    if gone is None:
        raise Http404("There is no such dataset.")
    return render(request, "researcher/dataset_gone.html", {"area": "studies", "gone": gone}, status=410)


@login_required
@get_or_post
def study_retention(request: HttpRequest, slug: str) -> HttpResponse:
    """How long the study's data is kept, and deleting the study: owners change it, members see it."""
    study = study_for(request, slug, Role.OWNER if request.method == "POST" else Role.VIEWER)
    error = ""
    if request.method == "POST":
        try:
            until = DateField(required=False).clean(request.POST.get("until", ""))
            retention.retention_set(study, until, request.POST.get("erases", ""))
        except ValidationError:
            error = "Write the day as 2027-12-31."
        except StudyError as refused:
            error = capfirst(str(refused))
        else:
            messages.success(
                request,
                f"The study's data is kept until {until}." if until else "The data is kept without an end.",
            )
            return redirect("researcher:study-retention", slug)
    context = {
        "area": "studies",
        "study": study,
        "error": error,
        "until": request.POST.get("until", study.retain_until.isoformat() if study.retain_until else ""),
        "erases": request.POST.get("erases", study.retain_erases),
        "choices": Study.Erases.choices,
        "days_left": retention.retention_reminder(study, timezone.localdate()),
    }
    return render(request, "researcher/study_retention.html", context, status=422 if error else 200)


@login_required
@get_or_post
def study_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the name first, and say what goes."""
    study = study_for(request, slug, Role.OWNER)
    error = ""
    if request.method == "POST":
        try:
            if not is_named(study, request.POST.get("slug", "")):
                raise StudyError(f"that is not the study's name; write {study.name}, or {study.slug}")
            job = deletion.study_deletion_create(
                study, with_exports="exports" in request.POST, with_photos="photos" in request.POST
            )
        except StudyError as refused:
            error = capfirst(str(refused))
        else:
            job.enqueue()
            return redirect("researcher:deletion-detail", job.public_id)
    context = {
        "area": "studies",
        "study": study,
        "error": error,
        "holdings": deletion.study_holdings(study),
        "asked": request.POST,
    }
    return render(request, "researcher/study_delete.html", context, status=422 if error else 200)


@login_required
@require_safe
def deletion_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    job = _deletion(request, public_id)
    gone = [(name.replace("_", " "), n) for name, n in job.counts.items()]
    return render(
        request, "researcher/deletion_detail.html", {"area": "studies", "deletion": job, "gone": gone}
    )


@login_required
@require_safe
def deletion_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    return job_progress(_deletion(request, public_id))


def _deletion(request: HttpRequest, public_id: str) -> StudyDeletion:
    """For owners as long as the study is there, and for whoever deleted it."""
    found = get_object_or_404(StudyDeletion.objects.select_related("study"), public_id=public_id)
    if found.started_by_id is not None and found.started_by_id == request.user.pk:
        return found
    if found.study is None and not getattr(request.user, "is_superuser", False):
        raise Http404("There is no such deletion.")
    if found.study is not None:
        require_role(request.user, found.study, Role.OWNER)
    return found
