import numpy as np
import pyarrow as pa
import pytest

from learning.data.dataset import DatasetError, PreferenceDataset
from learning.data.episodes import EpisodeConfig, EpisodeSampler
from tests.learning.factories import edit_table, make_dataset

CONFIG = EpisodeConfig(raters=8, targets=3, min_references=2, max_references=6)


@pytest.fixture
def dataset(tmp_path):
    return PreferenceDataset.load(make_dataset(tmp_path / "d", n_answers=18, invalid_raters=1))


def scenes_of(dataset, images):
    return {dataset.images[dataset.image_ids[i]].scene_id for i in np.ravel(images)}


def test_references_never_show_a_targets_scene(dataset):
    sampler, rng = EpisodeSampler(dataset, CONFIG), np.random.default_rng(0)
    for _ in range(50):
        drawn = sampler.draw(rng)
        for rater in range(CONFIG.raters):
            references = scenes_of(dataset, drawn.reference_preferred[rater])
            targets = scenes_of(dataset, drawn.target_preferred[rater])
            assert not references & targets


def test_held_out_scenes_and_raters_are_never_drawn(dataset):
    sampler, rng = EpisodeSampler(dataset, CONFIG), np.random.default_rng(0)
    allowed = {
        (j.preferred_image, j.rejected_image)
        for rater in ("rater2", "rater3", "rater4")
        for j in dataset.judgments_of(rater)
        if j.scene_id != "scene3"
    }
    for _ in range(50):
        drawn = sampler.draw(rng)
        for preferred, rejected in (
            (drawn.reference_preferred, drawn.reference_rejected),
            (drawn.target_preferred, drawn.target_rejected),
        ):
            pairs = zip(np.ravel(preferred), np.ravel(rejected), strict=True)
            assert {(dataset.image_ids[p], dataset.image_ids[r]) for p, r in pairs} <= allowed


def test_the_number_of_references_goes_through_its_whole_range(dataset):
    sampler, rng = EpisodeSampler(dataset, CONFIG), np.random.default_rng(0)
    assert {sampler.draw(rng).reference_preferred.shape[1] for _ in range(60)} == {2, 3, 4, 5, 6}


def test_the_same_seed_draws_the_same(dataset):
    sampler = EpisodeSampler(dataset, CONFIG)
    one, same = (sampler.draw(np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.reference_rejected, same.reference_rejected)
    np.testing.assert_array_equal(one.target_preferred, same.target_preferred)


def test_on_one_scene_references_and_targets_share_no_answer(tmp_path):
    folder = make_dataset(tmp_path / "d", n_scenes=1, validation_scenes=0, n_answers=6)
    dataset = PreferenceDataset.load(folder)
    sampler, rng = EpisodeSampler(dataset, CONFIG), np.random.default_rng(0)
    for _ in range(20):
        drawn = sampler.draw(rng)
        for rater in range(CONFIG.raters):
            pairs = [
                set(zip(p[rater].tolist(), r[rater].tolist(), strict=True))
                for p, r in (
                    (drawn.reference_preferred, drawn.reference_rejected),
                    (drawn.target_preferred, drawn.target_rejected),
                )
            ]
            assert not pairs[0] & pairs[1]


def test_raters_with_too_few_answers_are_named_and_left_out(tmp_path):
    folder = make_dataset(tmp_path / "d", n_answers=18)

    def without_most_of_rater2(table):
        of_rater2 = np.array(table["rater_id"].to_pylist()) == "rater2"
        return table.filter(~of_rater2 | (np.cumsum(of_rater2) <= 2))

    edit_table(folder, "judgments", without_most_of_rater2)
    sampler = EpisodeSampler(PreferenceDataset.load(folder), CONFIG)
    assert sampler.left_out == ["rater2"]
    assert sampler.n_raters == 3


def test_a_rater_who_only_ever_said_no_difference_is_left_out(tmp_path):
    folder = make_dataset(tmp_path / "d")
    _make_ties(folder, lambda rater: rater == "rater3")
    sampler = EpisodeSampler(PreferenceDataset.load(folder), EpisodeConfig())
    assert sampler.left_out == ["rater3"]
    assert sampler.n_raters == 3


def test_where_nobody_prefers_anything_there_is_nothing_to_train_on(tmp_path):
    folder = make_dataset(tmp_path / "d")
    _make_ties(folder, lambda rater: True)
    dataset = PreferenceDataset.load(folder)
    assert dataset.judgments.n_ties == 72
    with pytest.raises(DatasetError, match=r"none of the 4 valid training raters has .* nothing to train on"):
        EpisodeSampler(dataset, EpisodeConfig())


def _make_ties(folder, is_one):
    def change(table):
        ties = [is_one(rater) for rater in table["rater_id"].to_pylist()]
        for name, value in (("chosen_side", "tie"), ("preferred_image", None), ("rejected_image", None)):
            kept = table[name].to_pylist()
            column = pa.array(
                [value if t else k for t, k in zip(ties, kept, strict=True)], table.schema.field(name).type
            )
            table = table.set_column(table.column_names.index(name), table.schema.field(name), column)
        return table

    edit_table(folder, "judgments", change)


def test_without_any_rater_to_train_on_it_says_so(tmp_path):
    dataset = PreferenceDataset.load(make_dataset(tmp_path / "d", n_answers=2))
    with pytest.raises(DatasetError, match=r"none of the 4 valid training raters has 3 answers"):
        EpisodeSampler(dataset, CONFIG)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"raters": 0}, "raters is 0"),
        ({"min_references": 8, "max_references": 4}, "max_references is 4"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        EpisodeConfig(**settings)
