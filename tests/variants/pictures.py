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


def png_16_bit(image):
    """As no writer at hand does it: 16-bit RGB or grey, unfiltered."""
    height, width, channels = image.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2}[channels], 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
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


def tiff_16_bit(image, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, image.squeeze(), photometric="rgb" if 3 in image.shape else "minisblack", **options
    )
    return buffer.getvalue()


def animated(format):
    frames = [Image.fromarray(levels(seed=seed)) for seed in (1, 2)]
    return file(frames[0], format, save_all=True, append_images=frames[1:])


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def lab_profile():
    """A profile that fits no photo's pixels."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
