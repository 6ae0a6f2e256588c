"""/api/v1 as a whole: what each app has of it, its schema, and an answer for every other address."""

from functools import cache
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import include, path, re_path
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from collection.api.v1.identity import CALLS
from collection.api.v1.problems import problem
from config.api_docs import api_problems, api_tags


@cache
def document() -> dict[str, Any]:
    """The description of /api/v1 (OpenAPI 3.1); it changes with the code alone."""
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """For everybody: it holds nothing of anybody."""
    return JsonResponse(document())


@login_required
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same for people."""
    context = {
        "area": "account",
        "tags": api_tags(document()),
        "problems": api_problems(),
        "calls": CALLS,
        "home": request.build_absolute_uri("/"),
    }
    return render(request, "researcher/api_docs.html", context)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler400 of the site: what no view has seen, such as a host that is not ours."""
    if is_ours(request):
        return problem(request, 400)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """handler500 of the site: an error outside of the views."""
    return problem(request, 500) if is_ours(request) else defaults.server_error(request)


def is_ours(request: HttpRequest) -> bool:
    return request.path.startswith("/api/v1/")


@csrf_exempt
def unknown(request: HttpRequest) -> HttpResponse:
    """Every address that is none."""
    hint = "" if request.path.endswith("/") else " Addresses end with a slash."
    return problem(
        request, 404, f"There is no address {request.path[:200]}.{hint} /api/v1/docs/ has them all."
    )


urlpatterns = [
    path("", include("collection.api.v1.urls")),
    path("", include("learning.api")),
    path("", include("learning.api_photos")),
    path("", include("learning.api_adaptations")),
    path("", include("learning.api_looks")),
    path("", include("evaluation.api")),
    path("jobs/", include("config.api_jobs")),
    path("schema/", schema, name="api-schema"),
    path("docs/", docs, name="api-docs"),
    re_path("", unknown, name="api-unknown"),
]
