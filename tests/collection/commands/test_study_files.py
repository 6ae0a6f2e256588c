"""`create_study FILE` and `export_study`, as they are typed."""

import io

import numpy as np
import pytest
from django.core.management import call_command
from PIL import Image

from collection.design.study_file import read_study_file
from collection.models import Study, StudyPair
from tests.collection.commands.test_study_commands import refused, run
from variants.models import Rendition, Scene
from variants.services import scene_take

pytestmark = pytest.mark.django_db

FILE = """\
name: Grey days
slug: grey
purpose: |
  Do people like it grey?
  We ask.
simulated: true
scenes:
  categories: [people, food]
recruiting:
  access: panel
  panel: prolific
  completion_code: C1ABC
protocol:
  n_main: 30
  n_checks: 3
  languages: [de, en]
  rules:
    min_consistency: 0.8
"""


@pytest.fixture(autouse=True)
def scenes():
    for n, category in enumerate(("food", "people", "people", "cars")):
        Scene.objects.create(
            name=f"{n}", category=category, source_type="ABEE"[n], width=9, height=9, original=f"{n}.jpg"
        )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(FILE)
    return path


def exported(*args) -> str:
    out = io.StringIO()
    call_command("export_study", *map(str, args), stdout=out)
    return out.getvalue()


def test_a_study_is_made_from_a_file(file):
    _, made = run("create_study", file)
    study = Study.objects.get(slug="grey")
    assert (study.name, study.is_simulated, study.purpose) == (
        "Grey days",
        True,
        "Do people like it grey?\nWe ask.\n",
    )
    assert made["scenes"] == 3
    assert (study.protocol["n_main"], study.protocol["rules"]["min_consistency"]) == (30, 0.8)
    assert (study.recruiting["panel"], study.recruiting["completion_code"]) == ("prolific", "C1ABC")


def test_options_go_before_what_the_file_says(file):
    options = [
        "--slug",
        "other",
        "--set",
        "n_main=40",
        "--seed",
        "7",
        "--purpose",
        "Why",
        "--category",
        "cars",
    ]
    _, made = run("create_study", file, *options, "--recruiting", "completion_code=X")
    study = Study.objects.get(slug="other")
    assert (study.protocol["n_main"], study.protocol["n_checks"], study.protocol["seed"]) == (40, 3, 7)
    assert (study.purpose, made["scenes"], study.recruiting["completion_code"]) == ("Why", 1, "X")


def test_what_is_exported_makes_the_same_study(file, tmp_path):
    run("create_study", file)
    _, result = run("export_study", "grey", tmp_path / "out.yaml")
    assert result == {"study": "grey", "file": str(tmp_path / "out.yaml")}
    run("create_study", tmp_path / "out.yaml", "--slug", "again")
    one, other = Study.objects.get(slug="grey"), Study.objects.get(slug="again")
    for field in ("name", "protocol", "purpose", "licence", "citation"):
        assert getattr(one, field) == getattr(other, field)
    assert (one.is_simulated, other.is_simulated) == (True, False)
    assert "\nsimulated: true\n" in exported("grey", "--simulated")
    assert set(one.scenes.all()) == set(other.scenes.all())
    assert other.recruiting["panel"] == "prolific"
    assert other.recruiting["completion_code"] == ""


def test_codes_are_written_when_asked_for(file):
    run("create_study", file)
    assert "C1ABC" not in exported("grey")
    assert "Codes and addresses of the ends are not in this file" in exported("grey")
    text = exported("grey", "--with-codes")
    assert read_study_file(text.encode()).recruiting.to_json() == Study.objects.get().recruiting
    assert "not in this file" not in text


def test_the_scenes_are_named_exactly(tmp_path):
    run("create_study", "All")
    ids = sorted(Scene.objects.values_list("public_id", flat=True))
    assert list(read_study_file(exported("all").encode()).scenes.ids) == ids
    Study.objects.get(slug="all").scenes.clear()
    run("export_study", "all", tmp_path / "none.yaml")
    run("create_study", tmp_path / "none.yaml", "--slug", "none")
    assert not Study.objects.get(slug="none").scenes.exists()


def test_the_same_renditions_and_pairs_are_made_on_another_site(tmp_path):
    Scene.objects.all().delete()
    for seed in (1, 2):
        scene_take(noise(seed), name=f"{seed}", file_name=f"{seed}.png")

    def made(*options):
        run("generate_variants", "first", *options, "--wait")
        study = Study.objects.get()
        renditions = Rendition.objects.filter(scene__studies=study).values_list("recipe_key", flat=True)
        pairs = study.pairs.values_list("scene__public_id", "image_a__recipe_key", "image_b__recipe_key")
        return sorted(renditions), sorted(pairs)

    run("create_study", "First", "--set", "long_side=64", "--seed", "5")
    there = made("--recipes", "6", "--seed", "9")
    run("export_study", "first", tmp_path / "first.yaml")
    StudyPair.objects.all().delete()
    Study.objects.all().delete()
    Rendition.objects.all().delete()
    run("create_study", tmp_path / "first.yaml")
    # Before anything is rendered, the copy's own file says as much.
    assert exported("first") == (tmp_path / "first.yaml").read_text()
    here = made()
    assert len(set(there[0])) == 6
    assert len(there[1]) > 4
    assert here == there


def noise(seed):
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((64, 48)).save(out, "PNG")
    return out.getvalue()


def test_scenes_by_source_and_by_id(tmp_path):
    path = tmp_path / "study.yml"
    path.write_text("name: A and B\nscenes: {sources: [A, B]}\n")
    _, made = run("create_study", path)
    assert made["scenes"] == 2
    one = Scene.objects.first()
    path.write_text(f"name: One\nscenes: {{ids: ['{one.public_id}']}}\n")
    run("create_study", path)
    assert list(Study.objects.get(slug="one").scenes.all()) == [one]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scenes: {categories: [cats]}", "no scene has the category 'cats'; there are cars, food, people"),
        ("scenes: {sources: [C]}", "no scene has the source type 'C'; there are A, B, E"),
        ("scenes: {categories: [food], sources: [B]}", "no scene has both"),
        ("scenes: {ids: [nowhere]}", "no scene here has the ID 'nowhere'"),
        ("protocol: {n_mian: 3}", "line 2: Protocol has no field 'n_mian'; did you mean 'n_main'?"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(f"name: S\n{text}\n")
    told = refused("create_study", path)
    assert message in told
    assert "\n" not in told
    assert not Study.objects.exists()


def test_files_that_cannot_be_read_are_named(tmp_path):
    assert "is not there, or is no file" in refused("create_study", tmp_path / "no.yaml")
    (tmp_path / "folder.yaml").mkdir()
    assert "is no file" in refused("create_study", tmp_path / "folder.yaml")
    (tmp_path / "big.yaml").write_bytes(b"#" * 10_000_000)
    assert "big.yaml: is larger than 1,000,000 bytes" in refused("create_study", tmp_path / "big.yaml")


def test_a_file_is_never_overwritten(file):
    run("create_study", file)
    assert "already there" in refused("export_study", "grey", file)
    assert file.read_text() == FILE
    assert "cannot be written" in refused("export_study", "grey", file / "below")


def test_a_slug_that_is_taken_is_named(file):
    run("create_study", file)
    assert "already here" in refused("create_study", file)
