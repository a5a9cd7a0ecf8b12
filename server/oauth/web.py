"""Declares the requests and the answers of endpoints, and writes answers as JSON.

Rule: this file knows no HTTP server; `server.app` mounts the endpoints.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import orjson

JSON: Final = ("Content-Type", "application/json")


class HttpRequest(Protocol):
    """A whole request; `transcoder.PlainRequest` is one.

    Attributes:
        headers: looked up by any case.
        peer: the client's address as gRPC writes it.
    """

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...

    @property
    def peer(self) -> str: ...

    @property
    def request_id(self) -> str: ...


class HttpAnswer(NamedTuple):
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


def json_answer(
    content: Mapping[str, object], *headers: tuple[str, str], status: int = 200
) -> HttpAnswer:
    return HttpAnswer(status, orjson.dumps(content), (JSON, *headers))
