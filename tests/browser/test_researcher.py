"""A researcher's whole way in a browser, on the site as it is run: its own server and worker, files and SQLite."""

import json

import pytest
from playwright.sync_api import expect

from config.demo.processes import free_port, server, worker
from variants.sources.packaged import PHOTOS

PASSWORD = "four pale horses graze"
RATERS = 10
JOB_MS = 240_000  # for a job on a busy machine


@pytest.fixture
def site(new_site, tmp_path, monkeypatch):
    """Address of a site of its own, and how to run its commands."""
    site = new_site()
    port = free_port(8700)
    with monkeypatch.context() as own:  # taken back before the tests' own database is
        own.delenv("DATABASE_URL", raising=False)
        for name, value in site.environment.items():
            own.setenv(name, value)
        own.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "")
        with worker(tmp_path), server(tmp_path, port, "only-for-tests"):
            yield f"http://127.0.0.1:{port}", site.manage


@pytest.fixture
def page(browser, site):
    context = browser.new_context(base_url=site[0], viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    faults = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield context.new_page()
    context.close()
    assert faults == []


@pytest.mark.slow
@pytest.mark.timeout(900)  # a worker, a server, five jobs
def test_from_sign_up_to_a_report_in_one_go(page, site):
    """On real photos, with simulated raters through HTTP; nothing is set up behind the pages' back."""
    address, manage = site
    sign_up(page)
    make_draft(page)
    upload_photos(page)
    make_renditions(page)
    edit_protocol(page)
    page.goto("/research/studies/evening-light/")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("The study is open.")).to_be_visible()
    manage("simulate_raters", "evening-light", "--raters", str(RATERS), "--through-http", address, "--quiet")
    see_answers(page)
    export(page)
    train(page)
    report = make_report(page)
    assert report["simulated"] is True
    assert {row["name"] for row in report["rows"]} >= {"upe", "identity", "oracle", "control:wrong_rater"}


def sign_up(page):
    """The first account of an empty site needs no invitation."""
    page.goto("/")
    page.get_by_role("link", name="Make the first").click()
    page.get_by_label("User name").fill("ada")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", name="No study yet")).to_be_visible()


def make_draft(page):
    page.get_by_role("link", name="New study").click()
    form = page.get_by_role("region", name="From the start")
    form.get_by_label("Name").fill("Evening light")
    form.get_by_label("Purpose").fill("Which tone do people like at dusk?")
    form.get_by_role("button", name="Make the draft").click()
    expect(page.get_by_text("Evening light is there, as a draft.")).to_be_visible()


def upload_photos(page):
    page.get_by_role("link", name="Add photos").click()
    page.locator("#files-input").set_input_files([photo.path for photo in PHOTOS[:6]])
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("The last import: 6 new")).to_be_visible(timeout=JOB_MS)


def make_renditions(page):
    page.get_by_role("link", name="On to the renditions").click()
    page.get_by_label("How many of each photo").fill("8")
    page.get_by_role("button", name="Make the renditions and pairs").click()
    expect(page.get_by_text("48 rendered.")).to_be_visible(timeout=JOB_MS)


def edit_protocol(page):
    """What it comes to is told as it is typed."""
    page.goto("/research/studies/evening-light/protocol/edit/")
    page.get_by_label("Main questions").fill("60")
    expect(page.get_by_text("60 that count, 10 checks")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The protocol is saved.")).to_be_visible()


def see_answers(page):
    page.goto("/research/studies/evening-light/")
    expect(page.get_by_role("heading", name="Evening light")).to_contain_text("simulated")
    expect(page.get_by_text(f"100 % of {RATERS * 60} planned")).to_be_visible()


def export(page):
    page.get_by_role("link", name="Datasets").click()
    page.get_by_role("button", name="Export a dataset").click()
    expect(page.get_by_text("DATASHEET.md")).to_be_visible(timeout=JOB_MS)


def train(page):
    page.get_by_role("link", name="Train on it").click()
    page.get_by_label("Preset").select_option("tiny")
    page.get_by_label("Steps").fill("30")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Make a report")).to_be_visible(timeout=JOB_MS)


def make_report(page):
    page.get_by_role("button", name="Make a report").click()
    with page.expect_download(timeout=JOB_MS) as download:
        page.get_by_role("link", name="Download JSON").click(timeout=JOB_MS)
    return json.loads(download.value.path().read_text())
