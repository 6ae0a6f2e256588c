import pytest
from django.core.files.storage import FileSystemStorage, default_storage
from django.urls import reverse

from tests.variants.factories import make_scene
from variants.rendering import renditions_render
from variants.services import renditions_plan
from variants.tone.recipes import NEUTRAL, Recipe

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


@pytest.fixture
def rendition(media, tmp_path):
    scene = make_scene(tmp_path)
    renditions_plan([scene], [NEUTRAL], long_side=48, encoding="webp_lossless").run(renditions_render)
    return scene.renditions.get()


def address(rendition):
    return reverse("variants:image", args=[rendition.public_id])


def test_anybody_with_the_address_gets_the_file(client, rendition):
    response = client.get(address(rendition))
    assert response.status_code == 200
    with rendition.image.open("rb") as file:
        assert response.content == file.read()
    assert response["Content-Type"] == "image/webp"
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response["ETag"] == f'"{rendition.sha256}"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in response


def test_who_has_it_is_not_sent_it_again(client, rendition, monkeypatch):
    monkeypatch.setattr(FileSystemStorage, "_open", None)  # the file is not even opened
    response = client.get(address(rendition), headers={"if-none-match": f'"{rendition.sha256}"'})
    assert (response.status_code, response.content) == (304, b"")
    assert response["ETag"] == f'"{rendition.sha256}"'
    assert "immutable" in response["Cache-Control"]


def test_head_has_no_body(client, rendition):
    response = client.head(address(rendition))
    assert (response.status_code, response.content) == (200, b"")


def test_the_address_tells_nothing_of_the_recipe(rendition):
    assert address(rendition) == f"/images/{rendition.public_id}"
    assert len(rendition.public_id) == 32


@pytest.mark.parametrize("public_id", ["0" * 32, "x", "..%2f..%2fdb.sqlite3", "%00"])
def test_an_unknown_image_is_not_found(client, db, public_id):
    assert client.get(f"/images/{public_id}").status_code == 404


def test_there_is_no_listing(client, rendition):
    assert client.get("/images/").status_code == 404


def test_a_planned_rendition_is_not_found(client, rendition):
    scene = rendition.scene
    renditions_plan([scene], [Recipe(look="golden")], long_side=48, encoding="png")
    assert client.get(address(scene.renditions.last())).status_code == 404


def test_a_lost_file_is_not_found(client, rendition):
    default_storage.delete(rendition.image.name)
    assert client.get(address(rendition)).status_code == 404


def test_writing_is_refused(client, rendition):
    assert client.post(address(rendition)).status_code == 405
    assert client.delete(address(rendition)).status_code == 405
