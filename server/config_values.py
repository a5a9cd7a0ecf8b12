"""What the value of a setting may be: a reader for each kind.

A reader takes what a flag, a variable or a file gave: a text, or a type of TOML's own.

Rule: the text of an error says what would be right; where the value came from is the caller's.
"""

import contextlib
import ipaddress
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from server.execution.addresses import Entries
from server.urls import may_be_fetched


class Unfit(Exception):
    """A value is not what its setting takes; the text says what would be."""


# As a browser serializes an origin (HTML standard, "ASCII serialization of an origin").
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORT: Final = {"http": "80", "https": "443"}
FETCHED: Final = "an https URL (http on this machine)"
_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})


def folder(value: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise Unfit("the path of a folder")
    try:
        str(Path(value).absolute()).encode()  # the lock names it, in JSON
        mode = Path(value).stat().st_mode
    except UnicodeEncodeError:
        raise Unfit("the path of a folder, in UTF-8") from None
    except FileNotFoundError:
        return Path(value)
    except OSError as exc:
        raise Unfit(f"a folder that can be used ({exc.strerror})") from exc
    if not stat.S_ISDIR(mode):
        raise Unfit("a folder and not a file")
    return Path(value)


def line(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    raise Unfit("one line of text")


def lines(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")] if value.strip() else []
    if isinstance(value, list) and all(map(_is_name, value)):
        return tuple(dict.fromkeys(value))
    raise Unfit("names, separated by commas")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def url(value: object) -> str:
    if isinstance(value, str) and (not value or may_be_fetched(value)):
        return value
    raise Unfit(FETCHED)


def cors_origins(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")] if value.strip() else []
    origins = tuple(map(_origin, value)) if isinstance(value, list) else ("",)
    if not all(origins):
        raise Unfit('origins as scheme://host or scheme://host:port, or "*"')
    if "*" in origins and len(origins) > 1:
        raise Unfit('either "*" or a list of origins')
    return tuple(dict.fromkeys(origins))


def _origin(value: object) -> str:
    """The origin as browsers send it; empty if no browser sends such."""
    if value == "*":
        return "*"
    match = _ORIGIN.fullmatch(value.lower()) if isinstance(value, str) else None
    if match is None:
        return ""
    scheme, host, port = match.groups()
    if port is None or port == _DEFAULT_PORT.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}" if 0 < int(port) <= 65535 else ""


def switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word in _YES or word in _NO:
        return word in _YES
    raise Unfit("true or false")


def number(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        # A bool is an int to Python, and TOML has it.
        if type(value) is int and least <= value <= most:
            return value
        raise Unfit(f"a whole number from {least} to {most}")

    return read


def hosts(value: object) -> tuple[str, ...]:
    hosts = lines(value)
    try:
        Entries(hosts)
    except ValueError as error:
        raise Unfit("addresses, networks (CIDR) and host names, separated by commas") from error
    return hosts


def name_servers(value: object) -> tuple[str, ...]:
    servers = lines(value)
    try:
        return tuple(dict.fromkeys(map(_name_server, servers)))
    except ValueError as error:
        raise Unfit(
            "addresses of name servers, each with a port or without, separated by commas"
        ) from error


def _name_server(text: str) -> str:
    """Returns "address:port" or "[IPv6]:port"; the port is 53 if none is given.

    Raises:
        ValueError: it is neither an address nor one with a port.
    """
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
        return f"[{address}]:53" if address.version == 6 else f"{address}:53"
    host, _, port = text.rpartition(":")
    is_v6 = host.startswith("[") and host.endswith("]")
    address = ipaddress.ip_address(host[1:-1] if is_v6 else host)
    if (address.version == 6) != is_v6 or not _DIGITS.fullmatch(port) or not 0 < int(port) <= 65535:
        raise ValueError(text)
    return f"[{address}]:{int(port)}" if is_v6 else f"{address}:{int(port)}"
