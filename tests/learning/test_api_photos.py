"""Photos to a taste and styles from photos, as programs ask for them."""

from pathlib import Path

import pytest

from collection.api.v1.bodies import FormBody
from collection.models import Scope
from learning import api_photos
from learning.models import PhotoRequest
from learning.tasks import photos_task
from tests.collection.api.v1.visits import Program
from tests.factories import make_export, make_researcher, make_run, make_study
from tests.learning.test_photos import upload
from variants.jobs import Job
from variants.tone.concepts import CONCEPTS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def waits(monkeypatch, settings, tmp_path):
    settings.TONALIST_DATA = tmp_path
    monkeypatch.setattr(Job, "enqueue", lambda job: None)


@pytest.fixture
def alice(client):
    return Program(client)


@pytest.fixture
def run(trained):
    dataset, folder = trained
    return make_run(make_export(make_study(), folder=dataset), folder=folder, is_simulated=True)


def send(program, path, form, **headers):
    headers = {"Authorization": f"Bearer {program.secret}", **headers}
    return program.client.post(f"/api/v1/{path}", form, headers=headers)


def style(**fields):
    return {"system": "pif_lite", "liked": [upload("a.png"), upload("b.png")], "photos": [upload()], **fields}


def test_a_style_from_its_files_to_its_pictures_and_away(alice):
    made = send(alice, "styles/", style())
    assert (made.status_code, made.json()["state"]) == (201, "queued")
    path = made.headers["Location"].removeprefix("/api/v1/")
    assert [each["files"] for each in made.json()["photos"]] == [None] * 3
    photos_task(PhotoRequest.objects.get().pk)
    read = alice.get(path).json()
    assert (read["state"], read["error"], read["run"], read["system"]) == ("done", "", None, "pif_lite")
    assert read["learned"].keys() == CONCEPTS.keys()
    assert [(each["name"], each["is_liked"], each["state"]) for each in read["photos"]] == [
        ("holiday.png", False, "rendered"), ("a.png", True, "rendered"), ("b.png", True, "rendered"),
    ]  # fmt: skip
    own, liked, _ = (each["files"] for each in read["photos"])
    for name, starts in {"before": b"\xff\xd8", "after": b"\xff\xd8", "result": b"\xff\xd8"}.items():
        reply = alice.client.get(own[name], headers={"Authorization": f"Bearer {alice.secret}"})
        assert reply.headers["Content-Type"] == "image/jpeg"
        assert b"".join(reply).startswith(starts)
    cube = alice.client.get(own["cube"], headers={"Authorization": f"Bearer {alice.secret}"})
    assert b"LUT_3D_SIZE 33" in b"".join(cube)
    assert (liked["result"], liked["cube"]) == (None, None)
    assert alice.get(f"{path}0/cube/").status_code == 404
    assert [each["id"] for each in alice.get("styles/").json()["results"]] == [read["id"]]

    # strengths
    changed = alice.post(f"{path}change/", {"strength": 0.5, "strengths": {"exposure": 0.25}}).json()
    assert (changed["state"], changed["strength"], changed["strengths"]) == (
        "queued",
        0.5,
        {"exposure": 0.25},
    )
    assert alice.post(f"{path}change/", {"strength": 1}).status_code == 409  # it is at work
    PhotoRequest.objects.update(state=Job.State.DONE)
    assert alice.post(f"{path}change/", {"strength": 1}).json()["strengths"] == {"exposure": 0.25}
    PhotoRequest.objects.update(state=Job.State.DONE)
    for body, status, detail in (
        ({"strengths": {"glow": 1}}, 409, "no concept 'glow'"),
        ({"strengths": {"exposure": "1"}}, 422, "valid number"),
        ({"strength": 3}, 422, "strength"),
        ({"strenght": 1}, 422, "did you mean 'strength'"),
    ):
        reply = alice.post(f"{path}change/", body)
        assert (reply.status_code, detail in reply.json()["detail"]) == (status, True), reply.json()

    assert alice("delete", path).status_code == 204
    assert alice.get(path).status_code == 404


