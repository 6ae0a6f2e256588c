import itertools

import numpy as np
import pytest

from variants.sources.cameras import CAMERAS, Camera, CameraRecipe, camera_recipes, develop
from variants.sources.packaged import PHOTOS
from variants.tone.difference import mean_ciede2000
from variants.tone.images import fit_long_side, read_photo


@pytest.fixture(scope="module")
def photo():
    return fit_long_side(read_photo(PHOTOS[0].path).pixels, 200)


def test_there_are_twelve_and_no_two_give_the_same(photo):
    pictures = [recipe.apply(photo) for recipe in camera_recipes()]
    assert len(pictures) == 12
    assert min(mean_ciede2000(one, other) for one, other in itertools.combinations(pictures, 2)) > 1


def test_a_camera_without_any_numbers_gives_the_photo(photo):
    np.testing.assert_allclose(develop(photo, Camera()), photo, atol=1e-5)


@pytest.mark.parametrize("name", CAMERAS)
def test_brighter_greys_stay_brighter_and_in_range(name):
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None, :, None].repeat(3, -1)
    pixels = develop(ramp, CAMERAS[name])
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    # Sharpening overshoots at the ends of a ramp, by less than a level.
    assert (np.diff(pixels[0], axis=0) > -1 / 255).all()


@pytest.mark.parametrize("name", CAMERAS)
def test_the_colour_matrix_leaves_greys_alone(name):
    camera = CAMERAS[name]
    plain = Camera(matrix=camera.matrix, saturation=camera.saturation)
    grey = np.full((4, 4, 3), 0.5, dtype=np.float32)
    np.testing.assert_allclose(develop(grey, plain), 0.5, atol=1e-5)


def test_white_balance_is_a_gain_in_linear_light():
    """Linear 0.214 is sRGB 0.5; doubled, 0.428 is 0.6858."""
    grey = np.full((4, 4, 3), 0.5, dtype=np.float32)
    np.testing.assert_allclose(develop(grey, Camera(red=2.0))[0, 0], [0.6858, 0.5, 0.5], atol=1e-3)


def test_a_recipe_says_which_camera_and_which_numbers():
    recipe = CameraRecipe(camera="phone_vivid")
    assert CameraRecipe.from_json(recipe.to_json()) == recipe
    with pytest.raises(ValueError, match="other numbers now"):
        CameraRecipe.from_json(recipe.to_json() | {"numbers": "0" * 16})
    with pytest.raises(ValueError, match="'phone_vivd' is no simulated camera; there are phone_vivid"):
        CameraRecipe(camera="phone_vivd")
