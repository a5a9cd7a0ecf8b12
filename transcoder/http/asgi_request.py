"""Adapts a request that an ASGI host reads to `Request`.

Follows the ASGI specification, "HTTP & WebSocket ASGI Message Format".
Rule 1: the host is asked for more only while there is room, so that a client waits whose body
nobody reads.
Rule 2: the host is always asked for something, as nothing else tells that the client has left.
Rule 3: a client that waits for 100 Continue gets it when its body is wanted: hosts may send it when
they are first asked.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import hdrs

from transcoder.errors import client_left
from transcoder.http.asgi_events import (
    Event,
    Receive,
    Scope,
    Send,
    extensions_of,
    header_octets,
    headers_of,
)
from transcoder.http.asgi_target import target_of
from transcoder.http.request import Request, declared_bytes
from transcoder.http.response import Answer, HeaderList, HeaderPairs

_AHEAD_BYTES: Final = 64 << 10
"""Bytes of a body that wait for their reader; from there on the client waits."""
_SENT_AT_ONCE_BYTES: Final = 64 << 10
"""Max bytes that a client has to take within `write_timeout_s`."""
_TRAILERS: Final = "http.response.trailers"


class AsgiRequest(Request):
    """A request whose body a host passes on in events.

    Attributes:
        is_begun: True once a part of the answer has been sent.
        is_cut: True if the answer has begun and must not look whole.
        refusal: sent in place of the answer of the call, which is ended; None if it is not.
    """

    __slots__ = (
        "_arrival",
        "_arrived_bytes",
        "_has_left",
        "_has_trailers",
        "_is_complete",
        "_is_ended",
        "_is_http1",
        "_last",
        "_last_trailer",
        "_on_left",
        "_receive",
        "_send",
        "_unread",
        "_wanted",
        "_write_timeout_s",
        "has_body",
        "is_begun",
        "is_cut",
        "refusal",
    )

    _answer_event = "http.response"

    has_body: bool
    is_begun: bool

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, write_timeout_s: float
    ) -> None:
        """Reads the head of a request."""
        self.method = scope.get("method", "GET")
        self.target = target_of(scope)
        self.headers = headers_of(scope)
        client = scope.get("client")
        self.peername = tuple(client) if client else None
        self.call = None
        self._is_http1 = scope.get("http_version", "1.1").startswith("1")
        self.has_body = self._may_have_body()
        self.is_begun = False
        self.is_cut = False
        self.refusal: Answer | None = None
        # Each answer in pieces that may have trailers gets one, as hypercorn fails on none.
        self._has_trailers = _TRAILERS in extensions_of(scope) and self._accepts_trailers()
        self._last_trailer: HeaderPairs = ()
        self._receive = receive
        self._send = send
        self._write_timeout_s = write_timeout_s
        self._unread = bytearray()
        self._arrived_bytes = 0
        self._is_complete = not self.has_body
        self._has_left = False
        self._is_ended = False
        # What ends the answer of a call that is stopped.
        self._last: bytes | None = None
        self._on_left: Callable[[], None] = _nothing
        # Resolved when something has come.
        self._arrival: asyncio.Future[None] | None = None
        self._wanted = asyncio.Event()
        if not (self.has_body and hdrs.EXPECT in self.headers):
            self._wanted.set()

    def _may_have_body(self) -> bool:
        length = self.headers.get(hdrs.CONTENT_LENGTH)
        if length is not None:
            return declared_bytes(length) != 0
        # Only HTTP/1.1 says in its headers that a body of unknown length follows.
        return not self._is_http1 or hdrs.TRANSFER_ENCODING in self.headers

    def _accepts_trailers(self) -> bool:
        accepted = ",".join(self.headers.getall(hdrs.TE, ()))
        return "trailers" in map(str.strip, accepted.lower().split(","))

    # Called by the application.

    async def listen(self, on_left: Callable[[], None]) -> None:
        """Takes what the host says, until the client has left.

        Args:
            on_left: called if it leaves before the answer has ended.
        """
        self._on_left = on_left
        try:
            while True:
                await self._wanted.wait()
                if not self.take(await self._receive()):
                    break
        except Exception:
            self.leave()
            raise
        else:
            self.leave()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Drops what refers to the request: no cycle outlasts it."""
        self._on_left = _nothing

    def take(self, event: Event) -> bool:
        """Takes an event; False if no other will come."""
        if event["type"] != "http.request":
            return False
        if not self._is_complete:
            body: bytes = event.get("body", b"")
            self._unread += body
            self._arrived_bytes += len(body)
            self._is_complete = not event.get("more_body", False)
            if len(self._unread) >= _AHEAD_BYTES and not self._is_complete:
                self._wanted.clear()
            self._wake()
        return True

    def leave(self) -> None:
        """Notes that the client has left, unless its answer has ended."""
        if self._has_left or self._is_ended:
            return
        self._has_left = True
        self._wake()
        self._on_left()

    async def flush(self) -> None:
        """Sends what `finish_at_once` left to be sent.

        Raises:
            OSError: the client left.
        """
        piece, self._last = self._last, None
        if piece is not None:
            await self._finish(piece)

    # Called by protocols.

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        """Returns None: hosts do not say what the client's certificate is."""
        return None

    @property
    def has_arrived(self) -> bool:
        return self._is_complete

    @property
    def arrived_bytes(self) -> int:
        return self._arrived_bytes

    @property
    def is_read(self) -> bool:
        return self._is_complete and not self._unread

    def arrived(self) -> bytes:
        piece = bytes(self._unread)
        self._unread.clear()
        self._wanted.set()
        return piece

    async def piece(self) -> bytes:
        self._wanted.set()
        while not self._unread and not self._is_complete:
            if self._has_left:
                raise client_left()
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        return self.arrived()

    def stop_reading(self) -> None:
        """Does nothing: the host drops the rest of the body."""

    async def begin(self, status: int, headers: HeaderList) -> None:
        self.is_begun = True
        start: Event = {
            "type": f"{self._answer_event}.start",
            "status": status,
            "headers": header_octets(headers, is_http1=self._is_http1),
        }
        if self._has_trailers:
            start["trailers"] = True
            self._last_trailer = headers[:1]
        await self._pass(start)
        self._wanted.set()

    async def write(self, piece: bytes) -> None:
        if self._is_ended:
            raise ConnectionResetError("the answer has ended")
        if piece and self.method != "HEAD":
            await self._write(piece, goes_on=True)

    async def finish(self, piece: bytes, trailers: HeaderPairs = ()) -> None:
        if self._is_ended:
            raise ConnectionResetError("the answer has ended")
        self._is_ended = True
        await self._finish(piece, trailers)

    async def answer(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Sends an answer in one piece."""
        self._has_trailers = False
        await self.begin(status, headers)
        await self.finish(body)

    def finish_at_once(self, piece: bytes) -> None:
        self._is_ended = True
        self._last = piece

    def cut(self) -> None:
        self.is_cut = True

    async def _finish(self, piece: bytes, trailers: HeaderPairs = ()) -> None:
        await self._write(b"" if self.method == "HEAD" else piece, goes_on=False)
        if self._has_trailers:
            octets = header_octets(trailers or self._last_trailer, is_http1=self._is_http1)
            await self._pass({"type": _TRAILERS, "headers": octets, "more_trailers": False})

    async def _write(self, piece: bytes, *, goes_on: bool) -> None:
        event = f"{self._answer_event}.body"
        start, end = 0, _SENT_AT_ONCE_BYTES
        while end < len(piece):
            await self._pass({"type": event, "body": piece[start:end], "more_body": True})
            start, end = end, end + _SENT_AT_ONCE_BYTES
        await self._pass({"type": event, "body": piece[start:], "more_body": goes_on})

    async def _pass(self, event: Event) -> None:
        """Passes an event to the host, and waits while the client reads slowly.

        Raises:
            OSError: the client left, or takes too long.
        """
        if self._has_left:
            raise ConnectionResetError("the client left")
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await self._send(event)
        except OSError:
            self.leave()
            raise

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


def _nothing() -> None:
    """Does nothing: the request is not answered yet."""
