"""No page of the site has a script or a style inside that browsers would have to be told to trust."""

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from tests.collection.factories import make_session, make_study
from tests.factories import make_researcher
from tests.factories import make_study as make_drawn_study

pytestmark = pytest.mark.django_db(transaction=True)
OF_A_STUDY = "detail rules scenes protocol edit photos planner members"


@pytest.fixture
def pages():
    """Addresses that anybody opens, those for a researcher, and a superuser's session."""
    root = make_researcher("root", password="a long pass phrase", is_superuser=True, is_staff=True)
    asked = make_study(n_main=4, n_checks=1, files=True)
    session = make_session(asked)
    study = make_drawn_study(name="Looks", with_images=True)
    entrance = [reverse(name) for name in ("login", "account_signup")]
    participants = [f"/s/{asked.slug}/", f"/session/{session.token}/", f"/look/{session.token}/"]
    researchers = [reverse(f"researcher:study-{name}", args=[study.slug]) for name in OF_A_STUDY.split()]
    alone = ("researcher:study-list", "api-docs", "learning:style-list", "mfa_index", "admin:index")
    researchers.extend(map(reverse, alone))
    researchers.append(reverse("admin:collection_study_changelist"))
    researchers.append(reverse("admin:auth_user_change", args=[root.pk]))
    client = Client()
    client.force_login(root)
    return entrance + participants, researchers, client.cookies[settings.SESSION_COOKIE_NAME].value


def test_nothing_in_a_page_breaks_its_content_policy(visit, live_server, pages):
    for_all, for_researchers, session = pages
    visitor = visit()
    page = visitor.page()
    for address in for_all:
        page.goto(live_server.url + address)
    visitor.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
    )
    refused = []
    for address in for_researchers:
        reply = page.goto(live_server.url + address)
        if reply.status != 200 or "unsafe" in reply.headers["content-security-policy"]:
            refused.append((address, reply.status))
    assert refused == []
    assert [fault for fault in visitor.faults if "Failed to load resource" not in fault] == []


def test_what_a_page_must_not_do_is_stopped(visit, live_server):
    """That the listening above would hear something."""
    visitor = visit()
    page = visitor.page()
    page.goto(live_server.url + reverse("login"))
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    heard = [fault for fault in visitor.faults if "Content Security Policy" in fault]
    visitor.faults.clear()
    assert len(heard) == 1
    assert "style-src 'self'" in heard[0]
