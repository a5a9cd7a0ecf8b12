"""Answers requests that arrive in one piece, without aiohttp's tasks, readers and writers.

Every connection starts as a `WholeConnection`, and stays one while each read of its socket is
exactly one plain request: HTTP/1.1, with a Content-Length or without a body. Any other data are
handed over, with the connection, to `HttpConnection`, where aiohttp reads them: requests that are
incomplete, malformed, chunked, pipelined or of HTTP/1.0, or that have Expect or Upgrade.

Follows RFC 9112 sections 2.2 (parsing), 6 (the body's length) and 9.3.2 (order of answers).
Rule 1: clients see no difference between the two classes. aiohttp's parser parses the heads of
both, the same code writes answers, and both share deadlines and refusals.
Rule 2: this file refuses nothing. Data that are not one plain request are handed over unchanged.
Rule 3: an idle connection has no task, no timer and no parser.
"""

import asyncio
import contextvars
import socket
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy, RawRequestMessage

from transcoder.errors import deadline_exceeded
from transcoder.http.connection import HttpConnection
from transcoder.http.connections import HttpConnections, unhandled
from transcoder.http.forwarded import Address
from transcoder.http.half_closed import Probe, may_half_close
from transcoder.http.keep_alive import KeepAlive
from transcoder.http.request import AnswerRequest, Request, declared_bytes
from transcoder.http.response import (
    Answer,
    HeaderList,
    HeaderPairs,
    chunk,
    head_of_pieces,
    last_chunk,
    with_connection_close,
    write_start,
)
from transcoder.http.slow_readers import SlowReader, watch_reader

IS_AVAILABLE: Final = HttpRequestParser is not HttpRequestParserPy
"""True if aiohttp's parser is the one in C; without it every connection is an `HttpConnection`."""

_TASK_NAME: Final = "transcoder request"
_END_OF_HEAD: Final = b"\r\n\r\n"
_SENT_AT_ONCE_BYTES: Final = 16 << 10
"""Bytes of an answer in pieces that do not wait for more."""
_HELD_BACK_MAX_BYTES: Final = 64 << 10
"""Max bytes that are read behind a request in flight; then reading pauses until its answer."""


class WholeRequests:
    """Parses heads, and holds the parts that all connections of a listener share.

    Attributes:
        answer: answers a request.
        connections: all connections of the listener.
        server: aiohttp's server, for connections that are handed over.
        keep_alive: closes idle connections.
        context: the context variables of the listener, which no request has changed.
    """

    def __init__(
        self,
        answer: AnswerRequest,
        connections: HttpConnections,
        server: web.Server,
    ) -> None:
        """Begins without a connection.

        Args:
            answer: answers a request.
            connections: all connections of the listener.
            server: aiohttp's server, for connections that are handed over.
        """
        self.answer = answer
        self.connections = connections
        self.server = server
        self.keep_alive = KeepAlive(connections.limits.keepalive_timeout_s)
        self.context = contextvars.copy_context()
        self.loop = asyncio.get_running_loop()
        self._parser = self._new_parser()

    def read(self, data: bytes, connection: "WholeConnection") -> "WholeRequest | None":
        """Returns the request, if the data are exactly one plain request; else None."""
        head_bytes = data.find(_END_OF_HEAD) + len(_END_OF_HEAD)
        if head_bytes < len(_END_OF_HEAD):
            return None
        try:
            messages, _, _ = self._parser.feed_data(data[:head_bytes])
        except HttpProcessingError:
            messages = []
        if len(messages) == 1:
            message = messages[0][0]
            if _is_plain(message):
                declared = declared_bytes(message.headers.get(hdrs.CONTENT_LENGTH)) or 0
                if head_bytes + declared == len(data):
                    return WholeRequest(message, data[head_bytes:], connection)
        # After other data the parser may be in the middle of a request.
        self._parser = self._new_parser()
        return None

    def _new_parser(self) -> HttpRequestParser:
        """Returns a parser of heads with the limits of `HttpConnection`'s."""
        limits = self.connections.limits
        return HttpRequestParser(
            BaseProtocol(self.loop),
            self.loop,
            0,
            max_line_size=limits.line_max_bytes,
            max_field_size=limits.header_max_bytes,
            max_headers=limits.headers_max,
            response_with_body=False,
            auto_decompress=False,
        )


