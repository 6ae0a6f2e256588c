"""The participant's JSON API, under /api/participant/. The browser and simulated raters use the same.

A session begins on the study's page, as in a browser: GET /s/STUDY/ (STUDY is the slug or the
public ID; `?pid=ID` names a panel's person), then POST the same address as a form with
`csrfmiddlewaretoken` (the value of the `csrftoken` cookie that the GET set) and
`consent_version` (a hidden field of the page). The reply is a redirect to /session/TOKEN/ and sets the
person's and the device's cookie. TOKEN is the capability for everything below; no cookie, CSRF token
or sign-in is needed here.

GET sessions/TOKEN/  →  200 STATE
    {"phase": "display" | "color_vision" | "levels" | "instructions" | "practice" | "main" | "questionnaire"
              | "finished" | "screened_out" | "paused" | "closed",
     "progress": {"answered": 12, "total": 90},              main questions and checks
     "practice": {"attempt": 1, "attempts": 2, "answered": 0, "total": 3},
                                                             of this attempt; total is 0 where there is none
     "breaks": [45],                                         a break after so many answered of those that count
     "questions": [QUESTION, …],                             the next unanswered ones of the present part, at most 5
     "ahead": 3,                                             only where questions are chosen as answers come in: no more
                                                             are handed out at a time
     "plates": [{"index": 0, "image": "/api/…"}, …],         only in color_vision and levels
     "end": {"kind": "completion" | "screened_out", "code": "C1", "address": "https://…",
             "submit": {"address": "https://…", "assignment": "…"} | null,
             "look": "/look/TOKEN/"}}                       the person's own look, where the study shows it
                                                             only in finished and screened_out; "" where there is none
    QUESTION = {"token": "…", "index": 12, "practice": false, "instructed": null | "left" | "right",
                "number": 7, "of": 90,                       within its try at the practice, or of those that count
                "width": 768, "height": 512,                 of both photos, in their pixels
                "left": "/photo/…/left/", "right": "/photo/…/right/"}
    Parts are one try at the practice, and all that comes after the practice. Questions are given
    in earlier phases too, so that photos can be loaded ahead.

GET sessions/TOKEN/questions/?after=12&limit=8  →  200
    {"questions": [QUESTION, …]}     at most `limit` (1 to 20, default 5) unanswered ones of the present
                                     part with an index above `after` (default -1)

GET sessions/TOKEN/plates/PHASE/INDEX/  →  200 image/png, sRGB; the phases are color_vision and levels

POST sessions/TOKEN/phases/PHASE/  →  200 STATE
    display, instructions   {}
    color_vision, levels    {"answers": ["12", "", …]}       a text for each plate, "" for nothing seen
    questionnaire           {"night_mode": "yes", …}         collection.services.phases.QUESTIONNAIRE_FIELDS, all optional
    any of them, practice   {"unknown": "why it could not run"}
    Sent again, the first record stands.

POST sessions/TOKEN/answers/  →  200
    {"question": "its token", "side": "left" | "right" | "tie", "response_ms": 1234, "client": {…}}
    `response_ms` is a whole number from 0 to 3600000, or null with "missing_time" in `client` saying why.
    `client` may be left out. Fields: collection.services.answers.CLIENT_FIELDS.
    {"status": "stored" | "repeated", "finished": false}
    Answers are taken in any order. The same answer again gets the same reply with "repeated".

POST sessions/TOKEN/undo/  {"question": token, "side": …, "response_ms": …}  →  200
    Takes back the last answer, which is named.  {"status": "undone" | "repeated"}

POST sessions/TOKEN/display/  {"screen_width": 1440, "screen_height": 900, "pixel_ratio": 2, …}  →  200
    {"status": "stored" | "repeated",       "repeated": the same as the last record, or one too many
     "ask": false}                          whether to ask if this is the screen that the session began on
    Fields: collection.services.displays.DISPLAY_FIELDS. Each may be null or absent: unknown is not wrong.

POST sessions/TOKEN/display/same/  {"same": true}  →  200 {"status": "stored"}
                                   {"same": false}  →  200 {"session": "/session/OTHER/"}
    On another screen the person goes on as another rater; the reply sets the device's cookie.

Whatever goes wrong is {"error": code, "detail": "what is wrong, in a sentence"}:
    400 invalid       the body is no JSON object, or a field is wrong; the detail names it
    403 not_allowed   nothing can be taken back in this study, or of this session any more
    404 not_found     no such session, or no such question, plate or phase in it
    405 method_not_allowed · 415 unsupported_media_type    a wrong method; a body that is no application/json
    409 conflict      the question has another answer already, which is kept, and this one apart;
                      what is to be taken back is not the last answer
    409 out_of_order  the session is in another phase
    410 session_over | study_closed    an answer is kept apart likewise; nothing more is taken
    413 too_large     the body is larger than 16 kB
    429 throttled     too many requests for this session; "retry_after" and Retry-After say how many seconds
    503 study_paused  the study is taking a break; like any 5xx: send it again later, nothing is counted twice
"""

from django.urls import path

from collection.api import views

app_name = "participant_api"
urlpatterns = [
    path("sessions/<slug:token>/", views.session_detail, name="session-detail"),
    path("sessions/<slug:token>/questions/", views.question_list, name="question-list"),
    path("sessions/<slug:token>/plates/<slug:phase>/<int:index>/", views.plate_image, name="plate-image"),
    path("sessions/<slug:token>/phases/<slug:phase>/", views.phase_store, name="phase-store"),
    path("sessions/<slug:token>/answers/", views.answer_store, name="answer-store"),
    path("sessions/<slug:token>/undo/", views.answer_take_back, name="answer-undo"),
    path("sessions/<slug:token>/display/", views.display_store, name="display-store"),
    path("sessions/<slug:token>/display/same/", views.display_same, name="display-same"),
    # A slash forgotten must not cost an answer: a redirect would turn the POST into a GET.
    path("sessions/<slug:token>/answers", views.answer_store),
    path("sessions/<slug:token>/display", views.display_store),
]
