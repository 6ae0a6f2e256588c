"""Photos in, renditions out: decoding with limits, colour management, encoding.

Inside the project an image is float32 sRGB in [0, 1], (H, W, 3). `read_photo` brings what
people have to that form, by way of the 8 bits that most have, and says in `found` what it met; `encode_image` writes what
is served: sRGB, its profile embedded, without any other metadata, the same bytes
for the same pixels.
"""

import io
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from variants.tone import lut_engine, luts
from variants.tone.png16 import Levels, decode_png16
from variants.tone.profiles import MatrixProfile

Pixels = np.ndarray[Any, np.dtype[np.float32]]
Levels8 = np.ndarray[Any, np.dtype[np.uint8]]
Levels8OrPixels = np.ndarray[Any, np.dtype[Any]]

FORMATS: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF")
with suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS += ("HEIF",)
HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}
EXTENSIONS = {"webp_lossless": "webp", "jpeg_444": "jpg", "png": "png"}
_ROWS = 256
CONTENT_TYPES = {"webp_lossless": "image/webp", "jpeg_444": "image/jpeg", "png": "image/png"}


class ImageError(ValueError):
    """An image that cannot be used; the message names it, and says why and what mends it."""


class ImageTooLarge(ImageError):
    """An image of more pixels than are taken."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a photo may be. Bytes and pixels are checked before anything is decoded."""

    max_bytes: int = 200_000_000
    max_pixels: int = 80_000_000
    """A photo of 80 megapixels takes 1 GB as float32."""
    min_side: int = 16
    """In pixels; nothing smaller can be judged."""
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """sRGB colour that shows through where a photo is transparent."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    image: Levels8OrPixels
    """(H, W, 3) sRGB, upright: uint8 where the file holds no more, in a quarter of the memory; else as `pixels`."""
    found: dict[str, Any]
    """What the file was: format, mode, bits, bits_used, profile, orientation, author, transparent, notes."""

    @cached_property
    def pixels(self) -> Pixels:
        """(H, W, 3) float32 sRGB in [0, 1], upright."""
        return _as_pixels(self.image)


def read_photo(source: str | Path | bytes | BinaryIO, limits: Limits | None = None, name: str = "") -> Photo:
    """Read a photo from a path, from bytes or from an open file; ImageError says what is wrong with it."""
    limits = limits or Limits()
    data, name = _read_bytes(source, limits, name)
    return _Reader(name, data, limits).read()


def read_file(path: str | Path, limits: Limits) -> bytes:
    """A file's bytes, but never more than one above the limit; a pipe, which may never end, is refused."""
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageError(f"{path.name}: it is not a regular file")
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)
    except OSError as error:
        raise ImageError(f"{path.name}: {error.strerror or error}") from error


def encode_image(pixels: np.ndarray[Any, np.dtype[Any]], encoding: str) -> bytes:
    """Encode an image, in [0, 1] or in 8 bits, as `webp_lossless`, `jpeg_444` or `png`; equal pixels give equal bytes."""
    if encoding not in EXTENSIONS:
        raise ValueError(f"encoding is {encoding!r}; it must be one of {', '.join(EXTENSIONS)}")
    image = Image.fromarray(pixels if pixels.dtype == np.uint8 else to_8_bit(pixels))
    file = io.BytesIO()
    if encoding == "webp_lossless":
        # Effort 2 of 6: 55 ms for 0.4 megapixels and 3 % larger than effort 6, which takes 165 to 260 ms.
        image.save(file, "WEBP", lossless=True, method=2, quality=0, icc_profile=srgb_profile())
    elif encoding == "jpeg_444":
        image.save(file, "JPEG", quality=95, subsampling=0, icc_profile=srgb_profile())
    else:
        image.save(file, "PNG", compress_level=6, icc_profile=srgb_profile())
    return file.getvalue()


def decode_image(data: bytes, name: str = "image") -> Pixels:
    """Decode an image that encode_image has written, or that is sRGB already."""
    with as_image_errors(name):
        image = Image.open(io.BytesIO(data), formats=FORMATS).convert("RGB")
    return from_8_bit(np.asarray(image))


