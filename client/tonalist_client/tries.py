"""When a request is tried again, and after how long."""

import contextlib
import random
from collections.abc import Callable

import httpx

TRIED_AGAIN = (429, 502, 503, 504)
TRIES = 6
PATIENCE = 120.0
"""Seconds of waiting between the tries of one request, all together."""
AWAY_PATIENCE = 10.0
"""The same where nobody answers at that address."""
LONGEST_WAIT = 60.0
NO_USE = (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.ProxyError)
"""What no second try mends."""


class Tries:
    """Of one request: how many there were, and how long was waited between them."""

    def __init__(self, most: int, sleep: Callable[[float], None]) -> None:
        self._most, self._sleep = most, sleep
        self._done, self._waited = 0, 0.0

    def __str__(self) -> str:
        return f"tried {self._done} times in {self._waited:.0f} s of waiting"

    def another(self, failed: httpx.Response | httpx.TransportError) -> bool:
        """Whether to try again, after a wait: twice as long each time, spread so that clients part."""
        self._done += 1
        if self._done >= self._most or isinstance(failed, NO_USE):
            return False
        wait = min(LONGEST_WAIT, 2 ** (self._done - 1)) * random.uniform(0.5, 1)
        if isinstance(failed, httpx.Response):
            wait = max(wait, _retry_after(failed))
        is_away = isinstance(failed, httpx.ConnectError | httpx.ConnectTimeout)
        if self._waited + wait > (AWAY_PATIENCE if is_away else PATIENCE):
            return False
        self._waited += wait
        self._sleep(wait)
        return True


def _retry_after(response: httpx.Response) -> float:
    with contextlib.suppress(ValueError):
        return min(LONGEST_WAIT, float(response.headers.get("Retry-After", "")))
    return 0
