"""Puts interceptors around the handlers of methods, as one grpc.aio.ServerInterceptor.

An interceptor wraps the handler of each method once, so it costs a call one coroutine. The chain is
one interceptor of grpc.aio, which spends some microseconds on each of its own.

Rule: a decision that needs only headers is made before the request is read. grpc.aio asks for a
handler once the headers have arrived; for a call that the gate refuses, it gets a handler that
answers without reading the request.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Never, TypeAlias, TypeVar

import grpc

from server.rpc.call_info import CALL, CallInfo
from server.rpc.handlers import (
    Handler,
    MethodHandler,
    handler_of,
    with_handler,
    without_request,
)

WRAPPED_MAX: Final = 10_000
"""Max wrapped methods that are kept; then all are wrapped anew."""

Admit: TypeAlias = Callable[[CallInfo], Awaitable[None] | None]
"""Returns if a call may go on, else raises; may set the caller.

What it returns is awaited; None if it is certain already, as it is with most calls.
"""

Req = TypeVar("Req")
Res = TypeVar("Res")

if TYPE_CHECKING:
    Find: TypeAlias = Callable[
        [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Req, Res] | None]
    ]


class Interceptor(ABC):
    """Wraps the handler of each method.

    Attributes:
        reads_request: True if it reads the request from the context, undecoded, in place of grpc.
    """

    reads_request = False

    @abstractmethod
    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        """Returns the handler that replaces it; of the outermost interceptor, a coroutine function.

        Args:
            method: its path.
            method_handler: says if the method streams.
            handler: the method's own, wrapped by the inner interceptors.
        """


FindOther: TypeAlias = Callable[[str], MethodHandler | None]
"""Returns the handler of a method that is not registered, by its path; None if it has none."""


class Gate(ABC):
    """Decides by the headers of a call if it may go on."""

    @abstractmethod
    def admit(self, method: str) -> Admit | None:
        """Returns the check of calls of the method; None if all may go on."""


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """A method, wrapped by all interceptors.

    Attributes:
        original: kept, so that its id, which is a key, is not used again.
        admitted: answers calls that may go on.
        refused: answers the others.
        admit: tells them apart; None if all may go on.
    """

    original: MethodHandler
    admitted: MethodHandler
    refused: MethodHandler
    admit: Admit | None


class Chain(grpc.aio.ServerInterceptor):
    """Interceptors, outermost first; each method is wrapped once."""

    def __init__(
        self,
        *outer: Interceptor,
        gate: Gate | None = None,
        inner: Sequence[Interceptor] = (),
        find_other: FindOther | None = None,
    ) -> None:
        """Builds a chain.

        Args:
            outer: interceptors of every call, the refused ones included.
            gate: decides which calls go on.
            inner: interceptors of those that do; they may read the request.
            find_other: finds handlers of methods that are not registered; they are not wrapped.
        """
        self.outer: Final = outer
        self.gate: Final = gate
        self.inner: Final = tuple(inner)
        self.find_other: Final = find_other
        self._wrapped: dict[tuple[int, str], _Wrapped] = {}

    def with_inner(self, *interceptors: Interceptor) -> "Chain":
        """Returns this chain with more interceptors, the first behind the gate."""
        inner = (*interceptors, *self.inner)
        return Chain(*self.outer, gate=self.gate, inner=inner, find_other=self.find_other)

    def with_outer(self, *interceptors: Interceptor) -> "Chain":
        """Returns this chain with more interceptors, outside of all others."""
        outer = (*interceptors, *self.outer)
        return Chain(*outer, gate=self.gate, inner=self.inner, find_other=self.find_other)

    async def intercept_service(
        self, continuation: "Find[Req, Res]", handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Req, Res] | None":
        method_handler = await continuation(handler_call_details)
        if method_handler is None:
            return self.find_other and self.find_other(handler_call_details.method)
        call = CallInfo(handler_call_details.invocation_metadata)
        CALL.set(call)
        key = (id(method_handler), handler_call_details.method)
        wrapped = self._wrapped.get(key) or self._wrap(key, method_handler)
        if wrapped.admit is not None:
            try:
                undecided = wrapped.admit(call)
                if undecided is not None:
                    await undecided
            except Exception as refusal:  # noqa: BLE001  the refused handler raises it again
                call.refusal = refusal.with_traceback(None)
                return wrapped.refused
        return wrapped.admitted

    @property
    def wrapped_count(self) -> int:
        """Returns how many wrapped methods are kept."""
        return len(self._wrapped)

    def _wrap(self, key: tuple[int, str], method_handler: MethodHandler) -> _Wrapped:
        if len(self._wrapped) >= WRAPPED_MAX:
            self._wrapped.clear()
        method = key[1]
        wrapped = _Wrapped(
            original=method_handler,
            admitted=_wrapped_by((*self.outer, *self.inner), method, method_handler),
            refused=_wrapped_by(self.outer, method, without_request(method_handler, _refuse)),
            admit=None if self.gate is None else self.gate.admit(method),
        )
        self._wrapped[key] = wrapped
        return wrapped


def _wrapped_by(
    interceptors: Sequence[Interceptor], method: str, method_handler: MethodHandler
) -> MethodHandler:
    handler = handler_of(method_handler)
    for interceptor in reversed(interceptors):
        handler = interceptor.wrap(method, method_handler, handler)
    reads_request = any(interceptor.reads_request for interceptor in interceptors)
    if reads_request and not method_handler.request_streaming:
        return without_request(method_handler, handler)
    return with_handler(method_handler, handler)


async def _refuse(_request: object, _context: object) -> Never:
    # No local variable: the error has the traceback, and that the variable, which is a cycle.
    raise CALL.get().refusal or LookupError("the gate has admitted the call")
