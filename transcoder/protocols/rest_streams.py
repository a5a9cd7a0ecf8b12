"""Answers streams at the routes of HTTP rules: each message is sent as JSON when it is yielded.

Follows google/api/http.proto. stream_formats.py writes what surrounds messages, streams.py sends.

Rule 1: a call that fails before its first message has the HTTP status of its error, as if it were
no stream. After that the format tells the failure, or the body is cut.
Rule 2: a message is encoded before the first wait, as servicers reuse messages.
"""

import asyncio
import contextlib
from typing import Final

from google.protobuf.message import Message

from transcoder.call import Backend
from transcoder.codec.scalars import Fault
from transcoder.errors import (
    EnoughSent,
    TranscodeError,
    stopping,
)
from transcoder.http.exchange import HttpExchange
from transcoder.http.headers import initial_headers, trailer_headers
from transcoder.http.offload import Offload
from transcoder.http.response import NO_CONTENT, HeaderPairs
from transcoder.http.stream_encodings import StreamDeflater, StreamDeflaters
from transcoder.protocols.failures import failure_of
from transcoder.protocols.http_bodies import HttpBodyStreamCall
from transcoder.protocols.json_errors import JsonErrors, unwritable
from transcoder.protocols.protocol import WholeAnswer
from transcoder.protocols.stream_calls import Receive, RestStreamCall
from transcoder.protocols.stream_formats import (
    EVENTS,
    EVENTS_COMMENT,
    RAW,
    StreamFormat,
    StreamFormats,
    event_id,
)
from transcoder.protocols.streams import left_stream
from transcoder.registry import Route

# Proxies that gather an answer would hold messages back; nginx is told by this header.
_UNBUFFERED: Final = ("X-Accel-Buffering", "no")


class RestStreams:
    """Answers the methods that stream their responses."""

    def __init__(
        self,
        backend: Backend,
        errors: JsonErrors,
        formats: StreamFormats,
        *,
        offload: Offload,
        inline_max_bytes: int,
        heartbeat_s: float,
        has_compression: bool,
    ) -> None:
        """Prepares the answers.

        Args:
            backend: runs the calls.
            errors: writes the errors that end streams.
            formats: by which messages are written.
            offload: encodes large messages.
            inline_max_bytes: max bytes of a message that is encoded on the event loop.
            heartbeat_s: seconds without an event after which a comment is sent.
            has_compression: True compresses streams for clients that accept it.
        """
        self._backend = backend
        self._errors = errors
        self._formats = formats
        self._offload = offload
        self._inline_max_bytes = inline_max_bytes
        self._heartbeat_s = heartbeat_s
        self._deflaters = StreamDeflaters() if has_compression else None

    async def answer(
        self, exchange: HttpExchange, route: Route, receive: Receive
    ) -> WholeAnswer | None:
        """Answers a request; None if the answer was written in pieces.

        Args:
            exchange: the request and its answer.
            route: of a method that streams its responses.
            receive: reads the requests of the call.

        Raises:
            TranscodeError: the request cannot become a call.
        """
        if route.http_body is not None:
            raw = HttpBodyStreamCall(exchange, route, receive, route.http_body)
            return await self._run(raw, exchange, route, RAW)
        form = self._formats.of(exchange.headers.getall("Accept", ()))
        call = JsonStreamCall(
            exchange,
            route,
            receive,
            form=form,
            errors=self._errors,
            deflaters=self._deflaters,
            offload=self._offload,
            inline_max_bytes=self._inline_max_bytes,
        )
        beating: asyncio.Task[None] | None = None
        if form.content_type == EVENTS and exchange.verb != "HEAD":
            beating = asyncio.create_task(call.beat(self._heartbeat_s))
        try:
            return await self._run(call, exchange, route, form, beating=beating)
        finally:
            call.close()

    async def _run(
        self,
        call: RestStreamCall,
        exchange: HttpExchange,
        route: Route,
        form: StreamFormat,
        *,
        beating: asyncio.Task[None] | None = None,
    ) -> WholeAnswer | None:
        """Runs a call, and ends its answer as the format says; `beating` stops before its end."""
        failure: TranscodeError | None = None
        try:
            await self._backend.run(call)
        except EnoughSent as enough:
            enough.released()
            await exchange.finish(b"")
            return None
        except TranscodeError as error:
            failure = failure_of(call, error, exchange, route)
        finally:
            if beating is not None:
                beating.cancel()
        if call.is_started:
            tail: bytes | None = form.closing
            if failure is not None:
                tail = form.failure(self._errors.text(failure))
            await call.finish(tail)
            return None
        out = exchange.answer_headers
        if failure is not None:
            out += initial_headers(call.initial_metadata)
            out += trailer_headers(call.trailing_metadata)
            return self._errors.answer(failure, out)
        if call.status in NO_CONTENT:
            out += initial_headers(call.initial_metadata)
            out += trailer_headers(call.trailing_metadata)
            return call.status, b""
        await call.finish(form.closing)
        return None


