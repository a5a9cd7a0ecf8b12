"""Runs calls on a gRPC server in another process: makes handlers that forward them by a channel.

A handler gives the server the request, the metadata and what is left of the deadline, and gives
its caller everything that the server answers: messages, initial and trailing metadata, the status
with its details byte for byte. A call that ends here ends there.

Follows grpc/doc/PROTOCOL-HTTP2.md and grpc/doc/statuscodes.md.
Rule 1: a message is sent on before the next one is read, in each direction.
Rule 2: texts of grpc about a connection stay in the log; they name addresses.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import grpc
import orjson
from google.protobuf.message import Message

from transcoder.backends.inprocess import Handler, UnaryForward
from transcoder.call import REQUEST_ID_KEY, Method
from transcoder.errors import SchemaError, deadline_exceeded

logger = logging.getLogger(__name__)

RESPONSE_MAX_BYTES: Final = 4 << 20
"""Max bytes of a response, as by grpc's default; larger is RESOURCE_EXHAUSTED."""
REFLECTED_MAX_BYTES: Final = 64 << 20
"""The same for answers of reflection, as servers put all files that one imports into one."""
REFLECTION_VERSIONS: Final = ("v1", "v1alpha")

_CLOSED: Final = grpc.ChannelConnectivity.SHUTDOWN
_REFLECTION: Final = [
    {"service": f"grpc.reflection.{version}.ServerReflection"} for version in REFLECTION_VERSIONS
]
_SERVICE_CONFIG: Final = {
    "methodConfig": [
        {"name": [{}], "maxResponseMessageBytes": RESPONSE_MAX_BYTES},
        {"name": _REFLECTION, "maxResponseMessageBytes": REFLECTED_MAX_BYTES},
    ]
}
_OPTIONS: Final = (
    ("grpc.enable_retries", 0),
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", -1),  # the service config has limits
    ("grpc.service_config", orjson.dumps(_SERVICE_CONFIG).decode()),
)
"""Options of channels that are made here: only a client may repeat its call; all addresses of a
name take their turn; windows stay at 64 KiB, where a server could send 5 MiB ahead of each reader
that stops (R22); a server that is back is called within about a second, where grpc would wait two
minutes after a long failure (R29)."""

KEEPALIVE_S: Final = 300.0
"""Seconds of silence in a call after which its server is pinged; servers of gRPC end connections
that are pinged more often than once in five minutes, unless they allow it (A8, A18)."""
_PING_ANSWER_S: Final = 20.0
"""Max seconds for the answer; with keep-alive also for the server's host to take data (A18)."""

_LATE_S: Final = 0.02
"""Seconds by which the deadline of a server may come before that of its caller."""


def _keepalive(seconds: float) -> tuple[tuple[str, int], ...]:
    """Returns the options of a channel that pings after seconds of silence, during calls only."""
    answer_ms = int(min(seconds, _PING_ANSWER_S) * 1000)
    return (
        ("grpc.keepalive_time_ms", int(seconds * 1000)),
        ("grpc.keepalive_timeout_ms", answer_ms),
        ("grpc.http2.ping_timeout_ms", answer_ms),
        ("grpc.http2.max_pings_without_data", 0),  # no maximum: a stream may be silent for hours
    )


