"""Posting to addresses that researchers enter, without becoming their way into the network behind the site.

An address's name is looked up when the connection is made, every address found is checked, and the
connection goes to one that was: between check and connection there is nothing that could change.
"""

import contextlib
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
from django.conf import settings

SECONDS = 15.0
"""From the look-up of the name to the end of the reply."""
CONNECT_SECONDS = 5.0
MAX_REPLY = 64 * 1024
"""Bytes, with headers. More is not read."""
KEPT_OF_REPLY = 500
"""Characters of the body."""
PORTS = {80, 443, 8080, 8443}
MAX_ADDRESS = 500
NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?)+")

# What Python's `is_global` lets through although it leads inside, or to somebody's inside by a detour.
INSIDE = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocols' own; a cloud's metadata among them
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # a cloud's metadata
        "224.0.0.0/4",  # multicast
        "2002::/16",  # 6to4: holds an IPv4 address
        "3fff::/20",  # documentation
    )
]
OUTSIDE_6 = ipaddress.IPv6Network("2000::/3")
"""All that is given out in IPv6; IPv4 inside IPv6 (::ffff:0:0/96, 64:ff9b::/96 and so on) lies elsewhere."""


class AddressError(ValueError):
    """Nothing is sent to this address; the message says why and what mends it."""


class NotDelivered(Exception):
    """There was no whole reply; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_allowed(self) -> bool:
        """Whether WEBHOOK_ALLOW names it: a receiver inside the network, wanted by whoever runs the site."""
        return bool({self.host, f"{self.bracketed}:{self.port}"} & set(settings.WEBHOOK_ALLOW))

    @property
    def bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        standard = {"http": 80, "https": 443}[self.scheme]
        return self.bracketed if self.port == standard else f"{self.bracketed}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    text: str
    """The beginning of its body."""
    ms: int


def address_check(address: str) -> None:
    """Raise AddressError for an address that nothing would be sent to now."""
    target = target_of(address)
    _resolve(target.host, target.port, is_allowed=target.is_allowed)


def target_of(address: str) -> Target:
    """The parts of an address. Raises AddressError for one that is none, or has what an address must not have."""
    if len(address) > MAX_ADDRESS:
        raise AddressError(f"The address is longer than {MAX_ADDRESS} characters.")
    # One reading only: what parsers read differently is refused.
    if not re.fullmatch(r"[\x21-\x7e]+", address) or "\\" in address:
        raise AddressError(
            "The address has a space, a backslash or letters beyond ASCII. "
            "Write it as browsers copy it: names as xn--…, other characters as %…."
        )
    try:
        parts = urlsplit(address)
        port = parts.port
        host = (parts.hostname or "").lower()
    except ValueError as error:
        raise AddressError(f"The address cannot be read: {error}.") from error
    if parts.scheme not in ("http", "https"):
        raise AddressError("The address must begin with https://.")
    if "@" in parts.netloc:
        raise AddressError("The address must not hold a name or password; messages are signed instead.")
    if "#" in address:
        raise AddressError("The address must not have a part behind #; it is never sent.")
    if not _is_ip(host) and not NAME.fullmatch(host):
        raise AddressError(f"The address has no host's name: {host or 'nothing'!r}.")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, host, port, path)
    if not target.is_allowed:
        if parts.scheme == "http" and not settings.DEBUG:
            raise AddressError(
                "The address must begin with https://: what is sent must not be read on its way."
            )
        if port not in PORTS:
            ports = ", ".join(map(str, sorted(PORTS)))
            raise AddressError(f"Port {port} is not one that messages are sent to ({ports}).")
    return target


def post(address: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Post once, following nothing. Raises AddressError as `target_of`, NotDelivered where no reply comes."""
    target = target_of(address)
    begun = time.monotonic()
    network = _Network(target, deadline=begun + SECONDS)
    url = httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )
    fixed = {"Host": target.authority, "Content-Length": str(len(body)), "Connection": "close"}
    sent = [(name.encode(), value.encode()) for name, value in {**headers, **fixed}.items()]
    # Proxies of the environment are not asked: they would connect where they like.
    with httpcore.ConnectionPool(ssl_context=_trust(), network_backend=network) as pool:
        try:
            with pool.stream(
                "POST", url, headers=sent, content=body, extensions={"timeout": _timeouts()}
            ) as response:
                text = _beginning(response.iter_stream())
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise NotDelivered(f"No whole reply within {SECONDS:.0f} seconds.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise NotDelivered(_words(error)) from error
    return Reply(response.status, text, round(1000 * (time.monotonic() - begun)))


class _Network(httpcore.NetworkBackend):
    """Connects to checked addresses only, and for so long only."""

    def __init__(self, target: Target, deadline: float) -> None:
        self._target = target
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = NotDelivered("The name has no address.")
        for found in _resolve(host, port, is_allowed=self._target.is_allowed):
            try:
                stream = httpcore.SyncBackend().connect_tcp(
                    found, port, timeout=_left(self._deadline, timeout)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure


class _Stream(httpcore.NetworkStream):
    """One that ends at the deadline, however the bytes drip, and after so many bytes."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline
        self._room = MAX_REPLY

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._room:
            raise httpcore.RemoteProtocolError(f"The reply has more than {MAX_REPLY} bytes.")
        # No more than there is room for: headers and the body's beginning may come in one piece or in two.
        data = self._stream.read(min(max_bytes, self._room), _left(self._deadline, timeout))
        self._room -= len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline, timeout))
        return _Stream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _resolve(host: str, port: int, *, is_allowed: bool) -> list[str]:
    """The host's addresses, all of them checked. Also reads 2130706433 and 0x7f.1, as connecting would."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"The name {host} cannot be found: {error}.") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    inside = [address for address in addresses if not is_public(address)]
    if inside and not is_allowed:
        where = host if host == inside[0] else f"{host} is {inside[0]}, which"
        raise AddressError(
            f"{where} is inside a network and no address of the internet. "
            "Whoever runs the site can allow it in WEBHOOK_ALLOW."
        )
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's, and leads nowhere else."""
    ip = ipaddress.ip_address(address)
    if ip.version == 6 and ip not in OUTSIDE_6:
        return False
    return ip.is_global and not any(ip.version == network.version and ip in network for network in INSIDE)


def _is_ip(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return "%" not in host and bool(ipaddress.ip_address(host))
    return False


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left if timeout is None else min(left, timeout)


def _timeouts() -> dict[str, float]:
    return {"connect": CONNECT_SECONDS, "read": SECONDS, "write": SECONDS, "pool": SECONDS}


def _beginning(chunks: Iterable[bytes]) -> str:
    body = b""
    for chunk in chunks:
        body += chunk
        if len(body) > 4 * KEPT_OF_REPLY:  # UTF-8 takes up to four bytes a character
            break
    text = body.decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text[:KEPT_OF_REPLY])


def _words(error: Exception) -> str:
    return f"The connection failed: {str(error) or type(error).__name__}."


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """Certificates are checked against the usual authorities, or SSL_CERT_FILE."""
    return httpx.create_ssl_context()
