"""Decides which URLs this service fetches: https, or http on this machine."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

URL_MAX_CHARS: Final = 2048
"""Max characters of a URL; a longer one is not fetched."""


def may_be_fetched(url: str) -> bool:
    """True if nobody between here and the host can change the answer."""
    return is_https(url) or _is_of_this_machine(url)


def is_https(url: str) -> bool:
    return _host_of(url, "https") is not None


def _is_of_this_machine(url: str) -> bool:
    host = _host_of(url, "http")
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_of(url: str, scheme: str) -> str | None:
    """Returns the host of a URL of the scheme; None if it is another URL or has credentials."""
    if len(url) > URL_MAX_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is invalid
    except ValueError:
        return None
    if parts.scheme != scheme or "@" in parts.netloc or parts.fragment:
        return None
    return parts.hostname or None
