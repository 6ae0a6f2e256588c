"""An example of every body in the schema, put together from one value for each name."""

from typing import Any

Json = dict[str, Any]

ID = "9f2c41d07be84e1ba9c3f5d2617e0a84"
SHA256 = "4f6b0c1b8c1f4c0f9b1a2d3e4f5061728394a5b6c7d8e9f00112233445566778"
EXAMPLES: Json = {
    "access": "open",
    "action": "study.open",
    "actor": "alice (token ton_3hR2x9Qw)",
    "address": f"https://tonalist.example/api/v1/exports/{ID}/",
    "apart": [],
    "archive": f"https://tonalist.example/api/v1/exports/{ID}/archive/",
    "attribution": "A. Photographer",
    "backbone": "tone_statistics",
    "category": "landscape",
    "citation": "A. Researcher: Autumn light. 2026.",
    "consent": "Markdown that participants agree to.",
    "counts": {"judgments": 8000, "raters": 100},
    "computed_from": {"answers": 8000, "raters_used": 92, "rule_set": "2026-11-3-fb4cbbf0d675"},
    "curves": [{"name": "loss", "points": [[1, 0.69], [100, 0.41]]}],
    "details": {"sha256": SHA256},
    "error": "",
    "evidence": {"inconsistent": {"outcome": "passed", "agreed": 9, "answered": 10}},
    "export": ID,
    "fraction": 0.4,
    "id": ID,
    "image": f"https://tonalist.example/images/{ID}",
    "image_a": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "image_b": "f9e8d7c6b5a493827160f5e4d3c2b1a0",
    "interval": [0.86, 0.96],
    "language": "en",
    "learned": {"exposure": 0.31, "temperature": -0.12},
    "left": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "licence": "cc-by-4.0",
    "log": "step 100 of 2000: loss 0.41",
    "manifest_sha256": SHA256,
    "marks": [],
    "name": "Autumn light",
    "next": None,
    "other_name": "2026-11-3-5d2e77a0c1b4",
    "ours_name": "2026-11-3-fb4cbbf0d675",
    "out_of_date": [],
    "pair": "51ab51ab51ab51ab51ab51ab51ab51ab",
    "policy": "coverage",
    "prefix": "ton_3hR2x9Qw",
    "protocol_sha256": SHA256,
    "purpose": "Do people like their autumn photos warmer?",
    "rater": "3b1f09c2a4d94c0f8e7a6b5c4d3e2f10",
    "reasons": ["inconsistent"],
    "recipe": {"steps": [{"concept": "temperature", "strength": 0.5}]},
    "renditions": ["0a1b2c3d4e5f60718293a4b5c6d7e8f9"],
    "repeats": None,
    "right": "f9e8d7c6b5a493827160f5e4d3c2b1a0",
    "role": "owner",
    "rule_set": "2026-11-3-fb4cbbf0d675",
    "run": ID,
    "runs": [ID],
    "scene": "7d5e2a90b1c34f6e8d7c6b5a49382716",
    "scopes": ["read", "export"],
    "screenings": {"levels": "passed"},
    "session": "c0ffee00c0ffee00c0ffee00c0ffee00",
    "session_state": "finished",
    "settings": {"model": "thurstone", "resamples": 1000, "seed": 0},
    "sha256": SHA256,
    "slug": "autumn-light",
    "stage": "writing images",
    "strength": 1.0,
    "strengths": {"exposure": 0.25},
    "study": "autumn-light",
    "username": "alice",
    "verdict": "",
    "what": "autumn-light",
}
"""By the property's name, where the schema's own type says too little. All else comes from the schema."""


def example_of(schema: Json, components: Json, name: str = "", depth: int = 0) -> Any:
    """A value that fits the schema."""
    if name in EXAMPLES and _fits(EXAMPLES[name], schema):
        return EXAMPLES[name]
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        return example_of(components[target], components, name, depth)
    if "example" in schema:
        return schema["example"]
    if schema.get("examples"):
        return schema["examples"][0]
    for several in ("allOf", "oneOf", "anyOf"):
        if several in schema:
            return example_of(schema[several][0], components, name, depth)
    if "enum" in schema:
        return schema["enum"][0]
    if "default" in schema:
        return schema["default"]
    return _of_type(schema, components, depth)


def _fits(value: Any, schema: Json) -> bool:
    """One name may stand for several things, such as a rule set's `name` and its `reasons`."""
    kinds = {str: "string", list: "array", dict: "object", float: "number", type(None): "null"}
    wanted = schema.get("type", [])
    return kinds[type(value)] in ([wanted] if isinstance(wanted, str) else wanted)


def _of_type(schema: Json, components: Json, depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {name: example_of(inside, components, name, depth + 1) for name, inside in properties.items()}
    if kind == "array":
        return [example_of(schema.get("items", {}), components, "", depth + 1)]
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 0), min(12, schema.get("maximum", 12)))
    if kind == "boolean":
        return False
    if kind == "string":
        formats = {
            "date-time": "2026-11-02T09:15:00Z",
            "uri": "https://tonalist.example/api/v1/",
            "binary": "@photo.jpg",
        }
        return formats.get(schema.get("format", ""), "text")
    return {}
