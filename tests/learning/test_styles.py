import dataclasses
import datetime as dt
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from learning.models import Photo, PhotoRequest
from learning.services import PhotosRefused, photos_delete, style_change, style_mix, style_request
from learning.services.styles import MAX_LIKED
from learning.systems import neural_preset, pif
from learning.systems.deep_photo import DeepPhoto
from learning.systems.neural_preset.network import new_network
from learning.systems.pif.model import load_model
from learning.systems.pif.small import save_small_model
from learning.tasks import photos_task
from tests.factories import make_researcher, make_run
from tests.learning.test_photos import status_of, upload
from variants.jobs import Job
from variants.tone.concepts import CONCEPTS
from variants.tone.cube import read_cube
from variants.tone.images import decode_image
from variants.tone.recipes import Recipe, apply_recipe

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_researcher("alice")


def ask(user, liked=None, photos=None, **options):
    options = options if "run" in options else {"system": "pif_lite", **options}
    return style_request(liked or [upload("liked.png")], photos or [upload()], uploaded_by=user, **options)


def done(request):
    photos_task(request.pk)
    request.refresh_from_db()
    return request


def picture(request, index, name):
    return decode_image((Path(request.folder) / str(index) / name).read_bytes())


def test_a_style_is_learnt_with_a_strength_for_every_concept_and_rendered(alice):
    request = done(ask(alice, liked=[upload("a.png"), upload("b.png", size=(32, 48))]))
    assert (request.state, request.error) == (Job.State.DONE, "")
    assert request.learned.keys() == CONCEPTS.keys()
    own, first, second = request.photos.all()
    assert (own.is_liked, own.state, own.has_cube, own.width) == (False, "rendered", True, 48)
    assert [photo.state for photo in (first, second)] == ["rendered", "rendered"]
    assert read_cube(Path(request.folder) / "0" / "look.cube").table.shape == (33, 33, 33, 3)
    assert not (Path(request.folder) / "1" / "result.jpg").exists()


def test_concepts_set_by_hand_are_what_is_rendered(alice):
    request = done(ask(alice))
    by_hand = dict.fromkeys(CONCEPTS, 0.0) | {"exposure": 0.5}
    style_change(request, strength=1.0, strengths=by_hand)
    learned = request.learned
    request = done(request)
    assert (request.state, request.learned, request.strengths) == (Job.State.DONE, learned, by_hand)
    expected = apply_recipe(picture(request, 0, "before.jpg"), Recipe(steps=(("exposure", 0.5),)))
    assert np.abs(picture(request, 0, "after.jpg") - expected).mean() < 0.01
    cube = read_cube(Path(request.folder) / "0" / "look.cube").table
    grey = np.full((1, 1, 3), 0.5, np.float32)
    assert cube[16, 16, 16] == pytest.approx(
        apply_recipe(grey, Recipe(steps=(("exposure", 0.5),)))[0, 0], abs=1e-3
    )


def test_strength_zero_leaves_the_photos_as_they_are(alice):
    request = done(ask(alice, strength=0))
    np.testing.assert_array_equal(picture(request, 0, "before.jpg"), picture(request, 0, "after.jpg"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strength": 3}, "strength is 3"),
        ({"strengths": {"glow": 1}}, "no concept 'glow'"),
        ({"strengths": {"exposure": 9}}, "exposure is 9; it must be from -2 to 2"),
    ],
)
def test_a_change_that_cannot_be_is_refused(alice, change, message):
    request = done(ask(alice))
    with pytest.raises(PhotosRefused, match=message):
        style_change(request, **{"strength": 1.0, **change})
    request.refresh_from_db()
    assert request.state == Job.State.DONE


