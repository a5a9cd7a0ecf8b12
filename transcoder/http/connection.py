"""Has aiohttp read the requests of a connection, and guards it before and between them.

Builds on aiohttp's low-level server (`web.Server`, `web.RequestHandler`) and adds what that has
not: a deadline for headers, refusals in our own words, and an end to bodies that nobody wants. The
cap on connections and the drain are in connections.py. Figures: `Limits`.

Follows RFC 9112 section 9 (connections).
Rule 1: a request that arrives whole pays for none of this with a timer or a task.
Rule 2: nothing that aiohttp's parser says reaches a client.
Rule 3: of aiohttp's private names only `_messages` (parsed, not yet handled), `_reading_paused` and
`_prepare_hook` (the headers, before they are written) are used; tests/integration/listener holds
them.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from transcoder.errors import deadline_exceeded, without_values
from transcoder.http.aiohttp_request import AiohttpRequest
from transcoder.http.connections import LINGER_S, HttpConnections, unhandled
from transcoder.http.forwarded import Address
from transcoder.http.half_closed import Probe, may_half_close
from transcoder.http.parser_errors import unparsed
from transcoder.http.request import AnswerRequest, declared_bytes
from transcoder.http.response import Responses, with_connection_close
from transcoder.http.slow_readers import SlowReader, watch_reader
from transcoder.http.upgrade import is_deaf

logger = logging.getLogger(__name__)

_READ_BUFFER_BYTES: Final = 64 << 10
"""aiohttp stops reading a body at twice this, until the handler takes some."""
_FRAMING_BYTES: Final = 512 << 10
"""Max bytes of a body's framing (sizes and extensions of chunks, trailers); more is 400. Twice what
may lie here unparsed after one read of the socket, as that is counted, too."""
_FRAMING_PER_OCTET: Final = 8
"""Framing bytes allowed for each byte of the body: a chunk of one byte needs five."""


class HttpRequest(web.BaseRequest):
    """A request of our own listener, as aiohttp makes it."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        # aiohttp tells everybody its name, Python's, and their versions.
        response.headers.popall(hdrs.SERVER, None)


