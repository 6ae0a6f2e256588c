"""Diffusion edits of a study's photos, as they are ordered and done on a terminal."""

import pytest
from django.core.management import CommandError

from collection.models import Study
from tests.collection.commands.test_sources import make_study, photos, run  # noqa: F401  (a fixture among them)
from tests.variants.conftest import media, tiny  # noqa: F401  (fixtures)
from variants.models import Pair, RenderJob, Rendition
from variants.sources import drift

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]
SMALL = ("--megapixels", 96 * 64 / 2**20, "--steps", 1)


@pytest.fixture
def study(photos, settings):  # noqa: F811
    settings.DIFFUSION = {"device": "cpu", "dtype": "auto", "offload": "none", "batch": 1}
    return make_study(photos, "n_main=2")


def test_instructions_of_a_file_are_carried_out_and_paired(study, tmp_path, tiny, monkeypatch):  # noqa: F811
    monkeypatch.setattr(drift, "MIN_LIKENESS", -1.0)  # what random weights draw would be thrown out
    path = tmp_path / "edits.csv"
    path.write_text("scene,instruction\n,warm the light\n0,lift the shadows\n1,\nnowhere,cool it\n")
    result, _, errors = run(
        "generate_variants",
        study.slug,
        "--diffusion-edits",
        2,
        "--instructions",
        path,
        "--editor",
        tiny("kontext"),
        *SMALL,
        "--wait",
    )
    assert (result["renditions"], result["failed"], result["thrown_out"]) == (2 * 3, 0, 0)
    assert errors.splitlines() == [
        "left out: edits.csv, line 4: the instruction is empty",
        f"left out: edits.csv, line 5: {study.slug} has no scene 'nowhere'",
    ]
    edits = Rendition.objects.filter(source_type="C").select_related("scene")
    assert {(row.scene.name, row.recipe["diffusion_edit"]["instruction"]) for row in edits} == {
        ("0", "warm the light"),
        ("0", "lift the shadows"),
        ("1", "warm the light"),
    }
    assert result["pairs"] == Pair.objects.count() > 0
    assert set(Pair.objects.values_list("source_type", flat=True)) == {"C"}


def test_written_edits_that_show_something_else_are_told_of(study, tiny):  # noqa: F811
    result, _, errors = run(
        "generate_variants", study.slug, "--diffusion-edits", 1, "--editor", tiny("pix2pix"), "--writer", tiny("llava"),
        *SMALL, "--wait",
    )  # fmt: skip
    assert (result["renditions"], result["failed"]) == (4, 0)
    states = set(Rendition.objects.filter(source_type="C").values_list("state", flat=True))
    assert states <= {"rendered", "rejected"}
    assert result["thrown_out"] == Rendition.objects.filter(state="rejected").count()
    assert bool(result["thrown_out"]) == ("thrown out; the first: its content is not the photo's" in errors)


def test_without_waiting_a_worker_gets_the_job_and_no_model_is_loaded(study):
    result, text, _ = run("generate_variants", study.slug, "--diffusion-edits", 3)
    assert "wait for a worker" in text
    assert (result["state"], result["renditions"]) == ("queued", 2 * 4)
    edit = RenderJob.objects.get().renditions.filter(source_type="C").first().recipe["diffusion_edit"]
    assert edit["model"] == "black-forest-labs/FLUX.1-Kontext-dev"
    assert edit["writer"]["model"] == "llava-hf/llava-v1.6-mistral-7b-hf"
    assert edit["instruction"] == ""


def test_a_model_that_is_not_there_says_so_and_the_photo_stays(study, tmp_path):
    result, _, errors = run(
        "generate_variants",
        study.slug,
        "--diffusion-edits",
        1,
        "--editor",
        tmp_path,
        "--writer",
        tmp_path,
        "--wait",
    )
    assert (result["state"], result["failed"]) == ("done", 2)
    assert f"2 renditions failed; the first: {tmp_path} holds no config.json" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--diffusion-edits", "0"), "--diffusion-edits is 0"),
        (("--diffusion-edits", "1", "--steps", "0"), "steps is 0"),
        (("--diffusion-edits", "1", "--megapixels", "-1"), "megapixels is -1"),
        (("--diffusion-edits", "1", "--editor", ""), "model is empty"),
        (("--diffusion-edits", "1", "--writer", ""), "the writer's model is empty"),
        (("--diffusion-edits", "1", "--instructions", "/nowhere.txt"), "nowhere.txt: No such file"),
        (
            ("--diffusion-edits", "1", "--instructions", "/dev/null"),
            "null holds no instruction that can be used",
        ),
    ],
)
def test_impossible_orders_are_wrong_use(study, options, message):
    with pytest.raises(CommandError, match=message) as caught:
        run("generate_variants", study.slug, *options)
    assert caught.value.returncode == 2
    assert Study.objects.get().render_jobs.count() == 0