def test_of_two_changes_at_once_one_is_refused(alice):
    request = done(ask(alice))
    style_change(PhotoRequest.objects.get(pk=request.pk), strength=0.5)
    with pytest.raises(PhotosRefused, match="wait until it is"):
        style_change(request, strength=0.7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"system": "upe"}, "'upe' is not one of pif_lite"),
        (
            {"liked": [upload(f"{i}.png") for i in range(MAX_LIKED + 1)]},
            f"choose 1 to {MAX_LIKED} liked photos",
        ),
        ({"strength": -1}, "strength is -1"),
    ],
)
def test_what_no_style_can_be_read_from_is_refused_and_nothing_stays(
    alice, settings, tmp_path, options, message
):
    settings.TONALIST_DATA = tmp_path
    with pytest.raises(PhotosRefused, match=message):
        ask(alice, **options)
    assert not PhotoRequest.objects.exists()
    assert not (tmp_path / "rendered-photos").exists()


def test_a_run_that_reads_answers_alone_is_refused(alice, tmp_path):
    run = make_run(folder=tmp_path, started_by=alice)
    with pytest.raises(PhotosRefused, match="upe reads answers"):
        ask(alice, run=run)


def test_a_liked_file_that_is_no_photo_carries_its_reason_and_the_others_count(alice):
    bad = upload("notes.png")
    bad.file.truncate(10)
    bad.size = 10
    request = done(ask(alice, liked=[bad, upload("good.png")]))
    assert request.state == Job.State.DONE
    assert [p.state for p in request.photos.filter(is_liked=True)] == [
        Photo.State.FAILED,
        Photo.State.RENDERED,
    ]
    alone = upload("notes.png")
    alone.file.truncate(10)
    request = done(ask(alice, liked=[alone]))
    assert request.state == Job.State.FAILED
    assert "None of the 1 liked photos could be read. The first: notes.png" in request.error


def test_the_pages_from_the_form_to_the_sliders_and_away(client, alice):
    client.force_login(alice)
    address = reverse("learning:style-list")
    assert "Style from photos" in client.get(address).content.decode()
    form = {"way": "pif_lite", "strength": "1", "liked": [upload("a.png")], "photos": [upload("mine.png")]}
    reply = client.post(address, form)
    request = PhotoRequest.objects.get()
    page = reply.headers["Location"]
    assert page == reverse("learning:photo-request", args=[request.public_id])
    assert client.get(page).status_code == 200
    done(request)
    shown = client.get(page).content.decode()
    assert shown.count('type="range"') == 1 + len(CONCEPTS)
    assert shown.count("data-compare") == 1
    values = {name: f"{value:.3f}" for name, value in PhotoRequest.objects.get().learned.items()}
    change = reverse("learning:style-change", args=[request.public_id])
    assert client.post(change, {**values, "strength": "0.5", "exposure": "9"}).status_code == 422
    assert client.post(change, {**values, "strength": "0.5", "contrast": "0.25"}).status_code == 302
    request.refresh_from_db()
    assert (request.state, request.strength) == (Job.State.QUEUED, 0.5)
    assert request.strengths == {"contrast": 0.25}
    assert "is rendered again" in client.get(page).content.decode()  # beside what it was until then
    assert status_of(client, reverse("learning:photo-file", args=[request.public_id, 0, "after"])) == 200
    assert client.post(address, {**form, "liked": [], "photos": []}).status_code == 422
    photos_delete(done(request))
    assert client.get(page).status_code == 404


def test_two_styles_are_mixed_and_opposite_ones_cancel(alice, client):
    """Tints set by hand, so that what they come to together is known."""
    styles = []
    for name, tint in (("green", -0.4), ("magenta", 0.4)):
        style = done(ask(alice, name=name))
        style_change(style, strength=1.0, strengths=dict.fromkeys(CONCEPTS, 0.0) | {"tint": tint})
        styles.append(done(style))
    one, other = styles
    mixed = done(style_mix(one, other, share=0.5, uploaded_by=alice))
    assert (mixed.state, mixed.error, mixed.name) == (Job.State.DONE, "", "green + magenta")
    assert mixed.learned == pytest.approx(dict.fromkeys(CONCEPTS, 0.0), abs=1e-6)
    client.force_login(alice)
    page = reverse("learning:photo-request", args=[one.public_id])
    assert "Mix with another style" in client.get(page).content.decode()
    address = reverse("learning:style-mix", args=[one.public_id])
    reply = client.post(address, {"other": other.public_id, "share": "75"})
    third = PhotoRequest.objects.first()
    assert reply.headers["Location"] == reverse("learning:photo-request", args=[third.public_id])
    assert done(third).learned["tint"] == pytest.approx(0.2)
    assert [part["share"] for part in third.mixture] == [0.25, 0.75]
    assert "Mixed of green (25 %)" in client.get(reply.headers["Location"]).content.decode()


