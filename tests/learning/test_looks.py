"""Participants' looks: offered, read, rendered, adjusted, taken away, and gone."""

import datetime as dt
import io
from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import pytest
from django.core.management import call_command
from django.utils import timezone
from PIL import Image

from collection.selectors.person_data import person_data
from collection.services.answers import answer_record
from collection.services.withdrawal import rater_withdraw
from learning import services
from learning.look_cards import can_write, card_picture
from learning.look_work import PROFILE
from learning.looks import FEWEST_ANSWERS, adjusted_last, look_address, look_state, study_look_of
from learning.models import Look, LookAdjustment, LookOrder, LookPhoto, StudyLook
from learning.services import LookRefused, StudyLookRefused, looks_expire, study_look_close, study_look_open
from learning.services.looks import MAX_OWN
from learning.systems import LOOK_MAKERS, SYSTEMS, pif_lite
from learning.systems.concepts import SLIDERS
from learning.tasks import look_task, study_look_task
from learning.training.run_folder import write_arrays
from tests.collection.api.v1.visits import Program
from tests.collection.factories import answer_all, make_session, make_study
from tests.factories import make_researcher, make_run
from variants.jobs import Job, jobs_take_over
from variants.tone.cube import read_cube
from variants.tone.images import decode_image

pytestmark = pytest.mark.django_db
PLAIN = {"phases": ("consent", "main"), "n_checks": 0, "scene_gap": 0, "block_size": 0}


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.TONALIST_DATA = tmp_path
    return tmp_path


@pytest.fixture
def run(trained):
    return make_run(folder=trained[1], is_simulated=True)


def opened(run, n_main=2, n_scenes=4, **fields):
    study = make_study(n_scenes=n_scenes, per_scene=3, files=True, n_main=n_main, **PLAIN)
    study_look_open(study, run, **fields)
    return study


def looked(study, name="alice"):
    """A person who has answered all, and their look as the workers have made it."""
    session = make_session(study, name)
    answer_all(session)
    look = services.look_ask(session, study_look_of(study))
    work(look)
    return Look.objects.get(pk=look.pk)


def work(look):
    for order in look.orders.filter(state=Job.State.QUEUED):
        look_task(order.pk)


def jpeg(size=(60, 40), grey=100):
    file = io.BytesIO()
    Image.new("RGB", size, (grey, grey, grey)).save(file, "JPEG", quality=95)
    return file.getvalue()


def add(look, content):
    photo = services.look_photo_add(look, io.BytesIO(content), len(content))
    work(look)
    return LookPhoto.objects.filter(pk=photo.pk).first()


def test_a_look_is_made_of_photos_that_were_not_asked_about(client, run):
    look = looked(opened(run))
    asked = set(look.session.questions.values_list("pair__scene", flat=True))
    shown = {photo.scene_id for photo in look.photos.all()}
    assert shown
    assert not shown & asked
    state = look_state(look)
    assert (state["state"], state["answers"], state["sliders"]) == ("ready", 2, [])
    for photo in state["photos"]:
        assert photo["is_current"]
        for address in photo["pictures"].values():
            reply = client.get(address)
            assert (reply.status_code, reply.headers["Cache-Control"]) == (200, "no-store")
            assert decode_image(b"".join(reply)).shape == (64, 96, 3)


def test_who_has_seen_all_photos_gets_some_from_elsewhere(run, monkeypatch):
    monkeypatch.setattr("learning.looks.N_PHOTOS", 1)
    look = looked(opened(run, n_main=4, n_scenes=2))
    (photo,) = look_state(look)["photos"]
    assert (photo["packaged"], photo["attribution"]) == (
        True,
        "NASA: portrait of Eileen Collins, public domain",
    )