class JsonStreamCall(RestStreamCall):
    """A call whose responses are written as JSON, one by one."""

    __slots__ = (
        "_deflater",
        "_deflaters",
        "_errors",
        "_form",
        "_inline_max_bytes",
        "_is_in_thread",
        "_is_opened",
        "_is_quiet",
        "_lead",
        "_offload",
    )

    def __init__(
        self,
        exchange: HttpExchange,
        route: Route,
        receive: Receive,
        *,
        form: StreamFormat,
        errors: JsonErrors,
        deflaters: StreamDeflaters | None,
        offload: Offload,
        inline_max_bytes: int,
    ) -> None:
        """Prepares a call.

        Raises:
            TranscodeError: a header is malformed.
        """
        super().__init__(exchange, route, receive)
        self._form = form
        self._errors = errors
        # Taken when the answer begins: most calls that are refused need none.
        self._deflaters = deflaters
        self._deflater: StreamDeflater | None = None
        self._offload = offload
        self._inline_max_bytes = inline_max_bytes
        # What comes before the next message.
        self._lead = form.opening + form.before
        self._is_opened = False
        # True if nothing was written since the last look of `beat`.
        self._is_quiet = True
        # True while a thread writes a message, or if the call was cancelled meanwhile.
        self._is_in_thread = False

    async def start(self) -> None:
        # With one request the head waits for the first message, as a failure has its own status. A
        # client that still sends may wait for the head.
        if self.method.client_streaming:
            await self.write(self._opening())

    def head(self) -> tuple[int, HeaderPairs]:
        out = [("Content-Type", self._form.content_type), ("Vary", "Accept"), _UNBUFFERED]
        if self._deflater is not None:
            out += (("Content-Encoding", self._deflater.coding), ("Vary", "Accept-Encoding"))
        return self.status, out

    async def send(self, message: Message) -> None:
        is_flowing = self.is_started and self._lead == self._form.between
        if not is_flowing or self._route.size(message) > self._inline_max_bytes:
            await super().send(message)
            return
        # As `super().send` does, by fewer steps: streams of small messages spend their time here.
        self._is_quiet = False
        try:
            await self._http.request.write(self._framed(message))
        except OSError as exc:
            raise left_stream() from exc
        if self.turn.is_over:
            await self.turn.share()

    async def piece_of(self, message: Message) -> bytes:
        self._is_quiet = False
        if not self._is_opened:
            self._take_deflater()
        if self._route.size(message) <= self._inline_max_bytes:
            piece = self._framed(message)
        else:
            # A copy: a servicer may change its message as soon as it goes on.
            copy = self.method.response_type()
            type(copy).CopyFrom(copy, message)
            self._is_in_thread = True
            piece = await self._offload.answer(self._framed, copy)
            self._is_in_thread = False
        self._is_opened = True
        self._lead = self._form.between
        return piece

    async def beat(self, every_s: float) -> None:
        """Writes a comment whenever nothing was written for `every_s`; begins the answer if needed.

        So the client of a feed that has nothing to say yet learns that it is connected.
        """
        with contextlib.suppress(TranscodeError):  # the client left, which cancels the call
            while True:
                await asyncio.sleep(every_s)
                if self._is_quiet and not self._is_in_thread:
                    await self.write(self._opening() + self._deflated(EVENTS_COMMENT))
                self._is_quiet = True

    def end_at_stop(self) -> bytes | None:
        tail = self._form.failure(self._errors.text(stopping()))
        if tail is None or self._is_in_thread or self.exchange.verb == "HEAD":
            return None
        return self._last(tail)

    async def finish(self, tail: bytes | None) -> None:
        if tail is None or (self._is_in_thread and self._deflater is not None):
            self._http.cut()
            return
        await self.end_with(self._last(tail))

    def _last(self, tail: bytes) -> bytes:
        """Returns the last piece of the body."""
        body = self._opening() + self._deflated(tail)
        return body if self._deflater is None else body + self._deflater.end()

    def _framed(self, message: Message) -> bytes:
        """Returns a message as it travels.

        Raises:
            TranscodeError: INTERNAL, it has no JSON form.
        """
        route, exchange = self._route, self.exchange
        try:
            text = route.encode(message)
        except Fault as fault:
            raise unwritable(fault, route.method, exchange.request_id) from None
        form = self._form
        if route.event_id is not None and form.content_type == EVENTS:
            text += event_id(route.event_id(message))
        return self._deflated(b"".join((self._lead, text, form.after)))

    def _opening(self) -> bytes:
        """Returns what comes before everything, once."""
        if self._is_opened:
            return b""
        self._take_deflater()
        self._is_opened = True
        self._lead = self._form.before
        return self._deflated(self._form.opening)

    def _take_deflater(self) -> None:
        if self._deflaters is not None and self._deflater is None:
            accepted = self.exchange.headers.getall("Accept-Encoding", ())
            self._deflater = self._deflaters.take(accepted)

    def close(self) -> None:
        """Gives the compressor back: the call has ended."""
        if self._deflaters is not None and self._deflater is not None:
            self._deflaters.give_back()

    def _deflated(self, piece: bytes) -> bytes:
        return piece if self._deflater is None or not piece else self._deflater.piece(piece)
