"""From a photo's file to pixels, and from what was made of them to a rendition's row and file."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from variants.models import Rendition, Scene, Version
from variants.tone.images import EXTENSIONS, ImageError, Pixels, encode_image, read_photo


@dataclass(frozen=True, kw_only=True)
class Rendered:
    data: bytes
    width: int
    height: int
    rejected: str = ""
    """Why it is thrown out, where it is: it can be looked at, and taken back."""
    measures: dict[str, Any] = field(default_factory=dict)


Store = Callable[[Rendition, Rendered | str, str], None]
"""Keep what became of a rendition, and say so with the stage's name."""


def rendered(image: np.ndarray[Any, Any], encoding: str, **fields: Any) -> Rendered:
    height, width = image.shape[:2]
    return Rendered(data=encode_image(image, encoding), width=width, height=height, **fields)


def photo_of(source: Scene | Version) -> Pixels:
    """The scene's own photo, or that of one of its set of files."""
    if not source.original:
        raise ImageError(f"{source}: the scene has no original to render from")
    try:
        with source.original.open("rb") as file:
            data = file.read()
    except OSError as error:
        raise ImageError(f"{source}: its original {source.original.name} cannot be read ({error})") from error
    return read_photo(data, name=str(source)).pixels


def rendition_store(rendition: Rendition, outcome: Rendered | str) -> None:
    """File first, then the row, and only while it is still PLANNED: who comes second changes nothing."""
    rows = Rendition.objects.filter(pk=rendition.pk, state=Rendition.State.PLANNED)
    if isinstance(outcome, str):
        rows.update(state=Rendition.State.FAILED, error=outcome)
        return
    name = f"renditions/{rendition.public_id}.{EXTENSIONS[rendition.encoding]}"
    _put(rendition.image.storage, name, outcome.data)
    rows.update(
        state=Rendition.State.REJECTED if outcome.rejected else Rendition.State.RENDERED,
        image=name,
        sha256=hashlib.sha256(outcome.data).hexdigest(),
        width=outcome.width,
        height=outcome.height,
        error=outcome.rejected,
        measures=outcome.measures,
    )


def _put(storage: Storage, name: str, data: bytes) -> None:
    """Store under exactly this name; a file that a killed worker left there, whole or not, is replaced."""
    storage.delete(name)
    stored = storage.save(name, ContentFile(data))
    if stored != name:  # another worker was quicker: equal recipes give equal bytes, so its file will do
        storage.delete(stored)