def test_half_way_a_first_look_needs_ten_answers_and_the_studys_leave(client, run):
    study = opened(run, n_main=12, n_scenes=6)
    session = make_session(study)
    page = f"/look/{session.token}/"
    for n, question in enumerate(session.questions.all()[:FEWEST_ANSWERS]):
        assert look_address(session) == ""
        if n == FEWEST_ANSWERS - 1:
            assert "A first look needs 1 more answer." in client.get(page).text
        answer_record(session.token, question.token, "left", 900, {}, timezone.now())
    assert look_address(session) == page
    assert "data-look=" in client.get(page).text
    StudyLook.objects.update(shows_early=False)
    assert look_address(session) == ""
    assert client.post(f"{page}begin/").status_code == 410


def test_more_answers_are_read_again(run):
    study = opened(run, n_main=12, n_scenes=6)
    session = make_session(study)
    for question in session.questions.all()[:FEWEST_ANSWERS]:
        answer_record(session.token, question.token, "left", 900, {}, timezone.now())
    look = services.look_ask(session, study_look_of(study))
    work(look)
    services.look_ask(session, study_look_of(study))
    assert look.orders.count() == 1
    answer_all(session)
    work(services.look_ask(session, study_look_of(study)))
    assert look_state(Look.objects.get())["answers"] == 12


def test_a_study_is_refused_what_a_run_cannot_do(run):
    study = make_study(**PLAIN)
    for other, why in (
        (make_run(folder=run.folder, system="user_decoder"), "user_decoder cannot show people their look"),
        (make_run(folder=run.folder, system="pif_lite"), "pif_lite cannot show people their look"),
        (make_run(folder=run.folder, state=Job.State.RUNNING), "only a run that is done"),
        (make_run(folder="/nowhere"), "whose folder is there"),
    ):
        with pytest.raises(StudyLookRefused, match=why):
            study_look_open(study, other)
    assert set(LOOK_MAKERS) <= set(SYSTEMS)
    study_look_task(study_look_open(study, run).pk)  # whose pairs have no images
    assert "no rendered pairs" in StudyLook.objects.get().error


def test_what_is_made_ready_makes_small_copies_and_goes_when_it_is_closed(
    run, django_capture_on_commit_callbacks
):
    study = opened(run)
    study_look_task(StudyLook.objects.get().pk)
    found = StudyLook.objects.get()
    assert (found.state, found.error, found.done) == (Job.State.DONE, "", 12)
    assert len(list(Path(found.folder).iterdir())) == 12
    look = looked(study)
    with django_capture_on_commit_callbacks(execute=True):
        study_look_close(study)
    assert not Path(found.folder).exists()
    assert not Path(look.folder).exists()
    assert not Look.objects.exists()


def test_ones_own_photo_is_rendered_and_deleted(client, run):
    look = looked(opened(run))
    page = f"/look/{look.session.token}/"
    sent = client.post(f"{page}photos/", jpeg(), content_type="application/octet-stream")
    assert sent.status_code == 201
    work(look)
    photo = look.photos.get(is_own=True)
    assert (photo.index, photo.width, photo.height, photo.fault) == (sent.json()["index"], 60, 40, "")
    order = client.post(
        f"{page}files/",
        {"photo": photo.index, "what": "photo", "strength": 0},
        content_type="application/json",
    )
    assert client.get(f"{page}files/{order.json()['file']}/").status_code == 404  # it is not made yet
    work(look)
    file = client.get(f"{page}files/{order.json()['file']}/")
    content = b"".join(file)
    assert 'filename="my-look.jpg"' in file.headers["Content-Disposition"]
    np.testing.assert_allclose(decode_image(content), decode_image(jpeg()), atol=2 / 255)  # strength 0
    photos = photo.folder
    for _ in range(2):  # deleted twice is deleted
        gone = client.post(f"{page}photos/{photo.index}/delete/")
        assert gone.status_code == 200
        assert not any(each["own"] for each in gone.json()["photos"])
    assert not photos.exists()
    assert client.get(f"{page}files/{order.json()['file']}/").status_code == 404


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"no photo at all", "unreadable"),
        (jpeg((400, 300))[:900], "unreadable"),
        (None, "too_many_pixels"),
    ],
)
def test_what_is_no_photo_is_said_and_not_kept(run, content, fault):
    if content is None:
        file = io.BytesIO()
        Image.new("1", (11_000, 9_500)).save(file, "PNG")  # 104 megapixels
        content = file.getvalue()
    look = looked(opened(run))
    photo = add(look, content)
    assert (photo.fault, photo.version) == (fault, 0)
    assert not (photo.folder / "upload").exists()
    assert look_state(look)["state"] == "ready"


