"""The base of every resource, and what an action says of itself."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, QueryDict
from rest_framework import exceptions, serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from collection.access import study_for
from collection.api.v1.bodies import JsonBody, Query, Strict, unknown_words
from collection.api.v1.identity import CallsThrottle, ScopeAllows, SignedIn, TokenAuthentication
from collection.api.v1.pages import CursorPages
from collection.api.v1.problems import Conflict, problem_of
from collection.api.v1.schema import EndpointSchema
from collection.models import ApiToken, Role, Scope, Study
from collection.services.audit import acting
from collection.services.idempotency import KeyReused, Reply, done_once
from collection.services.studies import StudyError

Action = TypeVar("Action", bound=Callable[..., HttpResponseBase])
KEY = re.compile("[!-~]{1,200}")
MOST_NAMED = 1000
"""Rows among which the nearest to an unknown name is looked for."""
WRITTEN_WITH = {"GET": Scope.READ, "HEAD": Scope.READ}
"""The scope that a method takes where the action names none; others take `write`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """What comes into an action and goes out of it. Its name in the schema is the endpoint's and its own."""

    summary: str
    query: type[Query] = Query
    body: type[Strict] | None = None
    reply: type[serializers.BaseSerializer[Any]] | None = None
    """None: nothing, 204; unless `media` says what else."""
    status: int = 200
    pages: bool = False
    """Whether the reply is a list, a page at a time; `query` is a PageQuery then."""
    media: str = ""
    """Of a reply that is no JSON: a file, lines."""
    ranges: bool = False
    """Whether the file may be asked for in parts, and whether it has changed."""
    matches: bool = False
    """Whether If-Match is heeded."""
    secret: bool = False
    """Whether the reply tells a secret: it is not kept, so that no Idempotency-Key is taken."""
    scope: Scope | None = None
    parsers: tuple[type[BaseParser], ...] = (JsonBody,)


def operation(summary: str, **fields: Any) -> Callable[[Action], Action]:
    def decorate(action: Action) -> Action:
        action.operation = Operation(summary=summary, **fields)  # type: ignore[attr-defined]
        return action

    return decorate


