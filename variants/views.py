import hashlib
from urllib.parse import quote

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from variants.models import Rendition
from variants.tone.images import CONTENT_TYPES


@require_safe
def rendition_image(request: HttpRequest, public_id: str) -> HttpResponse:
    return rendition_response(request, get_object_or_404(Rendition, public_id=public_id))


def rendition_response(request: HttpRequest, rendition: Rendition, *, salt: str = "") -> HttpResponse:
    """The rendition's file. It never changes under its address, so that it may be kept for ever.

    Its ETag is the content's hash, mixed with `salt` where two addresses of one photo are not to tell that they are.
    """
    if not rendition.image:
        raise Http404
    digest = hashlib.sha256(f"{salt}{rendition.sha256}".encode()).hexdigest() if salt else rendition.sha256
    etag = f'"{digest}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        response = _file_response(rendition)
    response["ETag"] = etag
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _file_response(rendition: Rendition) -> HttpResponse:
    """The bytes, or with ACCEL_PREFIX a word to nginx, which sends the file and keeps this reply's headers."""
    content_type = CONTENT_TYPES[rendition.encoding]
    if settings.ACCEL_PREFIX:
        where = settings.ACCEL_PREFIX + quote(str(rendition.image.name))
        return HttpResponse(content_type=content_type, headers={"X-Accel-Redirect": where})
    return HttpResponse(_content(rendition), content_type=content_type)


def _content(rendition: Rendition) -> bytes:
    try:
        with rendition.image.open("rb") as file:
            return bytes(file.read())
    except FileNotFoundError as error:
        raise Http404 from error