def test_too_much_is_refused_and_nothing_stays(run, monkeypatch):
    look = looked(opened(run))
    with pytest.raises(LookRefused, match="0 bytes"):
        add(look, b"")
    monkeypatch.setattr("learning.services.looks.MAX_BYTES", 100)
    for length in (101, 0):  # said before, or found out
        with pytest.raises(LookRefused) as refused:
            services.look_photo_add(look, io.BytesIO(b"x" * 101), length)
        assert refused.value.code == "too_large"
    monkeypatch.setattr("learning.services.looks.MAX_BYTES", 10**6)
    assert not look.photos.filter(is_own=True).exists()
    for _ in range(MAX_OWN):
        add(look, jpeg())
    with pytest.raises(LookRefused, match="delete one of them"):
        add(look, jpeg())


def test_own_photos_go_when_their_time_is_over(run, capsys):
    look = looked(opened(run))
    photo = add(look, jpeg())
    LookPhoto.objects.filter(pk=photo.pk).update(keep_until=timezone.now() - dt.timedelta(seconds=1))
    assert not any(each["own"] for each in look_state(look)["photos"])
    call_command("expire_photos")
    assert "1 uploads deleted" in capsys.readouterr().out
    assert not photo.folder.exists()
    assert looks_expire() == 0


def test_a_lut_is_read_by_other_programs_and_a_card_says_nothing_of_the_person(run):
    look = looked(opened(run))
    photo = look.photos.first()
    photo.look = look
    for what in ("cube", "card"):
        services.look_file_order(look, photo, what, 1.0)
    work(look)
    cube, card = (services.looks.look_file_path(look, order) for order in look.orders.exclude(what="read"))
    lut = read_cube(cube)
    assert (lut.table.shape, lut.title) == ((33, 33, 33, 3), "your look")
    processor = ocio.Config.CreateRaw().getProcessor(ocio.FileTransform(str(cube))).getDefaultCPUProcessor()
    np.testing.assert_allclose(processor.applyRGB([0.5, 0.5, 0.5]), lut.table[16, 16, 16], atol=1e-5)
    with Image.open(card) as image:
        assert (image.width, not image.getexif()) == (1080, True)
    with pytest.raises(LookRefused, match="of one's own"):
        services.look_file_order(look, photo, "photo", 1.0)


def test_a_card_has_both_halves_and_no_letters_that_its_font_lacks():
    before, after = (np.full((40, 60, 3), grey, np.float32) for grey in (0.2, 0.8))
    card = card_picture(before, after, title="Evening walks")
    middle = card.shape[0] // 3
    assert (card[middle, 200, 0], card[middle, 900, 0], card[5, 5, 0]) == (51, 204, 0x77)
    assert can_write("Abendspaziergänge")
    assert not can_write("夕方の散歩")
    assert card_picture(before, after, title="夕方の散歩").shape[0] < card.shape[0]


