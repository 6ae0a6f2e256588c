"""Small dataset folders for learners: scenes of soft colours, renditions brighter and darker."""

import datetime as dt
import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from collection.export.folder import write_folder

FIRST_DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
GAINS = (1.0, 0.55, 1.5, 0.75)
"""Of the renditions; the first is the neutral one."""


def in_a_frame(photo):
    """The photo with a red border around it, a fifth of its sides and a quarter."""
    (height, width, _), red = photo.shape, (1, 0, 0)
    y, x = height // 5, width // 4
    framed = np.full((height + 2 * y, width + 2 * x, 3), red, np.float32)
    framed[y : y + height, x : x + width] = photo
    return framed


def make_dataset(
    folder: Path,
    *,
    n_scenes=4,
    n_raters=6,
    n_answers=12,
    validation_scenes=1,
    validation_raters=2,
    invalid_raters=0,
    simulated=True,
    size=(24, 32),
) -> Path:
    """Write a dataset: raters with an even number like the brighter image, the others the darker one.

    Rater 0 is the first of the validation raters; `invalid_raters` of the others, from the last on,
    did not pass. Each rater's last answer is a flipped check.
    """
    images = [_image(scene, gain, size) for scene in range(n_scenes) for gain in range(len(GAINS))]
    pairs = [
        (scene, a, b)
        for scene in range(n_scenes)
        for a in range(len(GAINS))
        for b in range(a + 1, len(GAINS))
    ]
    write_folder(
        folder,
        tables={
            "scenes": [_scene_row(s, n_scenes - validation_scenes, size) for s in range(n_scenes)],
            "images": [row for row, _ in images],
            "pairs": [
                {
                    "pair_id": f"pair{i}",
                    "scene_id": f"scene{s}",
                    "image_a": image_id(s, a),
                    "image_b": image_id(s, b),
                    "delta_e": 8.0,
                }
                for i, (s, a, b) in enumerate(pairs)
            ],
            "raters": [
                _rater_row(r, r < validation_raters, r < n_raters - invalid_raters, simulated)
                for r in range(n_raters)
            ],
            "judgments": [row for r in range(n_raters) for row in _judgment_rows(r, pairs, n_answers)],
        },
        images=[(row["file_name"], content) for row, content in images],
        documents={},
    )
    return folder


def image_id(scene: int, rendition: int) -> str:
    return hashlib.md5(f"{scene}/{rendition}".encode()).hexdigest()


def edit_table(folder: Path, table: str, change) -> None:
    """Replace a table of the folder by `change(table)`."""
    path = folder / f"{table}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def _image(scene: int, rendition: int, size):
    rng = np.random.default_rng(scene)
    corners = rng.uniform(0.15, 0.6, (2, 2, 3))
    y, x = np.linspace(0, 1, size[0])[:, None, None], np.linspace(0, 1, size[1])[None, :, None]
    pixels = (corners[0, 0] * (1 - y) + corners[1, 0] * y) * (1 - x) + corners[0, 1] * x
    pixels = np.clip(pixels * GAINS[rendition], 0, 1)
    file = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(file, "PNG")
    content = file.getvalue()
    name = image_id(scene, rendition)
    row = {
        "image_id": name,
        "scene_id": f"scene{scene}",
        "file_name": f"images/{name}.png",
        "source_type": "D",
        "recipe": '{"steps": []}' if rendition == 0 else f'{{"steps": [["exposure", {GAINS[rendition]}]]}}',
        "width": size[1],
        "height": size[0],
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return row, content


def _scene_row(scene, n_training, size):
    return {
        "scene_id": f"scene{scene}",
        "category": "",
        "source_type": "E",
        "width": size[1],
        "height": size[0],
        "licence": "",
        "attribution": "",
        "split": "train" if scene < n_training else "validation",
    }


def _rater_row(rater, is_validation, valid, simulated):
    return {
        "rater_id": f"rater{rater}",
        "person_id": f"person{rater}",
        "device_id": "device",
        "n_answers": 1,
        "valid": valid,
        "exclusion_reason": None if valid else "consistency",
        "split": ("validation" if is_validation else "train") if valid else "none",
        "simulated": simulated,
        "simulation": "{}" if simulated else None,
    }


def _judgment_rows(rater, pairs, n_answers):
    rng = np.random.default_rng([rater, 7])
    asked = rng.permutation(len(pairs))[:n_answers]
    rows = [_judgment_row(rater, index, number, pairs) for index, number in enumerate(asked.tolist())]
    check = _judgment_row(rater, len(rows), int(asked[0]), pairs)
    rows.append({**check, "is_check": True, "repeats_judgment": rows[0]["judgment_id"]})
    # The files' order says nothing: readers go by question_index.
    return rows[::-1]


def _judgment_row(rater, index, number, pairs):
    scene, a, b = pairs[number]
    brighter, darker = (a, b) if GAINS[a] > GAINS[b] else (b, a)
    preferred, rejected = (brighter, darker) if rater % 2 == 0 else (darker, brighter)
    return {
        "judgment_id": f"judgment{rater}-{index}",
        "rater_id": f"rater{rater}",
        "pair_id": f"pair{number}",
        "preferred_image": image_id(scene, preferred),
        "rejected_image": image_id(scene, rejected),
        "left_image": image_id(scene, preferred),
        "right_image": image_id(scene, rejected),
        "chosen_side": "left",
        "response_ms": 900,
        "is_check": False,
        "repeats_judgment": None,
        "question_index": index,
        "answered_at": FIRST_DAY + dt.timedelta(seconds=index),
    }
