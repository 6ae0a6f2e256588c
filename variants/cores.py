"""How many processor cores this process may use."""

import os


def usable_cores() -> int:
    """At least 1; where the system does not say which cores a process may use (macOS), all of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
