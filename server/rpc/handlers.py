"""Gives the handlers of all methods one form.

grpc.aio takes coroutines, asynchronous generators and plain functions, for four kinds of methods.
Here a handler is `async (request or requests, context) -> response`; a method that streams its
responses writes them to the context. So an interceptor is written once for all kinds.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Never, Protocol, TypeAlias

import grpc

from server.rpc.metadata import Pairs

if TYPE_CHECKING:
    MethodHandler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    MethodHandler = grpc.RpcMethodHandler  # generic only in its stubs


class Context(Protocol):
    """Declares what interceptors use of a grpc.aio.ServicerContext."""

    async def abort(
        self, code: grpc.StatusCode, details: str = ..., trailing_metadata: Pairs = ...
    ) -> Never: ...

    def auth_context(self) -> Mapping[str, Iterable[bytes]]: ...

    def code(self) -> grpc.StatusCode | int | None: ...

    def peer(self) -> str: ...

    async def read(self) -> Any: ...  # noqa: ANN401  a message of any kind, or EOF

    async def send_initial_metadata(self, initial_metadata: Pairs) -> None: ...

    def set_trailing_metadata(self, trailing_metadata: Pairs) -> None: ...

    async def write(self, message: object) -> None: ...


Handler: TypeAlias = Callable[[object, Context], Awaitable[object]]


def handler_of(method_handler: MethodHandler) -> Handler:
    """Returns the handler of a registered method, as a coroutine function.

    Raises:
        TypeError: the method streams, and its servicer is a plain function.
    """
    written: Any = (
        method_handler.unary_unary
        or method_handler.unary_stream
        or method_handler.stream_unary
        or method_handler.stream_stream
    )
    if inspect.iscoroutinefunction(written):
        coroutine: Handler = written
        return coroutine
    if inspect.isasyncgenfunction(written):
        return _writing(written)
    if method_handler.request_streaming or method_handler.response_streaming:
        raise TypeError(f"{written!r}: expected an async function, as the method streams")
    return _threaded(written)


def with_handler(
    method_handler: MethodHandler, handler: Handler, *, is_decoded: bool = True
) -> MethodHandler:
    """Returns the same method with another handler.

    Args:
        method_handler: gives the serializers and the kind of method.
        handler: runs instead of the method's own.
        is_decoded: True if the handler takes messages; otherwise it takes bytes.
    """
    make = _MAKERS[bool(method_handler.request_streaming), bool(method_handler.response_streaming)]
    decode = method_handler.request_deserializer if is_decoded else None
    return make(handler, decode, method_handler.response_serializer)


def without_request(method_handler: MethodHandler, handler: Handler) -> MethodHandler:
    """Returns the method with another handler, which runs before the request is read.

    grpc.aio reads the request of a unary method before it calls the handler. A method that streams
    its requests is called at once, and need not read any.
    """
    make = _MAKERS[True, bool(method_handler.response_streaming)]
    return make(handler, None, method_handler.response_serializer)


_MAKERS: Final[dict[tuple[bool, bool], Callable[..., MethodHandler]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
"""Makers of method handlers, by (requests are a stream, responses are a stream)."""


def _writing(written: Callable[[object, Context], AsyncGenerator[object]]) -> Handler:
    async def call(request: object, context: Context) -> None:
        async with aclosing(written(request, context)) as responses:
            async for response in responses:
                await context.write(response)

    return call


def _threaded(written: Callable[[object, Context], object]) -> Handler:
    """Runs a plain function in a thread; of its context it may call only what does not wait.

    The thread is of the loop's default executor, as under grpc.aio. Only the generated placeholders
    of missing methods are plain functions; the service's own methods are coroutines.
    """

    async def call(request: object, context: Context) -> object:
        return await asyncio.to_thread(written, request, context)  # noqa: TID251  see above

    return call