class Upstream:
    """A gRPC server, which handlers forward calls to.

    Attributes:
        target: its address, for the log.
    """

    def __init__(
        self,
        upstream: str | grpc.aio.Channel,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        keepalive_s: float = KEEPALIVE_S,
    ) -> None:
        """Prepares to call.

        Args:
            upstream: a target as grpc names it ("host:port", "dns:///name:port", "unix:path"),
                which is called by a channel that opens with the first call; or a channel, which
                stays open.
            credentials: of TLS to a target; None calls it without TLS.
            keepalive_s: seconds of silence in a call after which a target is pinged.

        Raises:
            SchemaError: `keepalive_s` is not positive.
        """
        if not keepalive_s > 0:
            raise SchemaError(f"keepalive_s: expected more than 0, got {keepalive_s!r}")
        self._keepalive = _keepalive(keepalive_s)
        self._credentials = credentials
        self.target = upstream if isinstance(upstream, str) else "a channel"
        self._given = None if isinstance(upstream, str) else upstream
        self._channel = self._given
        self._functions: dict[str, Callable[..., Any]] = {}

    def handler(self, method: Method) -> Handler:
        """Returns a handler that forwards the calls of a method."""
        serializers = method.request_type.FromString, method.response_type.SerializeToString
        if method.is_unary:
            return grpc.unary_unary_rpc_method_handler(_Unary(self, method).answer, *serializers)
        if not method.client_streaming:
            return grpc.unary_stream_rpc_method_handler(_responses(self, method), *serializers)
        if not method.server_streaming:
            return grpc.stream_unary_rpc_method_handler(_requests(self, method), *serializers)
        return grpc.stream_stream_rpc_method_handler(_both(self, method), *serializers)

    def call(self, method: Method, context: Any, *request: bytes) -> Any:  # noqa: ANN401
        """Begins a call on the server, with its request if it does not stream them.

        It sends and reads bytes: those that a later version of the method has as well.
        """
        function = self._functions.get(method.path)
        if function is None:
            function = self._functions[method.path] = self._function(method)
        metadata = tuple(context.invocation_metadata())
        return function(*request, metadata=metadata, timeout=context.time_remaining())

    @property
    def is_connected(self) -> bool:
        """True if a connection to the server is open."""
        return self._channel is not None and (
            self._channel.get_state() is grpc.ChannelConnectivity.READY
        )

    async def watch(self, came_back: Callable[[], None]) -> None:
        """Connects, also after a connection is lost, and calls back when one is open again."""
        was_open = False
        while (state := self.channel.get_state(try_to_connect=True)) is not _CLOSED:
            if state is grpc.ChannelConnectivity.READY:
                if was_open:  # and was lost since: only changes come here
                    came_back()
                was_open = True
            with contextlib.suppress(grpc.aio.UsageError):  # its owner closed it
                await self.channel.wait_for_state_change(state)

    async def close(self) -> None:
        """Closes the channel, unless it was given; the next call opens another."""
        channel = self._channel
        self._functions.clear()
        self._channel = self._given
        if channel is not None and self._given is None:
            await channel.close()

    @property
    def channel(self) -> grpc.aio.Channel:
        """Returns the channel; opens it if there is none."""
        if self._channel is None:
            target, credentials = self.target, self._credentials
            options = (*_OPTIONS, *self._keepalive)
            if credentials is None:
                self._channel = grpc.aio.insecure_channel(target, options=options)
            else:
                self._channel = grpc.aio.secure_channel(target, credentials, options=options)
        return self._channel

    def _function(self, method: Method) -> Callable[..., Any]:
        first = "stream" if method.client_streaming else "unary"
        second = "stream" if method.server_streaming else "unary"
        function: Callable[..., Any] = getattr(self.channel, f"{first}_{second}")(method.path)
        return function


class _Unary(UnaryForward):
    """Forwards the calls of a method without streams."""

    def __init__(self, upstream: Upstream, method: Method) -> None:
        self._upstream = upstream
        self._method = method

    async def answer(self, request: Message, context: Any) -> Message:  # noqa: ANN401
        response = await self.answer_bytes(_serialized(request), context)
        return self._method.response_type.FromString(response)

    async def answer_bytes(self, request: bytes, context: Any) -> bytes:  # noqa: ANN401
        call = self._upstream.call(self._method, context, request)
        try:
            await _pass_initial_metadata(call, context)
            await _end(call, self._upstream, self._method, context)
            response: bytes = await call
        finally:
            call.cancel()
        return response


