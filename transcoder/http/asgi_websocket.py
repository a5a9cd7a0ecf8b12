"""Adapts a WebSocket whose handshake and frames are the affair of an ASGI host.

Follows the ASGI specification, "HTTP & WebSocket ASGI Message Format", with its extension
"websocket.http.response" for handshakes that are refused.
Rule: messages to the client wait in a queue with a bound, as a host takes them one by one while the
call goes on.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from transcoder.http.asgi_events import Event, Receive, Scope, Send, extensions_of, header_octets
from transcoder.http.asgi_request import AsgiRequest
from transcoder.http.response import HeaderList, HeaderPairs
from transcoder.http.switched import Kind, MessageReceiver, MessageWire, Outgoing

_FULL_BYTES: Final = 16 << 10
"""Bytes that wait for the host at which the call waits, too."""
_REFUSAL: Final = "websocket.http.response"


class AsgiSocketRequest(AsgiRequest):
    """A handshake, and what the client sends after it."""

    __slots__ = ("_can_refuse", "_receiver", "_wire")

    _answer_event = _REFUSAL
    is_websocket = True

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, write_timeout_s: float
    ) -> None:
        """Reads the head of a handshake."""
        super().__init__(scope, receive, send, write_timeout_s=write_timeout_s)
        self._name_subprotocols(scope)
        self._can_refuse = _REFUSAL in extensions_of(scope)
        self._receiver: MessageReceiver | None = None
        self._wire: AsgiWire | None = None

    def _name_subprotocols(self, scope: Scope) -> None:
        """Puts the subprotocols into the header that hosts may have taken them from."""
        named: Iterable[str] = scope.get("subprotocols") or ()
        if named:
            headers = CIMultiDict(self.headers)
            headers["Sec-WebSocket-Protocol"] = ", ".join(named)
            self.headers = CIMultiDictProxy(headers)

    def _may_have_body(self) -> bool:
        return False

    def _let_go(self) -> None:
        super()._let_go()
        self._receiver = self._wire = None

    # Called by the application.

    def take(self, event: Event) -> bool:
        kind, receiver = event["type"], self._receiver
        if kind == "websocket.receive" and receiver is not None:
            text: str | None = event.get("text")
            if text is not None:
                receiver.feed_message(Kind.TEXT, text.encode())
            else:
                receiver.feed_message(Kind.BINARY, event["bytes"])
        return kind in ("websocket.connect", "websocket.receive")

    def leave(self) -> None:
        if self._receiver is None:
            super().leave()
        elif not self._has_left:
            self._has_left = True
            self._receiver.feed_eof()

    def stop_call(self) -> None:
        if self._receiver is not None:
            self._receiver.stop()

    async def flush(self) -> None:
        if self._wire is not None:
            await self._wire.flush()

    # Called by protocols.

    async def accept(
        self, subprotocol: str, headers: HeaderList, receiver: MessageReceiver
    ) -> MessageWire:
        octets = header_octets(headers, is_http1=self._is_http1)
        accepted: Event = {"type": "websocket.accept", "headers": octets}
        if subprotocol:
            accepted["subprotocol"] = subprotocol
        if self._has_left:
            raise ConnectionResetError("the client left")
        self.is_begun = True
        self._receiver = receiver
        self._wire = AsgiWire(self._pass, self._wanted)
        self._wanted.clear()
        await self._pass(accepted)
        self._wanted.set()
        return self._wire

    async def begin(self, status: int, headers: HeaderList) -> None:
        if self._can_refuse:
            await super().begin(status, headers)
            return
        self.is_begun = True
        await self._pass({"type": "websocket.close"})  # which hosts answer as 403

    async def finish(self, piece: bytes, trailers: HeaderPairs = ()) -> None:
        if self._can_refuse:
            await super().finish(piece, trailers)


class AsgiWire:
    """The connection to a client, after the handshake."""

    has_pings: Final = False

    def __init__(self, pass_on: Callable[[Event], Awaitable[None]], wanted: asyncio.Event) -> None:
        """Opens it.

        Args:
            pass_on: passes an event to the host; raises OSError once the client has left.
            wanted: set while messages of the client are wanted.
        """
        self._pass_on = pass_on
        self._wanted = wanted
        self._unsent: deque[Outgoing] = deque()
        self._unsent_bytes = 0
        # Passes on what waits; done while nothing does.
        self._passing: asyncio.Task[None] | None = None
        self._is_lost = False

    @property
    def is_full(self) -> bool:
        return self._unsent_bytes >= _FULL_BYTES

    def write(self, *messages: Outgoing) -> None:
        if self._is_lost:
            raise ConnectionResetError("the connection is closed")
        for message in messages:
            self._unsent.append(message)
            self._unsent_bytes += _size_of(message)
        if self._passing is None or self._passing.done():
            self._passing = asyncio.create_task(self._pass_all())

    write_soon = write

    async def _pass_all(self) -> None:
        try:
            while self._unsent:
                message = self._unsent[0]
                await self._pass_on(_event_of(message))
                self._unsent.popleft()
                self._unsent_bytes -= _size_of(message)
        except OSError:
            self._is_lost = True
            self._unsent.clear()

    async def flush(self) -> None:
        """Waits until all is passed on, or the client has left."""
        if self._passing is not None:
            await self._passing

    async def drained(self) -> None:
        if self._passing is not None:
            await asyncio.wait((self._passing,))
        if self._is_lost:
            raise ConnectionResetError("the connection is lost")

    def read_on(self, *, is_on: bool) -> None:
        if is_on:
            self._wanted.set()
        else:
            self._wanted.clear()

    def close(self) -> None:
        """Does nothing: the host closes the connection after the Close frame."""

    def abort(self) -> None:
        """Does nothing: the host finds out who does not answer its pings."""


def _size_of(message: Outgoing) -> int:
    return sum(map(len, message.parts))


def _event_of(message: Outgoing) -> Event:
    """Returns the event by which a host sends a message or a Close frame."""
    data = b"".join(message.parts)
    if message.kind is Kind.CLOSE:
        code, reason = int.from_bytes(data[:2]), data[2:].decode()
        return {"type": "websocket.close", "code": code, "reason": reason}
    if message.kind is Kind.TEXT:
        return {"type": "websocket.send", "text": data.decode()}
    return {"type": "websocket.send", "bytes": data}
