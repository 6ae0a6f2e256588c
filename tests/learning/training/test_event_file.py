"""Event files, read back by the format's own rules."""

import struct

import pytest

from learning.training.event_file import EventFile, crc32c


def records(path):
    """The contents of a TFRecord file, its checksums compared."""
    data = path.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        content = data[12 : 12 + length]
        for part, stored in ((data[:8], data[8:12]), (content, data[12 + length : 16 + length])):
            crc = crc32c(part)
            masked = ((crc >> 15) | (crc << 17) & 0xFFFFFFFF) + 0xA282EAD8 & 0xFFFFFFFF
            assert struct.unpack("<I", stored) == (masked,)
        yield content
        data = data[16 + length :]


def fields(message):
    """(field, value) of a protocol buffer: ints, 8 or 4 bytes, or contents."""
    found = []
    while message:
        key, message = varint(message)
        kind = key & 7
        if kind == 0:
            value, message = varint(message)
        elif kind == 2:
            length, message = varint(message)
            value, message = message[:length], message[length:]
        else:
            width = {1: 8, 5: 4}[kind]
            value, message = message[:width], message[width:]
        found.append((key >> 3, value))
    return found


def varint(message):
    value = 0
    for place, byte in enumerate(message):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, message[place + 1 :]
    raise AssertionError("cut short")


def scalars(path):
    found = []
    for record in records(path):
        event = dict(fields(record))
        for _, value in fields(event.get(5, b"")):
            scalar = dict(fields(value))
            found.append((event[2], scalar[1].decode(), struct.unpack("<f", scalar[2])[0]))
    return found


def test_the_checksum_is_castagnolis():
    """RFC 3720, B.4: 32 bytes of zeros; and the usual check value."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_scalars_come_back(tmp_path):
    events = EventFile(tmp_path, 0)
    events.add(10, {"loss": 0.5, "learning_rate": 0.25})
    events.add(300, {"loss": -0.125})
    assert scalars(events.path) == [(10, "loss", 0.5), (10, "learning_rate", 0.25), (300, "loss", -0.125)]
    assert dict(fields(next(records(events.path))))[3] == b"brain.Event:2"


def test_a_resumed_run_takes_back_what_came_after_its_checkpoint(tmp_path):
    """A SessionLog with the status START at the first step: TensorBoard forgets later steps of other files."""
    EventFile(tmp_path, 0).add(20, {"loss": 1.0})
    resumed = EventFile(tmp_path, 12)
    start = dict(fields(list(records(resumed.path))[1]))
    assert start[2] == 12
    assert dict(fields(start[7])) == {1: 1}
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


def test_tensorboard_itself_reads_it(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    EventFile(tmp_path, 0).add(7, {"loss": 0.5})
    read = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in read.Scalars("loss")] == [(7, 0.5)]