def fit_long_side(pixels: Levels8OrPixels, long_side: int) -> Pixels:
    """Scale an image, in [0, 1] or in 8 bits, down until its long side is `long_side` pixels; never up."""
    height, width = pixels.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return _as_pixels(pixels)
    return fit_size(pixels, (max(1, round(width * scale)), max(1, round(height * scale))))


def fit_size(pixels: Levels8OrPixels, size: tuple[int, int]) -> Pixels:
    """Scale an image to this width and height: Lanczos (three lobes) with its support widened to the scale, on float32."""
    height, width = pixels.shape[:2]
    if size == (width, height):
        return _as_pixels(pixels)
    channels = [
        np.asarray(
            Image.fromarray(_as_pixels(np.ascontiguousarray(pixels[..., c]))).resize(
                size, Image.Resampling.LANCZOS
            )
        )
        for c in range(3)
    ]
    return np.clip(np.stack(channels, axis=-1), 0, 1)  # type: ignore[no-any-return]


def to_8_bit(pixels: Pixels) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Round [0, 1] to the nearest of 256 levels."""
    return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


def from_8_bit(levels: np.ndarray[Any, np.dtype[np.uint8]]) -> Pixels:
    """256 levels as [0, 1]."""
    return levels.astype(np.float32) / np.float32(255)


@cache
def srgb_profile() -> bytes:
    """An sRGB profile as bytes that are the same every day: its date of making is set to 2000-01-01."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # dateTimeNumber, ICC.1:2010 table 8
    return bytes(profile)