@pytest.mark.parametrize(
    ("which", "share", "message"),
    [
        ("own", 0.5, "mixed with itself"),
        ("palette", 0.5, "another run or system"),
        ("other", 2, "share is 2"),
    ],
)
def test_what_cannot_be_mixed_is_refused(alice, which, share, message):
    fields = {"uploaded_by": alice, "folder": "", "keep_until": timezone.now(), "state": Job.State.DONE}
    style = PhotoRequest.objects.create(system="pif_lite", name="warm", **fields)
    others = {
        "own": style,
        "palette": PhotoRequest.objects.create(system="deep_photo", name="palette", **fields),
        "other": PhotoRequest.objects.create(system="pif_lite", name="cool", **fields),
    }
    PhotoRequest.objects.update(keep_until=timezone.now() + dt.timedelta(days=1))
    with pytest.raises(PhotosRefused, match=message):
        style_mix(style, others[which], share=share, uploaded_by=alice)


def test_a_preset_is_downloaded_and_makes_the_same_style_again(alice, client, tmp_path):
    config = neural_preset.PRESETS["tiny"]()
    neural_preset.NeuralPreset(new_network(config), config).save(tmp_path)
    run = make_run(folder=tmp_path, started_by=alice, system="neural_preset", state=Job.State.DONE)
    first = done(ask(alice, run=run, name="dusk"))
    client.force_login(alice)
    reply = client.get(reverse("learning:style-preset", args=[first.public_id]))
    assert "dusk.safetensors" in reply.headers["Content-Disposition"]
    preset = SimpleUploadedFile("dusk.safetensors", b"".join(reply))
    again = done(style_request([], [upload()], uploaded_by=alice, run=run, preset=preset))
    assert (again.state, again.error, again.name) == (Job.State.DONE, "", "dusk")
    np.testing.assert_array_equal(picture(first, 0, "result.jpg"), picture(again, 0, "result.jpg"))
    broken = SimpleUploadedFile("dusk.safetensors", b"no preset")
    failed = done(style_request([], [upload()], uploaded_by=alice, run=run, preset=broken))
    assert (failed.state, "is not a preset, or was cut short" in failed.error) == (Job.State.FAILED, True)


def test_a_style_in_words_from_the_page_to_the_picture(alice, client, tmp_path):
    config = dataclasses.replace(pif.PRESETS["tiny"](), edit_size=32, lift="lut")
    save_small_model(tmp_path / "new/model", seed=0)
    model = load_model(
        str(tmp_path / "new/model"),
        rank=config.rank,
        timestep=config.timestep,
        residual_space="latent",
        seed=0,
    )
    pif.Pif(model, config, tmp_path / "new").save(tmp_path / "run")
    client.force_login(alice)
    address = reverse("learning:style-list")
    assert "word_exposure" not in client.get(address).content.decode()
    run = make_run(folder=tmp_path / "run", started_by=alice, system="pif")
    assert "word_exposure" in client.get(address).content.decode()
    form = {"way": run.public_id, "strength": "1", "word_exposure": "dark", "word_tint": ""}
    for changed, message in (
        ({"word_exposure": ""}, "Choose at least one photo."),
        ({"word_exposure": "loud"}, "loud is not one of the available choices"),
        ({"way": "pif_lite"}, "knows no words; a run of pif does"),
        ({"liked": [upload("a.png")]}, "send one of them"),
    ):
        page = client.post(address, {**form, "photos": [upload()], **changed})
        assert (page.status_code, message in page.content.decode()) == (422, True), changed
    client.post(address, {**form, "photos": [upload()]})
    request = done(PhotoRequest.objects.get())
    assert (request.state, request.error, request.words) == (Job.State.DONE, "", {"exposure": "dark"})
    assert (request.name, request.learned) == ("dark exposure", {})
    assert picture(request, 0, "result.jpg").shape == (32, 48, 3)
    # The model is gone: it is said, and the style stays.
    style_change(request, strength=0.5)
    shutil.rmtree(tmp_path / "run/model")
    request = done(request)
    assert (request.state, "model" in request.error) == (Job.State.FAILED, True)


