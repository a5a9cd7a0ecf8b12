"""Implements grpc.aio.ServicerContext for handlers that run in this process.

Servicers and interceptors that are written for grpc.aio run here unchanged. As in grpc.aio, an
abort is final whatever the servicer does next; codes may be numbers; `code()` is None and
`details()` empty until they are set.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn, Self

import grpc
from google.protobuf.message import Message
from grpc.aio import AbortError, UsageError

from transcoder.call import STATUS_DETAILS_KEY, Call, CallMetadata, Method
from transcoder.errors import CODE_BY_NUMBER, EnoughSent, TranscodeError

_IDENTITIES: Final = ("x509_subject_alternative_name", "x509_common_name")
"""Properties that identify a client, the one that gRPC prefers first."""

logger = logging.getLogger(__name__)

CANCEL_WAIT_S: Final = 0.25
"""Max seconds that a write, whose client left, waits for the call to be cancelled. In an
application that does not cancel handlers (handler_cancellation=False of aiohttp) the write then
fails.
"""

MetadataPairs = grpc.aio.Metadata | Sequence[tuple[str, str | bytes]]
DoneCallback = Callable[["ServicerContext"], None]


class Requests:
    """Gives the requests of a call to a handler that streams its requests."""

    def __init__(self, call: Call, convert: Callable[[Message], object]) -> None:
        """Reads requests from a call; `convert` makes them what the handler takes."""
        self._call = call
        self._convert = convert

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        request = await self.read()
        if request is grpc.aio.EOF:
            raise StopAsyncIteration
        return request

    async def read(self) -> object:
        """Returns the next request, and `grpc.aio.EOF` after the last."""
        request = await self._call.receive()
        return grpc.aio.EOF if request is None else self._convert(request)


class ServicerContext(grpc.aio.ServicerContext[Message, Message]):
    """The context of one call.

    Attributes:
        requests: set for a handler that streams its requests; `read` reads from it.
    """

    requests: Requests | None = None

    # Defaults of the class: a context is made for each call, and few handlers set these.
    _code: grpc.StatusCode | None = None
    _details = ""
    _is_aborted = False
    _is_done = False
    _initial_sent = False
    _callbacks: tuple[DoneCallback, ...] = ()

    def __init__(self, call: Call) -> None:
        self._call = call

    # Read by the handler.

    def invocation_metadata(self) -> CallMetadata:  # type: ignore[override]  # it too gives pairs
        return self._call.metadata

    def peer(self) -> str:
        return self._call.peer

    @property
    def protocol(self) -> str:
        """Returns how the client calls: "json", "grpc-web", "connect" or "websocket".

        Contexts of grpc.aio have no such property.
        """
        return self._call.protocol

    def peer_identities(self) -> Iterable[bytes] | None:
        key = self.peer_identity_key()
        return None if key is None else self._call.auth_context()[key]

    def peer_identity_key(self) -> str | None:
        found = self._call.auth_context()
        return next((key for key in _IDENTITIES if key in found), None)

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return self._call.auth_context()

    def time_remaining(self) -> float | None:  # type: ignore[override]  # None, as grpc.aio answers
        return self._call.time_remaining()

    def code(self) -> grpc.StatusCode | None:  # type: ignore[override]  # as above
        return self._code if self._call.ending is None else self._call.ending

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Sequence[tuple[str, str | bytes]]:  # type: ignore[override]
        return self._call.trailing_metadata

    def cancelled(self) -> bool:
        return self._call.ending is not None

    def done(self) -> bool:
        return self._is_done

    # Set by the handler.

    def set_code(self, code: grpc.StatusCode | int) -> None:
        if not self._is_aborted:
            self._code = _status_code(code)

    def set_details(self, details: str) -> None:
        if not isinstance(details, str):
            raise TypeError(f"details: expected a str, got {type(details).__name__}")
        if not self._is_aborted:
            self._details = details

    async def send_initial_metadata(self, initial_metadata: MetadataPairs) -> None:
        self.hold_initial_metadata(initial_metadata)

    def hold_initial_metadata(self, initial_metadata: MetadataPairs) -> None:
        """Keeps the metadata for the head of the answer, which is sent with its first message."""
        if self._initial_sent:
            raise UsageError("Send initial metadata failed: already sent")
        self._call.initial_metadata = _pairs(initial_metadata)
        self._initial_sent = True

    def set_trailing_metadata(self, trailing_metadata: MetadataPairs) -> None:
        self._call.trailing_metadata = _pairs(trailing_metadata)

    def set_compression(self, compression: grpc.Compression) -> None:
        """Does nothing: the protocol and its client negotiate compression."""

    def disable_next_message_compression(self) -> None:
        """Does nothing, as `set_compression`."""

    async def abort(
        self,
        code: grpc.StatusCode | int,
        details: str = "",
        trailing_metadata: MetadataPairs = (),
    ) -> NoReturn:
        self.end(code, details, trailing_metadata)

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        self.end(status.code, status.details, status.trailing_metadata or ())

    def end(
        self, code: grpc.StatusCode | int, details: str, trailing_metadata: MetadataPairs
    ) -> NoReturn:
        """Aborts the call, for asynchronous and synchronous servicers alike."""
        if self._is_aborted:
            raise UsageError("Abort already called!")
        if details:
            self.set_details(details)
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        self.set_code(code)
        self._is_aborted = True
        raise AbortError("Locally aborted.")

    def add_done_callback(self, callback: DoneCallback) -> None:
        self._callbacks += (callback,)

    # Messages of streams; those of a unary call are the handler's argument and result.

    async def read(self) -> Any:  # noqa: ANN401  a message, or `grpc.aio.EOF`
        if self.requests is None:
            raise UsageError("read() is for methods that stream their requests")
        return await self.requests.read()

    async def write(self, message: Message) -> None:
        raise UsageError("write() is for methods that stream their responses")

    # Called by the backend.

    def expire(self) -> None:
        """Ends the call with DEADLINE_EXCEEDED; a status that the handler sets later is ignored."""
        self.set_code(grpc.StatusCode.DEADLINE_EXCEEDED)
        self.set_details("Deadline Exceeded")
        self._is_aborted = True
        self._call.end(grpc.StatusCode.DEADLINE_EXCEEDED)

    def cancel(self) -> None:
        """Ends the call with CANCELLED: its client left."""
        self._call.end(grpc.StatusCode.CANCELLED)

    def finish(self) -> None:
        self._is_done = True
        for callback in self._callbacks:
            try:
                callback(self)
            except Exception:  # the call has ended, and the other callbacks are to run too
                logger.exception("a done callback of %s failed", self._call.method.path)

    def failure(self) -> TranscodeError | None:
        """Returns the status that the handler set or aborted with; None for OK."""
        code = self._code
        if code is None or code is grpc.StatusCode.OK:
            if not self._is_aborted:
                return None
            # As grpc's sync server answers abort(OK).
            code = grpc.StatusCode.UNKNOWN
        details = b""
        trailing = self._call.trailing_metadata
        for key, value in trailing:
            if key == STATUS_DETAILS_KEY and isinstance(value, bytes):
                details = value
        if details:
            self._call.trailing_metadata = [
                pair for pair in trailing if pair[0] != STATUS_DETAILS_KEY
            ]
        return TranscodeError(code, self._details, details=details)


class StreamContext(ServicerContext):
    """The context of a call that streams its responses.

    Attributes:
        as_message: makes messages of what a handler with its own serializer writes; None for
            handlers that write messages.
    """

    as_message: Callable[[Any], Message] | None = None

    async def send_initial_metadata(self, initial_metadata: MetadataPairs) -> None:
        self.hold_initial_metadata(initial_metadata)
        await self._call.start()

    async def write(self, message: Message) -> None:
        if self._is_aborted or self._call.ending is not None:
            raise AbortError("Locally aborted.")
        if self._is_done:
            raise UsageError("RPC already finished.")
        if self.as_message is not None:
            message = self.as_message(message)
        if type(message) is not self._call.method.response_type:
            method = self._call.method
            raise TypeError(f"{method.path} wrote {kind_of(message, method)}")
        self._initial_sent = True
        try:
            await self._call.send(message)
        except EnoughSent:
            self.cancel()
            raise
        except TranscodeError as error:
            if error.code is not grpc.StatusCode.CANCELLED:  # the message cannot be written
                raise
            self.cancel()
            # The lost connection cancels the handler. Wait for it here: later, the cancellation
            # would interrupt the handler's cleanup.
            await asyncio.sleep(CANCEL_WAIT_S)
            raise


class SyncContext:
    """The context of a servicer written as plain functions, which run in a thread pool."""

    def __init__(self, context: ServicerContext) -> None:
        self._context = context

    def abort(
        self,
        code: grpc.StatusCode | int,
        details: str = "",
        trailing_metadata: MetadataPairs = (),
    ) -> NoReturn:
        self._context.end(code, details, trailing_metadata)

    def abort_with_status(self, status: grpc.Status) -> NoReturn:
        self._context.end(status.code, status.details, status.trailing_metadata or ())

    def send_initial_metadata(self, initial_metadata: MetadataPairs) -> None:
        self._context.hold_initial_metadata(initial_metadata)

    def is_active(self) -> bool:
        return not (self._context.done() or self._context.cancelled())

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Returns False if the call has ended and the callback will not run, as grpc.RpcContext."""
        if not self.is_active():
            return False
        self._context.add_done_callback(lambda _: callback())
        return True

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  every other member is synchronous already
        return getattr(self._context, name)


def _status_code(code: grpc.StatusCode | int) -> grpc.StatusCode:
    if isinstance(code, grpc.StatusCode):
        return code
    return CODE_BY_NUMBER.get(code, grpc.StatusCode.UNKNOWN)


def _pairs(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[tuple[str, str | bytes], ...]:
    """Returns metadata as pairs; fails in the servicer that sets invalid ones.

    Raises:
        TypeError: it is not pairs of a str and a str or bytes.
    """
    if isinstance(metadata, dict):
        raise TypeError("metadata: expected pairs of a key and a value, got a dict")
    pairs = tuple(metadata)
    given: Iterable[tuple[object, object]] = pairs
    for key, value in given:
        if not (isinstance(key, str) and isinstance(value, (str, bytes))):
            raise TypeError(f"metadata: expected a str and a str or bytes, got {(key, value)!r}")
    return pairs


def kind_of(response: object, method: Method) -> str:
    """Returns the name of the type of a response that is not its method's response type."""
    if not isinstance(response, Message):
        return type(response).__name__
    name = type(response).DESCRIPTOR.full_name
    is_namesake = name == method.descriptor.output_type.full_name
    return f"{name} of another descriptor pool" if is_namesake else name
