import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from collection.export.check import check_folder
from evaluation.protocol import EvaluationProtocol
from evaluation.report.evaluation import evaluate
from evaluation.simulation import simpps
from evaluation.simulation.dataset import luts_of
from evaluation.simulation.raters import Look, SimulatedRater
from learning.data.dataset import PreferenceDataset
from variants.tone.recipes import apply_recipe


@pytest.fixture(scope="module")
def small(monkeypatch_module, tmp_path_factory):
    """The clear level on the packages' photos alone, with few raters and small images."""
    monkeypatch_module.setitem(
        simpps.SIZES, "small", simpps.Size(n_raters=12, n_main=48, n_checks=4, long_side=64)
    )
    folder = tmp_path_factory.mktemp("simpps") / "clear"
    simpps.make_dataset("clear", folder, 0, size="small", shared=None)
    return folder


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def flat(red, green, blue):
    return np.full((8, 8, 3), (red, green, blue), np.float32)


@pytest.mark.parametrize(
    ("pixels", "kind"),
    [
        (flat(0.1, 0.1, 0.1), "dark, muted"),
        (flat(0.5, 0.0, 0.0), "dark, colourful"),
        (flat(0.9, 0.9, 0.9), "bright, muted"),
        (flat(0.9, 0.9, 0.1), "bright, colourful"),
    ],
)
def test_the_kind_of_a_scene_is_told_by_its_light_and_colour(pixels, kind):
    assert simpps.kind_of_scene(pixels) == kind


def test_the_folder_has_no_faults_and_is_marked(small):
    assert check_folder(small) == []
    assert PreferenceDataset.load(small).is_simulated


def test_all_scenes_of_a_photo_are_on_one_side(small):
    scenes = simpps.scenes("small", None)
    rows = pq.read_table(small / "scenes.parquet").to_pylist()  # in the order of the scenes
    sides = {}
    for scene, row in zip(scenes, rows, strict=True):
        assert row["category"] == scene.category
        sides.setdefault(scene.cut_from, []).append(row["split"])
    assert len(sides) == 8
    assert sorted(sides.values()) == 6 * [3 * ["train"]] + 2 * [3 * ["validation"]]


def test_the_clear_level_leaves_room_on_new_scenes(small):
    protocol = EvaluationProtocol(edit_size=64, metric_size=64)
    found = evaluate(PreferenceDataset.load(small), {}, protocol, on=("new",)).data
    assert set(found["episodes"]) == {"new"}
    assert found["oracle"]["ratio"]["new"] >= 1.3


def test_names_that_are_not_known_are_named(tmp_path):
    with pytest.raises(ValueError, match="no level 'hard'; there are clear, realistic, careless"):
        simpps.make_dataset("hard", tmp_path / "x")
    with pytest.raises(ValueError, match="no size 'huge'; there are tiny"):
        simpps.make_dataset("clear", tmp_path / "x", size="huge")


def test_the_published_size_asks_as_many_as_the_experiments_did():
    size = simpps.SIZES["paper"]
    assert (size.n_raters, size.n_main, size.n_checks) == (521, 80, 10)


def test_film_luts_are_looks_without_the_black_and_white_ones(shared_data):
    luts = simpps.film_luts(shared_data)
    assert len(luts) == len([p for p in (shared_data / "luts").glob("*.cube") if not p.name.startswith("bw")])
    assert all(key == lut.key for key, lut in luts.items())


def test_a_look_with_a_lut_can_be_rendered_from_the_folder_alone(shared_data, tmp_path, monkeypatch):
    monkeypatch.setitem(simpps.SIZES, "small", simpps.Size(n_raters=3, n_main=12, n_checks=2, long_side=64))
    monkeypatch.setattr(simpps, "PHOTO_FOLDERS", {})
    simpps.make_dataset("clear", tmp_path / "study", 0, size="small", shared=shared_data)
    dataset = PreferenceDataset.load(tmp_path / "study")
    taste = next(iter(dataset.raters.values())).simulation
    recipe = SimulatedRater.from_json(json.loads(taste)).ideal_recipe("dark, muted")
    assert recipe.lut in simpps.film_luts(shared_data)
    image = np.random.default_rng(0).random((4, 4, 3)).astype(np.float32)
    kept = apply_recipe(image, recipe, luts_of(tmp_path / "study"))
    own = apply_recipe(image, recipe, simpps.film_luts(shared_data))
    np.testing.assert_allclose(kept, own, atol=1e-6)
    assert check_folder(tmp_path / "study") == []


def test_luts_of_a_folder_whose_looks_have_none(small):
    assert luts_of(small) == {}


def test_the_lut_comes_after_the_concepts():
    look = Look(base={"exposure": 1.0}, content=0.0, seed=0, lut="ab" * 32, lut_strength=0.6)
    recipe = look.recipe("any", {"exposure": 1.0})
    assert recipe.steps == (("exposure", 0.7),)
    assert (recipe.lut, recipe.lut_strength) == ("ab" * 32, 0.6)