def _responses(upstream: Upstream, method: Method) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def forward(request: Message, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        call = upstream.call(method, context, _serialized(request))
        try:
            await _pass_initial_metadata(call, context)
            while (response := await _next(call)) is not grpc.aio.EOF:
                yield method.response_type.FromString(response)
            await _end(call, upstream, method, context)
        finally:
            call.cancel()

    return forward


def _requests(upstream: Upstream, method: Method) -> Callable[[Any, Any], Awaitable[Any]]:
    async def forward(requests: AsyncIterator[Any], context: Any) -> object:  # noqa: ANN401
        call = upstream.call(method, context)
        try:
            async with _sending(call, requests):
                await _pass_initial_metadata(call, context)
                await call.code()
            await _end(call, upstream, method, context)
            return method.response_type.FromString(await call)
        finally:
            call.cancel()

    return forward


def _both(upstream: Upstream, method: Method) -> Callable[[Any, Any], Awaitable[None]]:
    async def forward(requests: AsyncIterator[Any], context: Any) -> None:  # noqa: ANN401
        call = upstream.call(method, context)
        try:
            async with _sending(call, requests):
                await _pass_initial_metadata(call, context)
                while (response := await _next(call)) is not grpc.aio.EOF:
                    await context.write(method.response_type.FromString(response))
            await _end(call, upstream, method, context)
        finally:
            call.cancel()

    return forward


@contextlib.asynccontextmanager
async def _sending(call: Any, requests: AsyncIterator[Any]) -> AsyncIterator[None]:  # noqa: ANN401
    """Sends the requests of a stream while the block runs."""
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(_send(call, requests))
        yield
        sending.cancel()


def _serialized(message: Message) -> bytes:
    return type(message).SerializeToString(message)  # of the class: a field may have that name


async def _pass_initial_metadata(call: Any, context: Any) -> None:  # noqa: ANN401
    """Passes on what the server sends before its first response.

    Nothing is sent for no metadata: a call that then fails has not begun its answer.
    """
    metadata = tuple(await call.initial_metadata())
    if metadata:
        await context.send_initial_metadata(metadata)


async def _next(call: Any) -> Any:  # noqa: ANN401
    """Returns the next response; `grpc.aio.EOF` after the last, and if the call has failed."""
    try:
        return await call.read()
    except grpc.aio.AioRpcError:
        return grpc.aio.EOF


async def _send(call: Any, requests: AsyncIterator[Any]) -> None:  # noqa: ANN401
    """Sends the requests of a stream as they come, and their end."""
    try:
        await call.wait_for_connection()
        async for request in requests:
            await send(call, _serialized(request))
        await call.done_writing()
    except (grpc.aio.AioRpcError, grpc.aio.InternalError):
        return  # the call has ended; its status comes with its responses


async def send(call: Any, message: bytes) -> None:  # noqa: ANN401
    """Sends a request of a stream.

    By the call inside of grpc.aio's: `write` of that one replaces the status of a call that ends
    while a request is sent.

    Raises:
        grpc.aio.InternalError: the call has ended; to read from it tells its status.
    """
    await call._cython_call.send_serialized_message(message)  # noqa: SLF001


async def _end(call: Any, upstream: Upstream, method: Method, context: Any) -> None:  # noqa: ANN401
    """Passes on the end of a call; aborts with its status if that is not OK."""
    code = await call.code()
    context.set_trailing_metadata(tuple(await call.trailing_metadata()))
    if code is grpc.StatusCode.OK:
        return
    details = await call.details() or ""
    if code is grpc.StatusCode.CANCELLED and _is_late(context):
        late = deadline_exceeded()
        code, details = late.code, late.message
    if code is grpc.StatusCode.UNAVAILABLE and not upstream.is_connected:
        request_id = dict(context.invocation_metadata()).get(REQUEST_ID_KEY)
        logger.warning(
            "%s cannot reach %s: %s, request id %s",
            method.path,
            upstream.target,
            details,
            request_id,
        )
        details = "the server behind this one is unavailable"
    await context.abort(code, details)


def _is_late(context: Any) -> bool:  # noqa: ANN401
    """True if the deadline is so near that the server may have ended the call for it.

    It has a timer of its own; the stream that it then resets looks cancelled.
    """
    remaining_s = context.time_remaining()
    return remaining_s is not None and remaining_s < _LATE_S


def handlers_by_name(upstream: Upstream, methods: Mapping[str, Method]) -> dict[str, Handler]:
    """Returns handlers that forward calls, by the names of the methods."""
    return {method.descriptor.name: upstream.handler(method) for method in methods.values()}
