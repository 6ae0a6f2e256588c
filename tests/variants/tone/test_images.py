import io
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image, ImageCms

from tests.variants import pictures
from variants.tone.color import xyz_to_srgb
from variants.tone.images import (
    EXTENSIONS,
    ImageError,
    Limits,
    decode_image,
    encode_image,
    fit_long_side,
    read_photo,
    srgb_profile,
)

ROCKET = Path(skimage.__path__[0]) / "data" / "rocket.jpg"


def read(data, **limits):
    return read_photo(io.BytesIO(data), Limits(**limits), name="photo.png")


def adobe_rgb():
    with Image.open(ROCKET) as image:
        return image.info["icc_profile"]


def rocket_as_srgb():
    with Image.open(ROCKET) as image:
        return np.asarray(image, dtype=np.float64) / 255


def as_float(levels):
    return levels.astype(np.float32) / np.iinfo(levels.dtype).max


def test_an_8_bit_photo_comes_in_exactly():
    photo = read(pictures.png())
    assert photo.pixels.dtype == np.float32
    assert np.array_equal(photo.pixels, as_float(pictures.levels()))
    assert photo.found == {
        "format": "PNG", "mode": "RGB", "width": 32, "height": 24, "bits": 8, "bits_used": 8,
        "profile": "", "orientation": 1, "transparent": False, "notes": [],
    }  # fmt: skip


