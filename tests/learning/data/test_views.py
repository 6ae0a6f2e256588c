import numpy as np
import pytest
import torch

from learning.data.dataset import DatasetError, PreferenceDataset
from learning.data.views import ViewConfig, build_views
from tests.learning.factories import image_id, make_dataset
from variants.progress import silent


@pytest.fixture
def dataset(tmp_path):
    return PreferenceDataset.load(make_dataset(tmp_path / "d"))


def views_of(dataset, config, seed=0):
    return build_views(
        dataset,
        np.arange(len(dataset.image_ids)),
        config,
        features_of=lambda images: images.mean(dim=(2, 3)),
        feature_size=16,
        feature_dim=3,
        seed=seed,
        report=silent,
    )


def test_view_zero_is_the_whole_image_as_it_is(dataset):
    bank = views_of(dataset, ViewConfig(count=3, size=8))
    position = dataset.image_ids.index(image_id(1, 2))
    whole = bank.pixels_of(np.array([position]), np.array([0]))[0]
    expected = dataset.image(image_id(1, 2), 32).mean((0, 1))
    np.testing.assert_allclose(whole.mean((1, 2)).numpy(), expected, atol=0.01)
    np.testing.assert_allclose(bank.features_of(np.array(position), np.array(0)).numpy(), expected, atol=0.01)


def test_a_scenes_images_are_cropped_alike(dataset):
    """Rendition 1 is 0.55 times rendition 0 in every pixel; in every crop it still is."""
    bank = views_of(dataset, ViewConfig(count=6, size=8, jitter=0))
    positions = [dataset.image_ids.index(image_id(2, r)) for r in (0, 1)]
    neutral, darker = (bank.pixels_of(np.full(6, p), np.arange(6)) for p in positions)
    torch.testing.assert_close(darker, 0.55 * neutral, atol=0.01, rtol=0)
    assert not torch.allclose(neutral[0], neutral[1], atol=0.02)


def test_jitter_changes_a_scenes_images_alike(dataset):
    bank = views_of(dataset, ViewConfig(count=6, size=8, jitter=0.2, smallest_crop=1, largest_crop=1))
    positions = [dataset.image_ids.index(image_id(2, r)) for r in (0, 1)]
    neutral, darker = (bank.pixels_of(np.full(6, p), np.arange(6)).mean((2, 3)) for p in positions)
    assert neutral.std(0).min() > 0.01
    assert torch.all(darker < neutral)
    assert torch.corrcoef(torch.stack([neutral.flatten(), darker.flatten()]))[0, 1] > 0.9


def test_the_same_seed_makes_the_same_views(dataset):
    config = ViewConfig(count=4, size=8)
    one, same, other = (views_of(dataset, config, seed).pixels for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_there_are_as_many_views_as_fit_into_memory(dataset):
    one_view = 16 * (3 * 8 * 8 + 4 * 3)
    assert views_of(dataset, ViewConfig(count=9, size=8, max_bytes=5 * one_view)).count == 5
    with pytest.raises(DatasetError, match="take a smaller view size"):
        views_of(dataset, ViewConfig(count=9, size=8, max_bytes=one_view - 1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"size": 2}, "size is 2"),
        ({"smallest_crop": 0.9, "largest_crop": 0.5}, "smallest_crop is 0.9"),
        ({"jitter": 2}, "jitter is 2"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ViewConfig(**settings)
