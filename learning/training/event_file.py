"""Curves as TensorBoard reads them: event files, written without TensorBoard.

An event file is a row of records, each with its length and two checksums (TensorFlow's
TFRecord), holding protocol buffers of the type Event (tensorflow/core/util/event.proto);
a scalar is a Summary.Value with a tag and a simple_value. Only what scalars need is here.
"""

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

FOLDER = "tensorboard"
START = 1
"""SessionLog.START: what other files of the folder hold from this step on is forgotten."""


class EventFile:
    """One file of a run; a resumed run adds another, from its first step on.

    Args:
        folder: of the run; the file is made in its folder `tensorboard`.
        first_step: of what will be written.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        now = time.time()
        name = (
            f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}"
        )
        self.path = folder / FOLDER / name
        self._write(_event(now, 0, _bytes(3, b"brain.Event:2")))
        if first_step:
            self._write(_event(now, first_step, _bytes(7, _varint_field(1, START))))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars of one step, by tag."""
        summary = b"".join(
            _bytes(1, _bytes(1, tag.encode()) + _key(2, 5) + struct.pack("<f", value))
            for tag, value in values.items()
        )
        self._write(_event(time.time(), step, _bytes(5, summary)))

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        record = length + _masked(length) + event + _masked(event)
        with self.path.open("ab") as file:  # whoever watches sees it at once
            file.write(record)


def _event(wall_time: float, step: int, what: bytes) -> bytes:
    return _key(1, 1) + struct.pack("<d", wall_time) + _varint_field(2, step) + what


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint_field(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Base 128, the lowest seven bits first."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # Castagnoli's polynomial, reversed
        table.append(byte)
    return tuple(table)


CRC_TABLE = _crc_table()


def crc32c(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked(content: bytes) -> bytes:
    """TFRecord's mask: a checksum of data that hold checksums."""
    crc = crc32c(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
