"""The site with bare views beside it, for the measurements.

An insert by the ORM, once behind the site's middleware, once behind none; and a page for each question: a
form with two photos.
"""

import json

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, models
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import include, path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from config.wsgi import application as site

PAGE = """<!doctype html><meta name="viewport" content="width=device-width"><title>Question</title>
<style>img {{ max-width: 100% }} button {{ width: 49% }}</style>
<form method="post"><input type="hidden" name="question" value="{question}">
<button name="side" value="left"><img elementtiming="photo" src="/photo/{photos}/left/"></button>
<button name="side" value="right"><img elementtiming="photo" src="/photo/{photos}/right/"></button></form>"""


class BareAnswer(models.Model):
    """What an answer brings, and no more: no token that could be forged, no question that it belongs to."""

    question = models.CharField(max_length=32)
    side = models.CharField(max_length=5)
    response_ms = models.PositiveIntegerField()
    client = models.JSONField()
    answered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "bench"

    def __str__(self) -> str:
        return self.question


@csrf_exempt
def bare(request):
    BareAnswer.objects.create(**json.loads(request.body))
    return JsonResponse({"status": "stored", "finished": False})


@csrf_exempt
def ask(request, session):
    from collection.models import Question

    open_questions = Question.objects.filter(session__token=session, answered_at=None)
    if request.method == "POST":
        answer = {"chosen_side": request.POST["side"], "answered_at": timezone.now()}
        open_questions.filter(token=request.POST["question"]).update(**answer)
        return redirect(request.path)
    question = open_questions.order_by("index").first()
    if question is None:
        return HttpResponse("Thank you")
    return HttpResponse(PAGE.format(question=question.token, photos=question.public_id))


def table_make():
    with connection.schema_editor() as editor:
        editor.create_model(BareAnswer)


def application(environ, start_response):
    handler = without_middleware if environ["PATH_INFO"] == "/bare/alone/" else site
    return handler(environ, start_response)


urlpatterns = [
    path("bare/", bare),
    path("bare/alone/", bare),
    path("bare/ask/<slug:session>/", ask),
    path("", include("config.urls")),
]
settings.ROOT_URLCONF = __name__
middleware, settings.MIDDLEWARE = settings.MIDDLEWARE, []
without_middleware = WSGIHandler()
settings.MIDDLEWARE = middleware
