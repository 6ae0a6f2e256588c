"""A dataset folder as one tar file that is never written down: any part of it can be read at any time.

Sizes and order are those of the manifest, so that the same dataset is the same archive, byte for byte,
and a download that broke off can go on where it was. Pure.
"""

import bisect
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collection.export.manifest import MANIFEST, ManifestError, manifest_read

AT_A_TIME = 1 << 18
"""Bytes."""
END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    size: int
    source: bytes | Path


class Archive:
    """The tar file of a whole dataset, in a folder of the dataset's name."""

    def __init__(self, folder: Path, *, changed_at: int) -> None:
        """Look at every file's size.

        Args:
            folder: a dataset with a manifest.
            changed_at: of all files in the archive, in seconds since 1970.

        Raises:
            ManifestError: there is no manifest, or a file of it is gone.
        """
        self._pieces: list[_Piece] = []
        self.size = 0
        for name in (*manifest_read(folder), MANIFEST):
            path = folder / name
            try:
                n_bytes = path.lstat().st_size
            except OSError as error:
                raise ManifestError(f"{name} is gone; this dataset is not whole any more") from error
            header = tarfile.TarInfo(f"{folder.name}/{name}")
            header.size, header.mtime, header.mode = n_bytes, changed_at, 0o644
            self._add(header.tobuf(tarfile.GNU_FORMAT))
            self._add(path, n_bytes)
            self._add(bytes(-n_bytes % tarfile.BLOCKSIZE))
        self._add(END)

    def _add(self, source: bytes | Path, size: int | None = None) -> None:
        size = len(source) if isinstance(source, bytes) else size or 0
        if size:
            self._pieces.append(_Piece(self.size, size, source))
            self.size += size

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`."""
        first = bisect.bisect_right(self._pieces, start, key=lambda piece: piece.start) - 1
        for piece in self._pieces[max(first, 0) :]:
            if piece.start >= stop:
                break
            low, high = max(start - piece.start, 0), min(stop - piece.start, piece.size)
            if isinstance(piece.source, bytes):
                yield piece.source[low:high]
            else:
                yield from file_part(piece.source, low, high)


def file_part(path: Path, start: int, stop: int) -> Iterator[bytes]:
    """The bytes of a file from `start` to before `stop`; OSError where it has become shorter."""
    with path.open("rb") as file:
        file.seek(start)
        left = stop - start
        while left:
            chunk = file.read(min(left, AT_A_TIME))
            if not chunk:
                raise OSError(f"{path} has become shorter while it was read")
            left -= len(chunk)
            yield chunk
