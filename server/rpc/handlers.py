"""A method's behaviour in one form, whichever of grpc.aio's it was written in.

grpc.aio takes coroutines and asynchronous generators, and plain functions, for four kinds of
methods. Here all are `async (request or requests, context) -> response`; a method that streams its
responses writes them to the context. So what is put around a behaviour is written once.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Never, Protocol, TypeAlias

import grpc

if TYPE_CHECKING:
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic only in its stubs

Pairs: TypeAlias = tuple[tuple[str, str | bytes], ...]


class Indexed(Protocol):
    """Metadata that finds an entry without a scan; a tuple of pairs does not."""

    def get(self, key: str) -> str | bytes | None:
        """Raises ValueError for a value that metadata cannot have."""


Metadata: TypeAlias = Pairs | Indexed


class Context(Protocol):
    """What our layers use of a grpc.aio.ServicerContext."""

    async def abort(
        self, code: grpc.StatusCode, details: str = ..., trailing_metadata: Pairs = ...
    ) -> Never: ...

    def code(self) -> grpc.StatusCode | int | None: ...

    def peer(self) -> str: ...

    async def read(self) -> Any: ...  # noqa: ANN401  a message of any kind, or EOF

    def set_trailing_metadata(self, trailing_metadata: Pairs) -> None: ...

    async def write(self, message: object) -> None: ...


Behaviour: TypeAlias = Callable[[object, Context], Awaitable[object]]


class UnfitMetadata(Exception):
    """A caller's metadata that cannot be understood; the text names it, for the caller."""


def behaviour_of(handler: Handler) -> Behaviour:
    """Returns the behaviour of a handler, as a coroutine function.

    Raises:
        TypeError: a plain function that streams its responses; such a servicer needs `async`.
    """
    behaviour: Any = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    if inspect.iscoroutinefunction(behaviour):
        coroutine: Behaviour = behaviour
        return coroutine
    if inspect.isasyncgenfunction(behaviour):
        return _writing(behaviour)
    if handler.request_streaming or handler.response_streaming:
        raise TypeError(f"{behaviour!r}: expected an async function, as the method streams")
    return _threaded(behaviour)


def with_behaviour(handler: Handler, behaviour: Behaviour, *, is_decoded: bool = True) -> Handler:
    """Returns the same handler with another behaviour.

    Args:
        handler: whose serializers, and kind of method, stay.
        behaviour: runs instead of the handler's own.
        is_decoded: True if the behaviour takes messages; otherwise it takes bytes.
    """
    make = _MAKERS[bool(handler.request_streaming), bool(handler.response_streaming)]
    decode = handler.request_deserializer if is_decoded else None
    return make(behaviour, decode, handler.response_serializer)


def without_request(handler: Handler, behaviour: Behaviour) -> Handler:
    """Returns a handler that answers for another one without waiting for the request.

    grpc.aio reads the request of a unary handler before it calls it. A handler that streams its
    requests is called at once, and need not read any.
    """
    make = _MAKERS[True, bool(handler.response_streaming)]
    return make(behaviour, None, handler.response_serializer)


_MAKERS: Final[dict[tuple[bool, bool], Callable[..., Handler]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
"""Makers of handlers, by (requests are a stream, responses are a stream)."""


def metadata_text(metadata: Metadata, key: str) -> str:
    """Returns the first value under the key; empty if none is there that metadata can have."""
    try:
        value = metadata_value(metadata, key)
    except UnfitMetadata:
        return ""
    return value if isinstance(value, str) else ""


def metadata_value(metadata: Metadata, key: str) -> str | bytes | None:
    """Returns the first value under the key.

    Raises:
        UnfitMetadata: there is one, which metadata cannot have.
    """
    if not isinstance(metadata, tuple):
        try:
            return metadata.get(key)
        except ValueError:
            raise UnfitMetadata(f"{key}: expected printable ASCII characters") from None
    for name, value in metadata:
        if name == key:
            return value
    return None


def _writing(behaviour: Callable[[object, Context], AsyncGenerator[object]]) -> Behaviour:
    async def call(request: object, context: Context) -> None:
        async with aclosing(behaviour(request, context)) as responses:
            async for response in responses:
                await context.write(response)

    return call


def _threaded(behaviour: Callable[[object, Context], object]) -> Behaviour:
    """Keeps a plain function off the loop; of its context it may use what does not wait.

    It runs in the loop's default executor, as under grpc.aio. The service's own methods are all
    coroutines; only generated placeholders of missing methods are plain.
    """

    async def call(request: object, context: Context) -> object:
        return await asyncio.to_thread(behaviour, request, context)  # noqa: TID251  see above

    return call
