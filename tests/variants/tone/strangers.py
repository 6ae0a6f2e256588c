"""Readers that do what a decoder must not; they run in the process that tests/variants/tone/test_apart.py bounds."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from variants.tone.images import ImageError


def hang(data, limits, name):
    time.sleep(60)


def eat(data, limits, name):
    return np.ones(10**10)


def crash(data, limits, name):
    os.kill(os.getpid(), signal.SIGSEGV)


def talk(data, limits, name):
    sys.stdout.write("{}\n")
    return np.zeros(1)


def environment(data, limits, name):
    return np.frombuffer(json.dumps(dict(os.environ)).encode(), np.uint8)


def write(data, limits, name):
    try:
        with Path(data.decode()).open("wb") as file:
            file.write(b"x" * 10_000)
    except OSError as error:
        raise ImageError(f"{name}: {error.strerror}") from error
