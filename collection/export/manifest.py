"""MANIFEST.sha256 of a dataset: the hash of every file, as `sha256sum` writes and checks it. Pure.

sha256sum --check MANIFEST.sha256
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from collection.export.check import MAX_DOCUMENT_BYTES, MOST_FAULTS, Fault, not_a_file, quoted
from variants.progress import Report, silent

MANIFEST = "MANIFEST.sha256"
MOST_BYTES = 10 * MAX_DOCUMENT_BYTES
"""A million images take 100 MB."""
LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*)")


class ManifestError(ValueError):
    """There is no manifest, or it cannot be read; the message says what mends it."""


def manifest_write(folder: Path, known: Mapping[str, str] | None = None) -> str:
    """Write the manifest of all files that stand in `folder`, and give its own sha256.

    `known` are hashes of files that need not be read again.
    """
    known = known or {}
    lines = (f"{known.get(name) or file_sha256(folder / name)}  {name}\n" for name in _names(folder))
    content = "".join(lines).encode()
    (folder / MANIFEST).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def manifest_read(folder: Path) -> dict[str, str]:
    """Name of each file, relative to the folder, with its sha256; nothing that leads out of the folder."""
    path = folder / MANIFEST
    if problem := not_a_file(path):
        raise ManifestError(
            f"{MANIFEST} {problem}: this dataset has none, or is not whole. Export the study again for one"
        )
    if path.stat().st_size > MOST_BYTES:
        raise ManifestError(f"{MANIFEST} is larger than {MOST_BYTES} bytes")
    found: dict[str, str] = {}
    for row, line in enumerate(path.read_text("utf-8", errors="replace").splitlines()):
        matched = LINE.fullmatch(line)
        if not matched or any(set(part) == {"."} for part in matched[2].split("/")) or matched[2] in found:
            raise ManifestError(f"{MANIFEST}, row {row}: {quoted(line)} is not a hash and the name of a file")
        found[matched[2]] = matched[1]
    return found


def manifest_faults(folder: Path, report: Report = silent, *, sha256: str = "") -> list[Fault]:
    """The first ten files that are missing, too many, or not those of the manifest.

    `sha256` is what the manifest itself should have, where that is known.
    """
    if not folder.is_dir():
        return [Fault(file=str(folder), message="is not a folder")]
    try:
        listed = manifest_read(folder)
    except ManifestError as error:
        return [Fault(file=MANIFEST, message=str(error).removeprefix(f"{MANIFEST} "))]
    faults = []
    if sha256 and file_sha256(folder / MANIFEST) != sha256:
        faults.append(Fault(file=MANIFEST, message="is not the one that was written with the dataset"))
    for fault in _faults(folder, listed, report):
        faults.append(fault)
        if len(faults) == MOST_FAULTS:
            break
    return faults


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _faults(folder: Path, listed: Mapping[str, str], report: Report) -> Iterator[Fault]:
    for name in _names(folder):
        if name not in listed:
            yield Fault(file=name, message="is not in the manifest")
    for done, (name, sha256) in enumerate(listed.items()):
        report(done, len(listed), "checking files")
        if problem := not_a_file(folder / name):
            yield Fault(file=name, message=problem)
        elif file_sha256(folder / name) != sha256:
            yield Fault(file=name, message="has another sha256 than the manifest says")
    report(len(listed), len(listed), "checking files")


def _names(folder: Path) -> list[str]:
    """All files but the manifest, in the order of their names."""
    files = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(name for path in files if (name := path.relative_to(folder).as_posix()) != MANIFEST)
