"""Files of strangers are decoded in a process of their own: it has no secrets, writes no file, and time and memory are bounded.

A decoder that hangs, eats memory or crashes costs that file alone. One process serves many files, one after the
other; `python -m variants.tone.apart` is what runs in it. To it goes a line of JSON and the file's bytes, from it comes
a line of JSON and the array's bytes.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from variants.tone.images import ImageError, ImageTooLarge, Limits, Photo

SECONDS = 120
"""For one file, by the clock and by the processor; 24 megapixels take 1 to 3 on a core of one's own."""
BYTES, BYTES_PER_PIXEL = 600_000_000, 100
"""Of address space: of libraries and files, and of each pixel that the limits allow; 16 bits with a profile take 61."""
INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
ROOT = Path(__file__).resolve().parents[2]


def read_photo_apart(data: bytes, limits: Limits, name: str) -> Photo:
    """`images.read_photo` of bytes that somebody sent; ImageError says what is wrong with them, or with reading them."""
    image, found = decode_apart("variants.tone.images:read_photo", data, limits, name)
    return Photo(image=image, found=found)


def decode_apart(
    reader: str, data: bytes, limits: Limits, name: str
) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """What `module:function` makes of (bytes, limits, name): an array, or a Photo's image and what was found.

    Raises:
        ImageError: what the function says, or that it took too long, too much memory, or crashed.
    """
    with _lock:
        return _process().decode(reader, data, limits, name)


class _Decoder:
    def __init__(self) -> None:
        self.owner = os.getpid()
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-B", "-m", "variants.tone.apart"],
            cwd=ROOT,
            env=inherited | ONE_THREAD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def decode(
        self, reader: str, data: bytes, limits: Limits, name: str
    ) -> tuple[npt.NDArray[Any], dict[str, Any]]:
        asked = {"reader": reader, "limits": asdict(limits), "name": name, "bytes": len(data)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        clock = threading.Timer(SECONDS, self.process.kill)
        clock.start()
        try:
            self.process.stdin.write(json.dumps(asked | {"seconds": SECONDS}).encode() + b"\n")
            self.process.stdin.write(data)
            self.process.stdin.flush()
            told = json.loads(self.process.stdout.readline())
            if "error" in told:
                raise (ImageTooLarge if told["is_too_large"] else ImageError)(told["error"])
            image = np.empty(told["shape"], told["dtype"])
            if self.process.stdout.readinto(image.data.cast("B")) != image.nbytes:  # type: ignore[attr-defined]
                raise EOFError
        except ImageError:
            raise
        except (OSError, EOFError, json.JSONDecodeError) as error:
            self.end()
            why = f"took longer than {SECONDS} s" if not clock.is_alive() else "broke off"
            raise ImageError(f"{name}: decoding it {why}. Save it again, smaller or as JPEG.") from error
        except BaseException:  # a job that is cancelled: what this file has left in the pipe is nobody's
            self.end()
            raise
        finally:
            clock.cancel()
        return image, told["found"]

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


_lock = threading.Lock()
_decoder: _Decoder | None = None


def _process() -> _Decoder:
    """The decoder that this process started, while it lives; a forked worker starts another one."""
    global _decoder
    if _decoder is None or _decoder.owner != os.getpid() or _decoder.process.poll() is not None:
        if _decoder is None:
            atexit.register(_end_at_exit)
        _decoder = _Decoder()
    return _decoder


def _end_at_exit() -> None:
    if _decoder is not None and _decoder.owner == os.getpid():
        _decoder.end()


def main(asks: IO[bytes], out: IO[bytes]) -> None:
    """Serve one file after the other until nobody asks any more."""
    while line := asks.readline():
        asked = json.loads(line)
        _bound(asked["limits"]["max_pixels"], asked["limits"]["max_bytes"], asked["seconds"])
        image, told = _answer(asked, asks.read(asked["bytes"]))
        out.write(json.dumps(told).encode() + b"\n")
        if image is not None:
            out.write(image.data.cast("B"))
        out.flush()
        del image


def _answer(asked: dict[str, Any], data: bytes) -> tuple[npt.NDArray[Any] | None, dict[str, Any]]:
    module, _, function = asked["reader"].partition(":")
    try:
        read = getattr(import_module(module), function)(data, Limits(**asked["limits"]), asked["name"])
    except ImageError as error:
        return None, {"error": str(error), "is_too_large": isinstance(error, ImageTooLarge)}
    except MemoryError:
        fault = f"{asked['name']}: decoding it takes more memory than a photo may. Scale it down first."
        return None, {"error": fault, "is_too_large": True}
    image, found = (read.image, read.found) if isinstance(read, Photo) else (read, {})
    image = np.ascontiguousarray(image)
    return image, {"shape": image.shape, "dtype": str(image.dtype), "found": found}


def _bound(max_pixels: int, max_bytes: int, seconds: float) -> None:
    """Memory and time for one file; no file is written, and what crashes leaves no image of its memory."""
    import resource

    def limit(what: int, value: float) -> None:
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (int(value), hard))

    used = resource.getrusage(resource.RUSAGE_SELF)
    limit(resource.RLIMIT_CPU, used.ru_utime + used.ru_stime + seconds + 1)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":  # elsewhere the system refuses, or does not look
        limit(resource.RLIMIT_AS, BYTES + max_bytes + BYTES_PER_PIXEL * max_pixels)


if __name__ == "__main__":
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    main(sys.stdin.buffer, told)