class _Reader:
    """One photo on its way to pixels, and the notes taken on the way."""

    def __init__(self, name: str, data: bytes, limits: Limits) -> None:
        self.name, self.data, self.limits = name, data, limits
        self.found: dict[str, Any] = {}
        self.notes: list[str] = []

    def read(self) -> Photo:
        image = self._load()
        srgb, alpha = self._decode(image, image.info.get("icc_profile") or b"")
        if alpha is not None:
            background = np.asarray(self.limits.background, dtype=np.float32)
            srgb = (alpha * _as_pixels(srgb) + (1 - alpha) * background).astype(np.float32)
        self.found |= {"transparent": alpha is not None, "notes": self.notes}
        return Photo(image=np.ascontiguousarray(srgb), found=self.found)

    def _load(self) -> Image.Image:
        """The photo as Pillow has it, upright; its header is checked before its pixels are decoded."""
        if "HEIF" not in FORMATS and self.data[4:8] == b"ftyp" and self.data[8:12] in HEIF_BRANDS:
            raise self._error(
                "HEIC is read where the package pillow-heif is installed, and it is not. "
                "pip install 'tonalist[heic]', or save the photo as JPEG or TIFF."
            )
        with as_image_errors(self.name):
            image = Image.open(io.BytesIO(self.data), formats=FORMATS)
            self._check(image)
            self._look_at(image)
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return image

    def _check(self, image: Image.Image) -> None:
        """Refuse by what the header says, before anything is decoded."""
        width, height = image.size
        if width * height > self.limits.max_pixels:
            raise ImageTooLarge(
                f"{self.name}: {width}×{height} is {width * height / 1e6:.1f} megapixels; at most "
                f"{self.limits.max_pixels / 1e6:g} are taken. Scale it down first."
            )
        if min(width, height) < self.limits.min_side:
            raise self._error(
                f"{width}×{height} is too small: each side needs at least {self.limits.min_side} pixels."
            )
        # A phone's MPO holds the photo first, then other views of it; those are no animation.
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        if frames > 1:
            raise self._error(f"it is animated or has pages ({frames} of them). Save one of them by itself.")
        if image.mode in ("I", "F", "LAB", "HSV", "YCbCr") and image.format != "PNG":
            raise self._error(
                f"its pixels are {image.mode}, which cannot be read. Save it as RGB, 8 or 16 bit."
            )

    def _look_at(self, image: Image.Image) -> None:
        bits = self._bits(image)
        self.found |= {
            "format": image.format,
            "mode": image.mode,
            "width": image.width,
            "height": image.height,
            "bits": bits,
            "bits_used": min(bits, 8),
            "profile": "",
            "orientation": _orientation(image),
            "author": _author(image),
        }

    def _bits(self, image: Image.Image) -> int:
        """Per channel, by the file's header: Pillow's modes do not tell 16-bit RGB from 8-bit."""
        if image.format == "PNG":
            return self.data[24]
        if image.format == "TIFF":
            return int(max(np.atleast_1d(image.tag_v2.get(258, 1))))  # type: ignore[attr-defined]
        return 16 if image.mode.startswith("I;16") else 8

    def _decode(self, image: Image.Image, profile: bytes) -> tuple[Levels8OrPixels, Pixels | None]:
        """SRGB and, where there is transparency, alpha (H, W, 1)."""
        has_key_colour = "transparency" in image.info
        if self.found["bits"] == 16 and self.found["mode"] in ("RGB", "RGBA") and not has_key_colour:
            return self._decode_16_bit(profile)
        if image.mode in ("P", "PA", "RGBA", "LA", "La", "RGBa") or "transparency" in image.info:
            image = image.convert("RGBA")
            alpha = from_8_bit(np.asarray(image.getchannel("A")))[..., None]
            return self._to_srgb(image.convert("RGB"), profile), None if alpha.min() == 1 else alpha
        if image.mode.startswith("I"):
            grey = _from_16_bit(np.asarray(image))
            self.found["bits_used"] = 16
            return self._grey_to_srgb(grey, profile), None
        if image.mode in ("1", "L"):
            return self._grey_to_srgb(np.asarray(image.convert("L")), profile), None
        return self._to_srgb(image, profile), None

    def _decode_16_bit(self, profile: bytes) -> tuple[Pixels, Pixels | None]:
        with as_image_errors(self.name):
            levels = self._tiff_levels() if self.found["format"] == "TIFF" else decode_png16(self.data)
        self.found["bits_used"] = 16
        levels = _turned(levels, self.found["orientation"])
        pixels = self._levels_to_srgb(levels[..., :3], profile)
        if levels.shape[-1] < 4 or levels[..., 3].min() == 65535:
            return pixels, None
        return pixels, levels[..., 3:].astype(np.float32) / np.float32(65535)

    def _tiff_levels(self) -> Levels:
        with tifffile.TiffFile(io.BytesIO(self.data)) as file:
            page = file.pages.first
            is_apart = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
            *size, channels = (*page.shape[1:], page.shape[0]) if is_apart else page.shape
            if sorted(size) != sorted((self.found["height"], self.found["width"])) or channels not in (3, 4):
                raise self._error("its tags contradict each other. Save it again as TIFF or PNG.")
            levels = page.asarray()
        if levels.dtype != np.uint16:
            raise self._error(
                f"its numbers are {levels.dtype}, which cannot be read. Save it as RGB, 8 or 16 bit."
            )
        return np.moveaxis(levels, 0, -1) if is_apart else levels

    def _levels_to_srgb(self, levels: Levels, profile: bytes) -> Pixels:
        if self._needs_conversion(profile):
            if matrix := MatrixProfile.from_bytes(profile):
                return matrix.to_srgb(levels)
            return lut_engine.apply(_from_16_bit(levels), self._profile_table(profile))
        return _from_16_bit(levels)

    def _profile_table(self, profile: bytes) -> luts.Lut3D:
        """Any profile's conversion as a table of 52³: its points are whole 8-bit levels, 5 apart."""

        def convert(lattice: Pixels) -> Pixels:
            image = Image.fromarray(to_8_bit(lattice.reshape(-1, 52, 3).astype(np.float32)))
            return from_8_bit(self._to_srgb(image, profile)).reshape(lattice.shape)

        return luts.bake(convert, size=52)

    def _grey_to_srgb(self, grey: Levels8OrPixels, profile: bytes) -> Levels8OrPixels:
        """A grey profile is one curve: its 256 values are interpolated, so that 16 bits stay 16."""
        if self._needs_conversion(profile):
            ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
            curve = from_8_bit(self._to_srgb(ramp, profile))[0, :, 0]
            grey = np.interp(_as_pixels(grey), np.linspace(0, 1, 256), curve).astype(np.float32)
        return np.repeat(grey[..., None], 3, axis=-1)

    def _to_srgb(self, image: Image.Image, profile: bytes) -> Levels8:
        if self._needs_conversion(profile):
            converted = self._convert(image, profile)
            if converted is not None:
                return _levels_of(converted)
        elif image.mode == "CMYK":
            self.notes.append("CMYK without a profile: converted by 1 - C - K, colours are a guess")
        return _levels_of(image)

    def _needs_conversion(self, profile: bytes) -> bool:
        """Whether there is a profile other than sRGB; what it calls itself goes into `found`."""
        if not profile:
            return False
        try:
            description = ImageCms.getProfileDescription(io.BytesIO(profile)).strip()
        except ImageCms.PyCMSError:
            self._note_bad_profile("cannot be read")
            return False
        self.found["profile"] = "".join(filter(str.isprintable, description))[:200]
        return "srgb" not in description.lower()

    def _convert(self, image: Image.Image, profile: bytes) -> Image.Image | None:
        try:
            return ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile())),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except ImageCms.PyCMSError:
            self._note_bad_profile(f"does not fit {image.mode} pixels")
            return None

    def _note_bad_profile(self, why: str) -> None:
        note = f"the embedded profile {why}: taken as sRGB"
        if note not in self.notes:
            self.notes.append(note)

    def _error(self, what: str) -> ImageError:
        return ImageError(f"{self.name}: {what}")


