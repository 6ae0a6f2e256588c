"""A dataset folder → the layout that readers of the published PPSD use, as far as that can hold it.

README.md  protocol.json  MANIFEST.sha256
responses/{train,validation}/user_response_exampleN.json    {scene: {"prefer": 0, "non_prefer": 2}}
images/<TYPE>/<scene>_<n>.jpg                                TYPE being what stands before the scene's hyphen
"""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from collection.export.card import SIMULATED
from collection.export.folder import dataset_sha256, written_beside
from collection.export.manifest import manifest_write
from variants.cores import usable_cores
from variants.progress import Report, silent
from variants.tone.images import decode_image, encode_image

SPLITS = ("train", "validation")
LEFT_OUT = {
    "unused": "judgments of raters who are not valid or in neither split",
    "checks": "checks, which show an earlier pair again",
    "ties": "ties, which prefer nothing",
    "again": "further answers of a rater to the same scene (the first one is here)",
}
README = """\
# {name}

{simulated}The choices of {raters:,} raters ({train:,} train, {validation:,} validation) between two renditions of a scene, in the
layout of the published PPSD: {written:,} answers, {images:,} images of {scenes:,} scenes.

```
responses/train/user_response_exampleN.json        one rater: scene → {{"prefer": n, "non_prefer": m}}
responses/validation/user_response_exampleN.json   raters held out
images/<TYPE>/<scene>_<n>.jpg                      TYPE is the part of the scene before the hyphen
protocol.json                                      the study's settings as run
```

It is a view of a dataset folder with {judgments:,} judgments (sha256 of its tables: `{sha256}`).

## What this layout cannot hold

{left_out}
It has no place for: which photo was on which side, response times, the order of the answers, checks and ties;
displays, screenings and what raters said; verdicts and raters who failed; one person on two devices; recipes of
images and colour differences of pairs; scenes held out of training. All of that is in the dataset folder
(`export_ppsd` without `--layout`). {jpeg:,} of the images were not JPEG and were encoded anew (quality 95, 4:4:4).

The number of an image says nothing of its recipe. Scenes have different numbers of images; readers that expect
four of each pass over the others.

## Photos

Licence of this dataset: {licence}. Of the photos:

{photos}
## Citation

{citation}
"""


@dataclass(slots=True)
class _Names:
    """How things are called in the layout."""

    scene: dict[str, str]
    """Image ID → its scene, such as D-4f0c."""
    number: dict[str, int]
    """Image ID → its number among the scene's images."""

    def path(self, image: str) -> str:
        scene = self.scene[image]
        return f"images/{scene.split('-')[0]}/{scene}_{self.number[image]}.jpg"


def published_write(source: Path, target: Path, report: Report = silent) -> dict[str, int]:
    """Write the whole of `target`, or nothing.

    Args:
        source: a dataset folder that is right.
        target: the folder to make; it must not be there yet.
        report: told of each image.

    Returns:
        How many raters and answers are in it.

    Raises:
        FileExistsError: the target is already there.
        ValueError: no judgment can be written, or an image cannot be read.
    """
    images = pq.read_table(source / "images.parquet").to_pylist()
    names = _names(images)
    with written_beside(target) as folder:
        counts = _write_responses(source, folder, names)
        if not counts["written"]:
            raise ValueError(
                "nothing can be written in this layout: no valid rater of a split has chosen an image "
                f"({', '.join(f'{counts[key]} {what}' for key, what in LEFT_OUT.items() if counts[key])})"
            )
        _write_images(source, folder, images, names, report)
        document = _document(source)
        (folder / "protocol.json").write_text(
            json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8"
        )
        (folder / "README.md").write_text(_readme(source, images, counts, document), "utf-8")
        manifest_write(folder)
    return {"raters_in_layout": counts["raters"], "answers_in_layout": counts["written"]}


def _names(images: list[dict[str, Any]]) -> _Names:
    """A scene's type is that of most of its images; their numbers go by their IDs, which say nothing."""
    by_scene = defaultdict(list)
    for row in sorted(images, key=lambda row: row["image_id"]):
        by_scene[row["scene_id"]].append(row)
    names = _Names({}, {})
    for scene, rows in by_scene.items():
        kinds = Counter(row["source_type"] for row in rows)
        kind = max(sorted(kinds), key=lambda kind: kinds[kind])
        for number, row in enumerate(rows):
            names.scene[row["image_id"]], names.number[row["image_id"]] = f"{kind}-{scene}", number
    return names


