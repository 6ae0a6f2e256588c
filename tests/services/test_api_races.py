"""Programs that ask the API at once, on a real PostgreSQL."""

import pytest
from django.test import Client

from collection.models import KeptReply, Scope, Study
from collection.services.tokens import token_create
from tests.factories import make_researcher, make_study
from tests.services.test_races import at_once

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("postgres")]


@pytest.fixture
def call():
    _, secret = token_create(make_researcher(), "tests", list(Scope.values))

    def ask(method, path, body, **headers):
        client = Client(headers={"Authorization": f"Bearer {secret}", **headers})
        return getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json")

    return ask


def test_the_same_post_many_times_at_once_is_done_once(call):
    study = make_study(n_scenes=1)
    key = {"Idempotency-Key": "one"}
    replies = at_once(
        lambda _: call("post", f"studies/{study.slug}/clone/", {"name": "Once"}, **key), list(range(8))
    )
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    assert sum("Idempotency-Replayed" not in reply.headers for reply in replies) == 1
    assert Study.objects.count() == 2
    assert KeptReply.objects.count() == 1


def test_of_two_changes_of_one_edition_one_is_told(call):
    study = make_study(n_scenes=1)
    replies = at_once(
        lambda n: call("patch", f"studies/{study.slug}/", {"protocol": {"n_main": n}}, **{"If-Match": '"1"'}),
        [30, 40, 50, 60],
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412, 412, 412]
    study.refresh_from_db()
    [done] = [reply.json() for reply in replies if reply.status_code == 200]
    assert done["protocol"]["n_main"] == study.protocol["n_main"]
    assert study.edition == 2