def test_a_photo_is_read_from_a_path(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(pictures.png())
    assert np.array_equal(read_photo(path).pixels, read_photo(str(path)).pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_ends_upright(orientation):
    """The transpositions that undo each orientation, by the EXIF standard's table."""
    upright = pictures.levels()
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation → how an upright photo is stored
    image = Image.fromarray(upright)
    stored = image.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read(pictures.file(stored, "PNG", exif=exif))
    assert np.array_equal(photo.pixels, as_float(upright))
    assert photo.found["orientation"] == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_tiff_is_turned_like_any_other(orientation):
    stored = pictures.levels(maximum=65535)
    data = pictures.tiff_16_bit(stored, extratags=[(274, 3, 1, orientation, True)])
    exif = Image.Exif()
    exif[0x0112] = orientation
    wanted = read(pictures.file((stored >> 8).astype(np.uint8), "PNG", exif=exif)).pixels
    np.testing.assert_allclose(read(data).pixels, wanted, atol=1 / 255)


def test_16_bit_tiff_keeps_all_its_levels():
    image = pictures.levels(maximum=65535)
    photo = read(pictures.tiff_16_bit(image))
    np.testing.assert_allclose(photo.pixels, as_float(image), atol=1e-6)
    assert photo.found["bits"] == photo.found["bits_used"] == 16


def test_16_bit_tiff_may_keep_its_channels_apart():
    image = pictures.levels(maximum=65535)
    data = pictures.tiff_16_bit(np.moveaxis(image, -1, 0), planarconfig="separate")
    np.testing.assert_allclose(read(data).pixels, as_float(image), atol=1e-6)


def test_16_bit_rgb_png_is_read_to_8_bits_and_says_so():
    image = pictures.levels(maximum=65535)
    photo = read(pictures.png_16_bit(image))
    np.testing.assert_allclose(photo.pixels, as_float((image >> 8).astype(np.uint8)))
    assert (photo.found["bits"], photo.found["bits_used"]) == (16, 8)


@pytest.mark.parametrize("write", [pictures.png_16_bit, pictures.tiff_16_bit])
def test_16_bit_grey_keeps_all_its_levels(write):
    image = pictures.levels(channels=1, maximum=65535)
    photo = read(write(image))
    np.testing.assert_allclose(photo.pixels, as_float(image).repeat(3, -1), atol=1e-6)
    assert photo.found["bits_used"] == 16


def test_16_bit_tiff_with_a_profile_keeps_its_gradations():
    """A ramp finer than 8 bits stays finer, and is where the 8-bit conversion has it."""
    ramp = np.linspace(20_000, 22_000, 32 * 24).astype(np.uint16).reshape(24, 32, 1).repeat(3, -1)
    profile = adobe_rgb()
    photo = read(pictures.tiff_16_bit(ramp, iccprofile=profile))
    eight = read(pictures.file((ramp >> 8).astype(np.uint8), "PNG", icc_profile=profile))
    assert len(np.unique(photo.pixels[..., 1])) > 300
    np.testing.assert_allclose(photo.pixels, eight.pixels, atol=1.5 / 255)
    assert "Adobe RGB" in photo.found["profile"]


def test_grey_becomes_three_equal_channels():
    image = pictures.levels(channels=1)
    assert np.array_equal(read(pictures.file(image)).pixels, as_float(image).repeat(3, -1))


def test_a_grey_profile_is_applied():
    """A linear-light grey of 0.5 is 0.7354 in sRGB: ours to make by hand, 1.055·0.5^(1/2.4) - 0.055."""
    profile = _linear_grey_profile()
    photo = read(pictures.file(np.full((20, 20), 128, dtype=np.uint8), icc_profile=profile))
    np.testing.assert_allclose(photo.pixels, 1.055 * (128 / 255) ** (1 / 2.4) - 0.055, atol=1.5 / 255)


def test_transparency_shows_the_stated_background():
    image = pictures.levels(channels=4)
    image[..., 3] = 64
    photo = read(pictures.file(image), background=(0.0, 0.5, 1.0))
    wanted = as_float(image)[..., :3] * (64 / 255) + (1 - 64 / 255) * np.array([0, 0.5, 1])
    np.testing.assert_allclose(photo.pixels, wanted, atol=1e-6)
    assert photo.found["transparent"] is True


def test_the_background_is_white_unless_told():
    image = pictures.levels(channels=4)
    image[..., 3] = 0
    assert (read(pictures.file(image)).pixels == 1).all()


def test_grey_with_alpha_and_palettes_come_in():
    grey = Image.fromarray(pictures.levels(channels=1).squeeze()).convert("LA")
    assert read(pictures.file(grey)).pixels.shape == (24, 32, 3)
    palette = Image.fromarray(pictures.levels()).quantize(16)
    np.testing.assert_allclose(
        read(pictures.file(palette)).pixels, as_float(np.asarray(palette.convert("RGB")))
    )


def test_adobe_rgb_is_converted():
    """scikit-image's rocket.jpg carries Adobe RGB (1998).

    The truth is worked out from that standard: its matrix (D65, as sRGB) and gamma 563/256.
    """
    matrix = [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
    ignored = rocket_as_srgb()
    wanted = np.clip(xyz_to_srgb(ignored ** (563 / 256) @ np.transpose(matrix)), 0, 1)
    photo = read_photo(ROCKET)
    assert photo.found["profile"] == "Adobe RGB (1998)"
    off = np.abs(photo.pixels - wanted) * 255
    assert off.mean() < 0.5
    # Where a channel is near black sRGB's curve is steepest, and the conversion's 8 bits show.
    assert np.quantile(off, 0.999) < 3
    assert np.abs(ignored - wanted).max() * 255 > 24


def test_srgb_profiles_change_nothing():
    photo = read(pictures.png(icc_profile=srgb_profile()))
    assert np.array_equal(photo.pixels, as_float(pictures.levels()))
    assert "sRGB" in photo.found["profile"]


@pytest.mark.parametrize(
    ("profile", "note"), [(b"nonsense" * 20, "cannot be read"), (pictures.lab_profile(), "does not fit RGB")]
)
def test_a_bad_profile_is_noted_and_the_photo_taken_as_srgb(profile, note):
    photo = read(pictures.png(icc_profile=profile))
    assert np.array_equal(photo.pixels, as_float(pictures.levels()))
    assert len(photo.found["notes"]) == 1
    assert note in photo.found["notes"][0]


def test_cmyk_without_a_profile_is_converted_and_noted():
    image = Image.fromarray(pictures.levels()).convert("CMYK")
    photo = read(pictures.file(image, "TIFF"))
    np.testing.assert_allclose(photo.pixels, as_float(np.asarray(image.convert("RGB"))))
    assert "CMYK without a profile" in photo.found["notes"][0]


def test_a_cmyk_jpeg_is_not_inverted():
    image = Image.new("CMYK", (32, 32), (0, 200, 200, 0))
    red, green, blue = read(pictures.file(image, "JPEG", quality=95)).pixels[5, 5]
    assert red > 0.9
    assert max(green, blue) < 0.35


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello, I am no image at all", "not an image that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image that can be read"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "not an image|damaged"),
        (pictures.png()[:-300], "damaged or cut short"),
        (pictures.file(pictures.levels(200, 300), "JPEG")[:2000], "damaged or cut short"),
        (pictures.file(pictures.levels(200, 300), "WEBP")[:600], "damaged|not an image"),
        (pictures.tiff_16_bit(pictures.levels(maximum=65535))[:900], "damaged|not an image"),
        (pictures.file(pictures.levels(1, 1)), "1×1 is too small: each side needs at least 16"),
        (pictures.file(pictures.levels(15, 400)), "400×15 is too small"),
        (pictures.png_header_only(10_000, 10_000), "10000×10000 is 100.0 megapixels; at most 80"),
        (pictures.png_header_only(60_000, 60_000), "far too many pixels"),
        (pictures.animated("GIF"), "animated or has pages"),
        (pictures.animated("PNG"), "animated or has pages"),
        (pictures.animated("WEBP"), "animated or has pages"),
        (pictures.animated("TIFF"), "animated or has pages"),
        (pictures.file(np.zeros((20, 20), np.float32), "TIFF"), "its pixels are F"),
    ],
)  # fmt: skip
def test_a_bad_image_is_refused_by_name_and_reason(data, message):
    with pytest.raises(ImageError, match=rf"^photo\.png: .*({message})"):
        read(data)


def test_a_flipped_byte_is_noticed():
    data = bytearray(pictures.png())
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageError, match="damaged"):
        read(bytes(data))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
