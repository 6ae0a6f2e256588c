"""Feature vectors on disk, by the hash of the image's file and the backbone's identity.

    <cache>/features/<identity>/<name>.npy    rows of (sha256 of the image file, feature vector)

What is in a file never changes: a process adds files of its own, written beside and renamed
when whole. So two processes may fill one cache at a time (at worst both compute a
vector), and one that is killed leaves nothing broken.
"""

import os
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CACHE = "TONALIST_CACHE"
"""The environment's name for the folder."""
MANY_FILES = 64
"""From here on a cache's files are made one."""
DAY = 86_400.0
Features = npt.NDArray[np.float32]


def cache_folder(folder: Path | str | None = None) -> Path:
    """`folder`, else $TONALIST_CACHE, else tonalist in $XDG_CACHE_HOME or ~/.cache."""
    if folder is not None:
        return Path(folder)
    if named := os.environ.get(CACHE):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tonalist"


class FeatureCache:
    """Feature vectors on disk.

    Args:
        folder: see `cache_folder`. It is made when something is written.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = cache_folder(folder) / "features"

    def read(self, identity: str, keys: list[bytes], dim: int) -> tuple[Features, npt.NDArray[np.bool_]]:
        """Of `keys` (sha256 as 32 bytes, n of them): (n, dim), and which of them were there, (n,)."""
        features, is_found = np.zeros((len(keys), dim), np.float32), np.zeros(len(keys), bool)
        rows_of: dict[bytes, list[int]] = {}
        for row, key in enumerate(keys):
            rows_of.setdefault(key, []).append(row)
        for file in self._files(identity):
            stored = _opened(file, dim)
            if stored is None:
                continue
            for place, key in enumerate(_keys_of(stored)):
                for row in rows_of.get(key, ()):
                    features[row], is_found[row] = stored["features"][place], True
        return features, is_found

    def write(self, identity: str, keys: list[bytes], features: Features) -> None:
        """Add a file; OSError names the folder that cannot be written, and what mends it."""
        rows = np.empty(len(keys), _row_type(features.shape[1]))
        rows["key"] = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32)
        rows["features"] = features
        try:
            self._add(identity, rows)
            self._tidy(identity, features.shape[1])
        except OSError as error:
            raise OSError(
                f"the feature cache {self.folder} cannot be written ({error.strerror or error}); make room, or name "
                f"another folder with --cache or {CACHE}"
            ) from error

    def _files(self, identity: str) -> list[Path]:
        return sorted((self.folder / identity).glob("*.npy"))

    def _add(self, identity: str, rows: npt.NDArray[Any]) -> None:
        folder = self.folder / identity
        folder.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        partial = folder / f"{name}.partial"
        try:
            with partial.open("wb") as file:
                np.save(file, rows)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(folder / f"{name}.npy")
        finally:
            partial.unlink(missing_ok=True)

    def _tidy(self, identity: str, dim: int) -> None:
        """Make many files one, and remove what killed processes left."""
        for partial in (self.folder / identity).glob("*.partial"):
            if _age(partial) > DAY:
                partial.unlink(missing_ok=True)
        files = self._files(identity)
        if len(files) < MANY_FILES:
            return
        held = [rows for rows in (_opened(file, dim) for file in files) if rows is not None]
        merged = np.concatenate(held)
        _, first = np.unique(merged["key"].view("V32").ravel(), return_index=True)
        self._add(identity, merged[np.sort(first)])
        # Only now: who reads meanwhile finds every vector at least once.
        for file in files:
            file.unlink(missing_ok=True)


def _row_type(dim: int) -> np.dtype[np.void]:
    return np.dtype([("key", np.uint8, (32,)), ("features", "<f4", (dim,))])


def _opened(file: Path, dim: int) -> npt.NDArray[Any] | None:
    """Mapped, not read; None where it has just been made one with others, or is broken."""
    try:
        rows: npt.NDArray[Any] = np.load(file, mmap_mode="r")
    except FileNotFoundError:
        return None
    except (ValueError, EOFError, OSError) as error:
        warnings.warn(
            f"{file} is broken ({error}) and was removed; its features are computed again", stacklevel=2
        )
        file.unlink(missing_ok=True)
        return None
    return rows if rows.dtype == _row_type(dim) else None


def _keys_of(rows: npt.NDArray[Any]) -> list[bytes]:
    keys: list[bytes] = np.ascontiguousarray(rows["key"]).view("V32").ravel().tolist()
    return keys


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
