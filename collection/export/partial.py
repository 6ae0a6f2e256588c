"""Folders that are being written, beside their targets: locked while somebody writes, deleted when nobody does.

The kernel gives a dead process's locks back, so that what a killed one left is known without asking anybody.
Pure: files only.
"""

import fcntl
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = re.compile(r"\..+\.partial-[0-9a-f]{8}")

logger = logging.getLogger(__name__)


@contextmanager
def partial_beside(target: Path) -> Iterator[Path]:
    """An empty folder beside the target that only its writer sees; what is left of it at the end goes away."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partials_sweep(target.parent)
    while True:
        partial = target.parent / f".{target.name}.partial-{secrets.token_hex(4)}"
        partial.mkdir()
        lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if partial.exists():  # else it was swept before it was locked
            break
        os.close(lock)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)


def partials_sweep(parent: Path) -> list[Path]:
    """Delete the folders in `parent` whose writer is dead; return them. One that cannot be deleted is logged."""
    gone = []
    for path in parent.iterdir() if parent.is_dir() else ():
        if NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            try:
                if _delete_unless_locked(path):
                    gone.append(path)
            except FileNotFoundError:  # its writer, or another sweep, was faster
                pass
            except OSError as error:
                logger.warning("%s was left by a killed export and cannot be deleted: %s", path, error)
    return gone


def _delete_unless_locked(path: Path) -> bool:
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(path)
        return True
    finally:
        os.close(lock)
