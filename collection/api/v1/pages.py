"""Long lists a page at a time: by a cursor, so that what is added meanwhile shifts nothing."""

import base64
import re
from typing import Any

from django.db.models import Model
from rest_framework import exceptions, serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.bodies import Query

MOST = 1000


class PageQuery(Query):
    """What every list takes."""

    limit = serializers.IntegerField(default=100, min_value=1, max_value=MOST, help_text="Rows of a page.")
    order = serializers.ChoiceField(
        choices=["newest", "oldest"], default="newest", help_text="In which order they were made."
    )
    cursor = serializers.CharField(
        required=False, max_length=100, help_text="Where the page begins: out of `next` of the page before."
    )


class CursorPages(BasePagination):
    """`{"next": address or null, "results": […]}`; the address of the last page is null."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        query = view.query
        self._order, self._request = query["order"], request
        newest = self._order == "newest"
        if "cursor" in query:
            after = _cursor_read(query["cursor"], self._order)
            queryset = queryset.filter(**{"pk__lt" if newest else "pk__gt": after})
        rows = list(queryset.order_by("-pk" if newest else "pk")[: query["limit"] + 1])
        self._last = rows[query["limit"] - 1] if len(rows) > query["limit"] else None
        return rows[: query["limit"]]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._next(), "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {
                "next": {
                    "type": ["string", "null"],
                    "format": "uri",
                    "description": "Address of the next page; null after the last.",
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return []  # they stand in PageQuery

    def _next(self) -> str | None:
        if self._last is None:
            return None
        key = self._last.pk if isinstance(self._last, Model) else self._last["pk"]
        parameters = self._request.GET.copy()
        parameters["cursor"] = _cursor(key, self._order)
        return self._request.build_absolute_uri(f"{self._request.path}?{parameters.urlencode()}")


def _cursor(key: int, order: str) -> str:
    return base64.urlsafe_b64encode(f"{order}:{key}".encode()).decode().rstrip("=")


def _cursor_read(cursor: str, order: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    found = re.fullmatch(r"(newest|oldest):(\d{1,18})", text)
    if not found or found[1] != order:
        raise exceptions.ValidationError(
            {"cursor": ["This is no cursor of this list; take `next` of the page before as it is."]}
        )
    return int(found[2])
