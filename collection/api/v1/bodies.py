"""What comes in: small JSON, read strictly. A name that is not known is refused, with the nearest that is."""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from django.core.files.uploadhandler import FileUploadHandler
from django.http import QueryDict
from rest_framework import exceptions, serializers
from rest_framework.parsers import BaseParser, MultiPartParser

from collection.api.v1.problems import BodyTooLarge
from collection.services.fields import json_kind

MAX_BODY = 1_000_000
"""Bytes. A protocol in five languages has some ten thousand."""


class JsonBody(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            data = json.loads(body_bytes(stream), parse_constant=_no_number, object_pairs_hook=_names_differ)
        except (ValueError, RecursionError) as error:
            raise exceptions.ParseError(f"The body is no JSON: {error}.") from error
        if not isinstance(data, dict):
            raise exceptions.ParseError(
                f"The body is {json_kind(data)}; it must be an object with named fields."
            )
        _check_texts(data)
        return data


def body_bytes(stream: Any) -> bytes:
    body = stream.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise BodyTooLarge(f"The body is larger than {MAX_BODY} bytes.")
    return bytes(body)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _names_differ(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return data


def _check_texts(value: Any) -> None:
    """No zero byte and no half of a character: databases hold neither."""
    if isinstance(value, dict):
        for name, inside in value.items():
            _check_texts(name)
            _check_texts(inside)
    elif isinstance(value, list):
        for inside in value:
            _check_texts(inside)
    elif isinstance(value, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        raise exceptions.ParseError("A text has a zero byte, or half of a character, in it.")


KINDS: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], tuple[type, ...], str], ...] = (
    (serializers.BooleanField, (bool,), "true or false"),
    (serializers.IntegerField, (int,), "a whole number"),
    (serializers.FloatField, (int, float), "a number"),
    (serializers.CharField, (str,), "a text"),
)


class Strict(serializers.Serializer[Any]):
    """A body, or a query, whose names must all be known."""

    what = "field"
    example: Mapping[str, Any] | None = None
    """In the schema, where one of all fields would make no sense."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = [name for name, field in self.fields.items() if not field.read_only]
            if unknown := {
                str(name): [unknown_words(self.what, str(name), known)] for name in data if name not in known
            }:
                raise exceptions.ValidationError(unknown)
            self._check_kinds(data)
        return super().to_internal_value(data)

    def _check_kinds(self, data: Mapping[Any, Any]) -> None:
        """A number is no text and "1" is no number: what was meant is not guessed."""
        wrong = {
            name: [f"{name} is {json_kind(data[name])}; it must be {words}."]
            for name, field in self.fields.items()
            for of, kinds, words in KINDS
            if isinstance(field, of) and data.get(name) is not None and type(data[name]) not in kinds
        }
        if wrong:
            raise exceptions.ValidationError(wrong)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        try:
            return super().run_validation(data)
        except exceptions.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            raise exceptions.ValidationError(
                {name: self._told(str(name), found, data) for name, found in error.detail.items()}
            ) from error

    def _told(self, name: str, found: Any, data: Any) -> Any:
        """The framework's sentences with the field's name and what mends it."""
        if not isinstance(found, list):
            return found
        choices = [str(choice) for choice in getattr(self.fields.get(name), "choices", ())]
        told = []
        for each in found:
            code = getattr(each, "code", "")
            if not isinstance(each, str):
                told.append(each)
            elif code == "required":
                told.append(f"{name} is missing; send it.")
            elif code == "null":
                told.append(f"{name} is null; send a value, or leave {name} out where it may be.")
            elif code == "blank":
                told.append(f"{name} is empty; send a text.")
            elif code == "invalid_choice" and choices:
                told.append(unknown_words(name, str(data.get(name)), choices))
            else:
                told.append(each if name in each or name == "non_field_errors" else f"{name}: {each}")
        return told


class Query(Strict):
    """The parameters of an address: all are texts, and read as what they are to be."""

    what = "parameter"

    def _check_kinds(self, data: Mapping[Any, Any]) -> None:
        pass


class Form(Strict):
    """Fields and files of multipart/form-data: all fields are texts, and read as what they are to be."""

    def _check_kinds(self, data: Mapping[Any, Any]) -> None:
        """Only a list may have several values."""
        lists = {name for name, field in self.fields.items() if isinstance(field, serializers.ListField)}
        if isinstance(data, QueryDict) and (
            twice := [name for name in data if name not in lists and len(data.getlist(name)) > 1]
        ):
            raise exceptions.ValidationError({name: [f"{name} may stand once."] for name in twice})


class UploadedFileField(serializers.FileField):
    """One file of a form; an empty one is the service's to refuse, by its name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_empty_file=True, use_url=False, **options)


class FormBody(MultiPartParser):
    """Fields and files. Subclasses say how large it may be; nothing of a larger one is read."""

    max_bytes = MAX_BODY
    max_file_bytes = MAX_BODY

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        request = (parser_context or {})["request"]
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = 0  # which the parser reads as an empty body
        if length > self.max_bytes:
            raise BodyTooLarge(f"The body has {length} bytes; at most {self.max_bytes} are taken.")
        request.upload_handlers.insert(0, _FileBound(self.max_file_bytes))
        return super().parse(stream, media_type, parser_context)


class _FileBound(FileUploadHandler):
    """Stops at the first file that is too large, before the rest of it is kept."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if start + len(raw_data) > self._max_bytes:
            raise BodyTooLarge(
                f"{self.file_name} is larger than {self._max_bytes} bytes, which is the most that is taken."
            )
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


MOST_KNOWN = 20


def unknown_words(what: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else f"there are {', '.join(known[:MOST_KNOWN])}{', …' * (len(known) > MOST_KNOWN)}."
        if known
        else "there is none."
    )
    return f"There is no {what} {name[:60]!r}; {hint}"