def test_masks_go_with_their_photos_and_one_that_does_not_fit_is_said(alice):
    def mask(name, size=(48, 32)):
        file = io.BytesIO()
        image = Image.new("L", size)
        image.paste(255, (0, 0, size[0], size[1] // 2))
        image.save(file, "PNG")
        return SimpleUploadedFile(name, file.getvalue())

    own = [upload("lake.jpg"), upload("wood.jpg")]
    request = done(
        ask(
            alice,
            system="deep_photo",
            photos=own,
            liked=[upload("a.png")],
            masks=[mask("a.png"), mask("lake.png", (24, 16)), mask("wood.png", (9, 90))],
        )
    )
    assert (request.state, request.error) == (Job.State.DONE, "")
    lake, wood = request.photos.filter(is_liked=False)
    assert (lake.state, lake.has_cube) == ("rendered", False)
    assert "the mask of the photo was resized from 24×16 to 48×32" in lake.error
    assert (wood.state, "has another shape" in wood.error) == ("failed", True)
    for masks, message in (
        ([mask("b.png")], "b.png is the mask of no photo"),
        ([mask("lake.png")], "1 of the 1 liked photos have no mask"),
    ):
        with pytest.raises(PhotosRefused, match=message):
            ask(alice, system="deep_photo", photos=[upload("lake.jpg")], liked=[upload("a.png")], masks=masks)
    with pytest.raises(PhotosRefused, match="pif_lite has no segments"):
        ask(alice, liked=[upload("a.png")], masks=[mask("a.png")])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"liked": []}, "these are 0"),
        ({"words": {"exposure": "dark"}}, "send one of them"),
        ({"liked": [], "words": {"exposure": "dark"}}, "pif_lite knows no words"),
        ({"liked": [], "preset": SimpleUploadedFile("a.npz", b"a")}, "pif_lite has no presets"),
    ],
)
def test_a_style_is_read_from_one_thing_that_its_reader_knows(alice, given, message):
    asked = {"liked": [upload("a.png")], "photos": [upload()], "uploaded_by": alice, "system": "pif_lite"}
    with pytest.raises(PhotosRefused, match=message):
        style_request(**asked | given)


def test_deleting_says_first_what_will_be_gone(alice, client):
    request = ask(alice, liked=[upload("a.png"), upload("b.png")])
    client.force_login(alice)
    address = reverse("learning:photo-delete", args=[request.public_id])
    assert (
        "1 photo of yours with all that was made of it, 2 liked photos"
        in client.get(address).content.decode()
    )
    assert PhotoRequest.objects.exists()
    client.post(address)
    assert not PhotoRequest.objects.exists()


def test_an_edit_that_no_lut_holds_is_watched_and_what_there_is_to_say_of_it_is_kept(alice, monkeypatch):
    monkeypatch.setattr("learning.work.baked", lambda *_: None)
    transfer = DeepPhoto.transfer

    def with_a_note(self, *arguments, report, **options):
        report(1, 2, "fitting")
        made = transfer(self, *arguments, report=report, **options)
        return dataclasses.replace(made, notes=("stopped, its best is kept",))

    monkeypatch.setattr(DeepPhoto, "transfer", with_a_note)
    request = done(ask(alice, system="deep_photo"))
    photo = request.photos.get(is_liked=False)
    assert (request.state, request.learned) == (Job.State.DONE, None)
    assert (photo.state, photo.error, photo.has_cube) == ("rendered", "stopped, its best is kept", False)
