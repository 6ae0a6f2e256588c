import numpy as np
import pytest
from PIL import Image

from learning.data.alignment import Alignment, agreement, aligned_answers, edges_agree, edges_of
from learning.data.dataset import DatasetError, PreferenceDataset
from tests.learning.factories import make_dataset


@pytest.fixture(scope="module")
def photo():
    """A real photo of scikit-image's, 512 x 512."""
    from skimage import data

    return Image.fromarray(data.astronaut())


def test_a_tone_edit_moves_no_edge(photo):
    pixels = np.asarray(photo, np.float32) / 255
    edited = np.clip(pixels**1.8 * (1.2, 0.9, 0.7), 0, 1)
    assert edges_agree(edges_of(photo), edges_of(Image.fromarray((edited * 255).astype(np.uint8))))


def test_a_negative_has_its_edges_where_the_photo_has_them(photo):
    negative = Image.fromarray(255 - np.asarray(photo))
    assert agreement(edges_of(photo), edges_of(negative)) > 0.99


@pytest.mark.parametrize("part", [0.01, 0.03, 0.1])
def test_a_shifted_photo_is_not_aligned(photo, part):
    by = round(part * photo.width)
    shifted = photo.crop((by, 0, photo.width, photo.height))
    kept = photo.crop((0, 0, photo.width - by, photo.height))
    assert not edges_agree(edges_of(kept), edges_of(shifted))


def test_shadows_that_only_one_image_shows_move_no_edge(photo):
    """Edges that only one of the two has say nothing of where the others are."""
    pixels = np.asarray(photo, np.float32) / 255
    crushed, lifted = np.clip(2 * pixels - 1, 0, 1), pixels**0.5
    first, second = (edges_of(Image.fromarray((255 * x).astype(np.uint8))) for x in (crushed, lifted))
    assert np.count_nonzero(first) < np.count_nonzero(second)
    assert edges_agree(first, second)


def test_two_photos_are_not_aligned(photo):
    from skimage import data

    other = Image.fromarray(data.coffee()[:400, :400]).resize(photo.size)
    assert not edges_agree(edges_of(photo), edges_of(other))


def test_a_mirrored_photo_is_not_aligned(photo):
    mirrored = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert not edges_agree(edges_of(photo), edges_of(mirrored))


def test_flat_images_are_taken_as_aligned():
    flat = edges_of(Image.new("RGB", (64, 48), (90, 40, 20)))
    assert edges_agree(flat, flat)
    assert agreement(flat, flat) == 0


def test_renditions_of_a_scene_are_aligned_and_images_of_two_sizes_are_not(tmp_path):
    alignment = Alignment(PreferenceDataset.load(make_dataset(tmp_path / "d")))
    alignment._size[2] = (10, 10)
    assert alignment(np.array([0, 2, 5]), np.array([1, 1, 6])).tolist() == [True, False, True]


def test_answers_on_aligned_pairs_are_found_pair_by_pair(tmp_path):
    dataset = PreferenceDataset.load(make_dataset(tmp_path / "d"))
    alignment, rows = Alignment(dataset), np.arange(len(dataset.judgments))
    alignment._size[2] = (10, 10)
    told = []
    found = aligned_answers(dataset, rows, alignment, lambda *where: told.append(where))
    with_image_2 = (dataset.judgments.preferred == 2) | (dataset.judgments.rejected == 2)
    assert with_image_2.any()
    assert (found == ~with_image_2).all()
    assert told[0][0] == 0


def test_without_any_aligned_pair_there_is_nothing_to_train_on(tmp_path):
    dataset = PreferenceDataset.load(make_dataset(tmp_path / "d"))
    alignment = Alignment(dataset)
    alignment._size[:, 0] = np.arange(len(dataset.image_ids))
    with pytest.raises(
        DatasetError, match=r"of none of the \d+ pairs to train on do the two images show the same"
    ):
        aligned_answers(dataset, np.arange(len(dataset.judgments)), alignment)
