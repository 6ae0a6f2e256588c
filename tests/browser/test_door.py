"""The pages before and after a session, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from collection.models import Device, Person, Session, Study
from tests.collection.factories import answer_all, make_study

pytestmark = pytest.mark.django_db(transaction=True)
SIZES = [(390, 844), (1440, 900)]


@pytest.fixture
def study():
    return make_study(n_practice=1, n_main=4, n_checks=1, files=True)


def landing(live_server, study, query=""):
    return f"{live_server.url}/s/{study.slug}/{query}"


def begin(page, address):
    page.goto(address)
    page.get_by_role("button", name="I agree, begin").click()
    page.wait_for_url("**/session/*/")
    return page.url


def test_a_double_click_begins_one_session(visit, live_server, study):
    page = visit().page()
    page.goto(landing(live_server, study))
    page.get_by_role("button", name="I agree, begin").dblclick()
    page.wait_for_url("**/session/*/")
    assert (Person.objects.count(), Device.objects.count(), Session.objects.count()) == (1, 1, 1)


def test_without_scripts_nothing_can_be_begun(browser, live_server, study):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(landing(live_server, study))
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.get_by_role("button", name="I agree, begin")).to_be_disabled()
    page.get_by_role("link", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("link", name="English").click()
    page.get_by_role("link", name="I do not agree").click()
    expect(page.get_by_role("heading", name="You do not take part")).to_be_visible()
    assert not Session.objects.exists()
    context.close()


def test_someone_else_answers_on_the_same_device(visit, live_server, study):
    page = visit().page()
    first = begin(page, landing(live_server, study))
    page.goto(landing(live_server, study))
    page.get_by_role("link", name="This is someone else").click()
    page.get_by_role("button", name="I agree, begin").click()
    page.wait_for_url("**/session/*/")
    assert page.url != first
    assert (Person.objects.count(), Device.objects.count()) == (2, 1)


@pytest.mark.parametrize(("answer", "devices"), [("Yes, the same device", 1), ("No, another device", 2)])
def test_a_sessions_link_in_another_browser_asks_once(visit, live_server, study, answer, devices):
    link = begin(visit().page(), landing(live_server, study))
    page = visit().page()
    page.goto(link)
    page.get_by_role("button", name=answer).click()
    page.wait_for_selector("#session")
    page.reload()
    page.wait_for_selector("#session")
    assert (page.url == link) == (devices == 1)
    assert (Person.objects.count(), Device.objects.count()) == (1, devices)


def test_withdrawing_leaves_nothing_behind(visit, live_server, study):
    visitor = visit()
    page = visitor.page()
    link = begin(page, landing(live_server, study))
    page.goto(f"{link}withdraw/")
    page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_role("heading", name="Your answers are deleted")).to_be_visible()
    assert not Session.objects.exists()
    names = {cookie["name"] for cookie in visitor.context.cookies()}
    assert not names & {"tonalist_person", "tonalist_device"}


def test_mturk_shows_the_study_in_its_frame_and_nobody_else_does(browser, live_server, study):
    Study.objects.update(recruiting={"panel": "mturk", "access": "panel"})
    address = landing(live_server, study, "?workerId=W1&assignmentId=A1&hitId=H1")
    frame = f'<iframe src="{address}" allow="local-network-access" width="800" height="600"></iframe>'
    # A page of the wide net may not frame one of this machine unless that is granted.
    context = browser.new_context(permissions=["local-network-access"])
    for host, is_shown in (("worker.mturk.com", True), ("example.org", False)):
        page = context.new_page()
        page.route(
            f"https://{host}/task",
            lambda route: route.fulfill(content_type="text/html", body=frame),
        )
        page.goto(f"https://{host}/task")
        opens = page.frame_locator("iframe").get_by_role("link", name="Open the study")
        expect(opens).to_have_count(int(is_shown))
        if is_shown:
            with context.expect_page() as opened:
                opens.click()
            begin(opened.value, opened.value.url)
            assert Session.objects.get().recruitment["assignment"] == "A1"
    context.close()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_sheet_is_accessible_and_fits(visit, live_server, study, width, height):
    page = visit(width, height, touch=width < 500).page()
    link = begin(page, landing(live_server, study, "?lang=en"))
    session = Session.objects.get()
    addresses = {
        "welcome back": landing(live_server, study),
        "landing": landing(live_server, study, "?someone_else=1"),
        "withdraw": f"{link}withdraw/",
        "declined": f"{live_server.url}/s/{study.slug}/declined/",
    }
    for name, address in addresses.items():
        page.goto(address)
        look_over(page, name)
    answer_all(session)
    page.goto(landing(live_server, study))
    look_over(page, "finished")
    other = visit(width, height).page()
    Session.objects.update(finished_at=None)
    other.goto(link)
    look_over(other, "device")


def look_over(page, name):
    found = [
        (fault["id"], node["html"])
        for fault in Axe().run(page).response["violations"]
        for node in fault["nodes"]
    ]
    assert (name, found) == (name, [])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"
    small = page.evaluate(
        "[...document.querySelectorAll('a, button')].filter((e) => e.getBoundingClientRect().height < 43.9)"
        ".map((e) => e.textContent)"
    )
    assert (name, small) == (name, [])
    coloured = page.evaluate(
        """[...document.querySelectorAll("body, body *")].flatMap((e) => {
          const style = getComputedStyle(e);
          return [style.color, style.backgroundColor, style.borderTopColor];
        }).filter((color) => new Set(color.match(/\\d+/g).slice(0, 3)).size > 1)"""
    )
    assert (name, coloured) == (name, [])
