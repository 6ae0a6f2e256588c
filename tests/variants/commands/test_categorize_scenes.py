import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests.variants.factories import make_scene
from variants.models import Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(media, settings, tiny):
    settings.DIFFUSION = settings.DIFFUSION | {"device": "cpu"}

    def run(*args, model="clip"):
        out, errors = io.StringIO(), io.StringIO()
        model = tiny(model) if model == "clip" else model
        call_command("categorize_scenes", *args, "--model", model, "--json", stdout=out, stderr=errors)
        return json.loads(out.getvalue().splitlines()[-1]), errors.getvalue()

    return run


def test_scenes_without_a_category_get_the_likeliest(tmp_path, run):
    given = make_scene(tmp_path, 1, category="art")
    open_ = [make_scene(tmp_path, seed) for seed in (2, 3)]
    found, errors = run("--categories", "people, food,people")
    assert (found["categorized"], found["left_out"], errors) == (2, [], "")
    for scene in (given, *open_):
        scene.refresh_from_db()
    assert given.category == "art"
    for scene in open_:
        assert scene.category in ("people", "food")
        assert scene.ingest["category_by"].endswith("clip")
        assert 0.5 <= scene.ingest["category_share"] <= 1
    assert run("--categories", "people,food")[0]["categorized"] == 0


def test_a_photo_that_cannot_be_read_is_left_out_and_the_others_go_on(tmp_path, run):
    lost, kept = (make_scene(tmp_path, seed, name=name) for seed, name in enumerate(("lost", "kept")))
    lost.original.storage.delete(lost.original.name)
    found, errors = run("--categories", "people,food")
    assert found["categorized"] == 1
    assert "left out: lost: " in errors
    assert Scene.objects.get(pk=lost.pk).category == ""
    assert Scene.objects.get(pk=kept.pk).category


@pytest.mark.parametrize(
    ("categories", "words"),
    [("people", "two or more"), (" , ", "two or more"), ("a," + "x" * 51, "longer than 50 characters")],
)
def test_categories_that_cannot_be_are_refused(run, categories, words):
    with pytest.raises(CommandError, match=words) as caught:
        run("--categories", categories)
    assert caught.value.returncode == 2


def test_missing_weights_are_named(tmp_path, run):
    make_scene(tmp_path)
    with pytest.raises(CommandError, match="does not exist; check the path"):
        run("--categories", "people,food", model=str(tmp_path / "nothing"))
