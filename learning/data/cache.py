"""A memory that forgets what was used longest ago, so that it stays within its bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Values by key within `limit` bytes; the newest value stays even where it is larger by itself."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()

    @property
    def nbytes(self) -> int:
        return self._bytes

    def get(self, key: K) -> V | None:
        found = self._held.get(key)
        if found is None:
            return None
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, nbytes: int) -> None:
        if key in self._held:
            self._bytes -= self._held.pop(key)[1]
        self._held[key] = (value, nbytes)
        self._bytes += nbytes
        while self._bytes > self._limit and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1][1]
