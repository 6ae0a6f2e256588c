"""A dataset's bytes, for the page and for the API: all of it as a tar file, or one file."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from collection.downloads import download_response
from collection.export.archive import Archive, file_part
from collection.export.manifest import MANIFEST, ManifestError, manifest_read
from collection.models import Export
from collection.services.audit import audit_record
from variants.jobs import Job

Found = TypeVar("Found")

CONTENT_TYPES = {
    ".md": "text/markdown; charset=utf-8",
    ".json": "application/json",
    ".sha256": "text/plain; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}


def dataset_archive(export: Export) -> Archive:
    """Raises ManifestError where the folder is no whole dataset any more."""
    changed_at = export.finished_at or export.created_at
    return Archive(Path(export.folder), changed_at=int(changed_at.timestamp()))


def archive_response(request: HttpRequest, export: Export) -> HttpResponseBase:
    """The whole dataset as a tar file, from any byte on. Raises Http404 with the reason."""
    archive = _or_404(lambda: dataset_archive(export), export)
    name = f"{Path(export.folder).name}.tar"
    return _download(
        request, export, name, archive.read, archive.size, f"{export.manifest_sha256}-{archive.size}"
    )


def file_response(request: HttpRequest, export: Export, name: str) -> HttpResponseBase:
    """One file of the dataset; only what its manifest names. Raises Http404 with the reason."""
    folder = Path(export.folder)
    hashes = _or_404(lambda: manifest_read(folder), export) | {MANIFEST: export.manifest_sha256}
    path = folder / name
    if name not in hashes or path.is_symlink() or not path.is_file():
        raise Http404("This dataset has no such file.")
    return _download(request, export, name, partial(file_part, path), path.stat().st_size, hashes[name])


def _download(
    request: HttpRequest,
    export: Export,
    name: str,
    read: Callable[[int, int], Iterator[bytes]],
    size: int,
    hashed: str,
) -> HttpResponseBase:
    reply = download_response(
        request,
        read=read,
        size=size,
        etag=f'"{hashed}"',
        file_name=PurePosixPath(name).name,
        content_type=CONTENT_TYPES.get(PurePosixPath(name).suffix, "application/x-tar"),
    )
    if request.method == "GET" and reply.status_code in (200, 206):
        part = {"part": reply["Content-Range"]} if reply.status_code == 206 else {}
        audit_record("export.download", export.study, what=export.public_id, file=name, **part)
    return reply


def _or_404(look: Callable[[], Found], export: Export) -> Found:
    if export.state != Job.State.DONE:
        raise Http404("This dataset is not written yet.")
    try:
        return look()
    except ManifestError as error:
        raise Http404(str(error)) from error
