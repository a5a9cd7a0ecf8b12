"""Layers: what is put around the behaviour of methods, and how layers become an interceptor.

A layer wraps a method's behaviour once, so that a call costs it one coroutine. All layers together
are one grpc.aio.ServerInterceptor, as each interceptor costs a call some microseconds more.
"""

import itertools
from abc import ABC, abstractmethod
from contextvars import ContextVar
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias, TypeVar

import grpc

from server.behaviours import Behaviour, Handler, Metadata, behaviour_of, with_behaviour

HANDLERS_MAX: Final = 10_000
"""Wrapped handlers that are kept; more means that something makes a handler for each call."""

METADATA: Final[ContextVar[Metadata]] = ContextVar("metadata")
"""Of the call under way; grpc.aio has it at hand once, and makes it anew each time it is asked."""

Req = TypeVar("Req")
Res = TypeVar("Res")

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Find: TypeAlias = Callable[
        [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Req, Res] | None]
    ]


class Layer(ABC):
    """Puts something around the behaviour of each method.

    Attributes:
        reads_request: whether it takes the request as a message. What makes a message of bytes has
            to be put around it.
    """

    reads_request: ClassVar[bool] = False

    @abstractmethod
    def around(self, method: str, handler: Handler, behaviour: Behaviour) -> Behaviour:
        """What runs instead of the behaviour.

        Args:
            method: its path.
            handler: says whether the method streams.
            behaviour: the method, or what the layers within made of it.
        """

    def wrap(self, method: str, handler: Handler) -> Handler:
        return with_behaviour(handler, self.around(method, handler, behaviour_of(handler)))


class Layers(grpc.aio.ServerInterceptor):
    """Layers as one interceptor, outermost first; a handler is wrapped once, in all of them."""

    def __init__(self, *layers: Layer) -> None:
        self.layers: Final = layers
        self._wrapped: dict[tuple[int, str], tuple[Handler, Handler]] = {}

    def with_inner(self, *layers: Layer) -> "Layers":
        """The same with more layers, in front of the first that reads the request."""
        outer = list(itertools.takewhile(lambda layer: not layer.reads_request, self.layers))
        return Layers(*outer, *layers, *self.layers[len(outer) :])

    async def intercept_service(
        self, continuation: "Find[Req, Res]", handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Req, Res] | None":
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        METADATA.set(handler_call_details.invocation_metadata)
        key = (id(handler), handler_call_details.method)
        known = self._wrapped.get(key)
        if known is not None:
            return known[1]
        return self._wrap(key, handler)

    @property
    def handlers(self) -> int:
        """How many are wrapped and kept."""
        return len(self._wrapped)

    def _wrap(self, key: tuple[int, str], handler: Handler) -> Handler:
        if len(self._wrapped) >= HANDLERS_MAX:
            self._wrapped.clear()
        wrapped = handler
        for layer in reversed(self.layers):
            wrapped = layer.wrap(key[1], wrapped)
        self._wrapped[key] = (handler, wrapped)  # which keeps the handler, and so its id, alive
        return wrapped
