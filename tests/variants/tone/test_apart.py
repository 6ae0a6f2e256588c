"""Broken and hostile pictures cost clear words and nothing else: their decoder is bounded and lives on."""

import io
import json
import os
import struct
import sys
import time
import zipfile
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from tests.variants import pictures
from variants.tone import apart
from variants.tone.apart import decode_apart, read_photo_apart
from variants.tone.images import ImageError, ImageTooLarge, Limits, read_photo

LIMITS = Limits(max_bytes=40_000_000, max_pixels=1_000_000)
STRANGERS = "tests.variants.tone.strangers"


def png_of_more(width=64, height=64):
    """Its pixels' data unpack to a thousand times what its header says."""
    body = zlib.compress(bytes(1000 * (3 * width + 1) * height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = pictures._chunk
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def gif_of_frames(n=20_000):
    frame = b"\x2c" + struct.pack("<4HB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 32, 32, 0x80, 0, 0) + bytes(6) + frame * n + b"\x3b"


def tiff(entries, more=b"", following=0):
    """A TIFF of one directory: (tag, type, count, value) each."""
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", following) + more


def directory(width=32, height=32, *, bits=8, again=()):
    size = [(256, 4, 1, width), (257, 4, 1, height)]
    rest = [(258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 200), (277, 3, 1, 1)]
    return [*size, *again, *rest, (278, 4, 1, height), (279, 4, 1, width * height * bits // 8)]


def zip_of(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def bmp_of_runs(side=900):
    """Run lengths that go on far behind the last row."""
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    body = b"\xff\x07" * 200_000
    offset = 14 + 40 + 1024
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + head + bytes(1024) + body


def with_exif(megabytes):
    """EXIF in as many APP1 segments as it takes: Pillow joins them."""
    whole = pictures.file(pictures.levels(), "JPEG")
    segment = b"Exif\0\0" + b"MM\0*\0\0\0\x08" + bytes(65_000)
    return (
        whole[:2]
        + (b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment) * (16 * megabytes)
        + whole[2:]
    )


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
REFUSED = {
    "cut short.jpg": pictures.file(pictures.levels(200, 300), "JPEG")[:3000],
    "cut short.png": pictures.png()[:-40],
    "said to be large.png": pictures.png_header_only(60_000, 60_000),
    "said to be the largest.png": pictures.png_header_only(2**31 - 1, 2**31 - 1),
    "said to be large.tif": tiff(directory(60_000, 60_000)),
    "said to be large in 16 bits.tif": tiff(directory(40_000, 40_000, bits=16)),
    "two sizes.tif": tiff(directory(again=[(256, 4, 1, 60_000), (257, 4, 1, 60_000)])),
    "goes round.tif": tiff(directory(), following=8),
    "twenty thousand frames.gif": gif_of_frames(),
    "unpacks beside.png": pictures.png_with_a_bomb(b"iCCP"),
    "svg.jpg": SVG,
    "script.jpg": b"<html><script>alert(1)</script></html>",
    "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n(/etc/passwd) (r) file\n",
    "zip.jpg": zip_of("../../etc/passwd", bytes(10_000_000)),
    "nothing.jpg": b"",
    "zeros.jpg": bytes(1_000_000),
    "pickle.jpg": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
}
TAKEN = {
    "holds a zip.jpg": pictures.file(pictures.levels(), "JPEG") + zip_of("evil.php", b"<?php"),
    "holds a script.png": pictures.png(pnginfo=None) + b"<script>alert(1)</script>",
    "megabytes of exif.jpg": with_exif(4),
    "large profile.png": pictures.png(icc_profile=os.urandom(100_000)),
}
EITHER = {"unpacks to more.png": png_of_more(), "runs on.bmp": bmp_of_runs()}


@pytest.fixture(scope="module", autouse=True)
def decoder():
    """One process for the whole corpus: none of it ends it."""
    read_photo_apart(pictures.png(), LIMITS, "first.png")
    yield apart._decoder.process
    apart._end_at_exit()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_photo_is_refused_by_name(name, decoder):
    with pytest.raises(ImageError, match=rf"^{name}: ."):
        read_photo_apart(REFUSED[name], LIMITS, name)
    assert decoder.poll() is None


@pytest.mark.parametrize("name", TAKEN)
def test_what_stands_beside_the_pixels_goes_no_further(name, decoder):
    photo = read_photo_apart(TAKEN[name], LIMITS, name)
    assert photo.image.shape == (24, 32, 3)
    assert photo.found.keys() == read_photo(TAKEN[name], LIMITS, name).found.keys()
    assert decoder.poll() is None


@pytest.mark.parametrize("name", EITHER)
def test_what_says_less_than_it_holds_is_bounded_by_what_it_says(name, decoder):
    with suppress(ImageError):
        photo = read_photo_apart(EITHER[name], LIMITS, name)
        assert photo.image.size <= 3 * LIMITS.max_pixels
    assert decoder.poll() is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            pictures.file(pictures.levels(), "JPEG", icc_profile=pictures.prophoto_profile()), id="8"
        ),
        pytest.param(pictures.png_16_bit(pictures.levels(maximum=65535)), id="16"),
    ],
)
def test_a_photo_is_the_same_from_there_as_from_here(content):
    here, there = read_photo(content, LIMITS, "a"), read_photo_apart(content, LIMITS, "a")
    assert np.array_equal(here.image, there.image)
    assert here.image.dtype == there.image.dtype
    assert here.found == there.found


@pytest.mark.parametrize(
    ("reader", "words", "seconds"),
    [("hang", "took longer than 0.5 s", 0.5), ("crash", "broke off", 60)],
)
def test_a_decoder_that_fails_costs_that_file_alone(monkeypatch, reader, words, seconds):
    monkeypatch.setattr(apart, "SECONDS", seconds)
    begun = time.monotonic()
    with pytest.raises(ImageError, match=rf"^lake\.jpg: decoding it {words}"):
        decode_apart(f"{STRANGERS}:{reader}", b"x", LIMITS, "lake.jpg")
    assert time.monotonic() - begun < 30
    monkeypatch.undo()
    assert read_photo_apart(pictures.png(), LIMITS, "next.png").image.shape == (24, 32, 3)


def test_what_a_library_prints_is_no_answer():
    assert decode_apart(f"{STRANGERS}:talk", b"x", LIMITS, "a")[0].tolist() == [0]
    assert read_photo_apart(pictures.png(), LIMITS, "next.png").image.shape == (24, 32, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="address space is bounded on Linux")
def test_memory_is_bounded():
    with pytest.raises(ImageTooLarge, match=r"lake\.jpg: decoding it takes more memory"):
        decode_apart(f"{STRANGERS}:eat", b"x", LIMITS, "lake.jpg")


def test_no_secret_is_there_and_no_file_is_written(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    apart._end_at_exit()
    found, _ = decode_apart(f"{STRANGERS}:environment", b"x", LIMITS, "a")
    names = json.loads(found.tobytes()).keys()
    assert names <= {*apart.INHERITED, *apart.ONE_THREAD, "LC_CTYPE"}
    with pytest.raises(ImageError, match="File too large"):
        decode_apart(f"{STRANGERS}:write", os.fsencode(tmp_path / "x"), LIMITS, "a")
    assert (tmp_path / "x").stat().st_size == 0


def test_small_limits_hold_for_every_format():
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"):
        large = pictures.file(Image.new("RGB", (1200, 1000)), format)
        with pytest.raises(ImageTooLarge, match=r"1\.2 megapixels"):
            read_photo_apart(large, LIMITS, "large")
