"""Layers: what is put around the behaviour of methods, and how layers become an interceptor.

A layer wraps a method's behaviour once, so that a call costs it one coroutine. All layers together
are one grpc.aio.ServerInterceptor, as each interceptor costs a call some microseconds more.

Rule: what headers decide is decided before the request is read. An interceptor is asked for a
handler when only the headers are there; a call that its gate refuses gets a handler that answers
without the request.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Never, TypeAlias, TypeVar

import grpc

from server.rpc.handlers import (
    Behaviour,
    Handler,
    Metadata,
    behaviour_of,
    with_behaviour,
    without_request,
)

HANDLERS_MAX: Final = 10_000
"""Wrapped handlers that are kept; more means that something makes a handler for each call."""

METADATA: Final[ContextVar[Metadata]] = ContextVar("metadata")
"""Of the call under way; grpc.aio has it at hand once, and makes it anew each time it is asked."""

_REFUSAL: Final[ContextVar[Exception]] = ContextVar("refusal")
"""Why the gate refuses the call under way."""

Admit: TypeAlias = Callable[[Metadata], Awaitable[None]]
"""Returns if a call may go on, raises if not."""

Req = TypeVar("Req")
Res = TypeVar("Res")

if TYPE_CHECKING:
    Find: TypeAlias = Callable[
        [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Req, Res] | None]
    ]


class Layer(ABC):
    """Puts something around the behaviour of each method."""

    @abstractmethod
    def around(self, method: str, handler: Handler, behaviour: Behaviour) -> Behaviour:
        """Returns what runs instead of the behaviour.

        Args:
            method: its path.
            handler: says whether the method streams.
            behaviour: the method, or what the layers within made of it.
        """

    def wrap(self, method: str, handler: Handler) -> Handler:
        return with_behaviour(handler, self.around(method, handler, behaviour_of(handler)))


Missing: TypeAlias = Callable[[str], Handler | None]


class Gate(ABC):
    """Decides by the headers of a call if it may go on."""

    @abstractmethod
    def admit(self, method: str) -> Admit | None:
        """Returns what decides about calls of the method; None if all may go on."""


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """A handler as the layers made it.

    Attributes:
        original: kept, so that its id stays its own.
        handler: runs calls that may go on.
        refusing: answers the others.
    """

    original: Handler
    handler: Handler
    refusing: Handler
    admit: Admit | None


class Layers(grpc.aio.ServerInterceptor):
    """Layers as one interceptor, outermost first; a handler is wrapped once, in all of them."""

    def __init__(
        self,
        *outer: Layer,
        gate: Gate | None = None,
        inner: Sequence[Layer] = (),
        missing: Missing | None = None,
    ) -> None:
        """Put layers together.

        Args:
            outer: stand around every call, the refused ones included.
            gate: decides which calls go on.
            inner: stand around those that do, and may read the request.
            missing: returns a handler, which no layer wraps, for a method that is not registered.
        """
        self.outer: Final = outer
        self.gate: Final = gate
        self.inner: Final = tuple(inner)
        self.missing: Final = missing
        self._wrapped: dict[tuple[int, str], _Wrapped] = {}

    def with_inner(self, *layers: Layer) -> "Layers":
        """Returns the same with more layers, outside of all others that may read the request."""
        inner = (*layers, *self.inner)
        return Layers(*self.outer, gate=self.gate, inner=inner, missing=self.missing)

    def with_outer(self, *layers: Layer) -> "Layers":
        """Returns the same with more layers, outside of all others."""
        outer = (*layers, *self.outer)
        return Layers(*outer, gate=self.gate, inner=self.inner, missing=self.missing)

    async def intercept_service(
        self, continuation: "Find[Req, Res]", handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Req, Res] | None":
        handler = await continuation(handler_call_details)
        if handler is None:
            return self.missing and self.missing(handler_call_details.method)
        metadata: Metadata = handler_call_details.invocation_metadata
        METADATA.set(metadata)
        key = (id(handler), handler_call_details.method)
        wrapped = self._wrapped.get(key) or self._wrap(key, handler)
        if wrapped.admit is not None:
            try:
                await wrapped.admit(metadata)
            except Exception as refusal:  # noqa: BLE001  it is raised again, within the outer layers
                _REFUSAL.set(refusal.with_traceback(None))
                return wrapped.refusing
        return wrapped.handler

    @property
    def handlers(self) -> int:
        """How many are wrapped and kept."""
        return len(self._wrapped)

    def _wrap(self, key: tuple[int, str], handler: Handler) -> _Wrapped:
        if len(self._wrapped) >= HANDLERS_MAX:
            self._wrapped.clear()
        method = key[1]
        wrapped = _Wrapped(
            original=handler,
            handler=_within((*self.outer, *self.inner), method, handler),
            refusing=_within(self.outer, method, without_request(handler, _refuse)),
            admit=None if self.gate is None else self.gate.admit(method),
        )
        self._wrapped[key] = wrapped
        return wrapped


def _within(layers: Sequence[Layer], method: str, handler: Handler) -> Handler:
    for layer in reversed(layers):
        handler = layer.wrap(method, handler)
    return handler


async def _refuse(_request: object, _context: object) -> Never:
    raise _REFUSAL.get()
