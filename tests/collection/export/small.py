"""A small dataset made by hand: 2 scenes of 3 images, 3 raters, a check each."""

import datetime as dt
import hashlib
import io
import json

from PIL import Image

NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
SCENES = ("scene-1", "scene-2")
RATERS = ("alice", "bob", "charlie")


def encoded(colour, size=(12, 8), kind="WEBP") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind, lossless=True)
    return file.getvalue()


def images() -> dict[str, bytes]:
    """file_name → content: three images a scene, the first of them neutral."""
    return {
        f"images/{scene}-{n}.webp": encoded((40 * n, 100, 50 * s))
        for s, scene in enumerate(SCENES)
        for n in range(3)
    }


def tables() -> dict[str, list[dict]]:
    return {
        "scenes": [scene_row(scene, s) for s, scene in enumerate(SCENES)],
        "images": [image_row(name, content) for name, content in images().items()],
        "pairs": [pair_row(scene, other) for scene in SCENES for other in (1, 2)],
        "raters": [rater_row(rater) for rater in RATERS],
        "judgments": [row for rater in RATERS for row in judgment_rows(rater)],
    }


def scene_row(scene, s):
    return {
        "scene_id": scene,
        "category": "portrait",
        "source_type": "E",
        "width": 1200,
        "height": 800,
        "licence": "CC0-1.0",
        "attribution": "nobody",
        "split": ("train", "validation")[s],
    }


def image_row(file_name, content):
    image_id = file_name.removeprefix("images/").removesuffix(".webp")
    steps = [] if image_id.endswith("0") else [["exposure", int(image_id[-1]) / 4]]
    return {
        "image_id": image_id,
        "scene_id": image_id[:-2],
        "file_name": file_name,
        "source_type": "D",
        "recipe": json.dumps({"steps": steps}),
        "width": 12,
        "height": 8,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def pair_row(scene, other):
    return {
        "pair_id": f"{scene}-pair-{other}",
        "scene_id": scene,
        "image_a": f"{scene}-0",
        "image_b": f"{scene}-{other}",
        "delta_e": 5.0 + other,
    }


def rater_row(rater):
    return {
        "rater_id": rater,
        "person_id": f"{rater}-person",
        "device_id": f"{rater}-device",
        "screen_width": 1440,
        "screen_height": 900,
        "pixel_ratio": 2.0,
        "color_gamut": "p3",
        "dynamic_range": "standard",
        "color_depth": 24,
        "platform": "macOS",
        "language": "de" if rater == "alice" else "en",
        "color_vision": None,
        "levels": {"alice": "passed", "bob": "failed", "charlie": "unknown"}[rater],
        "practice": "passed",
        "night_mode": "no",
        "room_light": None,
        "device_kind": "laptop",
        "n_answers": 5,
        "consistency": 1.0,
        "median_response_ms": 1200,
        "valid": rater != "charlie",
        "exclusion_reason": "median_too_fast" if rater == "charlie" else None,
        "split": {"alice": "train", "bob": "validation", "charlie": "none"}[rater],
        "simulated": False,
        "simulation": None,
    }


def judgment_rows(rater):
    """The four pairs with the neutral image on the left and chosen, then the first one flipped."""
    pairs = [(scene, other) for scene in SCENES for other in (1, 2)]
    rows = [judgment_row(rater, n, scene, other) for n, (scene, other) in enumerate(pairs)]
    check = judgment_row(rater, 4, *pairs[0]) | {
        "left_image": rows[0]["right_image"],
        "right_image": rows[0]["left_image"],
        "chosen_side": "right",
        "is_check": True,
        "repeats_judgment": rows[0]["judgment_id"],
        "policy": "mirrored_repeat",
        "propensity": None,
    }
    return [*rows, check]


def judgment_row(rater, n, scene, other):
    return {
        "judgment_id": f"{rater}-{n}",
        "rater_id": rater,
        "pair_id": f"{scene}-pair-{other}",
        "preferred_image": f"{scene}-0",
        "rejected_image": f"{scene}-{other}",
        "left_image": f"{scene}-0",
        "right_image": f"{scene}-{other}",
        "chosen_side": "left",
        "response_ms": 1200,
        "is_check": False,
        "repeats_judgment": None,
        "question_index": n,
        "policy": "fewest_exposures",
        "propensity": 0.5,
        "answered_at": NOON + dt.timedelta(seconds=3 * n),
    }


def as_tie(row):
    return row | {"chosen_side": "tie", "preferred_image": None, "rejected_image": None}


DOCUMENT = {"study": {"name": "Café | colours", "licence": "cc-by-4.0"}}


def write_small(target, **changed):
    from collection.export.folder import write_folder

    documents = {"protocol.json": json.dumps(DOCUMENT)}
    write_folder(target, tables() | changed, images().items(), documents)
    return target