def aiohttp_server(answer: AnswerRequest, responses: Responses) -> web.Server:
    """Makes the server of all connections of a listener, which has aiohttp answer them."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        served = AiohttpRequest(request)
        connection = request.protocol
        if isinstance(connection, HttpConnection):
            connection.serving = served
        answered = await answer(served)
        if served.is_reading:
            await served.end_reading()
        return served.begun if answered is None else responses.one_piece(answered)

    return web.Server(handler, request_factory=make_request)


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
    """A connection whose requests aiohttp reads.

    Attributes:
        serving: the request in flight, as its handler sees it.
    """

    __slots__ = (
        "_client",
        "_connections",
        "_discard_left",
        "_framing_bytes",
        "_header_timer",
        "_is_cut",
        "_is_deaf",
        "_probe",
        "_request",
        "_slow_reader",
        "_task",
        "_wire",
        "serving",
    )

    def __init__(
        self, connections: HttpConnections, server: web.Server, client: Address | None = None
    ) -> None:
        """Prepares for a connection, of a client that is not what its socket says."""
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
        self._client = client
        self.serving: AiohttpRequest | None = None
        # Stays when aiohttp lets go of `transport`: it may still have something to send.
        self._wire: asyncio.Transport | None = None
        # Being answered; or, while `_discard_left` is set, answered with its body still coming in.
        self._request: web.BaseRequest | None = None
        self._discard_left: int | None = None
        self._framing_bytes = 0
        # What runs the requests of the connection, until it is cancelled.
        self._task: asyncio.Task[None] | None = None
        self._is_cut = False
        self._is_deaf = False
        # Since the client's input has ended.
        self._probe: Probe | None = None
        self._slow_reader: SlowReader | None = None
        self._header_timer: asyncio.TimerHandle | None = None

    @property
    def peername(self) -> str | tuple[str, int, int, int] | tuple[str, int] | None:
        """Returns the client's address as a socket gives it."""
        return self._client or super().peername

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

    def end(self) -> bool:
        request = self._request
        if request is None or self._discard_left is not None:
            self.force_close()
            return False
        if self.serving is not None and self.serving.receiver is not None:
            self.serving.receiver.stop()
        elif request.writer.output_size == 0 and not self.writing_paused and self._wire is not None:
            self._connections.tell_stop(self._wire, request.method, self.serving)
        if self.serving is not None:
            self.serving.stop_call()
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
            watch_reader(self._wire)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
        if self._slow_reader is not None:
            self._slow_reader.stop()
        if self._probe is not None:
            self._probe.stop()
        self._wire = None
        self._connections.lost(self)
        super().connection_lost(exc)
        self._cancel()
        self._request = self._task = self.serving = self._probe = (
            None  # which refer to the connection
        )

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's protocols may say so
        """Returns True, which keeps the connection open, if a whole request is not answered yet."""
        request = self._request
        if request is None or self._discard_left is not None:
            is_waiting = bool(self._messages)
        elif self.serving is not None and self.serving.receiver is not None:
            is_waiting = False
        else:
            is_waiting = request.content.is_eof()
        is_waiting = is_waiting and self._wire is not None and may_half_close(self._wire)
        if is_waiting and self._probe is None and self._wire is not None:
            self._probe = Probe(self, self._wire)
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
        if self._wire is not None:
            timeout_s = self._connections.limits.write_timeout_s
            self._slow_reader = SlowReader(self._wire, timeout_s=timeout_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._slow_reader is not None:
            self._slow_reader.stop()
            self._slow_reader = None

    # Called by `Probe`.

    def may_probe(self) -> bool:
        request = self._request
        # HTTP/1.0 has no interim responses.
        return (
            request is not None
            and request.version >= HttpVersion11
            and request.writer.output_size == 0
        )

    def progress(self) -> int | None:
        request = self._request
        if request is None or self.writing_paused:
            return None
        return request.writer.output_size

    # Called by aiohttp.

    def resume_reading(self, resume_parser: bool = True) -> None:
        # aiohttp calls this twice for each body; most often nothing was paused.
        if self._reading_paused and not self._is_cut:
            super().resume_reading(resume_parser)

    def log_access(
        self, request: web.BaseRequest, response: web.StreamResponse, time: float | None
    ) -> None:
        """Notes that an answer is written, which is when aiohttp calls this."""
        self.serving = None
        if request.content.is_eof():
            self._request = None
        else:
            self._discard_left = self._connections.limits.discard_max_bytes
            self._cut_if_endless(request, self._discard_left)
        is_last = self._probe is not None or self._is_deaf
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
            error = unhandled(exc)
        if request.writer.output_size > 0:
            raise ConnectionAbortedError("part of another answer is written already")
        self.close()
        connections = self._connections
        refused = connections.refuse(with_connection_close(error), None)
        return connections.responses.one_piece(refused)

    # Deadlines.

    def _await_headers(self) -> None:
        # The connection is idle no more: from here this deadline counts, not that of aiohttp.
        self.keep_alive(True)
        self._header_timer = asyncio.get_running_loop().call_later(
            self._connections.limits.header_timeout_s, self.abort
        )

    def _is_framing_endless(self, request: web.BaseRequest) -> bool:
        allowed = _FRAMING_BYTES + _FRAMING_PER_OCTET * request.content.total_bytes
        return self._framing_bytes > allowed

    def _cancel(self) -> None:
        """Cancels the task that runs the requests, once; the drain waits for it."""
        task, self._task = self._task, None
        if task is not None:
            if self.serving is not None:
                self.serving.end_call()
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
        declared = declared_bytes(request.headers.get(hdrs.CONTENT_LENGTH)) or 0
        if left < 0 or declared - content.total_bytes > left:
            self._is_cut = True
            self.pause_reading()
