"""The answers themselves."""

from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from collection.api.v1.bodies import Query
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.pages import PageQuery
from collection.models import Question, Study
from collection.selectors.judgments import judgment_told, judgments_of, judgments_rows, judgments_stream

NDJSON = "application/x-ndjson"


class JudgmentFilter(Query):
    kind = serializers.ChoiceField(
        choices=Question.Kind.values, required=False, help_text="main and check where left out."
    )
    rater = serializers.CharField(max_length=32, required=False, help_text="Of this rater.")
    scene = serializers.CharField(max_length=32, required=False, help_text="Of this scene.")
    since = serializers.DateTimeField(required=False, help_text="Answered at this time or later.")
    until = serializers.DateTimeField(required=False, help_text="Answered before this time.")

    def validate(self, attrs: Any) -> Any:
        if "since" in attrs and "until" in attrs and attrs["since"] > attrs["until"]:
            raise serializers.ValidationError(
                {"since": ["since is later than until, so that nothing lies between; exchange the two."]}
            )
        return attrs


class JudgmentQuery(JudgmentFilter, PageQuery):
    pass


class JudgmentReply(serializers.Serializer[Any]):
    id = serializers.CharField()
    session = serializers.CharField()
    rater = serializers.CharField()
    is_simulated = serializers.BooleanField(help_text="Answered by a simulated rater.")
    scene = serializers.CharField()
    pair = serializers.CharField()
    left = serializers.CharField(help_text="ID of the rendition on the left.")
    right = serializers.CharField(help_text="ID of the rendition on the right.")
    side = serializers.ChoiceField(choices=Question.Side.choices, help_text="The side that was preferred.")
    kind = serializers.ChoiceField(choices=Question.Kind.choices)
    index = serializers.IntegerField(help_text="Position in the session, from 0.")
    repeats = serializers.CharField(allow_null=True, help_text="Of a check: the judgment that it repeats.")
    response_ms = serializers.IntegerField(
        allow_null=True, help_text="From both photos painted to the choice, by the participant's clock."
    )
    elapsed_ms = serializers.IntegerField(allow_null=True, help_text="From handed out to answered, by ours.")
    served_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField()
    policy = serializers.CharField(help_text="What chose the pair.")
    propensity = serializers.FloatField(allow_null=True, help_text="With which probability.")


class Judgments(Endpoint):
    tag = "Judgments"
    resource = "judgments"

    @operation("List a study's judgments", query=JudgmentQuery, reply=JudgmentReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        """Answered questions of everybody who did not withdraw, whatever the verdicts say of them."""
        rows = judgments_rows(self._chosen(self.study()))
        return self.page(rows, lambda page: [judgment_told(row) for row in page])

    @operation("Stream a study's judgments", query=JudgmentFilter, media=NDJSON)
    def stream(self, request: Request, slug: str) -> StreamingHttpResponse:
        """All of them at once, the oldest first: one JSON object a line, the same as in the list."""
        reply = StreamingHttpResponse(_lines(self._chosen(self.study())), content_type=NDJSON)
        reply["X-Accel-Buffering"] = "no"
        return reply

    def _chosen(self, study: Study) -> Any:
        self.chosen("rater", study.raters.all())
        self.chosen("scene", study.scenes.all())
        filters = {name: value for name, value in self.query.items() if name in JudgmentFilter().fields}
        return judgments_of(study, **filters)


def _lines(found: Any) -> Iterator[bytes]:
    encode = JSONEncoder(ensure_ascii=False).encode
    for judgment in judgments_stream(found):
        yield f"{encode(judgment)}\n".encode()
