"""Files that go out in parts, so that a download that broke off is taken up where it was (RFC 9110, section 14)."""

import re
from collections.abc import Callable, Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

RANGE = re.compile("bytes=([0-9]*)-([0-9]*)")
"""One range; several in one request may be ignored, and are."""


class Unsatisfiable(ValueError):
    """The range begins behind the end."""


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """First byte and the one behind the last of what a Range header asks for; None where it is to be ignored."""
    matched = RANGE.fullmatch(header.strip())
    if not matched or not any(matched.groups()):
        return None
    first, last = (_number(digits) if digits else None for digits in matched.groups())
    if first is None:
        start, stop = max(0, size - (last or 0)), size
    elif last is not None and last < first:
        return None
    else:
        start, stop = first, size if last is None else min(last + 1, size)
    if start >= stop:
        raise Unsatisfiable
    return start, stop


def _number(digits: str) -> int:
    """However many digits come, behind the end of any file is behind the end."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 18 else 10**18


def download_response(
    request: HttpRequest,
    *,
    read: Callable[[int, int], Iterator[bytes]],
    size: int,
    etag: str,
    file_name: str,
    content_type: str,
) -> HttpResponseBase:
    """A file of `size` bytes, or the part that is asked for.

    Args:
        request: GET or HEAD, with or without Range, If-Range and the conditional headers.
        read: gives the bytes from its first argument to before its second.
        size: of the whole.
        etag: in quotes; the same one means the same bytes.
        file_name: under which a browser stores it.
        content_type: of the whole.
    """
    reply = get_conditional_response(request, etag=etag) or _body(request, read, size, etag)
    reply["ETag"] = etag
    reply["Accept-Ranges"] = "bytes"
    reply["Cache-Control"] = "private, no-cache"
    reply["X-Content-Type-Options"] = "nosniff"
    if reply.status_code in (200, 206):
        reply["Content-Type"] = content_type
        reply["Content-Disposition"] = str(content_disposition_header(as_attachment=True, filename=file_name))
    return reply


def _body(
    request: HttpRequest, read: Callable[[int, int], Iterator[bytes]], size: int, etag: str
) -> HttpResponseBase:
    if request.method == "HEAD":
        return HttpResponse(headers={"Content-Length": str(size)})
    part = None
    # If-Range with anything but this very ETag: the client's first part is of another file.
    if request.headers.get("If-Range", etag).strip() == etag:
        try:
            part = byte_range(request.headers.get("Range", ""), size)
        except Unsatisfiable:
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    start, stop = part or (0, size)
    reply = StreamingHttpResponse(read(start, stop), status=206 if part else 200)
    reply["Content-Length"] = str(stop - start)
    if part:
        reply["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return reply
