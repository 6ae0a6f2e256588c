import io
import itertools

import numpy as np
import pytest
from PIL import Image

from variants.sources.packaged import PHOTOS
from variants.tone.images import fit_long_side, read_photo
from variants.tone.likeness import NEAR, bits_apart, perceptual_hash
from variants.tone.recipes import Recipe, apply_recipe


@pytest.fixture(scope="module")
def photos():
    return [fit_long_side(read_photo(photo.path).pixels, 400) for photo in PHOTOS]


def test_a_hash_is_64_bits_of_which_half_are_set(photos):
    for photo in photos:
        assert len(perceptual_hash(photo)) == 16
        assert int(perceptual_hash(photo), 16).bit_count() == 32


def test_different_photos_are_far_apart(photos):
    hashes = [perceptual_hash(photo) for photo in photos]
    assert min(bits_apart(one, other) for one, other in itertools.combinations(hashes, 2)) > NEAR


def jpeg(photo):
    file = io.BytesIO()
    Image.fromarray((photo * 255 + 0.5).astype(np.uint8)).save(file, "JPEG", quality=50)
    return read_photo(file.getvalue()).pixels


COPIES = {
    "jpeg": jpeg,
    "small": lambda photo: fit_long_side(photo, 150),
    "bright": lambda photo: apply_recipe(photo, Recipe(steps=(("exposure", 0.5),))),
    "flat grey": lambda photo: apply_recipe(photo, Recipe(steps=(("contrast", -0.5), ("saturation", -1.0)))),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_copies_are_near(photos, copy):
    assert max(bits_apart(perceptual_hash(photo), perceptual_hash(copy(photo))) for photo in photos) <= NEAR


def test_bits_apart_counts_bits():
    assert bits_apart("00000000000000ff", "0000000000000100") == 9


def test_no_two_of_45_real_photos_are_near(shared_data):
    files = sorted((shared_data / "photos").glob("*/*.png"))
    hashes = [perceptual_hash(read_photo(path).pixels) for path in files]
    assert len(hashes) == 45
    assert min(bits_apart(one, other) for one, other in itertools.combinations(hashes, 2)) >= 18
