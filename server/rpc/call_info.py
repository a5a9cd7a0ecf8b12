"""Holds what is known of the current call.

The chain makes one `CallInfo` when the headers of a call arrive; interceptors fill it in, and
the service reads it.
Rule: it is passed in one context variable, as grpc.aio refuses any HandlerCallDetails but its own.
"""

from contextvars import ContextVar
from typing import Final

from server.identity.caller import Caller
from server.rpc.metadata import Metadata
from server.tracing.trace_context import TraceContext


class CallInfo:
    """Holds what is known of one call.

    Attributes:
        metadata: of the request; kept, as grpc.aio builds it anew on each access.
        request_id: empty until `RequestIds` has set it.
        caller: None until `Authorization` has set it, and in public methods.
        refusal: the error by which the gate refuses the call.
        sequence: of the object that the answer is about; None without one.
        trace: its span; None if calls are not traced.
    """

    __slots__ = ("caller", "metadata", "refusal", "request_id", "sequence", "trace")

    def __init__(
        self, metadata: Metadata = (), *, request_id: str = "", caller: Caller | None = None
    ) -> None:
        self.metadata = metadata
        self.request_id = request_id
        self.caller = caller
        self.refusal: Exception | None = None
        self.sequence: int | None = None
        self.trace: TraceContext | None = None


CALL: Final[ContextVar[CallInfo]] = ContextVar("call")
"""The current call; unset outside of calls."""


def current_call() -> CallInfo:
    """Returns the current call; outside of calls, an empty one."""
    return CALL.get(None) or CallInfo()


def current_trace() -> TraceContext | None:
    """Returns the span of the current call; None outside of calls that are traced."""
    call = CALL.get(None)
    return None if call is None else call.trace


def current_caller() -> Caller:
    """Returns the caller of the current call.

    Raises:
        LookupError: there is no call, or its method is public.
    """
    caller = CALL.get().caller
    if caller is None:
        raise LookupError("expected a call with a caller, got one of a public method")
    return caller
