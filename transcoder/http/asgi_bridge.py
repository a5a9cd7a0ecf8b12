"""An aiohttp request as an ASGI application meets it: what it reads, what it sends.

Follows the ASGI specification, "HTTP & WebSocket ASGI Message Format"; of it only what the gRPC-Web
protocol uses.

Rule 1: a body that has arrived whole is read without a timer.
Rule 2: an answer that comes in one piece is kept, for whoever writes small answers best; the first
of several pieces begins it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NotRequired, TypedDict

from aiohttp import web
from google.protobuf.message import Message
from multidict import CIMultiDictProxy

from transcoder.call import Call
from transcoder.errors import malformed, too_slow
from transcoder.http.body import invite
from transcoder.http.connection import with_connection_close
from transcoder.http.response import HeaderList
from transcoder.options import Limits

EXTENSION: Final = "transcoder"

Begin = Callable[[int, HeaderList], Awaitable[web.StreamResponse]]
"""Sends an answer's HTTP status and headers, its body still to come."""

Override = Callable[[Message], None]
"""Sets in a parsed message what a REST path binds: the path wins."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What dispatch.py found out about a request; an extension of the ASGI scope.

    Attributes:
        request_id: as the answer carries it.
        override: of every request that came by a REST route, even one that binds nothing; None
            at the RPC's own path.
        headers: the scope's, for a look-up by name; None leaves it to the application to make it.
        hold: told of the call that the request makes, before it begins.
    """

    request_id: str = ""
    override: Override | None = None
    headers: CIMultiDictProxy[str] | None = None
    hold: Callable[[Call], None] | None = None


class AsgiScope(TypedDict):
    """The part of an ASGI scope that gRPC-Web reads."""

    type: str
    method: str
    path: str
    headers: Iterable[tuple[bytes, bytes]]
    client: NotRequired[object]
    extensions: NotRequired[Mapping[str, Routed]]


class AsgiEvent(TypedDict):
    """The part of ASGI's HTTP events that gRPC-Web reads and writes."""

    type: str
    body: NotRequired[bytes]
    more_body: NotRequired[bool]
    status: NotRequired[int]
    headers: NotRequired[Iterable[tuple[bytes, bytes]]]


AsgiReceive = Callable[[], Awaitable[AsgiEvent]]
AsgiSend = Callable[[AsgiEvent], Awaitable[None]]


def decode_headers(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


class Bridge:
    """One aiohttp request as an ASGI application meets it.

    Attributes:
        status, headers, body: of an answer in one piece.
        response: an answer of several, which `begin` has made.
    """

    def __init__(self, request: web.BaseRequest, limits: Limits, begin: Begin) -> None:
        self._request = request
        self._begin = begin
        self._limit_s = limits.body_timeout_s
        self._until_s = asyncio.get_running_loop().time() + self._limit_s
        self._is_invited = False
        self.status = 0
        self.headers: HeaderList = []
        self.body = b""
        self.response: web.StreamResponse | None = None

    async def receive(self) -> AsgiEvent:
        """The next piece of the body.

        Raises:
            TranscodeError: it did not come in time, or its chunks are malformed.
        """
        content = self._request.content
        try:
            if content.is_eof():
                # All of it is here, as it is with most calls: no timer, no wait.
                chunk = content.read_nowait()
            else:
                if not self._is_invited:
                    self._is_invited = True
                    invite(self._request)
                async with asyncio.timeout_at(self._until_s):
                    chunk = await content.readany()
        except TimeoutError as exc:
            self._request.protocol.close()
            raise with_connection_close(
                too_slow("the request body", limit_s=self._limit_s)
            ) from exc
        except web.RequestPayloadError as exc:
            raise with_connection_close(
                malformed("request body: its chunks are malformed")
            ) from exc
        except ConnectionError:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": not content.at_eof()}

    async def send(self, event: AsgiEvent) -> None:
        if event["type"] == "http.response.start":
            self.status = event["status"]
            self.headers = list(decode_headers(event["headers"]))
        elif self.response is None and not event["more_body"]:
            self.body = event["body"]
        else:
            if self.response is None:
                self.response = await self._begin(self.status, self.headers)
            if event["more_body"]:
                await self.response.write(event["body"])
            else:
                await self.response.write_eof(event["body"])
