"""Guards a connection before and between its requests.

Builds on aiohttp's low-level server (`web.Server`, `web.RequestHandler`) and adds what that has
not: a deadline for headers and for readers that stop, a cap on connections, refusals in our own
words, an end to bodies that nobody wants, and a drain. Figures: `Limits`.

Follows RFC 9112 section 9 (connections).
Rule 1: a request that arrives whole pays for none of this with a timer or a task.
Rule 2: nothing that aiohttp's parser says reaches a client.
Rule 3: of aiohttp's private names only `_messages` (parsed, not yet handled), `_reading_paused` and
`_prepare_hook` (the headers, before they are written) are used; tests/integration/listener holds
them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from grpc import StatusCode

from transcoder.call import Call
from transcoder.errors import (
    TranscodeError,
    deadline_exceeded,
    unavailable,
    without_values,
)
from transcoder.http.half_closed import CONTINUE, LOOKS_PER_PROBE, PROBE_S, is_open, may_probe
from transcoder.http.parser_errors import unparsed
from transcoder.http.upgrade import is_deaf
from transcoder.options import Limits
from transcoder.tasks import Tasks

logger = logging.getLogger(__name__)

Refuse = Callable[[TranscodeError], web.StreamResponse]
"""Makes the answer to a request that no handler sees, or sees no more."""

_CALL_KEY: Final = web.RequestKey("call", Call)
LINGER_S: Final = 1.0
"""Seconds for a client that sends an unwanted body to read its answer (RFC 9112 section 9.6)."""
_READ_BUFFER_BYTES: Final = 64 << 10
"""aiohttp stops reading a body at twice this, until the handler takes some."""
_PROGRESS_BYTES: Final = 64 << 10
"""Min bytes that a reader takes of a waiting answer per `Limits.write_timeout_s`."""
_FRAMING_BYTES: Final = 512 << 10
"""Max bytes of a body's framing (sizes and extensions of chunks, trailers); more is 400. Twice what
may lie here unparsed after one read of the socket, as that is counted, too."""
_FRAMING_PER_OCTET: Final = 8
"""Framing bytes allowed for each byte of the body: a chunk of one byte needs five."""


class HttpConnections:
    """The open connections of a listener, and what they share."""

    def __init__(self, refuse: Refuse, *, limits: Limits, tasks: Tasks) -> None:
        self.refuse = refuse
        self.limits = limits
        self.maximum = limits.connections_max
        self.is_draining = False
        self.tasks = tasks
        self._open: set[HttpConnection] = set()
        self._emptied: asyncio.Future[None] | None = None

    def admit(self, connection: "HttpConnection") -> bool:
        if self.is_draining or len(self._open) >= self.maximum:
            return False
        self._open.add(connection)
        return True

    def lost(self, connection: "HttpConnection") -> None:
        self._open.discard(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)

    async def drain(self) -> None:
        """Admits no more, closes idle ones, and lets requests in flight end.

        What still runs after `limits.drain_timeout_s` is cancelled, and answered as UNAVAILABLE;
        it then has `LINGER_S` to clean up, as have calls whose clients have left.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self.limits.drain_timeout_s
        self.is_draining = True
        for connection in list(self._open):
            connection.drain()
        if self._open:
            self._emptied = loop.create_future()
            await asyncio.wait([self._emptied], timeout=self.limits.drain_timeout_s)
        ended = [await connection.end() for connection in list(self._open)]
        if any(ended):
            logger.warning("stopped with %d requests in flight", sum(ended))
        await self.tasks.ended(max(until - loop.time(), 0) + LINGER_S)
        for connection in list(self._open):
            connection.abort()


class HttpRequest(web.BaseRequest):
    """A request of our own listener.

    Attributes:
        call: what it makes; an item, as other requests have it, costs 0.3 µs more.
    """

    call: Call | None = None

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        # aiohttp tells everybody its name, Python's, and their versions.
        response.headers.popall(hdrs.SERVER, None)


def hold_call(request: web.BaseRequest, call: Call) -> None:
    """Notes the call that a request makes, for `end_call`."""
    if isinstance(request, HttpRequest):
        request.call = call
    else:
        request[_CALL_KEY] = call


def drop_call(request: web.BaseRequest) -> None:
    """Lets go of the call of a request that is answered."""
    if isinstance(request, HttpRequest):
        request.call = None
    else:
        request.pop(_CALL_KEY, None)


def end_call(request: web.BaseRequest) -> None:
    """Notes in the call of a request, if it has one, that it is about to be cancelled."""
    call = request.call if isinstance(request, HttpRequest) else request.get(_CALL_KEY)
    if call is not None:
        call.end(StatusCode.CANCELLED)


