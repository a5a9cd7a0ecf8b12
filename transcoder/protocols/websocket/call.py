"""Runs a call over a WebSocket: its requests and responses are messages there.

Follows google/api/http.proto: a text message is bound as a body is.
Rule: answers have the form of the client's first message, unless the subprotocol says which.
"""

from typing import Final

from google.protobuf.message import Message

from transcoder.codec.scalars import Fault
from transcoder.errors import TranscodeError, malformed
from transcoder.http.exchange import HttpCall, HttpExchange
from transcoder.http.offload import Offload
from transcoder.http.switched import Kind, Outgoing
from transcoder.options import Limits
from transcoder.protocols.binary import parsed
from transcoder.protocols.json_errors import unwritable
from transcoder.protocols.streams import Turn
from transcoder.protocols.websocket.endings import opening_messages
from transcoder.protocols.websocket.framing import Received
from transcoder.protocols.websocket.socket import HALF_CLOSE, Socket
from transcoder.registry import Route
from transcoder.routing.router import RouteMatch


class SocketCall(HttpCall):
    """A call whose messages are those of a WebSocket."""

    __slots__ = (
        "_count",
        "_encode",
        "_http",
        "_is_binary",
        "_is_received",
        "_is_started",
        "_limits",
        "_match",
        "_offload",
        "_size",
        "_socket",
        "_turn",
    )

    protocol = "websocket"

    def __init__(
        self,
        exchange: HttpExchange,
        match: RouteMatch[Route],
        socket: Socket,
        *,
        is_binary: bool | None,
        limits: Limits,
        offload: Offload,
    ) -> None:
        """Prepares a call.

        Args:
            exchange: its headers are the metadata of the call.
            match: the route of the method.
            socket: carries the messages.
            is_binary: True sends protobuf, False JSON; None follows the first message.
            limits: of waits, and of messages that are read on the event loop.
            offload: reads and writes large messages.

        Raises:
            TranscodeError: a header is malformed.
        """
        super().__init__(match.target.method, exchange)
        self._http: Final = exchange
        self._match = match
        self._socket = socket
        self._is_binary = is_binary
        self._limits = limits
        self._offload = offload
        self._encode = match.target.encode
        self._size = match.target.size
        self._is_received = False
        self._is_started = False
        self._count = 0
        self._turn = Turn()

    async def receive(self) -> Message | None:
        if self._is_received:
            return None
        try:
            return await self._receive()
        except TranscodeError as error:
            self._http.log_refusal(error)
            raise

    async def _receive(self) -> Message | None:
        (route, variables), limits = self._match, self._limits
        if not route.binder.reads_body:
            self._end_of_requests()
            return route.binder.bind(variables, self.exchange.query, b"")
        is_stream = self.method.client_streaming
        received = await self._socket.next(
            begin_s=self._begin_s(),
            what="the next message" if is_stream else "the message",
        )
        if received == HALF_CLOSE or not is_stream:
            self._end_of_requests()
        if received == HALF_CLOSE:
            if is_stream:
                return None
            return route.binder.bind(variables, self.exchange.query, b"")
        self._count += 1
        if self._is_binary is None:
            self._is_binary = received.kind is Kind.BINARY
        if self._turn.is_over:
            await self._turn.share()
        if len(received.data) <= limits.inline_max_bytes:
            return self._bind(received)
        return await self._offload.request(self._bind, received)

    def _begin_s(self) -> float | None:
        """Returns max seconds for the next message to begin; None if only pings tell who is gone.

        Who streams both ways may listen for hours, as a client of a stream of responses does.
        """
        if not self.method.client_streaming:
            return self._limits.body_timeout_s
        return None if self.method.server_streaming else self._limits.stream_idle_timeout_s

    def _end_of_requests(self) -> None:
        self._is_received = True
        self._socket.expect_no_more()

    def _bind(self, received: Received) -> Message:
        """Makes a request of a message."""
        (route, variables), kind = self._match, received.kind
        try:
            if kind is Kind.TEXT:
                return route.binder.bind(variables, self.exchange.query, received.data)
            message = parsed(route.method.request_type, received.data)
            route.binder.bind_path(variables, message)
        except TranscodeError as error:
            raise malformed(f"message {self._count}: {error.message}") from None
        return message

    async def start(self) -> None:
        await self._send(*self.opening())

    async def send(self, message: Message) -> None:
        if self._is_binary:
            # Of the class: a field may have that name.
            octets = type(message).SerializeToString(message)
            answer = Outgoing(Kind.BINARY, (octets,))
        elif self._size(message) <= self._limits.inline_max_bytes:
            answer = self._text_of(message)
        else:
            # A copy: a servicer may change its message as soon as it goes on.
            copy = self.method.response_type()
            type(copy).CopyFrom(copy, message)
            answer = await self._offload.answer(self._text_of, copy)
        if self._is_started:
            await self._send(answer)
        else:
            await self._send(*self.opening(), answer)

    async def _send(self, *messages: Outgoing) -> None:
        if self._socket.send_soon(*messages):
            await self._socket.drained()
        if self._turn.is_over:
            await self._turn.share()

    def opening(self) -> tuple[Outgoing, ...]:
        """Returns what comes before all else, once."""
        if self._is_started:
            return ()
        self._is_started = True
        return opening_messages(self.initial_metadata)

    def _text_of(self, message: Message) -> Outgoing:
        """Returns a message as text; raises TranscodeError, INTERNAL, if it has no JSON form."""
        try:
            return Outgoing(Kind.TEXT, (b'{"result":', self._encode(message), b"}"))
        except Fault as fault:
            raise unwritable(fault, self.method, self.exchange.request_id) from None
