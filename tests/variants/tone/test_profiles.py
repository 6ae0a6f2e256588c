import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.variants import pictures
from variants.tone.color import srgb_to_linear
from variants.tone.profiles import MatrixProfile

RAMP = np.arange(65536, dtype=np.uint16)


def curves(tag):
    """The profile of one curve for all channels."""
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    columns = [b"XYZ " + bytes(4) + struct.pack(">3i", *(round(x * 65536) for x in c)) for c in np.eye(3)]
    return pictures.profile(b"RGB ", "test", dict(zip(names, [*columns, tag, tag, tag], strict=True)))


def parametric(kind, *numbers):
    return (
        b"para"
        + bytes(4)
        + struct.pack(">HH", kind, 0)
        + struct.pack(f">{len(numbers)}i", *(round(x * 65536) for x in numbers))
    )


@pytest.mark.parametrize(
    ("tag", "at_half"),
    [
        (b"curv" + bytes(4) + struct.pack(">I", 0), 0.5),
        (b"curv" + bytes(4) + struct.pack(">IH", 1, 512), 0.25),
        (b"curv" + bytes(4) + struct.pack(">I3H", 3, 0, 13107, 65535), 0.2),
        (parametric(0, 2.0), 0.25),
        (parametric(1, 2.0, 2.0, -0.5), 0.25),
        (parametric(2, 2.0, 0.5, 0.0, 0.125), 0.1875),
        (parametric(3, 2.0, 1.0, 0.0, 0.25, 0.75), 0.125),
        (parametric(4, 2.0, 1.0, 0.0, 0.25, 0.75, 0.0, 0.0625), 0.1875),
    ],
)
def test_curves_of_every_kind_are_followed(tag, at_half):
    """By hand from ICC.1:2010, tables 65 to 67, at an input of one half."""
    profile = MatrixProfile.from_bytes(curves(tag))
    np.testing.assert_allclose(profile.curves[0, 32768], at_half, atol=2e-5)


def test_the_srgb_curve_is_the_one_of_its_standard():
    profile = MatrixProfile.from_bytes(
        curves(parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
    )
    np.testing.assert_allclose(profile.curves[1], srgb_to_linear(RAMP / 65535), atol=2e-5)


def test_littlecms_agrees_to_its_8_bits(rng):
    levels = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    data = pictures.prophoto_profile()
    theirs = ImageCms.profileToProfile(
        Image.fromarray(levels),
        ImageCms.ImageCmsProfile(pictures.io.BytesIO(data)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    ours = MatrixProfile.from_bytes(data).to_srgb(levels.astype(np.uint16) * 257)
    off = np.abs(ours * 255 - np.asarray(theirs))
    assert off.mean() < 0.3
    # Near black in one channel its 8-bit path is coarse where sRGB's curve is steep.
    assert np.quantile(off, 0.99) < 1.5


@pytest.mark.parametrize(
    "data", [b"", b"nonsense" * 40, pictures.linear_grey_profile(), pictures.lab_profile(), pictures.prophoto_profile()[:300]]
)  # fmt: skip
def test_what_is_no_matrix_is_left_to_littlecms(data):
    assert MatrixProfile.from_bytes(data) is None