def test_damage_of_any_kind_ends_in_an_image_or_a_clear_error(format, rng):
    """Cut anywhere, or with bytes flipped anywhere, the header more often."""
    whole = pictures.file(pictures.levels(), format)
    for turn in range(40):
        data = bytearray(whole[: rng.integers(1, len(whole))] if turn % 2 else whole)
        for _ in range(turn % 5):
            data[int(len(data) * rng.random() ** 3)] = rng.integers(0, 256)
        try:
            photo = read(bytes(data))
        except ImageError as error:
            assert str(error).startswith("photo.png: ")  # noqa: PT017
        else:
            assert np.isfinite(photo.pixels).all()


def test_too_many_bytes_are_refused_unread():
    with pytest.raises(ImageError, match=r"more than 0\.001 MB"):
        read(pictures.png(compress_level=0), max_bytes=1000)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ImageError, match=r"nowhere\.jpg: No such file"):
        read_photo(tmp_path / "nowhere.jpg")
    with pytest.raises(ImageError, match="Is a directory"):
        read_photo(tmp_path)


@pytest.mark.parametrize("encoding", ["webp_lossless", "png"])
def test_lossless_encodings_keep_every_level(encoding):
    image = as_float(pictures.levels(64, 80))
    assert np.array_equal(decode_image(encode_image(image, encoding)), image)


def test_jpeg_is_444_and_near():
    data = encode_image(as_float(pictures.levels(64, 80)), "jpeg_444")
    np.testing.assert_allclose(decode_image(data), as_float(pictures.levels(64, 80)), atol=6 / 255)
    with Image.open(io.BytesIO(data)) as image:
        layers = image.layer
    assert [component[1:3] for component in layers] == [(1, 1)] * 3


@pytest.mark.parametrize("encoding", list(EXTENSIONS))
def test_encoded_images_carry_an_srgb_profile_and_no_other_metadata(encoding):
    with Image.open(io.BytesIO(encode_image(as_float(pictures.levels()), encoding))) as image:
        assert "sRGB" in ImageCms.getProfileDescription(io.BytesIO(image.info["icc_profile"]))
        assert not image.getexif()
        assert not set(image.info) & {"exif", "xmp", "comment", "Software", "date"}


@pytest.mark.parametrize("encoding", list(EXTENSIONS))
def test_equal_pixels_give_equal_bytes(encoding):
    one, other = (encode_image(as_float(pictures.levels()), encoding) for _ in range(2))
    assert one == other
    assert srgb_profile()[24:36] == b"\x07\xd0\x00\x01\x00\x01" + bytes(6)


def test_an_unknown_encoding_is_refused():
    with pytest.raises(ValueError, match="encoding is 'jpg'; it must be one of webp_lossless"):
        encode_image(as_float(pictures.levels()), "jpg")


def test_scaling_is_down_only_and_keeps_the_shape():
    image = as_float(pictures.levels(60, 90))
    assert fit_long_side(image, 90) is image
    assert fit_long_side(image, 1000) is image
    assert fit_long_side(image, 30).shape == (20, 30, 3)
    assert fit_long_side(image[:, :1], 30).shape == (30, 1, 3)


def test_scaling_does_not_alias_and_keeps_the_mean():
    """A pattern of one-pixel stripes becomes the grey between them."""
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 1
    np.testing.assert_allclose(fit_long_side(stripes, 16)[2:-2, 2:-2], 0.5, atol=0.02)


def _linear_grey_profile() -> bytes:
    """The smallest ICC v2 grey profile: white point and a curve with gamma 1."""
    import struct

    def tag(kind: bytes, content: bytes) -> bytes:
        data = kind + bytes(4) + content
        return data + bytes(-len(data) % 4)

    text = b"linear grey\0"
    tags = {
        b"desc": tag(b"desc", struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)),
        b"wtpt": tag(b"XYZ ", struct.pack(">3i", 63190, 65536, 54061)),
        b"kTRC": tag(b"curv", struct.pack(">I", 0)),
    }
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">2I", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI", offset + len(body), bytes(4), 0x02400000) + b"mntrGRAYXYZ "
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body
