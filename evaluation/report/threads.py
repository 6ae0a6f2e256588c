"""How torch shares the cores while a report is made."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread_each() -> Iterator[int]:
    """Let every thread of Python's work on one core at a time; give how many there may be.

    On images as small as a report's, several cores on one operation wait for each other
    longer than they work, most of all on a machine that is busy with other things.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)
