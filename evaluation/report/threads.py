"""How torch shares the cores while a report is made."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def one_core_each() -> Iterator[ThreadPoolExecutor]:
    """A pool with a thread for each core; in it, and in the calling thread, torch works on one core.

    On images as small as a report's, several cores on one operation wait for each other
    longer than they work, most of all on a machine that is busy with other things.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # Each thread says it for itself as well: matrix products do not see what another thread has set.
        with ThreadPoolExecutor(before, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)