def test_masks_a_name_and_a_mix(alice):
    masked = style(system="deep_photo", masks=[upload("a.png"), upload("b.png")], name="Dusk", strength="0.5")
    made = send(alice, "styles/", masked).json()
    assert (made["name"], made["strength"], made["words"], made["mixture"]) == ("Dusk", 0.5, {}, [])
    folder = Path(PhotoRequest.objects.get().folder)
    assert [(folder / str(i) / "mask").is_file() for i in range(3)] == [False, True, True]
    for wrong, detail in (
        (style(masks=[upload("a.png")]), "pif_lite has no segments"),
        (style(system="deep_photo", masks=[upload("a.png")]), "1 of the 2 liked photos have no mask"),
        (style(system="deep_photo", masks=[upload("z.png")]), "z.png is the mask of no photo"),
        (style(liked=[], words=["exposure=dark"]), "pif_lite knows no words"),
        (style(liked=[], preset=upload("a.npz")), "pif_lite has no presets"),
        (style(liked=[upload(f"{i}.png") for i in range(51)]), "no more than 50"),
    ):
        reply = send(alice, "styles/", wrong)
        assert (reply.status_code in (409, 422), detail in reply.json()["detail"]) == (True, True), (
            reply.json()
        )
    assert send(alice, "styles/", style(words=["dark"])).json()["detail"].count("CONCEPT=WORD")

    one, other = (send(alice, "styles/", style(name=name)).json() for name in ("one", "other"))
    PhotoRequest.objects.update(state=Job.State.DONE)
    for asked in PhotoRequest.objects.filter(system="pif_lite"):
        (Path(asked.folder) / "profile.safetensors").write_bytes(b"a profile")
    mixed = alice.post(f"photos/{one['id']}/mix/", {"other": other["id"], "share": 0.25, "name": "both"})
    assert mixed.status_code == 201
    assert (mixed.json()["name"], [part["share"] for part in mixed.json()["mixture"]]) == (
        "both",
        [0.75, 0.25],
    )
    for body, status, detail in (
        ({"other": "nobody"}, 422, "no style 'nobody'"),
        ({"other": one["id"]}, 409, "mixed with itself"),
        ({"other": made["id"]}, 409, "only styles of one can be mixed"),
        ({"other": other["id"], "share": 2}, 422, "share"),
    ):
        reply = alice.post(f"photos/{one['id']}/mix/", body)
        assert (reply.status_code, detail in reply.json()["detail"]) == (status, True), reply.json()
    assert alice.get(f"photos/{one['id']}/preset.safetensors").status_code == 404


def test_photos_to_a_raters_taste(alice, run):
    made = send(alice, f"runs/{run.public_id}/photos/", {"rater": "rater0", "photos": [upload()]})
    photos_task(PhotoRequest.objects.get().pk)
    read = alice.get(f"photos/{made.json()['id']}/").json()
    assert (read["state"], read["rater"], read["run"]) == ("done", "rater0", run.public_id)
    assert read["photos"][0]["files"]["cube"].endswith("/0/look.cube")
    listed = alice.get(f"runs/{run.public_id}/photos/").json()["results"]
    assert [each["id"] for each in listed] == [read["id"]]
    assert alice.get("styles/").json()["results"] == []
    assert alice.post(f"photos/{read['id']}/change/", {"strength": 1}).status_code == 409
    gone = send(alice, f"runs/{run.public_id}/photos/", {"rater": "rater99", "photos": [upload()]})
    assert (gone.status_code, "no rater 'rater99'" in gone.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("form", "status", "detail"),
    [
        (style(photos=[]), 422, "photos is missing"),
        (style(photos="no file"), 422, "not a file"),
        (style(system="upe"), 422, "There is no system 'upe'"),
        (style(run="abc"), 422, "either `system` or `run`"),
        ({**style(run="abc"), "system": []}, 422, "no run 'abc'"),
        (style(strength="much"), 422, "strength"),
        (style(strength=["1", "2"]), 422, "strength may stand once"),
        (style(style="warm"), 422, "no field 'style'"),
        (style(photos=[upload() for _ in range(13)]), 422, "no more than 12"),
    ],
)
def test_a_form_that_is_wrong_is_refused_with_the_reason(alice, form, status, detail):
    reply = send(alice, "styles/", form)
    assert (reply.status_code, detail in reply.json()["detail"]) == (status, True), reply.json()
    assert not PhotoRequest.objects.exists()


def test_json_is_no_form(alice):
    assert alice.post("styles/", {"system": "pif_lite"}).status_code == 415


def test_what_is_too_large_is_not_read(alice, monkeypatch):
    read = []
    monkeypatch.setattr(api_photos.StyleBody, "max_file_bytes", 1000)
    whole = send(alice, "styles/", style(photos=[upload(size=(400, 300))]))
    assert (whole.status_code, "holiday.png is larger than 1000" in whole.json()["detail"]) == (413, True)
    monkeypatch.setattr(api_photos.StyleBody, "max_bytes", 100)
    monkeypatch.setattr(FormBody.__mro__[1], "parse", lambda *args: read.append(args))
    assert send(alice, "styles/", style()).status_code == 413
    assert (read, PhotoRequest.objects.exists()) == ([], False)


def test_one_key_makes_one_style_and_knows_its_files(alice):
    key = {"Idempotency-Key": "one"}
    first = send(alice, "styles/", style(), **key)
    again = send(alice, "styles/", style(), **key)
    assert (again.status_code, again.json(), again.headers["Idempotency-Replayed"]) == (
        201,
        first.json(),
        "true",
    )
    another = upload("a.png", size=(47, 32))
    for changed in (style(liked=[another, upload("b.png")]), style(liked=[upload("b.png"), upload("a.png")])):
        assert send(alice, "styles/", changed, **key).status_code == 422
    assert PhotoRequest.objects.count() == 1


def test_others_do_not_see_them_and_read_alone_makes_none(alice, client):
    made = send(alice, "styles/", style()).json()
    bob = Program(client, make_researcher("bob", is_superuser=False), scopes=[Scope.READ])
    path = f"photos/{made['id']}/"
    assert bob.get(path).status_code == bob.get(f"{path}0/before/").status_code == 404
    assert bob.get("styles/").json()["results"] == []
    for refused in (send(bob, "styles/", style()), bob.post(f"{path}cancel/"), bob("delete", path)):
        assert (refused.status_code, "train" in refused.json()["detail"]) == (403, True)
    assert alice.post(f"{path}cancel/").json()["state"] == "cancelled"
