"""Pages about a study's datasets: export, the versions, downloads."""

import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.access import require_role, study_for
from collection.dataset_downloads import archive_response, dataset_archive, file_response
from collection.export.manifest import MANIFEST, ManifestError, manifest_read
from collection.models import Export, Role
from collection.researcher.jobs import job_cancel, job_progress
from collection.researcher.pages import page_of
from collection.researcher.removal import dataset_gone
from collection.selectors.marks import export_marks
from collection.services import exports
from collection.services.studies import StudyError
from variants.jobs import Job, jobs_of_dead_commands_end

EXPORTS_PER_PAGE = 10


@login_required
@require_safe
def study_datasets(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    exports.exports_end_dead(study)
    page = page_of(request, Paginator(study.exports.all(), EXPORTS_PER_PAGE))
    context = {
        "area": "studies",
        "study": study,
        "page": page,
        "marks": export_marks(page),
        "layouts": Export.Layout.choices,
        "n_bytes": study.exports.aggregate(sum=Sum("n_bytes"))["sum"],
        "n_bytes_free": shutil.disk_usage(settings.TONALIST_DATA).free,
    }
    return render(request, "researcher/study_datasets.html", context)


@login_required
@require_POST
def export_create(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    layout = request.POST.get("layout", Export.Layout.FOLDER)
    try:
        if layout not in Export.Layout.values:
            raise StudyError(f"there is no layout {layout!r}; there are {' and '.join(Export.Layout.values)}")
        export = exports.export_create(study, layout=layout)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
        return redirect("researcher:study-datasets", slug)
    export.enqueue()
    return redirect("researcher:export-detail", export.public_id)


@login_required
@require_safe
def export_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    if not Export.objects.filter(public_id=public_id).exists():
        return dataset_gone(request, public_id)
    export = _export(request, public_id)
    context = {
        "area": "studies",
        "study": export.study,
        "export": export,
        "load_lines": _load_lines(export.folder),
        **(_files(export) if export.state == Job.State.DONE else {}),
    }
    return render(request, "researcher/export_detail.html", context)


@login_required
@require_safe
def export_archive(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """The whole dataset as a tar file, from any byte on."""
    return archive_response(request, _export(request, public_id))


@login_required
@require_safe
def export_file(request: HttpRequest, public_id: str, name: str) -> HttpResponseBase:
    """One file of the dataset; only what its manifest names."""
    return file_response(request, _export(request, public_id), name)


@login_required
@require_safe
def export_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    return job_progress(_export(request, public_id))


@login_required
@require_POST
def export_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    job_cancel(request, _export(request, public_id, Role.EDITOR), "export")
    return redirect("researcher:export-detail", public_id)


def _export(request: HttpRequest, public_id: str, needs: Role = Role.VIEWER) -> Export:
    jobs_of_dead_commands_end(Export.objects.filter(public_id=public_id))
    export = get_object_or_404(Export.objects.select_related("study"), public_id=public_id)
    require_role(request.user, export.study, needs)
    return export


def _files(export: Export) -> dict[str, Any]:
    """Its documents and tables with their hashes, and how many images there are; or why it cannot be downloaded."""
    try:
        listed = manifest_read(Path(export.folder))
        size = dataset_archive(export).size
    except ManifestError as error:
        return {"no_download": capfirst(str(error))}
    above = {MANIFEST: export.manifest_sha256} | {
        name: sha256 for name, sha256 in listed.items() if "/" not in name
    }
    files = [
        (name, (Path(export.folder) / name).stat().st_size, sha256) for name, sha256 in sorted(above.items())
    ]
    return {"files": files, "n_others": len(listed) + 1 - len(files), "archive_size": size}


def _load_lines(folder: str) -> str:
    return "\n".join(
        (
            "from datasets import load_dataset",
            f'judgments = load_dataset("{folder}", "judgments")',
            f'raters = load_dataset("{folder}", "raters")',
        )
    )
