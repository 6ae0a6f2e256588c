"""The layout of the published PPSD → a dataset folder. Pure: files, pyarrow, images.

Nothing in it is trusted: names are matched before a path is made of them, sizes are looked at before
anything is read, and no link is followed. What the layout does not say is null; what the dataset
folder must say all the same is made up, and NOTE tells so in the study's purpose.
"""

import datetime as dt
import hashlib
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from collection.export.check import (
    MAX_DOCUMENT_BYTES,
    MOST_FAULTS,
    STUDY_TEXTS,
    Fault,
    not_a_file,
    protocol_faults,
    quoted,
    read_json,
)
from collection.export.folder import write_folder
from collection.export.format import SOURCE_TYPES, TABLES
from variants.progress import Report, silent
from variants.tone.color import srgb_to_lab
from variants.tone.difference import ciede2000
from variants.tone.images import (
    ImageError,
    Limits,
    Pixels,
    decode_image,
    encode_image,
    fit_long_side,
    read_file,
    read_photo,
)

SPLITS = ("train", "validation")
SCENE = re.compile(r"(?P<type>[A-Za-z0-9]{1,20})-[A-Za-z0-9._-]{1,100}")
"""Such as D1-00002."""
MAX_ANSWERS = 32_000
"""Of one rater; a dataset folder counts questions in 16 bits."""
DELTA_E_SIDE = 256
"""Long side at which two renditions are compared, as where pairs are built."""
LIMITS = Limits(min_side=1)
LIKE = 1.5 / 255
"""Pixels that differ by no more than rounding are the same."""
FIRST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
NOTE = (
    "Read from the layout of the published PPSD, which holds no sides and no times: the sides in this dataset are "
    "drawn at random, its times count seconds from the year 2000, and both say nothing."
)

Choice = tuple[str, int, int]
"""Scene, number of the preferred image, number of the other."""


@dataclass(frozen=True, slots=True)
class _Rater:
    split: str
    name: str
    """Of the file, without its ending."""
    choices: tuple[Choice, ...]


class PublishedError(ValueError):
    """The folder has faults; the first ten stand in `faults`."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def is_published(folder: Path) -> bool:
    """Whether a folder has the published layout and not our own."""
    return (folder / "responses").exists() and not any(
        (folder / f"{name}.parquet").exists() for name in TABLES
    )


def published_convert(folder: Path, target: Path, report: Report = silent) -> None:
    """Write the dataset folder `target` of what `folder` holds; images that no answer names are left out.

    Raises:
        PublishedError: the folder has faults, and nothing was written.
    """
    faults: list[Fault] = []
    raters = list(_raters(folder, faults))
    if not raters and not faults:
        faults.append(Fault(file="responses", message="holds no .json file in train or validation"))
    numbers = defaultdict[str, set[int]](set)
    for scene, *pair in (choice for rater in raters for choice in rater.choices):
        numbers[scene].update(pair)
    if not faults:
        faults += _image_file_faults(folder, numbers)
    if (folder / "protocol.json").exists() or (folder / "protocol.json").is_symlink():
        faults += protocol_faults(folder / "protocol.json")
    _stop_on(faults)
    dataset = _Dataset(folder, raters, numbers)
    _stop_on(list(itertools.islice(_scene_faults(dataset, raters, numbers, report), MOST_FAULTS)))
    document = _document(folder)
    for rater in raters:
        dataset.add_rater(rater, simulated=document["study"].get("simulated", False))
    documents = {"protocol.json": json.dumps(document, ensure_ascii=False)}
    write_folder(target, dataset.rows, dataset.images.items(), documents, report)


def _scene_faults(
    dataset: "_Dataset", raters: list[_Rater], numbers: Mapping[str, set[int]], report: Report
) -> Iterator[Fault]:
    """Add all scenes to the dataset; give back what is wrong with them."""
    pairs = defaultdict[str, set[tuple[int, int]]](set)
    for scene, a, b in (choice for rater in raters for choice in rater.choices):
        pairs[scene].add((min(a, b), max(a, b)))
    for done, scene in enumerate(sorted(numbers)):
        report(done, len(numbers), "reading images")
        yield from dataset.add_scene(scene, sorted(numbers[scene]), sorted(pairs[scene]))
    report(len(numbers), len(numbers), "reading images")


def _stop_on(faults: list[Fault]) -> None:
    if faults:
        raise PublishedError(faults[:MOST_FAULTS])


# Responses


def _raters(folder: Path, faults: list[Fault]) -> Iterator[_Rater]:
    responses = folder / "responses"
    if responses.is_symlink() or not responses.is_dir():
        faults.append(Fault(file="responses", message="is missing or is no folder of its own"))
        return
    for split in sorted(path for path in responses.iterdir() if not path.name.startswith(".")):
        if split.name not in SPLITS or split.is_symlink() or not split.is_dir():
            message = "is not one of the folders train and validation, or is a link"
            faults.append(Fault(file=f"responses/{split.name}", message=message))
            continue
        for path in sorted(path for path in split.iterdir() if not path.name.startswith(".")):
            file = f"responses/{split.name}/{path.name}"
            try:
                yield _Rater(split.name, path.stem, tuple(_choices(path)))
            except (ValueError, OSError, RecursionError) as error:
                faults.append(Fault(file=file, message=" ".join(str(error).split())[:200]))
            if len(faults) >= MOST_FAULTS:
                return


def _choices(path: Path) -> Iterator[Choice]:
    """The answers in one rater's file; ValueError says what is wrong with it."""
    if problem := not_a_file(path):
        raise ValueError(problem)
    if path.suffix != ".json":
        raise ValueError("is no .json file")
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        raise ValueError(f"is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8") from error
    try:
        data = json.loads(text, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error}") from error
    if not isinstance(data, dict) or not 1 <= len(data) <= MAX_ANSWERS:
        raise ValueError(f"must be an object of 1 to {MAX_ANSWERS} scenes")
    for scene, answer in data.items():
        _check_scene(scene)
        if not isinstance(answer, dict) or set(answer) != {"prefer", "non_prefer"}:
            raise ValueError(f'the answer to {scene} must be {{"prefer": n, "non_prefer": m}}')
        preferred, rejected = (
            _number(answer[name], f"{name} of {scene}") for name in ("prefer", "non_prefer")
        )
        if preferred == rejected:
            raise ValueError(f"the answer to {scene} prefers image {preferred} to itself")
        yield scene, preferred, rejected


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{quoted(name)} is there twice; a rater has one answer to a scene")
        found[name] = value
    return found