def make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """Makes the request of an `HttpConnection`; `web.Server` calls it before the handler."""
    if isinstance(protocol, HttpConnection) and not protocol.may_go_on(message):
        message = message._replace(should_close=True)
    request = HttpRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())
    if isinstance(protocol, HttpConnection):
        protocol.begin(request)
    return request


class HttpConnection(web.RequestHandler):
    """A connection, from its first moment to its last."""

    __slots__ = (
        "_connections",
        "_discard_left",
        "_framing_bytes",
        "_header_timer",
        "_is_cut",
        "_is_deaf",
        "_is_half_closed",
        "_looks",
        "_probe_timer",
        "_request",
        "_sent_bytes",
        "_task",
        "_unsent_bytes",
        "_wire",
        "_write_timer",
    )

    def __init__(self, connections: HttpConnections, server: web.Server) -> None:
        limits = connections.limits
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=logger,
            access_log=None,  # type: ignore[arg-type]  # what turns it off
            auto_decompress=False,
            keepalive_timeout=limits.keepalive_timeout_s,
            lingering_time=LINGER_S,
            max_field_size=limits.header_max_bytes,
            max_headers=limits.headers_max,
            max_line_size=limits.line_max_bytes,
            read_bufsize=_READ_BUFFER_BYTES,
        )
        self._connections = connections
        # Stays when aiohttp lets go of `transport`: it may still have something to send.
        self._wire: asyncio.Transport | None = None
        # Being answered; or, while `_discard_left` is set, answered with its body still coming in.
        self._request: web.BaseRequest | None = None
        self._discard_left: int | None = None
        self._framing_bytes = 0
        # What runs the requests of the connection, until it is cancelled.
        self._task: asyncio.Task[None] | None = None
        self._is_cut = False
        self._is_half_closed = False
        self._is_deaf = False
        # Since the client's input ended: how often was looked for it, and what had been sent then.
        self._looks = 0
        self._sent_bytes = 0
        self._probe_timer: asyncio.TimerHandle | None = None
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0

    def begin(self, request: web.BaseRequest) -> None:
        """Notes that the headers are complete and the answer is under way."""
        self._request = request
        self._task = request.task
        self._discard_left = None
        self._framing_bytes = 0
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def may_go_on(self, message: RawRequestMessage) -> bool:
        """Returns True if requests may follow this one."""
        if self._is_deaf:
            return bool(self._messages)
        # RFC 9112 section 6.1: who forwarded such a request may not have understood its end.
        return not (message.chunked and message.version < HttpVersion11)

    def drain(self) -> None:
        """Closes the connection, or has `log_access` close it after the answer."""
        is_answering = self._request is not None and self._discard_left is None
        if not is_answering and not self._messages:
            self.force_close()

    async def end(self) -> bool:
        """Answers the request in flight with UNAVAILABLE, cancels it, and closes the connection.

        Returns:
            True if there was a request in flight.
        """
        request = self._request
        if request is None or self._discard_left is not None:
            self.force_close()
            return False
        if request.writer.output_size == 0 and not self.writing_paused:
            response = self._connections.refuse(
                with_connection_close(unavailable("the server is stopping"))
            )
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                await response.write_eof()
        self._cancel()
        self.force_close()
        return True

    def abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._connections.admit(self):
            transport.close()
            return
        super().connection_made(transport)
        self._wire = self.transport
        if self._wire is not None:
            # Whatever the socket does not take at once counts as waiting for the reader.
            self._wire.set_write_buffer_limits(high=0)

    def connection_lost(self, exc: BaseException | None) -> None:
        for timer in (self._header_timer, self._write_timer, self._probe_timer):
            if timer is not None:
                timer.cancel()
        self._wire = None
        self._connections.lost(self)
        super().connection_lost(exc)
        self._cancel()
        self._request = self._task = None  # which refer to the connection

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's protocols may say so
        """Returns True, which keeps the connection open, if a whole request is not answered yet."""
        request = self._request
        if request is None or self._discard_left is not None:
            is_waiting = bool(self._messages)
        else:
            is_waiting = request.content.is_eof()
            self._sent_bytes = request.writer.output_size
        if is_waiting and not self._is_half_closed:
            self._is_half_closed = True
            self._probe_later()
        return is_waiting

    def data_received(self, data: bytes) -> None:
        request = self._request
        if request is not None and not request.content.is_eof():
            before = request.content.total_bytes
            super().data_received(data)
            framing_bytes = len(data) - (request.content.total_bytes - before)
            self._framing_bytes += framing_bytes
            if framing_bytes and "Upgrade" in request.headers:
                self._is_deaf = True
        else:
            super().data_received(data)
            request = self._request
            if self._messages:
                message, payload = self._messages[-1]
                if isinstance(message, RawRequestMessage) and message.upgrade:
                    protocol = message.headers.get("Upgrade", "")
                    if is_deaf(message.method, protocol, payload.total_bytes, data):
                        self._is_deaf = True
        if request is None:
            if self._header_timer is None and not self._messages and data:
                self._await_headers()
        elif not request.content.is_eof() and (self._messages or self._is_framing_endless(request)):
            # Before its body ends no request can follow: this is what the parser refuses of the
            # body. It does not tell the body's reader, who would wait.
            self._messages.clear()
            if self._discard_left is None:
                request.content.set_exception(web.RequestPayloadError())
            request.content.feed_eof()
            self.close()
        elif self._discard_left is not None:
            self._discard_left -= len(data)
            self._cut_if_endless(request, self._discard_left)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    # Called by aiohttp.

    def resume_reading(self, resume_parser: bool = True) -> None:
        # aiohttp calls this twice for each body; most often nothing was paused.
        if self._reading_paused and not self._is_cut:
            super().resume_reading(resume_parser)

    def log_access(
        self, request: web.BaseRequest, response: web.StreamResponse, time: float | None
    ) -> None:
        """Notes that an answer is written, which is when aiohttp calls this."""
        if request.content.is_eof():
            self._request = None
        else:
            self._discard_left = self._connections.limits.discard_max_bytes
            self._cut_if_endless(request, self._discard_left)
        is_last = self._is_half_closed or self._is_deaf
        if self._connections.is_draining or (is_last and not self._messages):
            self.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers what the parser refuses (400), and exceptions that a handler does not catch."""
        if status == HTTPStatus.BAD_REQUEST:
            error = unparsed(exc, message or "", self._connections.limits)
            logger.debug(
                "refused a request of %s: %s", self.peername, without_values(error.message)
            )
        elif status == HTTPStatus.GATEWAY_TIMEOUT:
            error = deadline_exceeded()
        else:
            logger.error("answering a request failed", exc_info=exc)
            error = TranscodeError(StatusCode.INTERNAL, "internal error")
        if request.writer.output_size > 0:
            raise ConnectionAbortedError("part of another answer is written already")
        self.close()
        return self._connections.refuse(with_connection_close(error))

    # Deadlines.

    def _await_headers(self) -> None:
        # The connection is idle no more: from here this deadline counts, not that of aiohttp.
        self.keep_alive(True)
        self._header_timer = asyncio.get_running_loop().call_later(
            self._connections.limits.header_timeout_s, self.abort
        )

    def _await_reader(self) -> None:
        if self._wire is not None:
            self._unsent_bytes = self._wire.get_write_buffer_size()
            self._write_timer = asyncio.get_running_loop().call_later(
                self._connections.limits.write_timeout_s, self._check_reader
            )

    def _check_reader(self) -> None:
        if self._wire is not None:
            if self._unsent_bytes - self._wire.get_write_buffer_size() < _PROGRESS_BYTES:
                self._wire.abort()
            else:
                self._await_reader()

    def _is_framing_endless(self, request: web.BaseRequest) -> bool:
        allowed = _FRAMING_BYTES + _FRAMING_PER_OCTET * request.content.total_bytes
        return self._framing_bytes > allowed

    def _probe_later(self) -> None:
        self._probe_timer = asyncio.get_running_loop().call_later(PROBE_S, self._probe)

    def _probe(self) -> None:
        """Aborts the connection if the client, whose input has ended, no longer reads."""
        wire, request = self._wire, self._request
        if wire is None or request is None:
            return
        sent_bytes, self._sent_bytes = self._sent_bytes, request.writer.output_size
        if not is_open(wire):
            wire.abort()
            return
        # A reader that stops is `_check_reader`'s; an answer in one piece does not count as output.
        is_answering = self.writing_paused or self._sent_bytes != sent_bytes
        if not is_answering:
            if not may_probe(request):
                wire.abort()
                return
            if self._looks % LOOKS_PER_PROBE == 0:
                wire.write(CONTINUE)
            self._looks += 1
        self._probe_later()

    def _cancel(self) -> None:
        """Cancels the task that runs the requests, once; the drain waits for it."""
        task, self._task = self._task, None
        if task is not None:
            if self._request is not None:
                end_call(self._request)
            self._connections.tasks.keep(task)
            task.cancel()

    def _cut_if_endless(self, request: web.BaseRequest, left: int) -> None:
        """Stops reading a body after its answer, once it is longer than the limit.

        Up to the limit it is read and dropped: a client that sends all and then reads gets its
        answer, and may go on. Other connections are closed after `LINGER_S`.
        """
        content = request.content
        if self._is_cut or content.is_eof():
            return
        if left < 0 or (request.content_length or 0) - content.total_bytes > left:
            self._is_cut = True
            self.pause_reading()


def with_connection_close(error: TranscodeError) -> TranscodeError:
    """Returns the same error, whose answer closes the connection."""
    error.headers = (*error.headers, ("Connection", "close"))
    return error
