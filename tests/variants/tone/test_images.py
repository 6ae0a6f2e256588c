import io
import struct
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image, ImageCms

from tests.variants import pictures
from variants.tone import images
from variants.tone.color import linear_to_srgb, xyz_to_srgb
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
        "profile": "", "orientation": 1, "author": "", "transparent": False, "notes": [],
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


def test_16_bit_tiff_of_two_minds_is_refused():
    """Found by fuzzing: of a planar configuration that there is not, two readers make two shapes."""
    whole = pictures.tiff_16_bit(pictures.levels(maximum=65535))
    known = struct.pack("<HHIH", 284, 3, 1, 1)
    assert whole.count(known) == 1
    with pytest.raises(ImageError, match=r"^image: its tags contradict each other"):
        read_photo(whole.replace(known, struct.pack("<HHIH", 284, 3, 1, 22017)))


def test_16_bit_rgb_png_keeps_all_its_levels():
    image = pictures.levels(maximum=65535)
    photo = read(pictures.png_16_bit(image))
    np.testing.assert_allclose(photo.pixels, as_float(image), atol=1e-6)
    assert (photo.found["bits"], photo.found["bits_used"]) == (16, 16)


@pytest.mark.parametrize("write", [pictures.png_16_bit, pictures.tiff_16_bit])
def test_transparency_in_16_bits_shows_the_stated_background(write):
    image = pictures.levels(channels=4, maximum=65535)
    photo = read(write(image), background=(0.0, 0.5, 1.0))
    colour, alpha = as_float(image)[..., :3], as_float(image)[..., 3:]
    np.testing.assert_allclose(photo.pixels, alpha * colour + (1 - alpha) * [0, 0.5, 1], atol=1e-6)
    assert photo.found["transparent"] is True


@pytest.mark.parametrize("write", [pictures.png_16_bit, pictures.tiff_16_bit])
def test_16_bit_grey_keeps_all_its_levels(write):
    image = pictures.levels(channels=1, maximum=65535)
    photo = read(write(image))
    np.testing.assert_allclose(photo.pixels, as_float(image).repeat(3, -1), atol=1e-6)
    assert photo.found["bits_used"] == 16


@pytest.mark.parametrize("write", [pictures.png_16_bit, pictures.tiff_16_bit])
def test_16_bits_with_a_profile_keep_their_gradations(write):
    """A ramp finer than 8 bits stays finer, and is where littlecms has it at 8 bits."""
    ramp = np.linspace(20_000, 22_000, 32 * 24).astype(np.uint16).reshape(24, 32, 1).repeat(3, -1)
    profile = adobe_rgb()
    photo = read(write(ramp, iccprofile=profile))
    eight = read(pictures.file((ramp >> 8).astype(np.uint8), "PNG", icc_profile=profile))
    assert len(np.unique(photo.pixels[..., 1])) > 300
    np.testing.assert_allclose(photo.pixels, eight.pixels, atol=1.5 / 255)
    assert "Adobe RGB" in photo.found["profile"]


