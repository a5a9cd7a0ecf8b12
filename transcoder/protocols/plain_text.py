"""Refuses requests in plain text, if their clients would take JSON for an error of their protocol.

Errors of Connect are JSON with a name as their code; google.rpc.Status has a number there.
Follows connectrpc.com, "Connect Protocol Reference".
"""

import re
from typing import Final

from transcoder.errors import TranscodeError
from transcoder.http.exchange import Exchange
from transcoder.http.response import HeaderList
from transcoder.protocols.protocol import WholeAnswer

_PLAIN_TEXT: Final = "text/plain; charset=utf-8"
_CONNECT_TYPE: Final = re.compile(r"application/(?:connect\+|proto(?:;|\s|$))", re.IGNORECASE)
_CONNECT_GET: Final = re.compile(r"(?:^|&)connect=v1(?:&|$)")


def refuse(error: TranscodeError, out: HeaderList) -> WholeAnswer:
    """Makes the answer to a request that cannot become a call, and adds its headers."""
    out += (("Content-Type", _PLAIN_TEXT), *error.headers)
    return error.http_status, error.message.encode("utf-8", "replace")


def is_connect(exchange: Exchange) -> bool:
    """True if a request is in the Connect protocol."""
    headers = exchange.headers
    return (
        "Connect-Protocol-Version" in headers
        or _CONNECT_TYPE.match(headers.get("Content-Type", "")) is not None
        or _CONNECT_GET.search(exchange.query) is not None
    )
