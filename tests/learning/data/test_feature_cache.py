import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from learning.data import feature_cache
from learning.data.feature_cache import FeatureCache, cache_folder

KEYS = [bytes([n]) * 32 for n in range(7)]
VECTORS = np.arange(21, dtype=np.float32).reshape(7, 3)


def write(cache, *rows):
    cache.write("id", [KEYS[row] for row in rows], VECTORS[list(rows)])


def test_what_was_written_is_found_in_the_order_asked_for(tmp_path):
    cache = FeatureCache(tmp_path)
    write(cache, 0, 1)
    write(cache, 3)
    features, is_found = cache.read("id", [KEYS[3], KEYS[2], KEYS[0], KEYS[3]], 3)
    assert is_found.tolist() == [True, False, True, True]
    assert np.array_equal(features[is_found], VECTORS[[3, 0, 3]])
    assert not cache.read("other", KEYS, 3)[1].any()
    assert not cache.read("id", KEYS, 4)[1].any()


def test_many_files_become_one_and_keep_every_vector(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_cache, "MANY_FILES", 4)
    cache = FeatureCache(tmp_path)
    for row in range(7):
        write(cache, row, 0)
    assert len(list(cache.folder.glob("*/*.npy"))) < 4
    features, is_found = cache.read("id", KEYS, 3)
    assert is_found.all()
    assert np.array_equal(features, VECTORS)


def test_a_broken_file_is_removed_and_said(tmp_path):
    cache = FeatureCache(tmp_path)
    write(cache, 0, 1)
    [file] = cache.folder.glob("*/*.npy")
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.warns(UserWarning, match="is broken .* computed again"):
        assert not cache.read("id", KEYS, 3)[1].any()
    assert not file.exists()


PROGRAM = """
import sys, time, numpy as np
from learning.data.feature_cache import FeatureCache
cache = FeatureCache(sys.argv[1])
print("ready", flush=True)
for n in range(10**6):
    key = n.to_bytes(31, "big") + bytes([int(sys.argv[2])])
    cache.write("0" * 32, [key], np.full((1, 3), n, np.float32))
    print(n, flush=True)
"""


def test_two_processes_write_at_a_time_and_a_killed_one_breaks_nothing(tmp_path):
    start = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    processes = [subprocess.Popen([*start, n], stdout=subprocess.PIPE, text=True) for n in "12"]
    written = []
    for process in processes:
        lines = [process.stdout.readline() for _ in range(8)]
        written.append(int(lines[-1]) + 1)
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    for number, count in enumerate(written, start=1):
        keys = [n.to_bytes(31, "big") + bytes([number]) for n in range(count)]
        found, is_found = FeatureCache(tmp_path).read("0" * 32, keys, 3)
        assert is_found.all()
        assert np.array_equal(found[:, 0], np.arange(count))


def test_what_killed_processes_left_goes_after_a_day(tmp_path):
    cache = FeatureCache(tmp_path)
    cache.write("id", [bytes(32)], np.zeros((1, 3), np.float32))
    old, new = (cache.folder / "id" / f"{name}.partial" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * feature_cache.DAY,) * 2)
    cache.write("id", [bytes(32)], np.zeros((1, 3), np.float32))
    assert (old.exists(), new.exists()) == (False, True)


def test_the_folder_is_what_is_named_or_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("TONALIST_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tonalist"
    monkeypatch.setenv("TONALIST_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert cache_folder(tmp_path / "named") == tmp_path / "named"
