"""Nothing in a log or an error report leads to a person or opens a door.

Whatever is written out passes here as text: addresses on the net, e-mail addresses, tokens, passwords in
URLs and what follows a question mark in an address. Of a long token its first six characters stay, so that
an operator finds the job or the session that is meant; 26 are left to guess.
"""

import ipaddress
import re

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
CREDENTIALS = re.compile(r"(?<=://)[^\s/@'\"]+@")
QUERY = re.compile(r"(?<=[\w/])\?[\w.%+-]+=[^\s'\"<>)]*")
SECRET = re.compile(
    r"(?i)((?:password|passwd|secret(?:[_-]?key)?|token|authorization|cookie|api[_-]?key|dsn)s?)"
    r"(['\"]?\s*[:=]\s*)(?:bearer\s+|token\s+)?(?:'[^']*'|\"[^\"]*\"|[^\s,;&'\")}\]]+)"
)
API_TOKEN = re.compile(r"\bton_[\w-]{6,}")
LONG = re.compile(
    r"(?<![\w-])(?:(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{24,}|(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{40,})(?![\w-])"
)
"""Random tokens of ours have 32 hexadecimal digits or 43 characters; names in a program have few digits."""
IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:)[0-9A-Fa-f:]{2,39}(?:\.\d+){0,3}(?![\w:])")


def redacted(text: str) -> str:
    """The text without what is personal or secret; what it replaced is said."""
    text = CREDENTIALS.sub("…@", text)
    text = EMAIL.sub("[e-mail]", text)
    text = QUERY.sub("?…", text)
    text = SECRET.sub(r"\1\2[secret]", text)
    text = API_TOKEN.sub("[token]", text)
    text = LONG.sub(lambda found: f"{found[0][:6]}…", text)
    return IPV6.sub(_address, IPV4.sub(_address, text))


def _address(found: re.Match[str]) -> str:
    """Loopback stays: it is nobody's."""
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:
        return found[0]
    return found[0] if address.is_loopback or address.is_unspecified else "[address]"