def _check_scene(scene: str) -> None:
    matched = SCENE.fullmatch(scene)
    if not matched:
        raise ValueError(
            f"the scene {quoted(scene)} must be TYPE-NAME of letters, digits, . - and _, as D1-00002"
        )
    if matched["type"][0] not in SOURCE_TYPES:
        raise ValueError(f"the type of {scene} is unknown; it begins with one of {', '.join(SOURCE_TYPES)}")


def _number(value: object, what: str) -> int:
    """Some readers take numbers as texts, so some files hold them so."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,6}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 999_999:
        raise ValueError(f"{what} is {quoted(value)}; it must be the number of an image")
    return value


# Images


def _file_name(scene: str, number: int) -> str:
    return f"images/{scene.split('-')[0]}/{scene}_{number}.jpg"


def _image_file_faults(folder: Path, numbers: Mapping[str, set[int]]) -> list[Fault]:
    above = {"images", *(f"images/{scene.split('-')[0]}" for scene in numbers)}
    faults = [
        Fault(file=name, message="is missing or is no folder of its own")
        for name in sorted(above)
        if (folder / name).is_symlink() or not (folder / name).is_dir()
    ]
    if faults:
        return faults
    files = (_file_name(scene, n) for scene in sorted(numbers) for n in sorted(numbers[scene]))
    missing = (Fault(file=name, message=problem) for name in files if (problem := not_a_file(folder / name)))
    return list(itertools.islice(missing, MOST_FAULTS))


def _read_image(path: Path) -> tuple[bytes | Path, Pixels]:
    """A JPEG as it is where it is upright sRGB, and brought to that otherwise; with its pixels."""
    content = read_file(path, LIMITS)
    photo = read_photo(content, LIMITS, name=path.name)
    if photo.found["format"] != "JPEG":
        raise ImageError(f"is {photo.found['format']} and no JPEG")
    plain = decode_image(content, path.name)
    if plain.shape == photo.pixels.shape and float(np.abs(plain - photo.pixels).max()) < LIKE:
        return path, photo.pixels
    return encode_image(photo.pixels, "jpeg_444"), photo.pixels


# Tables


class _Dataset:
    """The rows of a dataset folder, scene by scene, then rater by rater."""

    def __init__(self, folder: Path, raters: list[_Rater], numbers: Mapping[str, set[int]]) -> None:
        self.folder = folder
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.images: dict[str, bytes | Path] = {}
        sizes = [
            (scene, n, (folder / _file_name(scene, n)).stat().st_size)
            for scene in sorted(numbers)
            for n in sorted(numbers[scene])
        ]
        self._seed = hashlib.sha256(repr((raters, sizes)).encode()).hexdigest()

    def _id(self, *words: object) -> str:
        """The same folder twice is the same dataset, and another folder is another one."""
        return hashlib.sha256(repr((self._seed, words)).encode()).hexdigest()[:32]

    def add_scene(self, scene: str, numbers: list[int], pairs: list[tuple[int, int]]) -> Iterator[Fault]:
        """Add a scene with its images and pairs; give back what is wrong with them."""
        labs, sizes = dict[int, Pixels](), dict[int, tuple[int, int]]()
        for number in numbers:
            name = _file_name(scene, number)
            try:
                content, pixels = _read_image(self.folder / name)
            except (ImageError, OSError) as error:
                yield Fault(file=name, message=str(error).removeprefix(f"{Path(name).name}: "))
                return
            sizes[number] = (pixels.shape[1], pixels.shape[0])
            labs[number] = srgb_to_lab(fit_long_side(pixels, DELTA_E_SIDE))
            self._add_image(scene, number, content, sizes[number])
        for a, b in pairs:
            if sizes[a] != sizes[b]:
                shown = [f"{width}×{height}" for width, height in (sizes[a], sizes[b])]
                message = f"is {shown[0]} and {_file_name(scene, b)}, which it was compared with, {shown[1]}"
                yield Fault(file=_file_name(scene, a), message=message)
                return
            self._add_pair(scene, a, b, float(np.mean(ciede2000(labs[a], labs[b]))))
        width, height = sizes[numbers[0]]
        self.rows["scenes"].append(
            {
                "scene_id": self._id(scene),
                "source_type": scene[0],
                "width": width,
                "height": height,
                "split": "none",
            }
        )

    def _add_image(self, scene: str, number: int, content: bytes | Path, size: tuple[int, int]) -> None:
        image = self._id(scene, number)
        file_name = f"images/{image}.jpg"
        data = content.read_bytes() if isinstance(content, Path) else content
        self.images[file_name] = content
        self.rows["images"].append(
            {
                "image_id": image,
                "scene_id": self._id(scene),
                "file_name": file_name,
                "source_type": scene[0],
                "recipe": json.dumps({"published": f"{scene}_{number}"}),
                "width": size[0],
                "height": size[1],
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )

    def _add_pair(self, scene: str, a: int, b: int, delta_e: float) -> None:
        low, high = sorted((self._id(scene, a), self._id(scene, b)))
        self.rows["pairs"].append(
            {
                "pair_id": self._id(scene, a, b),
                "scene_id": self._id(scene),
                "image_a": low,
                "image_b": high,
                "delta_e": delta_e,
            }
        )

    def add_rater(self, rater: _Rater, *, simulated: bool) -> None:
        key = (rater.split, rater.name)
        self.rows["raters"].append(
            {
                "rater_id": self._id("rater", *key),
                "person_id": self._id("person", *key),
                "device_id": self._id("device", *key),
                "n_answers": len(rater.choices),
                "valid": True,
                "split": rater.split,
                "simulated": simulated,
            }
        )
        for index, choice in enumerate(rater.choices):
            self._add_judgment(key, index, *choice)

    def _add_judgment(
        self, rater: tuple[str, str], index: int, scene: str, preferred: int, rejected: int
    ) -> None:
        judgment = self._id("judgment", *rater, scene)
        images = self._id(scene, preferred), self._id(scene, rejected)
        on_left = int(judgment, 16) % 2 == 0
        left, right = images if on_left else images[::-1]
        self.rows["judgments"].append(
            {
                "judgment_id": judgment,
                "rater_id": self._id("rater", *rater),
                "pair_id": self._id(scene, min(preferred, rejected), max(preferred, rejected)),
                "preferred_image": images[0],
                "rejected_image": images[1],
                "left_image": left,
                "right_image": right,
                "chosen_side": "left" if on_left else "right",
                "is_check": False,
                "question_index": index,
                "answered_at": FIRST + dt.timedelta(seconds=index),
            }
        )


def _document(folder: Path) -> dict[str, Any]:
    path = folder / "protocol.json"
    document: dict[str, Any] = read_json(path.read_text("utf-8")) if path.exists() else {}
    study = dict(document.get("study", {}))
    study.pop("id", None)
    if NOTE not in (purpose := study.get("purpose", "")):
        study["purpose"] = f"{NOTE}\n\n{purpose}".strip()[: STUDY_TEXTS["purpose"]]
    return document | {"study": study}
