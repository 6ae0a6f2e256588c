import datetime as dt
import io
from pathlib import Path

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from collection.models import AuditEntry, Membership, Role
from config import doctor
from learning.models import PhotoRequest
from learning.services import PhotosRefused, photos_delete, photos_expire, photos_request
from learning.services.photos import MAX_PHOTOS
from learning.tasks import photos_task
from tests.factories import make_export, make_rater, make_researcher, make_run, make_study
from variants.jobs import Job
from variants.tone.cube import read_cube
from variants.tone.images import Limits, decode_image

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(trained):
    dataset, folder = trained
    return make_run(make_export(make_study(), folder=dataset), folder=folder, is_simulated=True)


@pytest.fixture
def alice():
    return make_researcher("alice")


def upload(name="holiday.png", size=(48, 32)):
    pixels = np.linspace(40, 200, size[0] * size[1] * 3).reshape(size[1], size[0], 3).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return SimpleUploadedFile(name, file.getvalue(), content_type="image/png")


def ask(run, user, *photos, **fields):
    return photos_request(run, photos or [upload()], uploaded_by=user, **{"rater_id": "rater0", **fields})


def status_of(client, address):
    reply = client.get(address)
    b"".join(reply)  # read to its end, a file is closed
    return reply.status_code


def done(request):
    photos_task(request.pk)
    request.refresh_from_db()
    return request


def test_photos_are_rendered_and_what_was_uploaded_is_gone(run, alice):
    request = done(ask(run, alice, upload("a.png"), upload("b.png")))
    assert (request.state, request.error) == (Job.State.DONE, "")
    for photo in request.photos.all():
        assert (photo.state, photo.width, photo.height, photo.has_cube) == ("rendered", 48, 32, True)
        folder = Path(request.folder) / str(photo.index)
        assert {path.name for path in folder.iterdir()} == {"before.jpg", "after.jpg", "small.jpg", "result.jpg", "look.cube"}  # fmt: skip
        assert read_cube(folder / "look.cube").table.shape == (33, 33, 33, 3)


def test_strength_zero_changes_nothing(run, alice):
    request = done(ask(run, alice, strength=0))
    before, after = (
        decode_image((Path(request.folder) / "0" / name).read_bytes()) for name in ("before.jpg", "after.jpg")
    )
    np.testing.assert_array_equal(before, after)


def test_a_file_that_is_no_photo_carries_its_reason_and_the_rest_goes_on(run, alice):
    bad = SimpleUploadedFile("notes.png", b"not a photo")
    request = done(ask(run, alice, bad, upload()))
    states = list(request.photos.values_list("state", flat=True))
    assert (request.state, states) == (Job.State.DONE, ["failed", "rendered"])
    assert "notes.png: not an image that can be read" in request.photos.get(index=0).error


def test_pixels_are_counted_before_they_are_decoded(run, alice, monkeypatch):
    monkeypatch.setattr("learning.work.LIMITS", Limits(max_pixels=999))

    request = done(ask(run, alice))
    assert request.state == Job.State.FAILED
    assert "megapixels; at most" in request.error


@pytest.mark.parametrize(
    ("fields", "photos", "message"),
    [
        ({"rater_id": "rater99"}, 1, "no rater 'rater99'"),
        ({"strength": 3}, 1, "strength is 3"),
        ({}, MAX_PHOTOS + 1, f"choose 1 to {MAX_PHOTOS} photos"),
    ],
)
def test_what_cannot_be_rendered_is_refused_and_nothing_stays(run, alice, settings, fields, photos, message):
    with pytest.raises(PhotosRefused, match=message):
        ask(run, alice, *(upload() for _ in range(photos)), **fields)
    assert not PhotoRequest.objects.exists()


def test_too_many_bytes_are_refused_by_the_web_process(run, alice, monkeypatch):
    monkeypatch.setattr("learning.services.photos.MAX_BYTES", 100)
    with pytest.raises(PhotosRefused, match=r"holiday\.png is larger than"):
        ask(run, alice)


def test_nothing_is_made_of_the_answers_of_who_has_withdrawn(client, run, alice):
    rater = make_rater(run.export.study)
    rater.public_id, rater.withdrawn_at = "rater0", timezone.now()
    rater.save()
    client.force_login(alice)
    page = client.get(reverse("learning:photo-list", args=[run.public_id])).content.decode()
    assert "rater1" in page
    assert "rater0" not in page
    with pytest.raises(PhotosRefused, match="has withdrawn"):
        ask(run, alice)


def test_photos_go_when_their_time_is_over_and_on_request(run, alice):
    old, other = ask(run, alice), ask(run, alice)
    folders = [Path(request.folder) for request in (old, other)]
    PhotoRequest.objects.filter(pk=old.pk).update(keep_until=timezone.now() - dt.timedelta(seconds=1))
    assert photos_expire() == 1
    photos_delete(other)
    assert not PhotoRequest.objects.exists()
    assert not any(folder.exists() for folder in folders)
    assert AuditEntry.objects.filter(action="photos.delete", what=other.public_id).exists()


def test_doctor_tells_of_photos_kept_too_long_and_the_command_deletes_them(run, alice, capsys):
    ask(run, alice)
    PhotoRequest.objects.update(keep_until=timezone.now() - dt.timedelta(seconds=1))
    assert "1 uploads of photos to render are kept longer than promised" in doctor._kept_data().detail
    call_command("expire_photos")
    assert "1 uploads deleted" in capsys.readouterr().out
    assert doctor._kept_data().state == "ok"


def test_photos_that_a_worker_has_are_asked_to_stop_first(run, alice):
    request = ask(run, alice)
    request.claim()
    photos_delete(request)
    request.refresh_from_db()
    assert request.cancel_requested
    assert request.is_expired


def test_only_who_uploaded_photos_sees_them(client, run):
    vera, eva = (make_researcher(name, is_superuser=False) for name in ("vera", "eva"))
    for user in (vera, eva):
        Membership.objects.create(study=run.export.study, user=user, role=Role.OWNER)
    request = done(ask(run, vera))
    addresses = [reverse(f"learning:photo-{name}", args=[request.public_id]) for name in ("request", "progress")]  # fmt: skip
    addresses += [reverse("learning:photo-file", args=[request.public_id, 0, name]) for name in ("before", "after", "result", "cube")]  # fmt: skip
    for user, status in ((eva, 404), (vera, 200), (make_researcher("root"), 200)):
        client.force_login(user)
        assert {status_of(client, address) for address in addresses} == {status}
    client.force_login(eva)
    assert client.post(reverse("learning:photo-delete", args=[request.public_id])).status_code == 404
    PhotoRequest.objects.update(keep_until=timezone.now())
    client.force_login(vera)
    assert {status_of(client, address) for address in addresses} == {404}


def test_the_page_takes_photos_and_shows_them(client, run, alice):
    client.force_login(alice)
    address = reverse("learning:photo-list", args=[run.public_id])
    page = client.get(address).content.decode()
    assert "Held out of training" in page
    assert "deleted after 7 days" in page
    reply = client.post(address, {"rater": "rater1", "strength": "1", "photos": [upload("a.png"), upload("b.png")]})  # fmt: skip
    request = PhotoRequest.objects.get()
    assert reply.headers["Location"] == reverse("learning:photo-request", args=[request.public_id])
    done(request)
    page = client.get(reply.headers["Location"]).content.decode()
    assert page.count("data-compare") == 2
    assert "The rater is simulated" in page
    assert client.post(address, {"rater": "rater1", "strength": "9"}).status_code == 422