def _read_bytes(source: str | Path | bytes | BinaryIO, limits: Limits, name: str) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        name, data = name or "image", source
    elif isinstance(source, str | Path):
        name, data = name or Path(source).name, read_file(source, limits)
    else:
        name, data = name or "image", source.read(limits.max_bytes + 1)
    if not data:
        raise ImageError(f"{name}: the file is empty (0 bytes).")
    if len(data) > limits.max_bytes:
        raise ImageError(f"{name}: more than {limits.max_bytes / 1e6:g} MB, which is the most that is taken.")
    return data, name


@contextmanager
def as_image_errors(name: str) -> Iterator[None]:
    """Turn what the decoders raise on bad files into ImageError."""
    with warnings.catch_warnings():
        # Pillow warns of sizes that the limits refuse by themselves, and of odd metadata that is not used.
        warnings.simplefilter("ignore")
        try:
            yield
        except ImageError:
            raise
        except UnidentifiedImageError as error:
            raise ImageError(f"{name}: not an image that can be read ({', '.join(FORMATS)}).") from error
        except Image.DecompressionBombError as error:
            raise ImageTooLarge(f"{name}: far too many pixels. Scale it down first.") from error
        # Pillow's and tifffile's decoders raise any of these on damaged data.
        except (
            OSError,
            SyntaxError,
            ValueError,
            EOFError,
            LookupError,
            TypeError,
            RuntimeError,
            struct.error,
            zlib.error,
        ) as error:
            raise ImageError(f"{name}: the file is damaged or cut short ({error}).") from error


def _as_pixels(image: Levels8OrPixels) -> Pixels:
    return from_8_bit(image) if image.dtype == np.uint8 else image


def _levels_of(image: Image.Image) -> Levels8:
    """RGB in bands of rows: taken out at once, Pillow has a large photo three times in memory."""
    levels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _ROWS):
        bottom = min(top + _ROWS, image.height)
        levels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)).convert("RGB"))
    return levels


def _from_16_bit(levels: np.ndarray[Any, Any]) -> Pixels:
    return levels.astype(np.float32) / np.float32(65535)


def _author(image: Image.Image) -> str:
    """What EXIF says under Copyright, else under Artist; the file that is served says neither."""
    exif = image.getexif()
    for tag in (0x8298, 0x013B):
        text = str(exif.get(tag, ""))
        try:
            text = text.encode("latin-1").decode()  # Pillow takes bytes for Latin-1, most cameras write UTF-8
        except UnicodeError:
            pass
        text = "".join(filter(str.isprintable, text)).strip()
        if text:
            return text[:300]
    return ""


def _orientation(image: Image.Image) -> int:
    found = image.getexif().get(0x0112, 1)
    return found if found in range(1, 9) else 1


def _turned(levels: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """Turn upright as EXIF's orientation 1 to 8 asks."""
    if orientation in (5, 6, 7, 8):
        levels = levels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        levels = levels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        levels = levels[::-1]
    return levels
