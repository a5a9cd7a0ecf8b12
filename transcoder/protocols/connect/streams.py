"""Answers calls of Connect that stream: messages in envelopes, and a last one with the status.

Follows connectrpc.com, "Connect Protocol Reference" (Streaming-Request, Streaming-Response).
Rule: HTTP 200 and an end of the stream, however the call ends.
"""

import contextlib
from dataclasses import replace
from typing import Final

from google.protobuf.message import Message

from transcoder.call import Backend
from transcoder.errors import TranscodeError, stopping
from transcoder.http.ceiling import Ceiling, Held
from transcoder.http.exchange import HttpExchange
from transcoder.http.headers import initial_headers
from transcoder.http.offload import Offload
from transcoder.options import Limits
from transcoder.protocols.connect import timeout
from transcoder.protocols.connect.errors import ConnectErrors
from transcoder.protocols.connect.form import Form, Messages
from transcoder.protocols.envelopes.compression import accepted_coding, known_encoding
from transcoder.protocols.envelopes.dialect import Dialect
from transcoder.protocols.envelopes.framing import Envelope, EnvelopeReader, end_envelope
from transcoder.protocols.envelopes.messages import MessageReader, MessageWriter
from transcoder.protocols.protocol import WholeAnswer
from transcoder.protocols.streams import RequestMessages, StreamingCall
from transcoder.registry import Route

CONNECT: Final = Dialect("Connect", "connect-content-encoding", "connect-accept-encoding")


class StreamCall(StreamingCall):
    """A call whose requests and responses are in envelopes."""

    __slots__ = (
        "_encoding",
        "_envelopes",
        "_errors",
        "_is_received",
        "_messages",
        "_reader",
        "_writer",
    )

    protocol = "connect"
    deadline_asked = staticmethod(timeout.deadline_of)

    def __init__(
        self,
        exchange: HttpExchange,
        route: Route,
        messages: Messages,
        *,
        errors: ConnectErrors,
        reader: MessageReader,
        writer: MessageWriter,
        limits: Limits,
        held: Held,
    ) -> None:
        """Prepares a call.

        Raises:
            TranscodeError: a header is malformed, or the encoding of messages is not supported.
        """
        super().__init__(route.method, exchange)
        self._encoding = known_encoding(CONNECT, exchange.headers.get(CONNECT.encoding))
        if not route.method.client_streaming:
            limits = replace(limits, stream_idle_timeout_s=limits.body_timeout_s)
        max_bytes = limits.message_max_bytes
        self._envelopes = RequestMessages(
            exchange,
            EnvelopeReader(CONNECT, message_max_bytes=max_bytes, encoding=self._encoding),
            limits=limits,
            held=held,
            turn=self.turn,
        )
        self._errors = errors
        self._messages = messages
        self._reader = reader
        self._writer = writer
        self._is_received = False

    async def receive(self) -> Message | None:
        try:
            if self.method.client_streaming:
                envelope = await self._envelopes.next()
            else:
                envelope = await self._only_envelope()
            if envelope is None:
                return None
            return await self._reader.message(envelope, self._encoding, self._messages.parse)
        except TranscodeError as error:
            self.exchange.log_refusal(error)
            raise

    async def _only_envelope(self) -> Envelope | None:
        """Returns the one request of a call that does not stream its requests, then None."""
        if self._is_received:
            return None
        self._is_received = True
        envelope = await self._envelopes.next()
        if envelope is None:
            raise CONNECT.not_one_message("the body is empty")
        if await self._envelopes.next() is not None:
            raise CONNECT.not_one_message("the body goes on after its first message")
        return envelope

    def end_at_stop(self) -> bytes | None:
        return end_envelope(self._errors.end_of_stream(stopping(), ()))

    async def piece_of(self, message: Message) -> bytes:
        return await self._writer.envelope(await self._messages.write(message))


class Streams:
    """Answers calls that stream."""

    def __init__(
        self,
        backend: Backend,
        errors: ConnectErrors,
        *,
        limits: Limits,
        offload: Offload,
        ceiling: Ceiling,
        compress_min_bytes: int,
    ) -> None:
        """Prepares; messages from `compress_min_bytes` on are compressed for who accepts it."""
        self._backend = backend
        self._errors = errors
        self._limits = limits
        self._offload = offload
        self._ceiling = ceiling
        self._reader = MessageReader(CONNECT, limits, offload)
        self._compress_min_bytes = compress_min_bytes

    async def answer(
        self, exchange: HttpExchange, route: Route, messages: Messages, *, form: Form
    ) -> WholeAnswer | None:
        """Answers a call; None if the answer was written in pieces.

        Raises:
            TranscodeError: the request cannot become a call.
        """
        headers, out = exchange.headers, exchange.answer_headers
        coding = accepted_coding(headers.get(CONNECT.accept_encoding))
        with Held(self._ceiling) as held:
            call = StreamCall(
                exchange,
                route,
                messages,
                errors=self._errors,
                reader=self._reader,
                writer=MessageWriter(self._offload, coding, min_bytes=self._compress_min_bytes),
                limits=self._limits,
                held=held,
            )
            out.append(("Content-Type", form.stream_type))
            if coding is not None:
                out.append((CONNECT.encoding, coding))
            failure: TranscodeError | None = None
            body = b""
            try:
                await self._backend.run(call)
                if not route.method.server_streaming:
                    body = await call.piece_of(call.response)
            except TranscodeError as error:
                failure = error.released()
        body += end_envelope(self._errors.end_of_stream(failure, call.trailing_metadata))
        if call.is_started:
            with contextlib.suppress(OSError):  # the client left before the end of the body
                await exchange.finish(body)
            return None
        if failure is not None:
            out += failure.headers
        out += initial_headers(call.initial_metadata)
        return 200, body

    def refusal(self, exchange: HttpExchange, error: TranscodeError, *, form: Form) -> WholeAnswer:
        """Makes the answer to a request that cannot become a call."""
        exchange.answer_headers += (("Content-Type", form.stream_type), *error.headers)
        return 200, end_envelope(self._errors.end_of_stream(error, ()))
