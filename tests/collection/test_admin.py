import pytest
from django.contrib import admin
from django.urls import reverse

from collection.models import ConflictingAnswer, Export, Question, Study
from collection.services.verdicts import verdicts_compute
from tests.collection import factories

pytestmark = pytest.mark.django_db

MODELS = [model for model in admin.site._registry if model._meta.app_label == "collection"]


@pytest.fixture
def study():
    study = factories.make_study(n_main=8, n_checks=2)
    session = factories.make_session(study)
    factories.answer_all(session)
    ConflictingAnswer.objects.create(question=session.questions.first(), reason="session_over", payload={})
    Export.objects.create(study=study, folder="/tmp/x")
    verdicts_compute(study)
    return study


def address(model, page, *args):
    return reverse(f"admin:collection_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", MODELS)
def test_every_table_and_row_can_be_looked_at(admin_client, study, model):
    assert admin_client.get(address(model, "changelist")).status_code == 200
    row = model.objects.first()
    assert admin_client.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_added_or_deleted_by_hand(admin_client, study, model):
    row = model.objects.first()
    assert admin_client.get(address(model, "add")).status_code == 403
    assert admin_client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_an_answer_is_never_changed(admin_client, study):
    question = Question.objects.exclude(chosen_side="").first()
    reply = admin_client.post(address(Question, "change", question.pk), {"chosen_side": "right"})
    assert reply.status_code == 403
    assert Question.objects.get(pk=question.pk).chosen_side == question.chosen_side


def test_a_studys_words_may_be_mended_but_not_its_protocol(admin_client, study):
    words = {"name": "New", "purpose": "Because", "licence": "cc-by-4.0", "citation": "Us"}
    reply = admin_client.post(
        address(Study, "change", study.pk), words | {"status": "closed", "protocol": "{}", "slug": "other"}
    )
    assert reply.status_code == 302
    after = Study.objects.get()
    assert (after.name, after.purpose, after.licence) == ("New", "Because", "cc-by-4.0")
    assert (after.status, after.protocol, after.slug) == (study.status, study.protocol, study.slug)


def test_no_token_or_cookie_is_shown(admin_client, study):
    session = study.sessions.get()
    person = session.rater.person
    for row in (session, session.rater, person, session.rater.device, session.questions.first()):
        page = admin_client.get(address(type(row), "change", row.pk)).content.decode()
        assert session.token not in page
        assert person.cookie_sha256 not in page
