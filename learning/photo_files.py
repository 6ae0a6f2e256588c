"""Files of rendered photos, as pages and programs download them."""

from pathlib import Path

from django.db.models import Q
from django.http import FileResponse, Http404
from django.utils.text import slugify

from learning.models import Photo, PhotoRequest

FILES = {
    "before": ("before.jpg", "image/jpeg"),
    "after": ("after.jpg", "image/jpeg"),
    "result": ("result.jpg", "image/jpeg"),
    "cube": ("look.cube", "text/plain"),
}
"""What an address may name → the file and its type."""


def photo_file_response(asked: PhotoRequest, index: int, name: str) -> FileResponse:
    """A file by one of four fixed names: no address can name another. Raises Http404 where it is not there."""
    # One that is rendered again shows what it was until then.
    shown = Q(state=Photo.State.RENDERED) | Q(state=Photo.State.WAITING, width__gt=0)
    photo = asked.photos.filter(shown, index=index).first()
    if photo is None or name not in FILES:
        raise Http404("There is no such photo.")
    file_name, content_type = FILES[name]
    try:
        file = (Path(asked.folder) / str(index) / file_name).open("rb")
    except OSError as error:
        raise Http404("The file is gone.") from error
    reply = FileResponse(
        file,
        as_attachment=name in ("result", "cube"),
        filename=f"{Path(photo.name).stem}-{slugify(asked.taste_words)}{Path(file_name).suffix}",
        content_type=content_type,
    )
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Cache-Control"] = "private, no-store"
    return reply
