"""Refuses requests in plain text, if their clients would take JSON for an error of their protocol.

Errors of Connect are JSON with a name as their code; google.rpc.Status has a number there.
Follows connectrpc.com, "Connect Protocol Reference".
"""

import re
from collections.abc import Container
from typing import Final

from transcoder.errors import TranscodeError
from transcoder.http.body import is_json_type
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


def is_expected(exchange: Exchange, methods: Container[str]) -> bool:
    """True if a request is in Connect, or calls a method by its own path with a body of no JSON.

    Args:
        exchange: the request.
        methods: the paths by which gRPC calls methods.
    """
    headers = exchange.headers
    content_type = headers.get("Content-Type", "")
    return (
        "Connect-Protocol-Version" in headers
        or _CONNECT_TYPE.match(content_type) is not None
        or _CONNECT_GET.search(exchange.query) is not None
        or (content_type != "" and exchange.path in methods and not is_json_type(content_type))
    )
