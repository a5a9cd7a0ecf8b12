"""Defines the kinds of values that a setting can have.

A kind parses a value from a flag, a variable or a file: a text, or a type of TOML.

Rule: an error names the valid values; the caller adds where the value came from.
"""

import contextlib
import ipaddress
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from server.config.address import Address, listening
from server.config.errors import InvalidSetting
from server.scripts.host.addresses import AddressList
from server.sealing.keys import read_keys
from server.urls import may_be_fetched

T_co = TypeVar("T_co", covariant=True)
NO_ADDRESS: Final = "none"
"""Stands for the address of a listener that is not wanted."""

LogFormat: TypeAlias = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class ValueKind(Generic[T_co]):
    """Describes a kind of values, and parses them.

    Attributes:
        metavar: stands for the value in `--help`.
        expected: names the valid values, in errors and in docs/settings.md.
        parse: returns the value; raises ValueError, or InvalidSetting with a more precise text.
    """

    metavar: str
    expected: str
    parse: Callable[[object], T_co]

    def read(self, value: object) -> T_co:
        """Parses a value.

        Raises:
            InvalidSetting: it is not of this kind.
        """
        try:
            return self.parse(value)
        except ValueError as error:
            raise InvalidSetting(self.expected) from error


# As a browser serializes an origin (HTML standard, "ASCII serialization of an origin").
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORT: Final = {"http": "80", "https": "443"}
_DATABASES: Final = ("postgresql://", "postgres://")
_DNS_PORT: Final = 53
_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_FRACTION: Final = re.compile(r"[0-9](\.[0-9]{0,9})?")
_TRACES_PATH: Final = "/v1/traces"
_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(value)


def _address(value: object) -> str:
    return str(listening(_text(value)))


def _address_or_none(value: object) -> str:
    return NO_ADDRESS if value == NO_ADDRESS else _address(value)


def _port_or_none(value: object) -> str:
    return NO_ADDRESS if value == NO_ADDRESS else str(Address.parse(_text(value)))


def _folder(value: object) -> Path:
    path = _text(value)
    if not path or "\0" in path:
        raise ValueError(path)
    try:
        str(Path(path).absolute()).encode()  # must be UTF-8: the lock file names the path in JSON
        mode = Path(path).stat().st_mode
    except UnicodeEncodeError:
        raise InvalidSetting("the path of a folder, in UTF-8") from None
    except FileNotFoundError:
        return Path(path)
    except OSError as exc:
        raise InvalidSetting(f"a folder that can be used ({exc.strerror})") from exc
    if not stat.S_ISDIR(mode):
        raise InvalidSetting("a folder and not a file")
    return Path(path)


def _line(value: object) -> str:
    line = _text(value)
    if not line.isprintable():
        raise ValueError(line)
    return line


