"""Readers of strangers' files, a few made-up ones each; `python -m tests.fuzz` goes on for as long as one likes."""

import warnings
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import TARGETS

EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from(["flip", "cut", "double", "put"]),
        st.binary(min_size=1, max_size=8)
        | st.sampled_from([b"\xff\xff\xff\xff", b"-1", b"1e999", b"NaN", b"\n", b"../", b"=", b'"', b"\0"]),
    ),
    max_size=6,
)
target_of = cache(lambda name: TARGETS[name]())


def edited(data, edits):
    for at, what, piece in edits:
        place = int(at * len(data))
        span = len(piece)
        if what == "flip":
            data = data[:place] + piece + data[place + span :]
        elif what == "cut":
            data = data[:place] + data[place + span * span :]
        elif what == "double":
            data = data[: place + 40 * span] + data[place:]
        else:
            data = data[:place] + piece + data[place:]
    return data


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=20, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 99), edits=EDITS)
def test_a_damaged_file_is_read_or_refused_with_the_readers_own_error(name, seed, edits):
    target = target_of(name)
    data = edited(target.seeds[seed % len(target.seeds)], edits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(*target.errors):
            target.read(data)
