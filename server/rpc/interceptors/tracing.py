"""Makes a span of each call.

Follows the semantic conventions of OpenTelemetry for RPC servers and gRPC; `actions.door` is the
protocol of the call.
"""

import asyncio
from typing import Final

import grpc

from server.rpc.call_info import CALL
from server.rpc.chain import Interceptor
from server.rpc.handlers import Context, Handler, MethodHandler
from server.rpc.interceptors.access_log import code_name
from server.rpc.metadata import InvalidMetadata, Metadata, metadata_text, metadata_values
from server.tracing.trace_context import TRACE_PARENT, TRACE_STATE, TraceContext, read_trace
from server.tracing.tracer import Kind, Tracer

_GRPC: Final = "grpc"
"""The door of contexts that do not name their protocol, as those of grpc.aio."""

_FAULTS: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""Codes that are errors of a server; the others are answers to a client's mistake."""

_NUMBERS: Final = {code.name: code.value[0] for code in grpc.StatusCode}


class Tracing(Interceptor):
    """Puts each call into the trace of its caller, or into a new one."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def wrap(self, method: str, method_handler: MethodHandler, handler: Handler) -> Handler:
        tracer = self._tracer
        name = method.removeprefix("/")
        service, _, rpc = name.rpartition("/")

        async def call(request: object, context: Context) -> object:
            info = CALL.get()
            span = tracer.begin(name, Kind.SERVER, caller_trace(info.metadata))
            info.trace = span.context
            outcome: object = None
            answering = handler(request, context)
            del request
            try:
                return await answering
            except asyncio.CancelledError:
                outcome = grpc.StatusCode.CANCELLED
                raise
            except BaseException:
                outcome = grpc.StatusCode.UNKNOWN
                raise
            finally:
                info.trace = None  # what comes later in this task is another call
                if span.context.is_sampled:
                    code = code_name(context.code() or outcome)
                    span.attributes = {
                        "rpc.system": _GRPC,
                        "rpc.service": service,
                        "rpc.method": rpc,
                        "rpc.grpc.status_code": _NUMBERS.get(code, _NUMBERS["UNKNOWN"]),
                        "actions.door": getattr(context, "protocol", _GRPC),
                    }
                    tracer.end(span, error=code if code in _FAULTS else "")

        return call


def caller_trace(metadata: Metadata) -> TraceContext | None:
    """Returns the span that the caller names; None without a valid one."""
    parent = metadata_text(metadata, TRACE_PARENT)
    return read_trace(parent, _state(metadata)) if parent else None


def _state(metadata: Metadata) -> str:
    """Returns the tracestate, which may be in several headers."""
    try:
        values = metadata_values(metadata, TRACE_STATE)
    except InvalidMetadata:
        return ""
    return ",".join(value for value in values if isinstance(value, str))