def test_prophoto_in_16_bits_is_what_its_definition_says(rng):
    """By the primaries and the gamma of 1.8 (461/256 in the profile's own digits), from scratch in float64."""
    image = (rng.random((40, 50, 3)) ** 1.5 * 65535).astype(np.uint16)
    to_xyz = np.array(pictures.PROPHOTO)
    from_srgb = [  # Bruce Lindbloom, "RGB/XYZ Matrices", sRGB under D50
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
    linear = (image / 65535) ** (461 / 256) @ to_xyz.T @ np.linalg.inv(from_srgb).T
    wanted = linear_to_srgb(np.clip(linear, 0, 1))
    photo = read(pictures.tiff_16_bit(image, iccprofile=pictures.prophoto_profile()))
    np.testing.assert_allclose(photo.pixels, wanted, atol=0.1 / 255)
    assert photo.found["profile"] == "ProPhoto RGB"


def test_grey_becomes_three_equal_channels():
    image = pictures.levels(channels=1)
    assert np.array_equal(read(pictures.file(image)).pixels, as_float(image).repeat(3, -1))


def test_a_grey_profile_is_applied():
    """A linear-light grey of 0.5 is 0.7354 in sRGB: ours to make by hand, 1.055·0.5^(1/2.4) - 0.055."""
    profile = pictures.linear_grey_profile()
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


@pytest.mark.parametrize("format", ["TIFF", "JPEG"])
def test_cmyk_goes_through_its_profile(format):
    """Half the black ink is L = 100 - 100·128/255 in that profile: CIE 15's Y, then sRGB's curve."""
    image = Image.new("CMYK", (32, 32), (0, 0, 0, 128))
    photo = read(pictures.file(image, format, icc_profile=pictures.press_profile()))
    luminance = ((100 - 100 * 128 / 255 + 16) / 116) ** 3
    np.testing.assert_allclose(photo.pixels, linear_to_srgb(np.array(luminance)), atol=1.5 / 255)
    assert photo.found["profile"] == "a press"
    assert photo.found["notes"] == []


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


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_a_bomb_beside_the_pixels_is_refused(kind):
    with pytest.raises(ImageError, match=r"^photo\.png: .*too large"):
        read(pictures.png_with_a_bomb(kind))


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


def test_heic_without_its_package_is_refused_with_what_mends_it(monkeypatch):
    monkeypatch.setattr(images, "FORMATS", tuple(f for f in images.FORMATS if f != "HEIF"))
    with pytest.raises(ImageError, match=r"photo\.png: HEIC .* pillow-heif .*tonalist\[heic\]', or save"):
        read(b"\0\0\0\x18ftypheic" + bytes(100))


def heic(image, **options):
    """Chroma of every pixel kept, and no loss beyond the rounding to YCbCr."""
    pytest.importorskip("pillow_heif")
    return pictures.file(image, "HEIF", quality=-1, chroma=444, **options)


def test_heic_is_read():
    data = heic(pictures.levels(64, 64))
    assert data[4:8] == b"ftyp"
    assert data[8:12] in images.HEIF_BRANDS
    photo = read(data)
    assert photo.found["format"] == "HEIF"
    np.testing.assert_allclose(photo.pixels, as_float(pictures.levels(64, 64)), atol=1.5 / 255)


def test_heic_in_grey_and_with_alpha():
    grey = pictures.levels(64, 64, channels=1)
    np.testing.assert_allclose(read(heic(grey)).pixels, as_float(grey).repeat(3, -1), atol=1.5 / 255)
    image = pictures.levels(64, 64, channels=4)
    photo = read(heic(image), background=(0.0, 0.5, 1.0))
    colour, alpha = as_float(image)[..., :3], as_float(image)[..., 3:]
    np.testing.assert_allclose(photo.pixels, alpha * colour + (1 - alpha) * [0, 0.5, 1], atol=3 / 255)
    assert photo.found["transparent"] is True


@pytest.mark.parametrize("format", ["HEIF", "AVIF"])
def test_a_phones_photo_ends_upright_in_srgb_with_its_author(format):
    """As phones write them: turned by EXIF's orientation 6, in the colour space of an embedded profile."""
    exif = Image.Exif()
    exif[0x0112], exif[0x8298] = 6, "Alice"
    stored = pictures.levels(64, 96)
    options = {"exif": exif.tobytes(), "icc_profile": pictures.prophoto_profile()}
    if format == "HEIF":
        data = heic(stored, **options)
    else:
        data = pictures.file(stored, "AVIF", quality=100, subsampling="4:4:4", **options)
    photo = read(data)
    wanted = read(pictures.file(np.rot90(stored, -1).copy(), icc_profile=pictures.prophoto_profile())).pixels
    assert photo.pixels.shape == (96, 64, 3)
    assert (photo.found["profile"], photo.found["author"]) == ("ProPhoto RGB", "Alice")
    # ProPhoto's gamut is wide: one level of it is several of sRGB near its edge.
    assert np.abs(photo.pixels - wanted).mean() < 2 / 255


def test_a_heic_that_is_cut_short_or_too_large_is_refused():
    data = heic(pictures.levels(200, 300))
    with pytest.raises(ImageError, match=r"^photo\.png: .*(damaged|not an image)"):
        read(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"300×200 is 0\.1 megapixels; at most 0\.01 are taken"):
        read(data, max_pixels=10_000)


def test_avif_is_read():
    photo = read(pictures.file(pictures.levels(64, 64), "AVIF", quality=100, subsampling="4:4:4"))
    assert photo.found["format"] == "AVIF"
    np.testing.assert_allclose(photo.pixels, as_float(pictures.levels(64, 64)), atol=4 / 255)


@pytest.mark.parametrize(
    ("tags", "author"),
    [({0x8298: " © Alice "}, "© Alice"), ({0x013B: "Bob"}, "Bob"), ({0x8298: "Alice", 0x013B: "Bob"}, "Alice"), ({}, "")],
)  # fmt: skip
def test_the_author_in_the_file_is_noted(tags, author):
    exif = Image.Exif()
    for tag, text in tags.items():
        exif[tag] = text.encode()
    assert read(pictures.file(pictures.levels(), "JPEG", exif=exif)).found["author"] == author


def test_too_many_bytes_are_refused_unread():
    with pytest.raises(ImageError, match=r"more than 0\.001 MB"):
        read(pictures.png(compress_level=0), max_bytes=1000)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ImageError, match=r"nowhere\.jpg: No such file"):
        read_photo(tmp_path / "nowhere.jpg")
    with pytest.raises(ImageError, match="it is not a regular file"):
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