def _is_plain(message: RawRequestMessage) -> bool:
    """True if a request with this head needs neither aiohttp nor an interim response."""
    return (
        message.version is HttpVersion11
        and not message.should_close
        and not message.upgrade
        and hdrs.TRANSFER_ENCODING not in message.headers
        and hdrs.EXPECT not in message.headers
    )


class WholeRequest(Request):
    """A request that arrived in one piece.

    Attributes:
        sent_bytes: the bytes sent of an answer that is written in pieces.
    """

    __slots__ = ("_body", "_connection", "has_body", "is_begun", "sent_bytes")

    has_body: bool
    is_begun: bool
    has_arrived = True
    is_read = True

    def __init__(
        self, message: RawRequestMessage, body: bytes, connection: "WholeConnection"
    ) -> None:
        self.method = message.method
        self.target = message.path
        self.headers = message.headers
        self.peername = connection.peername
        self.call = None
        self.has_body = bool(body)
        self.is_begun = False
        self.sent_bytes = 0
        self._body = body
        self._connection = connection

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        return self._connection.certificate

    @property
    def arrived_bytes(self) -> int:
        return len(self._body)

    def arrived(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def piece(self) -> bytes:
        return self.arrived()

    def stop_reading(self) -> None:
        """Does nothing: the whole body has arrived."""

    async def begin(self, status: int, headers: HeaderList) -> None:
        self.is_begun = True
        head = head_of_pieces(status, headers, has_body=self.method != "HEAD")
        self._connection.send_soon(head)

    async def write(self, piece: bytes) -> None:
        if len(piece) >= _SENT_AT_ONCE_BYTES:
            may_go_on = self._connection.send_large(piece)
        elif piece:
            may_go_on = self._connection.send_soon(chunk(piece))
        else:
            return
        if may_go_on is not None:
            await may_go_on

    async def finish(self, piece: bytes, trailers: HeaderPairs = ()) -> None:
        if self.method == "HEAD":
            return
        last = chunk(piece) if piece else b""
        may_go_on = self._connection.send_soon(last + last_chunk(trailers))
        if may_go_on is not None:
            await may_go_on

    def finish_at_once(self, piece: bytes) -> None:
        self._connection.send_soon(chunk(piece) + last_chunk(()))

    def cut(self) -> None:
        self._connection.close()


class WholeConnection(asyncio.Protocol):
    """A connection whose requests so far arrived in one piece each."""

    __slots__ = (
        "_client",
        "_held_back",
        "_may_write",
        "_peername",
        "_probe",
        "_request",
        "_shared",
        "_slow_reader",
        "_task",
        "_unsent",
        "_wire",
        "certificate",
    )

    def __init__(self, shared: WholeRequests, client: Address | None = None) -> None:
        """Prepares for a connection, of a client that is not what its socket says."""
        self._shared = shared
        self._client = client
        # The transport; None before the connection is admitted, and after its end or hand-over.
        self._wire: asyncio.Transport | None = None
        self._peername: object = client
        # The request in flight, and the task that answers it; None after a cancellation.
        self._request: WholeRequest | None = None
        self._task: asyncio.Task[None] | None = None
        # The data received behind the request in flight.
        self._held_back: bytearray | None = None
        # The parts of an answer that are sent once its task waits.
        self._unsent = bytearray()
        # Resolved when the client has read the data that wait for it.
        self._may_write: asyncio.Future[None] | None = None
        self._slow_reader: SlowReader | None = None
        # Set when the client's input has ended.
        self._probe: Probe | None = None
        # The verified one of the client.
        self.certificate: Mapping[str, Any] | None = None

    @property
    def peername(self) -> object:
        """Returns the client's address as a socket gives it."""
        if self._peername is None and self._wire is not None:
            self._peername = self._wire.get_extra_info("peername")
        return self._peername

    # Called by the event loop.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of sockets
        if not self._shared.connections.admit(self):
            transport.close()
            return
        self._wire = transport
        self.certificate = transport.get_extra_info("peercert")
        connected: socket.socket = transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        watch_reader(transport)
        self._shared.keep_alive.add(self)

    def data_received(self, data: bytes) -> None:
        if self._wire is None:
            return
        if self._request is not None:
            self._hold_back(data)
            return
        self._shared.keep_alive.discard(self)
        request = self._shared.read(data, self)
        if request is None:
            self._hand_over(data)
        else:
            self._begin(request)

    def eof_received(self) -> bool:
        """Returns True, which keeps the connection open, if a request is not answered yet."""
        is_waiting = (
            self._request is not None and self._wire is not None and may_half_close(self._wire)
        )
        if is_waiting and self._probe is None and self._wire is not None:
            self._probe = Probe(self, self._wire)
        return is_waiting

    def pause_writing(self) -> None:
        if self._wire is not None:
            timeout_s = self._shared.connections.limits.write_timeout_s
            self._slow_reader = SlowReader(self._wire, timeout_s=timeout_s)
            self._may_write = self._shared.loop.create_future()

    def resume_writing(self) -> None:
        if self._slow_reader is not None:
            self._slow_reader.stop()
            self._slow_reader = None
        if self._may_write is not None:
            if not self._may_write.done():
                self._may_write.set_result(None)
            self._may_write = None

    def connection_lost(self, exc: BaseException | None) -> None:
        self._wire = None
        self._shared.keep_alive.discard(self)
        self._shared.connections.lost(self)
        if self._slow_reader is not None:
            self._slow_reader.stop()
        if self._probe is not None:
            self._probe.stop()
            self._probe = None  # which refers to the connection
        self._cancel()

    # Called by the listener and its `KeepAlive`.

    def close(self) -> None:
        if self._wire is not None:
            self.send_unsent()
            self._wire.close()

    def abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()

    def drain(self) -> None:
        """Closes the connection, or has `_end` close it after the answer."""
        if self._request is None:
            self.close()

    def end(self) -> bool:
        request = self._request
        if request is not None and self._wire is not None:
            if not request.is_begun and self._may_write is None:
                self._shared.connections.tell_stop(self._wire, request.method, request)
            request.stop_call()
            self._cancel()
        self.close()
        return request is not None

    # Called by `Probe`.

    def may_probe(self) -> bool:
        return self._request is not None and not self._request.is_begun

    def progress(self) -> int | None:
        if self._request is None or self._may_write is not None:
            return None
        return self._request.sent_bytes

    # Steps of a request.

    def _begin(self, request: WholeRequest) -> None:
        self._request = request
        # By a name of its own: to number tasks costs as much as a look-up of two headers.
        # Not started at once: the heads of all sockets that are ready are parsed first, then all
        # requests are answered, so that each of the two finds its code in the processor's cache.
        self._task = asyncio.Task(self._answer(request), loop=self._shared.loop, name=_TASK_NAME)

    async def _answer(self, request: WholeRequest) -> None:
        is_last = False
        try:
            answer = await self._shared.answer(request)
        except asyncio.CancelledError:
            if self._request is request:  # raised by the handler itself: there is no answer
                self.close()
            raise
        except Exception as exc:  # noqa: BLE001  there is no handler above
            answer, is_last = self._failed(request, exc), True
        wire = self._wire
        if self._request is not request or wire is None or wire.is_closing():
            return
        if answer is not None:
            is_last = is_last or answer.closes
            body = b"" if request.method == "HEAD" else answer.body
            head = self._shared.connections.responses.head(answer)
            for piece in write_start(wire, head, body):
                request.is_begun = True
                request.sent_bytes += len(piece)
                if self._may_write is not None:
                    await self._may_write
                wire.write(piece)
        else:
            self.send_unsent()
        if self._may_write is not None:
            await self._may_write
        self._end(is_last=is_last)

    def _failed(self, request: WholeRequest, exc: Exception) -> Answer | None:
        """Returns the answer for a handler that failed; None if its answer has begun."""
        error = deadline_exceeded() if isinstance(exc, TimeoutError) else unhandled(exc)
        if request.is_begun:
            return None
        return self._shared.connections.refuse(with_connection_close(error), None)

    def _end(self, *, is_last: bool) -> None:
        """Closes the connection after an answer, or goes on with it."""
        self._request = self._task = None
        is_last = is_last or self._shared.connections.is_draining
        held_back, self._held_back = self._held_back, None
        if is_last or (held_back is None and self._probe is not None):
            self.close()
        elif held_back is None:
            self._shared.keep_alive.add(self)
        else:
            # In the listener's context, not in that of the answered request.
            self._shared.context.copy().run(self._hand_over, bytes(held_back))

    def send_soon(self, octets: bytes) -> asyncio.Future[None] | None:
        """Sends a part of an answer, as soon as its task waits for anything.

        Parts that follow each other without a wait are sent together: to send one costs as much as
        to make it.

        Returns:
            What to wait for if the client reads slowly.

        Raises:
            ConnectionResetError: the client left.
        """
        if self._wire is None or self._wire.is_closing():
            raise ConnectionResetError("the client left")
        if not self._unsent:
            self._shared.loop.call_soon(self.send_unsent)
        self._unsent += octets
        if len(self._unsent) >= _SENT_AT_ONCE_BYTES:
            self.send_unsent()
        return self._may_write

    def send_large(self, piece: bytes) -> asyncio.Future[None] | None:
        """Sends a large piece of a body in chunks at once, as `send_soon`, but does not copy it."""
        if self._wire is None or self._wire.is_closing():
            raise ConnectionResetError("the client left")
        head, self._unsent = self._unsent, bytearray()
        head += b"%x\r\n" % len(piece)
        if self._request is not None:
            self._request.sent_bytes += len(head) + len(piece)
        self._wire.writelines((head, piece, b"\r\n"))
        return self._may_write

    def send_unsent(self) -> None:
        """Sends what waits to be sent."""
        unsent = self._unsent
        if unsent and self._wire is not None:
            self._unsent = bytearray()
            if self._request is not None:
                self._request.sent_bytes += len(unsent)
            self._wire.write(unsent)

    def _cancel(self) -> None:
        """Cancels the task that answers, once; the drain waits for it."""
        request, task = self._request, self._task
        self._request = self._task = None
        if request is not None and task is not None:
            request.end_call()
            self._shared.connections.tasks.keep(task)
            task.cancel()

    def _hold_back(self, data: bytes) -> None:
        if self._held_back is None:
            self._held_back = bytearray()
        self._held_back += data
        if len(self._held_back) >= _HELD_BACK_MAX_BYTES and self._wire is not None:
            self._wire.pause_reading()

    def _hand_over(self, data: bytes) -> None:
        """Hands the connection over to aiohttp, with the data received since the last answer."""
        shared, wire = self._shared, self._wire
        if wire is None:
            return
        self._wire = None
        successor = HttpConnection(shared.connections, shared.server, self._client)
        shared.connections.replace(self, successor)
        wire.set_protocol(successor)
        successor.connection_made(wire)
        wire.resume_reading()
        successor.data_received(data)
        if self._probe is not None:
            self._probe.stop()
            self._probe = None
            if not successor.eof_received():
                wire.close()
