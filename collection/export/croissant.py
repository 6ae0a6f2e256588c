"""croissant.json: the dataset folder described in MLCommons Croissant 1.0."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from collection.export.datasheet import responsible_ai
from collection.export.facts import Facts, default_name
from collection.export.format import TABLES
from collection.export.manifest import file_sha256

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
KEYS = {
    "scenes": "scene_id",
    "images": "image_id",
    "pairs": "pair_id",
    "raters": "rater_id",
    "judgments": "judgment_id",
}
REFERENCES = {
    ("images", "scene_id"): "scenes/scene_id",
    ("pairs", "scene_id"): "scenes/scene_id",
    ("pairs", "image_a"): "images/image_id",
    ("pairs", "image_b"): "images/image_id",
    ("judgments", "rater_id"): "raters/rater_id",
    ("judgments", "pair_id"): "pairs/pair_id",
    ("judgments", "preferred_image"): "images/image_id",
    ("judgments", "rejected_image"): "images/image_id",
    ("judgments", "left_image"): "images/image_id",
    ("judgments", "right_image"): "images/image_id",
}
TABLE_TEXTS = {
    "scenes": "The photos' scenes.",
    "images": "Renditions of the scenes, with the recipe that makes each again.",
    "pairs": "Pairs of renditions of one scene.",
    "raters": "One person on one device each, with the study's verdict.",
    "judgments": "One choice each between the two images of a pair.",
}


def croissant_metadata(folder: Path, facts: Facts, document: dict[str, Any]) -> dict[str, Any]:
    """Croissant metadata of the tables and images in `folder`; `document` is its protocol.json."""
    study = document.get("study", {})
    name, maker = str(study.get("name") or default_name(facts)), study.get("creator")
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name,
        "description": _description(name, facts),
        "license": str(study.get("licence") or "other"),
        "version": f"{document.get('dataset_version', 1)}.0.0",
        "datePublished": str(facts.last_day or "1970-01-01"),
        **({"creator": {"@type": "sc:Organization", "name": str(maker)}} if maker else {}),
        "citeAs": str(study.get("citation") or name),
        **responsible_ai(facts, document),
        "distribution": _distribution(folder),
        "recordSet": [_record_set(table, schema) for table, schema in TABLES.items()],
    }


def _description(name: str, facts: Facts) -> str:
    answered = "SIMULATED raters" if facts.is_simulated else "raters"
    return (
        f"{name}: {facts.rows['judgments']} pairwise judgments by {facts.rows['raters']} {answered} "
        f"on {facts.rows['images']} renditions of {facts.rows['scenes']} photographed scenes."
    )


def _distribution(folder: Path) -> list[dict[str, Any]]:
    files = [_file_object(folder / f"{table}.parquet") for table in TABLES]
    images = {
        "@type": "cr:FileSet",
        "@id": "image-files",
        "name": "image-files",
        "description": "The renditions.",
        "encodingFormat": "image/*",
        "includes": "images/*",
    }
    return [*files, images]


def _file_object(path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file_sha256(path),
    }


def _record_set(table: str, schema: pa.Schema) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": TABLE_TEXTS[table],
        "key": {"@id": f"{table}/{KEYS[table]}"},
        "field": [_field(table, column) for column in schema],
    }


def _field(table: str, column: pa.Field) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table}/{column.name}",
        "name": column.name,
        "dataType": _data_type(column.type),
        "source": {
            "fileObject": {"@id": f"{table}.parquet"},
            "extract": {"column": column.name},
        },
    }
    if target := REFERENCES.get((table, column.name)):
        field["references"] = {"field": {"@id": target}}
    return field


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:DateTime" if pa.types.is_timestamp(kind) else "sc:Text"
