"""Fields that several resources write."""

import dataclasses
import types
from typing import Any, Union, get_args, get_origin, get_type_hints

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import build_object_type
from rest_framework import exceptions, serializers

from collection.design.protocol import FieldError

Json = dict[str, Any]


def public_id(source: str = "public_id", **options: Any) -> serializers.CharField:
    return serializers.CharField(source=source, read_only=True, **options)


class Settings(serializers.Field[Any, Any, Any, Any]):
    """A dataclass of the core as an object: the core says what is wrong with it."""

    def __init__(self, of: Any, **options: Any) -> None:
        super().__init__(**options)
        self.of = of

    def to_internal_value(self, data: Any) -> Any:
        try:
            return self.of.from_json(data)
        except FieldError as error:
            place = {error.name: [str(error)]} if error.name else [str(error)]
            raise exceptions.ValidationError(place) from error
        except (TypeError, ValueError) as error:
            raise exceptions.ValidationError([str(error)]) from error

    def to_representation(self, value: Any) -> Json:
        return value if isinstance(value, dict) else dict(value.to_json())


class SettingsSchema(OpenApiSerializerFieldExtension):
    target_class = "collection.api.v1.fields.Settings"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Json:
        return settings_schema(self.target.of)


def settings_schema(of: Any) -> Json:
    """Names and types of a dataclass of settings, as JSON says them."""
    hints = get_type_hints(of)
    schema: Json = build_object_type(
        properties={
            field.name: _type_schema(hints[field.name]) | _default(field) for field in dataclasses.fields(of)
        },
        description=(of.__doc__ or "").partition("\n")[0] if not _is_generated(of) else "",
        additionalProperties=False,
    )
    return schema


def _default(field: Any) -> Json:
    value = field.default
    if field.default_factory is not dataclasses.MISSING and field.default_factory is dict:
        value = {}
    if value is dataclasses.MISSING:
        return {}
    return {"default": list(value) if isinstance(value, tuple) else value}


def _is_generated(of: Any) -> bool:
    return (of.__doc__ or "").startswith(f"{of.__name__}(")


def _type_schema(hint: Any) -> Json:
    if dataclasses.is_dataclass(hint):
        return settings_schema(hint)
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (tuple, list):
        return {"type": "array", "items": _type_schema(inside[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type_schema(inside[1])}
    if origin in (Union, types.UnionType):
        if any(get_origin(kind) for kind in inside):
            return {"anyOf": [_type_schema(kind) for kind in inside]}
        return {"type": [_NAMES.get(kind, "string") for kind in inside]}
    return {"type": _NAMES.get(hint, "string")}


_NAMES: dict[Any, str] = {
    int: "integer", float: "number", bool: "boolean", str: "string", type(None): "null"
}  # fmt: skip


class FreeObject(serializers.JSONField):
    """An object whose names depend on what it tells of."""


class FreeObjectSchema(OpenApiSerializerFieldExtension):
    target_class = "collection.api.v1.fields.FreeObject"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Json:
        return {"type": "object", "additionalProperties": {}}


class JobReply(serializers.Serializer[Any]):
    """What all long work says of itself."""

    where = ""
    """Below /api/v1/."""

    id = public_id()
    address = serializers.SerializerMethodField(help_text="Ask here until `is_over`.")
    state = serializers.ChoiceField(choices=["queued", "running", "done", "failed", "cancelled"])
    stage = serializers.CharField(help_text="What it is at.")
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    fraction = serializers.FloatField(min_value=0, max_value=1)
    is_over = serializers.BooleanField()
    error = serializers.CharField(help_text="Why it failed, and what mends it; empty otherwise.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_address(self, job: Any) -> str:
        return str(self.context["request"].build_absolute_uri(f"/api/v1/{self.where}{job.public_id}/"))
