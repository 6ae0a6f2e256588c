"""What stands in the log, and how often."""

import logging

import pytest
from django.urls import reverse

from collection.models import Membership, Role
from tests.factories import make_researcher, make_study

pytestmark = pytest.mark.django_db


def test_a_refusal_is_one_line_without_a_trace(client, caplog):
    study, bob = make_study(), make_researcher("bob", is_superuser=False)
    Membership.objects.create(study=study, user=bob, role=Role.VIEWER)
    client.force_login(bob)
    address = reverse("researcher:study-edit", args=[study.slug])
    assert client.get(address).status_code == 403
    assert [(record.getMessage(), record.exc_info) for record in caplog.records] == [
        (f"Forbidden (Permission denied): {address}", None)
    ]
    assert not logging.getLogger("django").handlers
    assert not logging.getLogger("django.request").handlers


def test_an_error_keeps_its_trace(client, caplog, monkeypatch):
    monkeypatch.setattr("collection.researcher.making.study_for", lambda *_: 1 / 0)
    client.force_login(make_researcher())
    client.raise_request_exception = False
    assert client.get(reverse("researcher:study-edit", args=["any"])).status_code == 500
    assert [record.exc_info is not None for record in caplog.records] == [True]
