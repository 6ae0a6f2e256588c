"""Small versions of renditions for contact sheets. Pure: bytes in, bytes out."""

import io

from PIL import Image

LONG_SIDE = 320
"""Pixels; a contact is shown at half of it, for displays with two pixels to one of CSS."""


def thumbnail(data: bytes) -> bytes:
    """JPEG of an image file, at most LONG_SIDE long, with its colour profile."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (LONG_SIDE, LONG_SIDE))
        profile = image.info.get("icc_profile")
        small = image.convert("RGB")
    small.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS, reducing_gap=2)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=88, subsampling=0, icc_profile=profile)
    return out.getvalue()
