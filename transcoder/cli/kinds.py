"""Reads the values of options, which are texts of a flag or of a variable of the environment.

Rule: an error says what is expected; the caller adds the option, and what it got.
"""

import contextlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from transcoder.errors import SchemaError, shown
from transcoder.http.cors import Cors
from transcoder.http.forwarded import TrustedProxies
from transcoder.http.server import parsed_address
from transcoder.http.unix_sockets import socket_path_of
from transcoder.routing.service_config import ServiceConfig
from transcoder.routing.template import PathTemplate

T_co = TypeVar("T_co", covariant=True)

_SERVICE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})


class UnexpectedError(ValueError):
    """A value is not of its kind; the text says what is expected, or all that is wrong."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """Describes a kind of values, and parses them.

    Attributes:
        metavar: stands for the value in `--help`; "" for a switch, which has none.
        parse: returns the value; raises UnexpectedError or SchemaError.
    """

    metavar: str
    parse: Callable[[str], T_co]


class ServiceRoute(NamedTuple):
    """A service, and the server that has it."""

    service: str
    target: str


def _switch(text: str) -> bool:
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise UnexpectedError("true or false")


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UnexpectedError("a whole number above 0")
    return int(text)


def _number(text: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(number := float(text)) and number > 0:
            return number
    raise UnexpectedError("a number above 0")


def _address(text: str) -> str:
    if socket_path_of(text) is None:
        parsed_address(text)
    return text


def _prefix(text: str) -> str:
    if text:
        PathTemplate.parse(text)
    return text


def _service_config(text: str) -> str:
    if text:
        ServiceConfig(text)
    return text


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _origins(text: str) -> tuple[str, ...]:
    Cors(_listed(text))
    return _listed(text)


def _proxies(text: str) -> tuple[str, ...]:
    TrustedProxies(_listed(text))
    return _listed(text)


def _service_routes(text: str) -> tuple[ServiceRoute, ...]:
    found: dict[str, str] = {}
    for each in text.split():
        service, _, target = each.partition("=")
        if not _SERVICE.fullmatch(service) or not target:
            raise UnexpectedError("SERVICE=SERVER, as shop.v1.Shop=localhost:50052")
        if found.setdefault(service, target) != target:
            raise SchemaError(f"{shown(service)}: expected one server, got another for it, too")
    return tuple(ServiceRoute(*pair) for pair in found.items())


TEXT: Final = Kind("TEXT", str)
PREFIX: Final = Kind("PATH", _prefix)
FILE: Final = Kind("FILE", str)
SERVICE_CONFIG: Final = Kind("FILE", _service_config)
SWITCH: Final = Kind("", _switch)
WHOLE_NUMBER: Final = Kind("NUMBER", _whole_number)
NUMBER: Final = Kind("NUMBER", _number)
ADDRESS: Final = Kind("ADDRESS", _address)
ORIGINS: Final = Kind("LIST", _origins)
PROXIES: Final = Kind("LIST", _proxies)
SERVICE_ROUTES: Final = Kind("SERVICE=SERVER", _service_routes)
