"""A researcher makes a study in the browser, from a folder of photos to opening it."""

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from PIL import Image
from playwright.sync_api import expect

from collection.models import Membership, Role, Session, Study
from collection.rendering import study_photos_import, study_variants_render
from collection.services.studies import study_create
from tests.factories import make_researcher
from variants.models import PhotoJob, RenderJob

pytestmark = pytest.mark.django_db(transaction=True)

PIXELS = np.random.default_rng(1)


@pytest.fixture
def researcher(visit, live_server):
    """A page of somebody who is signed in."""
    client = Client()
    client.force_login(make_researcher("alice", is_superuser=False))
    visited = visit(1440, 900)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    visited.context.add_cookies([cookie])
    return visited


def photos_in(folder, n):
    (folder / "meer").mkdir(parents=True)
    for k in range(n):
        small = PIXELS.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((96, 72)).save(folder / "meer" / f"Düne {k}.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / "notes.txt").write_text("not a photo either")


def test_a_broken_connection_is_told_at_once(researcher, live_server, tmp_path):
    photos_in(tmp_path / "urlaub", 1)
    study = study_create("Küstenlicht", scenes=())
    Membership.objects.create(study=study, user=get_user_model().objects.get(), role=Role.OWNER)
    page = researcher.page()
    page.goto(f"{live_server.url}{study.get_absolute_url()}photos/")
    page.route("**/known/", lambda route: route.abort())
    page.locator("#folder-input").set_input_files(tmp_path / "urlaub" / "meer")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("No connection. Trying again, 1 of 3: meer/Düne 0.png")).to_be_visible(
        timeout=900
    )
    page.unroute("**/known/")
    expect(page.get_by_text("waiting for a worker")).to_be_visible()
    assert PhotoJob.objects.get().files.count() == 1


def test_a_study_is_made_from_photos_to_open(researcher, live_server, tmp_path):
    photos_in(tmp_path / "urlaub", 2)
    page = researcher.page()
    page.goto(f"{live_server.url}/research/studies/new/")
    page.get_by_label("Name", exact=True).first.fill("Küstenlicht")
    page.get_by_role("button", name="Make the draft").click()
    page.get_by_role("link", name="Add photos").click()

    page.locator("#folder-input").set_input_files(tmp_path / "urlaub")
    expect(page.get_by_text("1 other file passed over")).to_be_visible()
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("waiting for a worker")).to_be_visible()
    PhotoJob.objects.get().run(study_photos_import)  # what a worker does
    page.reload()
    expect(page.get_by_text("2 new, 0 on the site already, 1 refused")).to_be_visible()
    # The same folder once more: nothing of it is sent.
    page.locator("#folder-input").set_input_files(tmp_path / "urlaub" / "meer")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("waiting for a worker")).to_be_visible()
    assert sum("/file/?name=" in address for address in researcher.requests) == 3
    PhotoJob.objects.first().run(study_photos_import)

    study = Study.objects.get()
    home = f"{live_server.url}{study.get_absolute_url()}"
    page.goto(f"{home}protocol/edit/")
    page.get_by_label("Main questions").fill("many")
    expect(page.get_by_text("It must be a whole number from 1 to 1000; it is 'many'.")).to_be_visible()
    page.get_by_label("Main questions").fill("4")
    expect(page.get_by_text("It must be at most n_main (4); it is 10.")).to_be_visible()
    page.get_by_label("Checks: an earlier pair again, sides flipped").fill("1")
    expect(page.get_by_text("All of it can be saved.")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The protocol is saved.")).to_be_visible()

    page.goto(f"{home}renditions/")
    page.get_by_label("How many of each photo").fill("5")
    page.get_by_role("button", name="Make the renditions and pairs").click()
    expect(page.get_by_text("waiting for a worker")).to_be_visible()
    RenderJob.objects.get().run(study_variants_render)

    page.goto(home)
    with researcher.context.expect_page() as opened:
        page.get_by_role("button", name="Short, 10 questions").click()
    preview = opened.value
    preview.get_by_role("button", name="I agree, begin").click()
    preview.wait_for_url("**/session/**")
    expect(preview.get_by_text("Preview: nothing that is answered here")).to_be_visible()
    assert Session.objects.get().study.preview_of == study

    page.get_by_role("button", name="Open the study").click()
    expect(page.get_by_text("The study is open.")).to_be_visible()
    study.refresh_from_db()
    assert (study.status, study.sessions.count()) == ("open", 0)
    assert researcher.faults == []
