import numpy as np
import pytest
import torch
from PIL import Image

from learning.data import crops
from learning.data.crops import ColorJitter, CropConfig, PairCrops
from learning.data.dataset import PreferenceDataset
from tests.learning.factories import make_dataset

SMALL = {"size": 16, "short_side": (16, 48)}
JITTER = ColorJitter()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Scene s has the images 4·s to 4·s + 3, of gains 1, 0.55, 1.5 and 0.75."""
    return PreferenceDataset.load(make_dataset(tmp_path_factory.mktemp("crops") / "d", size=(40, 60)))


def draw(dataset, preferred=(0, 4), rejected=(1, 6), *, seed=0, **settings):
    pairs = PairCrops(dataset, CropConfig(**SMALL | settings))
    return pairs.draw(np.array(preferred), np.array(rejected), np.random.default_rng(seed))


def test_both_images_of_a_pair_are_cropped_at_the_same_place_and_mirrored_together(dataset):
    """The darker image is 0.55 times the other, up to the rounding of 8 bits and twice resampling."""
    batch = draw(dataset, [0] * 16, [1] * 16)
    assert torch.allclose(batch.rejected, 0.55 * batch.preferred, atol=3 / 255)
    assert not torch.allclose(batch.preferred[0], batch.preferred[1], atol=3 / 255)


def test_two_inputs_are_the_rejected_and_the_preferred_image(dataset):
    batch = draw(dataset)
    assert batch.inputs.shape == (2, 2, 3, 16, 16)
    assert torch.equal(batch.inputs[:, 0], batch.rejected)
    assert torch.equal(batch.inputs[:, 1], batch.preferred)


def test_four_inputs_add_each_image_jittered_by_itself_and_targets_stay_clean(dataset):
    plain = draw(dataset)
    batch = draw(dataset, jitter=JITTER, four_inputs=True)
    assert batch.inputs.shape == (2, 4, 3, 16, 16)
    assert torch.equal(batch.preferred, plain.preferred)
    assert torch.equal(batch.inputs[:, :2], plain.inputs)
    for jittered, clean in ((2, 0), (3, 1)):
        assert not torch.allclose(batch.inputs[:, jittered], batch.inputs[:, clean], atol=0.01)


def test_without_four_inputs_one_jitter_changes_the_whole_pair(dataset):
    """Brightness alone: the ratio within the pair stays what it was."""
    only = ColorJitter(brightness=0.3, contrast=0, saturation=0, hue=0)
    batch, plain = draw(dataset, jitter=only, noise=0), draw(dataset)
    assert not torch.allclose(batch.preferred, plain.preferred, atol=0.01)
    assert torch.allclose(batch.rejected[0], 0.55 * batch.preferred[0], atol=4 / 255)
    assert torch.equal(batch.inputs[:, 1], batch.preferred)


def test_noise_comes_on_inputs_alone(dataset):
    still = ColorJitter(brightness=0, contrast=0, saturation=0, hue=0)
    batch = draw(dataset, [0] * 64, [1] * 64, jitter=still, noise=0.02)
    noise = batch.inputs[:, 1] - batch.preferred
    assert torch.allclose(batch.preferred, draw(dataset, [0] * 64, [1] * 64).preferred, atol=1e-5)
    assert float(noise.std()) == pytest.approx(0.02, rel=0.05)


def test_everything_comes_from_the_generator(dataset):
    settings = {"jitter": JITTER, "four_inputs": True}
    one, same, other = (draw(dataset, seed=seed, **settings) for seed in (1, 1, 2))
    assert torch.equal(one.inputs, same.inputs)
    assert not torch.equal(one.inputs, other.inputs)


def test_a_crop_is_what_resizing_the_whole_photo_and_cropping_gives(dataset):
    """At a shorter side of 20, a crop of 20 of a square photo is the whole photo, resized."""
    pairs = PairCrops(dataset, CropConfig(size=20, short_side=(20, 20)))
    opened = dataset.opened(dataset.image_ids[0])
    whole = np.asarray(opened.resize((30, 20), Image.Resampling.BICUBIC), np.float32) / 255
    crop = pairs.draw(np.array([0] * 8), np.array([1] * 8), np.random.default_rng(0)).preferred
    places = [whole[:, x : x + 20] for x in range(11)]
    places += [place[:, ::-1] for place in places]
    for one in crop.permute(0, 2, 3, 1).numpy():
        nearest = min(np.abs(one - place).max() for place in places)
        assert nearest < 0.02  # places lie between whole pixels


def test_images_of_two_sizes_are_cropped_at_the_same_relative_place_and_called_unaligned(
    dataset, monkeypatch
):
    pairs = PairCrops(dataset, CropConfig(**SMALL))
    real = dataset.opened
    small = dataset.image_ids[1]

    def opened(image_id, **keywords):
        image = real(image_id, **keywords)
        return image.resize((30, 20)) if image_id == small else image

    monkeypatch.setattr(dataset, "opened", opened)
    pairs.alignment._size[1] = (30, 20)
    batch = pairs.draw(np.array([0, 0]), np.array([1, 3]), np.random.default_rng(0))
    assert batch.aligned.tolist() == [False, True]
    assert torch.allclose(batch.rejected[0], 0.55 * batch.preferred[0], atol=0.03)


def test_decoded_images_stay_within_their_bytes(dataset):
    bytes_of_one = 4 * 40 * 60
    pairs = PairCrops(dataset, CropConfig(**SMALL), cache_bytes=3 * bytes_of_one)
    pairs.draw(np.arange(0, 12, 2), np.arange(1, 12, 2), np.random.default_rng(0))
    assert pairs._decoded.nbytes == 3 * bytes_of_one


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("brightness", crops.brightened),
        ("contrast", crops.contrasted),
        ("saturation", crops.saturated),
        ("hue", crops.hue_shifted),
    ],
)
@pytest.mark.parametrize("amount", [-0.3, 0.0, 0.2])
def test_the_jitter_is_torchvisions(name, ours, amount):
    functional = pytest.importorskip("torchvision.transforms.functional")
    images = torch.rand((2, 3, 7, 5), generator=torch.Generator().manual_seed(1))
    images[1, :, :3] = 0.4  # grey has no hue
    amount = amount if name == "hue" else 1 + amount
    theirs = getattr(functional, f"adjust_{name}")(images, amount)
    if name == "contrast":  # torchvision takes one mean for a batch's each image too
        theirs = torch.stack([functional.adjust_contrast(image, amount) for image in images])
    assert torch.allclose(ours(images, torch.full((2, 1, 1, 1), amount)), theirs, atol=2e-5)


def test_pairs_of_two_lengths_are_refused(dataset):
    with pytest.raises(ValueError, match=r"preferred has the shape \(2,\) and rejected \(1,\)"):
        draw(dataset, [0, 4], [1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 2}, "size is 2; it must be from 4"),
        ({"size": 64, "short_side": (32, 100)}, r"short_side is 32 to 100.*crop's size \(64\)"),
        ({"short_side": (512, 256)}, "short_side is 512 to 256"),
        ({"noise": -1.0}, "noise is -1"),
        ({"four_inputs": True}, "four_inputs is set and jitter is None"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        CropConfig(**settings)


@pytest.mark.parametrize(("name", "value"), [("brightness", 2), ("hue", 0.6), ("contrast", -0.1)])
def test_impossible_jitter_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        ColorJitter(**{name: value})