class Endpoint(ViewSet):
    """A resource. Subclasses have a `tag` and a `resource`, for the schema, and actions with `@operation`."""

    tag: str
    resource: str
    refusals: tuple[type[Exception], ...] = (StudyError,)
    """Errors of the services that mean: not in this state. They become 409 with their message."""

    http_method_names = ["get", "head", "post", "patch", "delete"]
    authentication_classes = (TokenAuthentication, SessionAuthentication)
    permission_classes = (SignedIn, ScopeAllows)
    throttle_classes = (CallsThrottle,)
    renderer_classes = (JSONRenderer,)
    pagination_class = CursorPages
    metadata_class = None
    schema = EndpointSchema()

    def get_exception_handler(self) -> Callable[..., Any]:
        return problem_of

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.action = self.action_map.get((request.method or "").lower(), "")  # get_parsers asks for it
        return super().initialize_request(request, *args, **kwargs)

    def get_parsers(self) -> list[BaseParser]:
        found = self.operation
        return [parser() for parser in (found.parsers if found else (JsonBody,))]

    @property
    def operation(self) -> Operation | None:
        return getattr(getattr(self, self.action or "", None), "operation", None)

    def scope_needed(self) -> Scope | None:
        found = self.operation
        if found is None:  # the method is not taken here: that is said, and no scope asked for
            return None
        return found.scope or WRITTEN_WITH.get(self.request.method or "", Scope.WRITE)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        name = (request.method or "").lower()
        if (found := self.operation) and name in self.http_method_names:
            self.query = self._checked(found.query(data=_single(request)))
            setattr(self, name, partial(self._answer, getattr(self, name)))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    @cached_property
    def body(self) -> Any:
        """The fields that were sent, checked."""
        found = self.operation
        assert found is not None
        assert found.body is not None
        return self._checked(found.body(data=self.request.data, context={"request": self.request}))

    @property
    def user(self) -> AbstractBaseUser:
        """Whoever asks; SignedIn lets nobody else in."""
        user = self.request.user
        assert isinstance(user, AbstractBaseUser)
        return user

    def study(self, needs: Role = Role.VIEWER) -> Study:
        """The study of the address, for somebody who may do what `needs` stands for."""
        return study_for(self.request, self.kwargs["slug"], needs)

    def chosen(self, parameter: str, rows: QuerySet[Any], by: str = "public_id") -> None:
        """Refuses a parameter of the query that names none of the rows."""
        name = self.query.get(parameter)
        if name is not None and not rows.filter(**{by: name}).exists():
            near = [str(each) for each in rows.values_list(by, flat=True)[:MOST_NAMED]]
            raise exceptions.ValidationError({parameter: [unknown_words(parameter, name, near)]})

    def reply(self, row: Any, **context: Any) -> Response:
        """One row, as the operation's `reply` writes it."""
        found = self.operation
        assert found is not None
        assert found.reply is not None
        return Response(found.reply(row, context=self._context(context)).data, status=found.status)

    def page(
        self, rows: QuerySet[Any], rows_read: Callable[[list[Any]], Iterable[Any]] = list, **context: Any
    ) -> Response:
        """A page of the rows; `rows_read` puts beside them what is read for a whole page at once."""
        found = self.operation
        assert found is not None
        assert found.reply is not None
        pages = CursorPages()
        chosen = rows_read(pages.paginate_queryset(rows, self.request, self))
        written = found.reply(chosen, many=True, context=self._context(context))
        return pages.get_paginated_response(written.data)

    def _context(self, more: dict[str, Any]) -> dict[str, Any]:
        return {"request": self.request, **more}

    def _checked(self, serializer: Strict) -> Any:
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def _answer(
        self, action: Callable[..., HttpResponseBase], request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        means = f"token {request.auth.prefix}" if isinstance(request.auth, ApiToken) else ""
        if request.method in ("POST", "PATCH", "DELETE"):
            self._check_body(request)
        with acting(self.user, means):
            try:
                if request.method == "POST" and "Idempotency-Key" in request.headers:
                    return self._answer_once(partial(action, request, *args, **kwargs))
                return action(request, *args, **kwargs)
            except self.refusals as error:
                raise Conflict(str(error)) from error

    def _check_body(self, request: Request) -> None:
        """What an action does not read is refused, as it was meant for something."""
        found = self.operation
        if found and found.body is None:
            self._checked(Strict(data=request.data))

    def _answer_once(self, action: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        if self.operation and self.operation.secret:
            raise exceptions.ParseError(
                "Idempotency-Key is not taken here, as the reply, which tells a secret, would have to be kept; "
                "send it without the key."
            )
        key = self.request.headers["Idempotency-Key"]
        if not KEY.fullmatch(key):
            raise exceptions.ParseError(
                "Idempotency-Key must be 1 to 200 printable characters of ASCII, none of them a space."
            )
        sent = [self.request.method, self.request.get_full_path(), _all_values(self.request.data)]
        digest = hashlib.sha256(json.dumps(sent, sort_keys=True, default=_digested).encode()).hexdigest()

        def do() -> Reply:
            response = action()
            assert isinstance(response, Response)
            body = JSONRenderer().render(response.data).decode()
            return Reply(status=response.status_code, body=body, headers=dict(response.headers))

        try:
            reply = done_once(self.user.pk, key, digest, do)
        except KeyReused as error:
            raise exceptions.ValidationError({"Idempotency-Key": [str(error)]}) from error
        headers = reply.headers | ({"Idempotency-Replayed": "true"} if reply.is_replayed else {})
        return Response(json.loads(reply.body or "null"), status=reply.status, headers=headers)


def _all_values(data: Any) -> Any:
    """Of a form every value of each name, where a plain dict would tell the last alone."""
    return dict(data.lists()) if isinstance(data, QueryDict) else data


def _digested(value: Any) -> Any:
    """A file by its name and its content, read piece by piece."""
    if not isinstance(value, UploadedFile):
        return str(value)
    content = hashlib.sha256()
    for piece in value.chunks():
        content.update(piece)
    return [value.name, content.hexdigest()]


def _single(request: HttpRequest) -> dict[str, str]:
    """The address's parameters; each may stand once."""
    parameters = request.GET
    if twice := [name for name in parameters if len(parameters.getlist(name)) > 1]:
        raise exceptions.ValidationError({name: ["The parameter may stand once."] for name in twice})
    return parameters.dict()
