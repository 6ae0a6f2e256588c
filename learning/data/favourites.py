"""Folders of photos that people like, as a dataset folder that learners train on.

One folder per person, or one folder of one person's photos. Nobody compared anything here, so
each photo gets a rejected partner: its pseudo original, which a degrading model makes. It
is stored as the scene's neutral rendition, and the tables call the people raters. The
README that is written says all of this.
"""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from collection.export.folder import folder_writing
from collection.export.format import MAX_ID
from learning.data.dataset import DatasetError, Pixels
from variants.progress import Report
from variants.sources.manifest import SUFFIXES
from variants.tone.difference import mean_ciede2000
from variants.tone.images import ImageError, encode_image, fit_long_side, read_photo

LIKED_RECIPE = json.dumps({"liked": True})
"""Nobody knows the steps that made a liked photo."""
ORIGINAL_RECIPE = json.dumps({"steps": []})
HELD_OUT_OF = 8
"""With enough people, one in so many is for validation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    id: str
    """From the folder's name."""
    photos: tuple[Path, ...]


def read_favourites(folder: Path | str) -> list[Person]:
    """The people of a folder, by name, and their photos.

    A folder of folders is one folder per person, photos anywhere below it. A folder of photos
    is one person's. Files whose names begin with a dot, and files that are no photos, are passed over.

    Raises:
        DatasetError: there is no folder, it has no photos, or it has both photos and folders of photos.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(
            f"{folder} is not a folder; name one with liked photos, or with a folder per person"
        )
    own = _photos(folder.iterdir())
    inside = {
        child: _photos(child.rglob("*"))
        for child in sorted(folder.iterdir())
        if child.is_dir() and not child.name.startswith(".")
    }
    inside = {child: photos for child, photos in inside.items() if photos}
    if own and inside:
        raise DatasetError(
            f"{folder} has {len(own)} photos of its own, such as {own[0].name}, beside the folder "
            f"{next(iter(inside)).name}; put them into a folder of the person who likes them"
        )
    if not own and not inside:
        raise DatasetError(f"{folder} has no photos; their names end in {', '.join(sorted(SUFFIXES))}")
    found = inside or {folder.resolve(): own}
    ids = _ids([child.name for child in found])
    return [
        Person(id=person_id, photos=tuple(photos))
        for person_id, photos in zip(ids, found.values(), strict=True)
    ]


def write_favourites(
    people: Sequence[Person],
    target: Path | str,
    pseudo_original: Callable[[Pixels], Pixels],
    *,
    long_side: int,
    how: str,
    report: Report,
) -> tuple[int, list[str]]:
    """Write a dataset folder of photos that people like; return how many photos it has, and why others were passed over.

    Args:
        people: from `read_favourites`.
        target: must not be there yet.
        pseudo_original: (H, W, 3) → the same size, the photo as it may have been.
        long_side: of the images, in pixels.
        how: one sentence for the README on how pseudo originals were made.
        report: told of every photo.

    Raises:
        FileExistsError: the target is already there.
        DatasetError: no photo can be read.
    """
    total = sum(len(person.photos) for person in people)
    skipped: list[str] = []
    kept: dict[str, list[Path]] = {person.id: [] for person in people}
    with folder_writing(Path(target)) as folder:
        scenes, images, pairs, judgments = [], [], [], []
        for person in people:
            for number, path in enumerate(person.photos):
                try:
                    liked = fit_long_side(read_photo(path).pixels, long_side)
                except ImageError as error:
                    skipped.append(f"{person.id}: {error}")
                    continue
                kept[person.id].append(path)
                original = np.clip(pseudo_original(liked), 0, 1).astype(np.float32)
                scene = _hash("scene", person.id, str(number), path.name)
                ids = {kind: _hash(kind, scene) for kind in ("liked", "original")}
                for kind, pixels, recipe in (
                    ("liked", liked, LIKED_RECIPE),
                    ("original", original, ORIGINAL_RECIPE),
                ):
                    content = encode_image(pixels, "png")
                    folder.write_image(f"images/{ids[kind]}.png", content)
                    images.append(
                        {
                            "image_id": ids[kind],
                            "scene_id": scene,
                            "file_name": f"images/{ids[kind]}.png",
                            "source_type": "E",
                            "recipe": recipe,
                            "width": pixels.shape[1],
                            "height": pixels.shape[0],
                            "sha256": hashlib.sha256(content).hexdigest(),
                        }
                    )
                scenes.append(_scene(scene, liked))
                pairs.append(
                    {
                        "pair_id": _hash("pair", scene),
                        "scene_id": scene,
                        "image_a": ids["liked"],
                        "image_b": ids["original"],
                        "delta_e": mean_ciede2000(liked, original),
                    }
                )
                judgments.append(_judgment(person, number, path, scene, ids))
                report(len(scenes) + len(skipped), total, "making pseudo originals")
        if not scenes:
            raise DatasetError(f"none of the {total} photos could be read. The first: {skipped[0]}")
        people = [replace(person, photos=tuple(kept[person.id])) for person in people if kept[person.id]]
        folder.write_table("scenes", scenes)
        folder.write_table("images", images)
        folder.write_table("pairs", pairs)
        folder.write_table("raters", [_rater(n, person, len(people)) for n, person in enumerate(people)])
        folder.write_table("judgments", judgments)
        folder.write_document("README.md", _readme(people, len(scenes), how))
        folder.write_document("DATASHEET.md", _readme(people, len(scenes), how))
        folder.write_document("protocol.json", json.dumps({"kind": "favourites", "asked": False}) + "\n")
    return len(scenes), skipped


def _photos(paths: object) -> list[Path]:
    return sorted(
        path
        for path in paths  # type: ignore[attr-defined]
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _ids(names: Sequence[str]) -> list[str]:
    """Folder names as ids: what an id cannot hold becomes a dash, and no two are the same."""
    made: list[str] = []
    for name in names:
        base = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[: MAX_ID - 4] or "person"
        one, number = base, 2
        while one in made:
            one, number = f"{base}-{number}", number + 1
        made.append(one)
    return made


def _hash(*parts: str) -> str:
    return hashlib.md5("/".join(parts).encode()).hexdigest()


def _scene(scene: str, pixels: Pixels) -> dict[str, object]:
    return {
        "scene_id": scene,
        "category": "",
        "source_type": "E",
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "licence": "",
        "attribution": "",
        "split": "none",
    }


def _rater(number: int, person: Person, n_people: int) -> dict[str, object]:
    held_out = number % HELD_OUT_OF == HELD_OUT_OF - 1
    split = "none" if n_people < HELD_OUT_OF else "validation" if held_out else "train"
    return {
        "rater_id": person.id,
        "person_id": person.id,
        "device_id": "none",
        "n_answers": len(person.photos),
        "valid": True,
        "exclusion_reason": None,
        "split": split,
        "simulated": False,
        "simulation": None,
    }


def _judgment(person: Person, number: int, path: Path, scene: str, ids: dict[str, str]) -> dict[str, object]:
    return {
        "judgment_id": _hash("judgment", scene),
        "rater_id": person.id,
        "pair_id": _hash("pair", scene),
        "preferred_image": ids["liked"],
        "rejected_image": ids["original"],
        "left_image": ids["liked"],
        "right_image": ids["original"],
        "chosen_side": "left",
        "response_ms": None,
        "is_check": False,
        "repeats_judgment": None,
        "question_index": number,
        "answered_at": dt.datetime.fromtimestamp(int(path.stat().st_mtime), dt.UTC),
    }


def _readme(people: Sequence[Person], total: int, how: str) -> str:
    lines = "\n".join(f"| {person.id} | {len(person.photos)} |" for person in people)
    return f"""# Liked photos

{total} photos that {len(people)} people like. **Nobody was asked to compare anything**: each stands as
a preferred image, and the image that it was "preferred" to is a pseudo original, made by a degrading
model, not taken by a camera. {how}

Pseudo originals have the neutral recipe `{ORIGINAL_RECIPE}`, so learners take them for the scenes' originals.
`answered_at` is the time of the photo's file; there are no response times and no checks.

| rater | photos |
| --- | --- |
{lines}
"""
