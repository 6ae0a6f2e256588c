import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from variants.sources.alignment import (
    AlignmentError,
    offset_between,
    project,
    register,
    scale_of,
    shared_crop,
    warp,
)
from variants.sources.packaged import PHOTOS
from variants.tone.images import fit_long_side, fit_size, read_photo
from variants.tone.recipes import Recipe, apply_recipe


@pytest.fixture(scope="module")
def photo():
    return fit_long_side(read_photo(PHOTOS[4].path).pixels, 600)


def tilt(width, height, by=0.02):
    """A camera a little beside the other: the left edge of what it sees is nearer."""
    from skimage.transform import ProjectiveTransform

    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    moved = corners + by * np.array([[-width, -height], [width / 2, 0], [0, 0], [-width, height]])
    return ProjectiveTransform.from_estimate(corners, moved).params


EDITS = {
    "bright": Recipe(steps=(("exposure", 1.0), ("saturation", 0.5))),
    "grey and flat": Recipe(steps=(("saturation", -1.0), ("contrast", -0.6))),
    "film": Recipe(look="warm_fade"),
}


@pytest.mark.parametrize("name", EDITS)
def test_tone_edits_lie_on_their_photo(photo, name):
    offset = offset_between(photo, apply_recipe(photo, EDITS[name]))
    assert offset.is_aligned
    assert (offset.shift, offset.similarity > 0.9) == (0, True)


def test_another_size_is_no_other_place(photo):
    assert offset_between(photo, fit_long_side(photo, 300)).is_aligned


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_a_shift_is_found_and_measured(photo, share):
    offset = offset_between(photo, np.roll(photo, round(600 * share), axis=1))
    assert not offset.is_aligned
    assert offset.shift == pytest.approx(share, abs=0.003)


def test_a_crop_is_found(photo):
    height, width = photo.shape[:2]
    crop = photo[height // 40 : -height // 40, width // 40 : -width // 40]
    assert not offset_between(photo, crop).is_aligned


def test_a_view_from_beside_is_registered_to_half_a_pixel(photo):
    height, width = photo.shape[:2]
    true = tilt(width, height)
    other = apply_recipe(warp(photo, np.linalg.inv(true), (width, height)), EDITS["bright"])
    found = register(photo, other)
    inner = np.stack(np.meshgrid(np.linspace(30, width - 30, 5), np.linspace(30, height - 30, 5)), -1)
    off = np.linalg.norm(project(found.matrix, inner) - project(true, inner), axis=-1)
    assert off.max() < 0.5
    assert found.inliers >= 50


def test_what_shows_something_else_is_refused(photo):
    other = fit_long_side(read_photo(PHOTOS[5].path).pixels, 600)
    with pytest.raises(AlignmentError, match="features"):
        register(photo, other)


def test_a_picture_without_features_is_refused(photo):
    with pytest.raises(AlignmentError, match="only 0 features"):
        register(photo, np.full_like(photo, 0.5))


def test_a_mirrored_view_is_no_cameras(photo):
    """Its features match a mirror image's only by chance."""
    with pytest.raises(AlignmentError):
        register(photo, photo[:, ::-1])


def test_warping_by_nothing_changes_nothing(photo):
    height, width = photo.shape[:2]
    np.testing.assert_allclose(warp(photo, np.eye(3), (width, height)), photo, atol=1e-6)


def test_warping_by_a_scale_is_scaling(photo):
    """Coordinates begin at the corner of the first pixel, so that half the size is half of each."""
    height, width = photo.shape[:2]
    half = (width // 2, height // 2)
    small = warp(photo, np.diag([width / half[0], height / half[1], 1.0]), half)
    np.testing.assert_allclose(small, fit_size(photo, half), atol=1e-5)


def test_scale_is_counted_in_target_pixels():
    assert scale_of(np.diag([2.0, 2.0, 1.0]), (100, 100)) == pytest.approx(2)
    turned = np.array([[0, -3, 0], [3, 0, 0], [0, 0, 1.0]])
    assert scale_of(turned, (10, 20)) == pytest.approx(3)


def test_the_shared_crop_is_what_all_show():
    """One shows 100 pixels less on the left, another 60 less below."""
    moved = np.array([[1, 0, -100], [0, 1, 0], [0, 0, 1.0]])
    left, top, right, bottom = shared_crop((800, 600), [(moved, (700, 600)), (np.eye(3), (800, 540))])
    assert (left, top, right, bottom) == (100, 0, 800, 540)


@settings(max_examples=30)
@given(st.floats(-0.2, 0.2), st.floats(-60, 60), st.floats(-60, 60))
def test_every_corner_of_the_shared_crop_is_in_every_picture(angle, dx, dy):
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[cos, -sin, dx], [sin, cos, dy], [0, 0, 1]])
    left, top, right, bottom = shared_crop((640, 480), [(matrix, (640, 480))])
    corners = project(matrix, np.array([[left, top], [right, top], [right, bottom], [left, bottom]]))
    assert (corners >= -1e-9).all()
    assert (corners <= np.array([640, 480]) + 1e-9).all()


def test_pictures_that_share_nothing_are_refused():
    far = np.array([[1, 0, 5000], [0, 1, 0], [0, 0, 1.0]])
    with pytest.raises(AlignmentError, match="only 0% of the scene is in all pictures"):
        shared_crop((800, 600), [(far, (800, 600))])