@pytest.fixture
def adjustable(folder, monkeypatch):
    """A look with concepts: a person whose taste is to leave photos as they are. Nothing is read, which is slow here."""
    monkeypatch.setattr("learning.services.looks.LOOK_MAKERS", (*LOOK_MAKERS, "pif_lite"))
    run_folder = folder / "run"
    run_folder.mkdir()
    system = pif_lite.untrained()
    system.save(run_folder)
    study = opened(make_run(folder=run_folder, system="pif_lite"))
    session = make_session(study)
    answer_all(session)
    look = services.look_ask(session, study_look_of(study))
    look.orders.all().delete()
    Path(look.folder).mkdir(parents=True)
    learned = {name: slider.neutral for name, slider in SLIDERS["pif_lite"].items()}
    profile = {"strengths": np.zeros(len(learned), np.float32)}
    write_arrays(Path(look.folder) / PROFILE, profile, system="pif_lite")
    LookPhoto.objects.create(look=look, index=0, scene=study.scenes.first())
    Look.objects.update(learned=learned, n_answers=2, version=1)
    LookOrder.objects.create(look=look, what=LookOrder.What.RENDER)
    work(look)
    return Look.objects.get()


def brightness(look, name="after"):
    photo = look.photos.first()
    path = photo.folder / ("before.jpg" if name == "before" else f"{photo.version}-{name}.jpg")
    return decode_image(path.read_bytes()).mean()


