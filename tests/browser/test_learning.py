"""Pages of learners in a real browser: the form that starts a run, and photos before and after."""

import datetime as dt

import numpy as np
import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from learning.models import Photo, PhotoRequest
from tests.factories import make_export, make_researcher, make_run, make_study
from variants.jobs import Job
from variants.tone.images import encode_image

pytestmark = pytest.mark.django_db(transaction=True)


def signed_in(visited, user):
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    visited.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": visited.home}])
    return visited.page()


def test_missing_weights_are_said_as_the_form_is_filled_in(visit, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    make_export(make_study(), folder=tmp_path)
    visited = visit()
    page = signed_in(visited, make_researcher())
    page.goto(visited.home + reverse("learning:run-create"))
    told = page.get_by_text("python -m learning.fetch dinov2_base")
    expect(page.get_by_label("Preset")).to_have_value("tiny")
    expect(told).to_be_hidden()
    page.get_by_label("Preset").select_option("full")
    expect(told).to_be_visible()
    expect(page.get_by_label("Start all the same")).to_be_visible()
    page.get_by_label("Backbone").select_option("tone_statistics")
    expect(told).to_be_hidden()


def test_a_photo_shows_what_it_was_while_it_is_held(visit, tmp_path):
    alice = make_researcher()
    request = PhotoRequest.objects.create(
        learner=make_run(make_export(make_study())),
        rater_id="rater0",
        uploaded_by=alice,
        folder=str(tmp_path),
        keep_until=timezone.now() + dt.timedelta(days=1),
        state=Job.State.DONE,
    )
    Photo.objects.create(
        request=request, index=0, name="a.jpg", state=Photo.State.RENDERED, width=300, height=200
    )
    (tmp_path / "0").mkdir()
    for name, grey in (("before", 0.2), ("after", 0.8)):
        pixels = np.full((200, 300, 3), grey, np.float32)
        (tmp_path / "0" / f"{name}.jpg").write_bytes(encode_image(pixels, "jpeg_444"))
    visited = visit()
    page = signed_in(visited, alice)
    page.goto(visited.home + reverse("learning:photo-request", args=[request.public_id]))
    page.wait_for_load_state("networkidle")
    shown = page.locator(".before")
    border = "el => getComputedStyle(el).clipPath"
    assert shown.evaluate(border) == "inset(0px 50% 0px 0px)"
    page.get_by_role("slider").fill("20")
    assert shown.evaluate(border) == "inset(0px 80% 0px 0px)"
    box = shown.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    assert shown.evaluate(border) == "inset(0px 0% 0px 0px)"
    page.mouse.up()
    assert shown.evaluate(border) == "inset(0px 80% 0px 0px)"