def _write_responses(source: Path, folder: Path, names: _Names) -> Counter[str]:
    """One file for each rater that is valid and in a split; count what is written and what is not."""
    raters = pq.read_table(source / "raters.parquet", columns=["rater_id", "valid", "split", "simulated"])
    split_of = {row["rater_id"]: row["split"] for row in raters.to_pylist() if row["valid"]}
    counts = Counter(simulated=sum(raters["simulated"].to_pylist()), all_raters=len(raters))
    for split in SPLITS:
        (folder / "responses" / split).mkdir(parents=True)
    for rater, rows in itertools.groupby(_judgments(source), key=lambda row: row["rater_id"]):
        answers: dict[str, dict[str, int]] = {}
        for row in rows:
            counts["judgments"] += 1
            left_out = _left_out(row, split_of.get(rater, "none"), names, answers)
            counts[left_out or "written"] += 1
            if not left_out:
                preferred, rejected = row["preferred_image"], row["rejected_image"]
                answers[names.scene[preferred]] = {
                    "prefer": names.number[preferred],
                    "non_prefer": names.number[rejected],
                }
        if answers:
            counts["raters"] += 1
            counts[split_of[rater]] += 1
            file = folder / "responses" / split_of[rater] / f"user_response_example{counts['raters']}.json"
            file.write_text(json.dumps(answers, indent=2) + "\n", "utf-8")
    return counts


def _left_out(row: Mapping[str, Any], split: str, names: _Names, answers: Mapping[str, Any]) -> str:
    """Which of LEFT_OUT a judgment is; empty where it can be written."""
    if split not in SPLITS:
        return "unused"
    if row["is_check"]:
        return "checks"
    if row["preferred_image"] is None:
        return "ties"
    return "again" if names.scene[row["preferred_image"]] in answers else ""


def _judgments(source: Path) -> Iterator[dict[str, Any]]:
    """By rater, then as they were asked; a few thousand in memory at a time."""
    columns = ["rater_id", "preferred_image", "rejected_image", "is_check"]
    with pq.ParquetFile(source / "judgments.parquet") as file:
        for batch in file.iter_batches(batch_size=5000, columns=columns):
            yield from batch.to_pylist()


def _write_images(
    source: Path, folder: Path, images: list[dict[str, Any]], names: _Names, report: Report
) -> None:
    def write(row: dict[str, Any]) -> None:
        content = (source / row["file_name"]).read_bytes()
        if not row["file_name"].endswith(".jpg"):
            content = encode_image(decode_image(content, row["file_name"]), "jpeg_444")
        (folder / names.path(row["image_id"])).write_bytes(content)

    for row in images:
        (folder / names.path(row["image_id"])).parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(usable_cores()) as pool:
        try:
            for done, _ in enumerate(pool.map(write, images)):
                report(done, len(images), "writing images")
        finally:
            pool.shutdown(cancel_futures=True)
    report(len(images), len(images), "writing images")


def _document(source: Path) -> dict[str, Any]:
    """protocol.json without the study's ID: what is read back from a view is another dataset."""
    document: dict[str, Any] = json.loads((source / "protocol.json").read_text("utf-8"))
    study = {key: value for key, value in document.get("study", {}).items() if key != "id"}
    return document | {
        "format": {"name": "published PPSD layout", "view_of": dataset_sha256(source)},
        "study": study,
    }


def _readme(
    source: Path, images: list[dict[str, Any]], counts: Counter[str], document: Mapping[str, Any]
) -> str:
    study = document["study"]
    scenes = pq.read_table(source / "scenes.parquet", columns=["licence", "attribution"]).to_pylist()
    photos = Counter((row["licence"] or "not stated", row["attribution"] or "nobody named") for row in scenes)
    name = " ".join(str(study.get("name") or "Pairwise photo preferences").split())
    simulated = SIMULATED.format(n=counts["simulated"], all=counts["all_raters"]) + "\n"
    return README.format(
        name=name,
        simulated=simulated if counts["simulated"] else "",
        **{key: counts[key] for key in ("raters", *SPLITS, "written", "judgments")},
        images=len(images),
        jpeg=sum(not row["file_name"].endswith(".jpg") for row in images),
        scenes=len(scenes),
        sha256=document["format"]["view_of"],
        left_out="".join(f"- {counts[key]:,} {what}\n" for key, what in LEFT_OUT.items()),
        licence=study.get("licence") or "other",
        photos="".join(f"- {licence}: {who} ({n:,})\n" for (licence, who), n in sorted(photos.items())),
        citation=study.get("citation") or f"None was given; cite it as “{name}”.",
    )
