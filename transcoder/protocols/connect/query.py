"""Reads the request of a unary call from the query of a GET.

Follows connectrpc.com, "Connect Protocol Reference" (Unary-Get-Request) and RFC 4648 section 5.
Rule: of a parameter that comes twice the first counts. Unknown ones are ignored: caches add some.
"""

import base64
import binascii
import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from transcoder.errors import malformed, shown, unsupported_media_type
from transcoder.protocols.connect.form import FORM_BY_NAME, Form

_VERSION: Final = "v1"
_BASE64: Final = re.compile(rb"[A-Za-z0-9_-]*={0,2}")


class GetRequest(NamedTuple):
    """The request of a GET.

    Attributes:
        message: its bytes, compressed or not.
        compression: as the query names it; "" without one.
    """

    form: Form
    message: bytes
    compression: str


def is_get_request(query: str) -> bool:
    """True if a query has the parameters of Connect."""
    parameters = _parameters(query)
    return parameters.get("connect") == _VERSION.encode() or parameters.keys() >= {
        "encoding",
        "message",
    }


def parse_query(query: str) -> GetRequest:
    """Returns the request that a query holds.

    Raises:
        TranscodeError: INVALID_ARGUMENT, a parameter is missing or malformed; 415, the form is not
            supported.
    """
    parameters = _parameters(query)
    version = _text(parameters, "connect", _VERSION)
    if version != _VERSION:
        raise malformed(f"query parameter connect: expected {_VERSION}, got {shown(version)}")
    encoding = _text(parameters, "encoding")
    form = FORM_BY_NAME.get(encoding)
    if form is None:
        expected = " or ".join(FORM_BY_NAME)
        raise unsupported_media_type(
            f"query parameter encoding: expected {expected}, got {shown(encoding)}"
        )
    if "message" not in parameters:
        raise malformed("query parameter message: expected a message, got none")
    message = parameters["message"]
    if _text(parameters, "base64", "0") == "1":
        message = _decoded(message)
    return GetRequest(form, message, _text(parameters, "compression"))


def _parameters(query: str) -> dict[str, bytes]:
    """Returns the first value of each parameter."""
    values: dict[str, bytes] = {}
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        values.setdefault(name, unquote_to_bytes(value.replace("+", " ")))
    return values


def _text(parameters: dict[str, bytes], name: str, default: str = "") -> str:
    value = parameters.get(name)
    return default if value is None else value.decode("utf-8", "replace")


def _decoded(text: bytes) -> bytes:
    if _BASE64.fullmatch(text):
        bare = text.rstrip(b"=")
        try:
            return base64.urlsafe_b64decode(bare + b"=" * (-len(bare) % 4))
        except binascii.Error:  # one character behind the last group
            pass
    came = shown(text.decode("utf-8", "replace"))
    raise malformed(f"query parameter message: expected base64 for URLs, got {came}")
