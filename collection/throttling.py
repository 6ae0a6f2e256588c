"""How often one client may ask. Requests are counted in the cache, in stretches of some seconds.

The limits lie far above what any page does; they are there for programs that have lost their way.
"""

import ipaddress
import logging
import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    name: str
    requests: int
    """In each stretch of so many `seconds`, by the counts of one process where it has a cache of its own."""
    seconds: int


SESSION = Limit(name="session", requests=300, seconds=10)
"""Of one session: a phone that comes out of a tunnel sends ninety answers as fast as it can."""
UNKNOWN = Limit(name="unknown", requests=300, seconds=60)
"""Of sessions that do not exist, from one address: who goes through tokens."""
PAGES = Limit(name="pages", requests=3000, seconds=60)
"""For one address, such as the page that sessions begin on: a lecture hall may stand behind it."""


def seconds_to_wait(limit: Limit, client: str) -> int:
    """Count a request of a client: 0 when it may be done, else how long to wait."""
    now = time.time()
    stretch, gone = divmod(now, limit.seconds)
    key = f"{limit.name}:{client[:64]}:{stretch:.0f}"
    return 0 if _counted(key, limit.seconds) <= limit.requests else int(limit.seconds - gone) + 1


def address_of(request: HttpRequest) -> str:
    """The client's, or its network's where a household has many (IPv6)."""
    address = str(request.META.get("REMOTE_ADDR", ""))
    if settings.BEHIND_PROXY:
        address = request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        return address
    return address if version == 4 else str(ipaddress.ip_network(f"{address}/64", strict=False))


def _counted(key: str, seconds: int) -> int:
    try:
        try:
            return cache.incr(key)
        except ValueError:  # the first of its stretch
            return 1 if cache.add(key, 1, seconds) else cache.incr(key)
    except RedisError:
        logger.exception("requests cannot be counted, so none is turned away")
        return 0