def test_what_is_set_by_hand_changes_the_look_and_is_an_answer(client, adjustable):
    look = adjustable
    assert brightness(look) == pytest.approx(brightness(look, "before"), abs=0.01)
    assert {slider["name"] for slider in look_state(look)["sliders"]} == set(SLIDERS["tastelut"])
    page = f"/look/{look.session.token}/"
    body = {"strengths": {"exposure": 1.0}, "photo": 0}
    for _ in range(2):  # the same again is no second answer
        assert client.post(f"{page}adjust/", body, content_type="application/json").status_code == 200
    work(look)
    assert brightness(look) > brightness(look, "before") + 0.05
    assert client.post(f"{page}dial/", {"strength": 1.2}, content_type="application/json").status_code == 200
    rows = list(LookAdjustment.objects.values_list("concept", "value", "photo__index"))
    assert rows == [("exposure", 1.0, 0), ("strength", 1.2, None)]
    client.post(f"{page}adjust/", {"strengths": {}}, content_type="application/json")
    assert adjusted_last(Look.objects.get()) == {"exposure": 0.0}
    (told,) = person_data(look.session.rater.person)["studies"][0]["sessions"]
    assert [row["value"] for row in told["look"]["adjustments"]] == [1.0, 1.2, 0.0]


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("adjust/", {"strengths": {"glow": 1}}, "no concept 'glow'"),
        ("adjust/", {"strengths": {"exposure": 9}}, "exposure is 9; it must be from -2 to 2"),
        ("adjust/", {"strengths": {"exposure": "1"}}, "a number for each concept"),
        ("dial/", {"strength": 2}, "from 0 to 1.5"),
        ("dial/", {"strength": None}, "strength must be a number"),
        ("files/", {"photo": 0, "what": "weights", "strength": 1}, "photo, cube or card"),
        ("files/", {"what": "cube", "strength": 1}, "photo must be the number"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(client, adjustable, path, body, detail):
    reply = client.post(f"/look/{adjustable.session.token}/{path}", body, content_type="application/json")
    assert (reply.status_code, detail in reply.json()["detail"]) == (400, True), reply.json()
    assert not LookAdjustment.objects.exists()


def test_nobody_reaches_what_is_anothers(client, run):
    study = opened(run)
    alice, bob = looked(study), looked(study, "bob")
    order = services.look_file_order(alice, alice.photos.first(), "cube", 1.0)
    work(alice)
    there = f"/look/{bob.session.token}/"
    assert client.get(f"{there}files/{order.public_id}/").status_code == 404
    assert client.get(f"{there}photos/99/after/").status_code == 404
    assert client.get(f"{there}photos/0/weights/").status_code == 404
    assert client.get(f"/look/{'0' * 32}/state/").status_code == 404


def test_who_withdraws_leaves_no_look_behind(run, client, django_capture_on_commit_callbacks):
    look = looked(opened(run))
    add(look, jpeg())
    token = look.session.token
    with django_capture_on_commit_callbacks(execute=True):
        rater_withdraw(look.session, timezone.now())
    assert not Path(look.folder).exists()
    assert not Look.objects.exists()
    assert client.get(f"/look/{token}/").status_code == 404


def test_who_withdraws_while_it_is_made_leaves_nothing_either(run):
    look = looked(opened(run))
    order = services.look_file_order(look, look.photos.first(), "cube", 1.0)
    Look.objects.all().delete()
    look_task(order.pk)
    assert not LookOrder.objects.exists()


def test_another_worker_makes_what_a_dead_one_left(run):
    study = opened(run)
    session = make_session(study)
    answer_all(session)
    look = services.look_ask(session, study_look_of(study))
    order = look.orders.get()
    order.claim()
    LookOrder.objects.update(worker="elsewhere:1:1", heartbeat_at=timezone.now() - dt.timedelta(minutes=2))
    look_task(order.pk)
    order.refresh_from_db()
    assert (order.state, look_state(Look.objects.get())["state"]) == (Job.State.DONE, "ready")
    assert jobs_take_over() == 0


def test_without_a_worker_the_page_is_told(client, run):
    study = opened(run)
    session = make_session(study)
    answer_all(session)
    page = f"/look/{session.token}/"
    state = client.post(f"{page}begin/").json()
    assert (state["state"], state["is_at_work"]) == ("making", False)
    LookOrder.objects.update(created_at=timezone.now() - dt.timedelta(seconds=30))
    assert client.get(f"{page}state/").json()["waited"] >= 30
    LookOrder.objects.update(state=Job.State.FAILED, finished_at=timezone.now())
    assert client.get(f"{page}state/").json()["state"] == "failed"
    client.post(f"{page}begin/")  # not yet again
    assert LookOrder.objects.count() == 1
    LookOrder.objects.update(finished_at=timezone.now() - dt.timedelta(minutes=1))
    assert client.post(f"{page}begin/").json()["state"] == "making"
    assert LookOrder.objects.count() == 2


def test_the_end_and_the_consent_tell_of_it(client, run):
    study = opened(run)
    assert "shows you photos in your own look" in client.get(f"/s/{study.slug}/").text
    session = make_session(study)
    answer_all(session)
    assert (
        client.get(f"/api/participant/sessions/{session.token}/").json()["end"]["look"]
        == f"/look/{session.token}/"
    )
    study_look_close(study)
    assert client.get(f"/api/participant/sessions/{session.token}/").json()["end"]["look"] == ""
    assert "your own look" not in client.get(f"/s/{study.slug}/").text


def test_a_researcher_opens_and_closes_it(client, run):
    study = make_study(files=True, **PLAIN)
    alice = Program(client)
    assert alice.get(f"studies/{study.slug}/look/").status_code == 404
    made = alice.post(f"studies/{study.slug}/look/", {"run": run.public_id})
    assert (made.status_code, made.json()["is_open"], made.json()["run"]) == (201, True, run.public_id)
    other = make_run(folder=run.folder, system="pif")
    refused = alice.post(f"studies/{study.slug}/look/", {"run": other.public_id})
    assert (refused.status_code, "pif cannot show people" in refused.json()["detail"]) == (409, True)
    assert alice.post(f"studies/{study.slug}/look/", {"run": "abc"}).status_code == 422
    assert alice.post(f"studies/{study.slug}/look/close/").json()["is_open"] is False
    client.force_login(make_researcher("carol"))
    address = f"/research/runs/looks/{study.slug}/"
    assert "Give participants their look" in client.get(address).text
    assert client.post(address, {"run": run.public_id}).status_code == 302
    found = StudyLook.objects.get()
    assert (found.is_open, found.shows_early) == (True, False)
    page = client.get(address).text
    assert "learnt from simulated raters" in page
    assert client.post(f"{address}close/").status_code == 302
    assert not StudyLook.objects.get().is_open
