"""The participant's API; urls.py says what goes in and out."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from collection.api.bodies import Refusal, SmallJSONParser, error_response
from collection.models import Question, Session
from collection.selectors.sessions import session_phase, session_progress, session_with
from collection.services.answers import AnswerResult, answer_record
from collection.services.fields import FieldError
from collection.services.sessions import display_record_store, questions_upcoming

UPCOMING = 5
MAX_UPCOMING = 20
CONFLICTS = {
    "already_answered": (409, "conflict", "the question has another answer already"),
    "session_over": (410, "session_over", "the session is over"),
    "study_closed": (410, "study_closed", "the study is closed and takes no more answers"),
}


class ParticipantView(APIView):
    """The token in the address is the capability: nobody signs in, no cookie is read."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (SmallJSONParser,)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """JSON, whatever the Accept header says."""
        return JSONRenderer(), "application/json"

    def get_exception_handler(self) -> Any:
        return error_response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        patch_cache_control(response, no_store=True)
        return super().finalize_response(request, response, *args, **kwargs)


class SessionView(ParticipantView):
    def get(self, request: Request, token: str) -> Response:
        session = _session(token)
        progress = session_progress(session)
        phase = session_phase(session, progress)
        over = phase in ("finished", "closed")
        return Response(
            {
                "phase": phase,
                "progress": {
                    "answered": progress.answered,
                    "total": progress.total,
                    "practice": progress.practice,
                },
                "questions": [] if over else _upcoming(session, UPCOMING, -1),
            }
        )


class QuestionsView(ParticipantView):
    def get(self, request: Request, token: str) -> Response:
        session = _session(token)
        if session.study.status == session.study.Status.CLOSED:
            raise Refusal(*CONFLICTS["study_closed"])
        limit = _whole(request, "limit", UPCOMING, 1, MAX_UPCOMING)
        after = _whole(request, "after", -1, -1, 32_767)
        return Response({"questions": _upcoming(session, limit, after)})


class DisplayView(ParticipantView):
    def post(self, request: Request, token: str) -> Response:
        stored = display_record_store(_session(token), _body(request))
        return Response({"status": "stored" if stored else "repeated"})


class AnswersView(ParticipantView):
    def post(self, request: Request, token: str) -> Response:
        result = _answer(_session(token), _body(request))
        if result.status == "rejected":
            raise Refusal(404, "not_found", "this session has no such question")
        if result.status == "conflict":
            raise Refusal(*CONFLICTS[result.reason])
        return Response({"status": result.status, "finished": result.finished})


def _session(token: str) -> Session:
    session = session_with(token)
    if session is None:
        raise Refusal(404, "not_found", "there is no such session")
    return session


def _body(request: Request) -> dict[str, Any]:
    assert isinstance(request.data, dict), "SmallJSONParser lets nothing else in"
    return request.data


def _upcoming(session: Session, limit: int, after: int) -> list[dict[str, Any]]:
    questions = questions_upcoming(session, limit, now=timezone.now(), after=after)
    total = session.questions.count()
    return [_question(question, total) for question in questions]


def _question(question: Question, total: int) -> dict[str, Any]:
    """Whatever tells a check from a main question, or one recipe from another, stays out."""
    left, right = question.left, question.right
    return {
        "token": question.token,
        "index": question.index,
        "total": total,
        "practice": question.kind == Question.Kind.PRACTICE,
        # Both are shown at one size; the smaller one's pixels are the limit.
        "width": min(left.width, right.width),
        "height": min(left.height, right.height),
        "left": reverse("variants:image", args=[left.public_id]),
        "right": reverse("variants:image", args=[right.public_id]),
    }


def _answer(session: Session, data: dict[str, Any]) -> AnswerResult:
    question = data.get("question")
    if not isinstance(question, str) or not question.isalnum():
        raise Refusal(400, "invalid", "question must be the token of a question")
    try:
        return answer_record(
            session,
            question,
            data.get("side", ""),
            data.get("response_ms"),
            data.get("client", {}),
            timezone.now(),
        )
    except FieldError as error:
        raise Refusal(400, "invalid", str(error)) from error


def _whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    value = request.query_params.get(name, str(default))
    try:
        number = int(value) if len(value) <= 6 else low - 1
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise Refusal(
            400, "invalid", f"{name} is {value[:40]!r}; it must be a whole number from {low} to {high}"
        )
    return number