def _items(value: object) -> list[object]:
    """Returns the items of a list, or of a text that separates them by commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")] if value.strip() else []
    if isinstance(value, list):
        return value
    raise ValueError(value)


def _names(value: object) -> tuple[str, ...]:
    names = tuple(map(_line, _items(value)))
    if not all(names):
        raise ValueError(value)
    return tuple(dict.fromkeys(names))


def _url(value: object) -> str:
    url = _text(value)
    if url and not may_be_fetched(url):
        raise ValueError(url)
    return url


def _collector(value: object) -> str:
    url = _line(value)
    if not url:
        return url
    parts = urlsplit(url)
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in _DEFAULT_PORT or not parts.hostname or not is_plain:
        raise ValueError(url)
    if parts.port == 0 or " " in url:
        raise ValueError(url)
    return url if parts.path.strip("/") else f"{url.rstrip('/')}{_TRACES_PATH}"


def _ratio(value: object) -> float:
    if isinstance(value, str) and _FRACTION.fullmatch(value):
        value = float(value)
    # TOML has booleans, which are integers in Python.
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError(value)


def _database(value: object) -> str:
    url = _line(value)
    if url and not url.startswith(_DATABASES):
        raise ValueError(url)
    return url


def _secret_keys(value: object) -> str:
    text = _text(value)
    if text.strip():
        read_keys(text)
    return text.strip()


def _origins(value: object) -> tuple[str, ...]:
    origins = tuple(map(_origin, _items(value)))
    if "*" in origins and len(origins) > 1:
        raise InvalidSetting('either "*" or a list of origins')
    return tuple(dict.fromkeys(origins))


def _origin(value: object) -> str:
    """Returns an origin in the form in which browsers send it.

    Raises:
        ValueError: it is not an origin.
    """
    if value == "*":
        return "*"
    match = _ORIGIN.fullmatch(_text(value).lower())
    if match is None:
        raise ValueError(value)
    scheme, host, port = match.groups()
    if port is None or port == _DEFAULT_PORT.get(scheme):
        return f"{scheme}://{host}"
    if not 0 < int(port) <= 65535:
        raise ValueError(value)
    return f"{scheme}://{host}:{int(port)}"


def _public_url(value: object) -> str:
    origin = _origin(value) if value else ""
    if origin and not origin.startswith(("https://", "http://")):
        raise ValueError(value)
    return origin


def _log_format(value: object) -> LogFormat:
    if value == "text":
        return "text"
    if value == "json":
        return "json"
    raise ValueError(value)


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = _text(value).lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError(value)


def _hosts(value: object) -> tuple[str, ...]:
    hosts = _names(value)
    AddressList(hosts)
    return hosts


def _proxies(value: object) -> tuple[str, ...]:
    proxies = _names(value)
    for proxy in proxies:
        if proxy != "unix":
            ipaddress.ip_network(proxy, strict=False)
    return proxies


def _name_servers(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_name_server, _names(value))))


def _name_server(text: str) -> str:
    """Returns "address:port" or "[IPv6]:port"; the port is 53 if none is given.

    Raises:
        ValueError: it is not an address, with or without a port.
    """
    with contextlib.suppress(ValueError):
        return _with_port(ipaddress.ip_address(text), _DNS_PORT)
    text = f"{text}:{_DNS_PORT}" if text.endswith("]") else text
    host, _, port = text.rpartition(":")
    is_v6 = host.startswith("[") and host.endswith("]")
    address = ipaddress.ip_address(host[1:-1] if is_v6 else host)
    if (address.version == 6) != is_v6 or not _DIGITS.fullmatch(port) or not 0 < int(port) <= 65535:
        raise ValueError(text)
    return _with_port(address, int(port))


def _with_port(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


ADDRESS: Final = ValueKind(
    "HOST:PORT", "host:port, [IPv6]:port or unix:path, with a port from 0 to 65535", _address
)
ADDRESS_OR_NONE: Final = ValueKind(
    ADDRESS.metavar, f"{ADDRESS.expected}; or {NO_ADDRESS}", _address_or_none
)
PORT_OR_NONE: Final = ValueKind(
    ADDRESS.metavar,
    f"host:port or [IPv6]:port, with a port from 0 to 65535; or {NO_ADDRESS}",
    _port_or_none,
)
FOLDER: Final = ValueKind("FOLDER", "the path of a folder", _folder)
FILE: Final = ValueKind("FILE", "the path of a file", _text)
LINE: Final = ValueKind("TEXT", "one line of text", _line)
NAMES: Final = ValueKind("NAMES", "names, separated by commas", _names)
URL: Final = ValueKind("URL", "an https URL (http on this machine)", _url)
COLLECTOR: Final = ValueKind(
    "URL", "an http or https URL without user, password, query and fragment", _collector
)
RATIO: Final = ValueKind("RATIO", "a number from 0 to 1, as 0.1", _ratio)
DATABASE: Final = ValueKind("URL", "postgresql://user:password@host:port/name", _database)
SECRET_KEYS: Final = ValueKind(
    "KEYS", "32 bytes in base64 or hex, several separated by commas", _secret_keys
)
ORIGINS: Final = ValueKind(
    "ORIGINS", 'origins as scheme://host or scheme://host:port, or "*"', _origins
)
PUBLIC_URL: Final = ValueKind("URL", "https://host, also with :port, without a path", _public_url)
PROXIES: Final = ValueKind(
    "PROXIES", "networks (CIDR), addresses and unix, separated by commas", _proxies
)
LOG_FORMAT: Final = ValueKind("FORMAT", "text or json", _log_format)
SWITCH: Final = ValueKind("BOOLEAN", "true or false", _switch)
HOSTS: Final = ValueKind(
    "HOSTS", "addresses, networks (CIDR) and host names, separated by commas", _hosts
)
NAME_SERVERS: Final = ValueKind(
    "ADDRESSES",
    "addresses of name servers, each with a port or without, separated by commas",
    _name_servers,
)


def number(least: int, most: int, *, metavar: str = "NUMBER") -> ValueKind[int]:
    def parse(value: object) -> int:
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        # Not isinstance: TOML has booleans, which are integers in Python.
        if type(value) is int and least <= value <= most:
            return value
        raise ValueError(value)

    return ValueKind(metavar, f"a whole number from {least} to {most}", parse)
