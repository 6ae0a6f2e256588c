import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from collection.models import ConflictingAnswer, Export, Invitation, Question, Role, Study
from collection.services.members import member_invite, member_set
from collection.services.verdicts import verdicts_compute
from tests.collection import factories
from tests.factories import make_researcher

pytestmark = pytest.mark.django_db

APPS = ("variants", "collection", "learning", "evaluation")
MODELS = [model for app in APPS for model in apps.get_app_config(app).get_models()]


@pytest.fixture
def study():
    study = factories.make_study(n_main=8, n_checks=2)
    session = factories.make_session(study)
    factories.answer_all(session)
    ConflictingAnswer.objects.create(question=session.questions.first(), reason="session_over", payload={})
    Export.objects.create(study=study, number=1, folder="/tmp/x")
    Invitation.objects.create(study=study, label="Alice")
    member_set(study, make_researcher(), Role.OWNER)
    member_invite(study, "bob@example.org", Role.VIEWER)
    session.phases.create(phase="levels", answers={"answers": ["7", "9"]})
    verdicts_compute(study)
    return study


def address(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_every_model_has_a_table_with_search_and_rows(admin_client, study, django_assert_max_num_queries):
    for model in MODELS:
        table = admin.site.get_model_admin(model)
        assert table.search_fields, model
        with django_assert_max_num_queries(12 + 2 * len(table.list_filter)):
            assert admin_client.get(address(model, "changelist"), {"q": "alice"}).status_code == 200
        if row := model.objects.first():
            assert admin_client.get(address(model, "change", row.pk)).status_code == 200


def test_nothing_is_added_changed_or_deleted_by_hand(admin_client, study):
    for model in MODELS:
        assert admin_client.get(address(model, "add")).status_code == 403
        if row := model.objects.first():
            assert admin_client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
            assert model.objects.filter(pk=row.pk).exists()
            if model is not Study:
                assert admin_client.post(address(model, "change", row.pk), {}).status_code == 403


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
    session, invitation = study.sessions.get(), study.invitations.get()
    person = session.rater.person
    for row in (session, session.rater, person, session.rater.device, session.questions.first(), invitation):
        page = admin_client.get(address(type(row), "change", row.pk)).content.decode()
        assert invitation.code not in page
        assert session.token not in page
        assert person.cookie_sha256 not in page
