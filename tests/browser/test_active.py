"""A study that chooses questions as answers come in: the page knows few of them ahead, and comes to the end."""

import pytest
from celery import current_app

from collection.models import Question, Session
from tests.collection.factories import make_study

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_session_knows_three_questions_at_a_time_and_comes_to_its_end(participant, monkeypatch):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args, **_: sent.append(name))
    study = make_study(
        files=True, phases=("consent", "main"), n_main=7, n_checks=1, check_lag=3, selection="active"
    )
    someone = participant()
    someone.begin(study)
    for index in range(8):
        someone.ready(index)
        handed_out = Question.objects.filter(served_at__isnull=False)
        assert handed_out.order_by("-index").first().index <= index + 2
        someone.page.keyboard.press("ArrowLeft")
    someone.section("finished")
    assert Session.objects.get().finished_at
    assert sent == ["collection.tasks.questions_task"] * 7
