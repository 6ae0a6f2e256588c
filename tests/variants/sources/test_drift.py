"""Tone edits keep the edges where they are; whatever moves, adds or removes content does not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from variants.sources.alignment import warp
from variants.sources.cameras import CAMERAS, develop
from variants.sources.controlled import look_recipes, single_recipes
from variants.sources.drift import MIN_LIKENESS, drift_between
from variants.sources.packaged import PHOTOS
from variants.tone.cube import read_cube
from variants.tone.images import fit_long_side, fit_size, read_photo
from variants.tone.luts import apply as apply_lut
from variants.tone.recipes import Recipe, apply_recipe

SIDE = 400


@pytest.fixture(scope="module", params=[PHOTOS[1], PHOTOS[5]], ids=lambda photo: photo.name)
def photo(request):
    return fit_long_side(read_photo(request.param.path).pixels, SIDE)


def cropped(photo, part):
    height, width = photo.shape[:2]
    matrix = np.array([[1 - part, 0, part / 2 * width], [0, 1 - part, part / 2 * height], [0, 0, 1]])
    return warp(photo, matrix, (width, height))


def turned(photo, degrees):
    height, width = photo.shape[:2]
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    x, y = width / 2, height / 2
    matrix = np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])
    padded = np.pad(photo, ((20, 20), (20, 20), (0, 0)), mode="edge")
    return warp(padded, np.array([[1, 0, 20], [0, 1, 20], [0, 0, 1]]) @ matrix, (width, height))


def ellipse(photo, area, x=0.5, y=0.5):
    """1 inside, softly 0 outside, (H, W, 1)."""
    height, width = photo.shape[:2]
    radius = np.sqrt(area * height * width / np.pi)
    rows, columns = np.mgrid[:height, :width]
    inside = (columns - x * width) ** 2 + (rows - y * height) ** 2 < radius**2
    return gaussian_filter(inside.astype(np.float32), 1.5)[..., None]


def test_the_photo_itself_is_wholly_like_it(photo):
    drift = drift_between(photo, photo)
    assert drift.likeness > 0.98
    assert drift.fault == ""


def test_tone_edits_of_all_kinds_pass_strong_ones_too(photo):
    recipes = [
        *single_recipes(),
        *look_recipes(),
        Recipe(steps=(("exposure", 1.5),)),
        Recipe(steps=(("vignetting", 0.8),)),
    ]
    for recipe in recipes:
        assert drift_between(photo, apply_recipe(photo, recipe)).likeness > MIN_LIKENESS + 0.05, recipe
    for camera in CAMERAS.values():
        assert drift_between(photo, develop(photo, camera)).likeness > MIN_LIKENESS + 0.05, camera


def test_an_edit_at_half_the_resolution_passes(photo):
    height, width = photo.shape[:2]
    half = fit_size(fit_size(photo, (width // 2, height // 2)), (width, height))
    assert drift_between(photo, half).fault == ""


@pytest.mark.parametrize(
    "moved",
    [lambda photo: cropped(photo, 0.02), lambda photo: turned(photo, 1), lambda photo: turned(photo, -1)],
    ids=["crop", "turn", "turn back"],
)
@pytest.mark.parametrize("recipe", [Recipe(), Recipe(look="golden")], ids=["plain", "toned"])
def test_a_crop_or_a_turn_is_refused(photo, moved, recipe):
    drift = drift_between(photo, apply_recipe(moved(photo), recipe))
    assert drift.likeness < MIN_LIKENESS
    assert drift.fault.startswith("its content is not the photo's: likeness of edges")


@pytest.mark.parametrize("colour", [(0.85, 0.1, 0.1), (0.1, 0.3, 0.9)])
@pytest.mark.parametrize("area", [0.03, 0.05])
def test_an_object_that_comes_or_goes_is_refused_and_found(photo, colour, area):
    """Of a colour that the photo has nowhere else, which a map of colours could hide."""
    mask = ellipse(photo, area, x=0.7, y=0.4)
    with_ball = (photo * (1 - mask) + mask * np.array(colour, dtype=np.float32)).astype(np.float32)
    for one, other in ((photo, with_ball), (with_ball, photo)):
        drift = drift_between(one, other)
        assert drift.likeness < MIN_LIKENESS
        assert np.hypot(drift.at[0] - 0.7, drift.at[1] - 0.4) < 0.2


def test_another_scene_is_refused(photo):
    other = fit_size(read_photo(PHOTOS[2].path).pixels, (photo.shape[1], photo.shape[0]))
    assert drift_between(photo, other).likeness < 0.3


def test_what_was_measured_can_be_stored(photo):
    assert drift_between(photo, photo).to_json().keys() == {"likeness", "mean_likeness", "least_at"}


def test_a_photo_without_edges_is_like_one_without():
    grey = np.full((60, 80, 3), 0.4, dtype=np.float32)
    assert drift_between(grey, grey * 0.8).likeness == pytest.approx(1)


def test_shapes_must_agree(photo):
    with pytest.raises(ValueError, match="they must have one shape"):
        drift_between(photo, photo[:, 1:])


@pytest.mark.slow
def test_real_photos_under_film_luts_pass_and_their_crops_do_not(shared_data):
    luts = [read_cube(path) for path in sorted((shared_data / "luts").glob("*.cube"))]
    paths = sorted((shared_data / "photos" / "kodak").glob("*.png"))[::4]
    for n, path in enumerate(paths):
        photo = fit_long_side(read_photo(path).pixels, SIDE)
        for lut in luts[n % 5 :: 5]:
            toned = np.clip(apply_lut(photo, lut), 0, 1).astype(np.float32)
            assert drift_between(photo, toned).likeness > MIN_LIKENESS, (path.name, lut.title)
        assert drift_between(photo, cropped(photo, 0.02)).likeness < MIN_LIKENESS, path.name
        assert drift_between(photo, turned(photo, 1)).likeness < MIN_LIKENESS, path.name
