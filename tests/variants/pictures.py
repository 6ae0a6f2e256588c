"""Image files of all kinds, made on the spot."""

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image, ImageCms


def levels(height=24, width=32, channels=3, seed=0, maximum=255):
    """Smooth random levels: photos have neighbours that are alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((4, 4, channels)).astype(np.float32)
    planes = [
        Image.fromarray(coarse[..., c]).resize((width, height), Image.Resampling.BILINEAR)
        for c in range(channels)
    ]
    image = np.stack([np.asarray(plane) for plane in planes], axis=-1) * maximum
    return image.round().astype(np.uint8 if maximum == 255 else np.uint16)


def file(image, format="PNG", **options):
    buffer = io.BytesIO()
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png(**options):
    return file(levels(), "PNG", **options)


def png_16_bit(image, iccprofile=b""):
    """As no writer at hand does it: 16 bits a channel, unfiltered."""
    height, width, channels = image.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + (_chunk(b"iCCP", b"p\0\0" + zlib.compress(iccprofile)) if iccprofile else b"")
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def png_header_only(width, height):
    """A file that says it is large; decoding it would fail, so that it must be refused before."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + _chunk(b"IEND", b"")
    )


def png_with_a_bomb(kind):
    """A small photo with a chunk, of 20 kB, that unpacks to 20 MB."""
    head = {b"iCCP": b"p\0\0", b"zTXt": b"c\0\0", b"iTXt": b"c\0\1\0\0\0"}[kind]
    whole = png()
    return whole[:33] + _chunk(kind, head + zlib.compress(bytes(20_000_000))) + whole[33:]


def tiff_16_bit(image, **options):
    buffer = io.BytesIO()
    if image.shape[-1] == 4:
        options |= {"extrasamples": ["unassalpha"]}
    photometric = "minisblack" if 1 in image.shape else "rgb"
    tifffile.imwrite(buffer, image.squeeze(), photometric=photometric, **options)
    return buffer.getvalue()


def animated(format):
    frames = [Image.fromarray(levels(seed=seed)) for seed in (1, 2)]
    return file(frames[0], format, save_all=True, append_images=frames[1:])


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def lab_profile():
    """A profile that fits no photo's pixels."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


PROPHOTO = [[0.7976749, 0.1351917, 0.0313534], [0.2880402, 0.7118741, 0.0000857], [0, 0, 0.8252100]]
"""Linear ROMM RGB to XYZ under D50 (ISO 22028-2)."""


def prophoto_profile():
    """As professionals' TIFFs carry it, MIT-Adobe FiveK's among them: a matrix, and gamma 1.8 as 461/256."""
    curve = _tag(b"curv", struct.pack(">IH", 1, 461))
    columns = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, zip(*PROPHOTO, strict=True)), strict=True))
    return profile(b"RGB ", "ProPhoto RGB", columns | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def linear_grey_profile():
    """The smallest ICC v2 grey profile: white point and a curve with gamma 1."""
    return profile(b"GRAY", "linear grey", {b"kTRC": _tag(b"curv", struct.pack(">I", 0))})


def press_profile():
    """A CMYK profile of the smallest table, two points a channel: L falls with black ink, whatever the other inks."""
    ramp = bytes(range(256))
    corners = bytes(value for ink in range(16) for value in (0 if ink & 1 else 255, 128, 128))  # L, a, b
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = bytes((4, 3, 2, 0)) + matrix + ramp * 4 + corners + ramp * 3
    return profile(b"CMYK", "a press", {b"A2B0": _tag(b"mft1", table)}, connection=b"Lab ")


def profile(space, name, tags, connection=b"XYZ "):
    """An ICC v2 display profile of these tags."""
    text = name.encode() + b"\0"
    tags = {
        b"desc": _tag(b"desc", struct.pack(">I", len(text)) + text + bytes(78)),
        b"wtpt": _xyz((0.9642, 1.0, 0.8249)),
    } | tags
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for key, data in tags.items():
        table += key + struct.pack(">2I", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI", offset + len(body), bytes(4), 0x02400000) + b"mntr" + space + connection
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def _xyz(values):
    return _tag(b"XYZ ", struct.pack(">3i", *(round(value * 65536) for value in values)))


def _tag(kind, content):
    data = kind + bytes(4) + content
    return data + bytes(-len(data) % 4)
