import numpy as np
import pytest
import torch
from torch import nn

from learning.data.dataset import PreferenceDataset
from learning.data.features import FeatureCache, backbone_folder, features_of
from tests.learning.factories import make_dataset


class Means(nn.Module):
    """Mean colours times a weight: a backbone whose features are known."""

    name, dim, image_size = "means", 3, 8

    def __init__(self, weight=1.0, shift=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.register_buffer("shift", torch.tensor(shift), persistent=False)
        self.seen = 0

    @property
    def identity(self):
        return f"means {self.weight.item()} {self.shift.item()}"

    def forward(self, images):
        self.seen += len(images)
        return (images.mean(dim=(2, 3)) - self.shift) * self.weight


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return PreferenceDataset.load(make_dataset(tmp_path_factory.mktemp("features") / "d"))


def test_features_are_of_the_images_in_the_order_asked_for(dataset, tmp_path):
    found = features_of(dataset, np.array([5, 0, 5]), Means(), FeatureCache(tmp_path))
    expected = [dataset.image(dataset.image_ids[i], 256).mean(axis=(0, 1)) for i in (5, 0, 5)]
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=2e-3)  # the square is resampled


def test_what_is_kept_is_not_computed_again(dataset, tmp_path):
    first, again = Means(), Means()
    before = features_of(dataset, np.arange(6), first, FeatureCache(tmp_path))
    after = features_of(dataset, np.arange(10), again, FeatureCache(tmp_path))
    assert (first.seen, again.seen) == (6, 4)
    assert np.array_equal(before, after[:6])
    assert np.array_equal(after, features_of(dataset, np.arange(10), Means(), None))


@pytest.mark.parametrize("other", [Means(weight=2.0), Means(shift=0.1)])
def test_other_weights_or_normalisation_are_another_backbone(dataset, tmp_path, other):
    features_of(dataset, np.arange(4), Means(), FeatureCache(tmp_path))
    found = features_of(dataset, np.arange(4), other, FeatureCache(tmp_path))
    assert other.seen == 4
    assert not np.allclose(found, features_of(dataset, np.arange(4), Means(), None))
    assert backbone_folder(other) != backbone_folder(Means())


def test_the_same_bytes_under_another_id_are_found(dataset, tmp_path):
    """The key is the image's hash: another dataset with the same images needs no new features."""
    cache = FeatureCache(tmp_path / "cache")
    features_of(dataset, np.arange(4), Means(), cache)
    other = PreferenceDataset.load(make_dataset(tmp_path / "other", n_raters=3))
    backbone = Means()
    features_of(other, np.arange(4), backbone, cache)
    assert backbone.seen == 0


def test_a_cache_that_cannot_be_written_is_named(dataset, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OSError, match=r"the feature cache .*file/features cannot be written .*TONALIST_CACHE"
    ):
        features_of(dataset, np.arange(2), Means(), FeatureCache(tmp_path / "file"))
