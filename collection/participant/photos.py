"""The photos of a question, by the question's own address: the same photo asked about twice has two."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from collection.models import Question
from variants.views import rendition_response


@require_safe
def question_photo(request: HttpRequest, question: str, side: str) -> HttpResponse:
    fields = (f"{side}__{name}" for name in ("image", "sha256", "encoding"))
    asked = Question.objects.select_related(side).only(side, *fields)
    found = get_object_or_404(asked, public_id=question)
    return rendition_response(request, getattr(found, side), salt=question)
