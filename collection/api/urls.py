"""The participant's JSON API, under /api/participant/. The browser and simulated raters use the same.

A session begins on the study's page, as in a browser: GET /s/STUDY/ (STUDY is the slug or the
public ID; `?pid=ID` names a panel's person), then POST the same address as a form with
`csrfmiddlewaretoken` (the value of the `csrftoken` cookie that the GET set) and
`consent_version` (a hidden field of the page). The reply is a redirect to /session/TOKEN/ and sets the
person's and the device's cookie. TOKEN is the capability for everything below; no cookie, CSRF token
or sign-in is needed here.

GET sessions/TOKEN/  →  200
    {"phase": "display" | "practice" | "main" | "finished" | "closed",
                                                "display": no display record is stored yet
     "progress": {"answered": 12, "total": 93, "practice": 3},   practice questions are counted in total
     "questions": [QUESTION, …]}                                 the next unanswered ones, at most 5
    QUESTION = {"token": "…", "index": 12, "total": 93, "practice": false,
                "width": 768, "height": 512,                     of both images, in their pixels
                "left": "/images/…", "right": "/images/…"}

GET sessions/TOKEN/questions/?after=12&limit=8  →  200
    {"questions": [QUESTION, …]}     at most `limit` (1 to 20, default 5) unanswered ones with an index
                                     above `after` (default -1)

POST sessions/TOKEN/display/  {"screen_width": 1440, "screen_height": 900, "pixel_ratio": 2, …}  →  200
    {"status": "stored" | "repeated"}       "repeated": the same as the last record, or one too many
    Fields: collection.services.sessions.DISPLAY_FIELDS. Each may be null or absent: unknown is not wrong.

POST sessions/TOKEN/answers/  →  200
    {"question": "its token", "side": "left" | "right", "response_ms": 1234, "client": {…}}
    `response_ms` is a whole number from 0 to 3600000, or null with "missing_time" in `client` saying why.
    `client` may be left out. Fields: collection.services.answers.CLIENT_FIELDS.
    {"status": "stored" | "repeated", "finished": false}
    Answers are taken in any order. The same answer again gets the same reply with "repeated".

Whatever goes wrong is {"error": code, "detail": "what is wrong, in a sentence"}:
    400 invalid       the body is no JSON object, or a field is wrong; the detail names it
    404 not_found     no such session, or no such question in it
    405 method_not_allowed · 415 unsupported_media_type    a wrong method; a body that is no application/json
    409 conflict      the question has another answer already; this one is kept apart
    410 session_over | study_closed    kept apart likewise; nothing more is taken
    413 too_large     the body is larger than 16 kB
    5xx               send it again later: nothing is counted twice
"""

from django.urls import path

from collection.api import views

app_name = "participant_api"
urlpatterns = [
    path("sessions/<slug:token>/", views.SessionView.as_view(), name="session-detail"),
    path("sessions/<slug:token>/questions/", views.QuestionsView.as_view(), name="question-list"),
    path("sessions/<slug:token>/display/", views.DisplayView.as_view(), name="display-store"),
    path("sessions/<slug:token>/answers/", views.AnswersView.as_view(), name="answer-record"),
    # A slash forgotten must not cost an answer: a redirect would turn the POST into a GET.
    path("sessions/<slug:token>/display", views.DisplayView.as_view()),
    path("sessions/<slug:token>/answers", views.AnswersView.as_view()),
]
