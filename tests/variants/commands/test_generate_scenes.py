import io
import json

import pytest
from django.core.management import CommandError, call_command

from variants.models import Scene, SceneJob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


def run(*args):
    out, err = io.StringIO(), io.StringIO()
    call_command("generate_scenes", *map(str, args), "--json", "--quiet", stdout=out, stderr=err)
    return json.loads(out.getvalue().splitlines()[-1]), err.getvalue()


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text("prompt,category\na lake at dawn,nature\n,people\na street,\n")
    return path


def test_prompts_become_scenes(prompts, tiny, settings):
    settings.DIFFUSION = {"device": "cpu", "dtype": "auto", "offload": "none", "batch": 2}
    options = (
        "--generator",
        tiny("flux"),
        "--size",
        "64x64",
        "--steps",
        1,
        "--each",
        2,
        "--category",
        "city",
    )
    result, errors = run(prompts, *options, "--licence", "CC0", "--wait")
    assert (result["made"], result["known"], result["failed"]) == (4, 0, [])
    assert result["left_out"] == [{"where": "prompts.csv, line 3", "reason": "the prompt is empty"}]
    assert errors == "1 left out:\n  prompts.csv, line 3: the prompt is empty\n"
    assert sorted(Scene.objects.values_list("category", flat=True)) == ["city", "city", "nature", "nature"]
    assert set(Scene.objects.values_list("licence", flat=True)) == {"CC0"}
    seeds = {scene.ingest["text_to_image"]["seed"] for scene in Scene.objects.filter(category="city")}
    assert seeds == {0, 1}
    again, _ = run(prompts, *options, "--wait")
    assert (again["ordered"], again["known"]) == (0, 4)


def test_without_waiting_a_worker_gets_the_job(prompts, django_capture_on_commit_callbacks):
    result, _ = run(prompts)
    assert (result["state"], result["ordered"]) == ("queued", 2)
    order = SceneJob.objects.get().orders.first()
    assert order.recipe["text_to_image"]["model"] == "black-forest-labs/FLUX.1-Krea-dev"
    assert "Non-Commercial" in order.licence


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "big"), "--size is 'big'"),
        (("--size", "20x4000"), "size is 20×4000"),
        (("--each", "0"), "--each is 0"),
        (("--steps", "0"), "steps is 0"),
        (("--generator", ""), "model is empty"),
        (("--category", "x" * 51), "at most 50 characters"),
    ],
)
def test_impossible_orders_are_wrong_use(prompts, options, message):
    with pytest.raises(CommandError, match=message) as caught:
        run(prompts, *options)
    assert caught.value.returncode == 2


def test_a_file_without_prompts_makes_nothing(tmp_path):
    (tmp_path / "none.txt").write_text("\n\n")
    with pytest.raises(CommandError, match=r"none.txt holds no prompt that can be used"):
        run(tmp_path / "none.txt")
