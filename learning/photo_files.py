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
    "small": ("small.jpg", "image/jpeg"),
    "cube": ("look.cube", "text/plain"),
}
"""What an address may name → the file and its type."""
PRESET = "preset.safetensors"


def photo_file_response(asked: PhotoRequest, index: int, name: str) -> FileResponse:
    """A file by one of five fixed names: no address can name another. Raises Http404 where it is not there."""
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
    return _private(reply)


def preset_file_response(asked: PhotoRequest) -> FileResponse:
    """The style as a preset. Raises Http404 where its system has none, or it is not read yet."""
    try:
        file = (Path(asked.folder) / PRESET).open("rb")
    except OSError as error:
        raise Http404("There is no preset.") from error
    name = f"{slugify(asked.taste_words) or 'style'}.safetensors"
    return _private(
        FileResponse(file, as_attachment=True, filename=name, content_type="application/octet-stream")
    )


def has_preset(asked: PhotoRequest) -> bool:
    return (Path(asked.folder) / PRESET).is_file()


def small_pictures(asked: PhotoRequest) -> list[int]:
    """Numbers of its photos of which there is a small picture, to tell a style by."""
    return [
        photo.index
        for photo in asked.photos.all()
        if not photo.is_liked and (Path(asked.folder) / str(photo.index) / "small.jpg").is_file()
    ]


def _private(reply: FileResponse) -> FileResponse:
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Cache-Control"] = "private, no-store"
    return reply
