"""Sends spans to a collector by OTLP over HTTP; alone imports opentelemetry, an extra.

Follows the OpenTelemetry specification: "OTLP Exporter", and "Resource" for service.name,
service.version and service.instance.id. Headers, time-out, compression and certificates are those
of the variables OTEL_EXPORTER_OTLP_*; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME add to the
resource.
"""

import logging
import uuid
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from server.tracing.trace_context import TraceContext
from server.tracing.tracer import Kind, Span

SERVICE_NAME: Final = "actions-service"

REASON_MAX_CHARS: Final = 300
"""Max characters of a reason in the log."""

_LIBRARY: Final = "opentelemetry"
_RECORDED: Final = TraceFlags(TraceFlags.SAMPLED)
_KINDS: Final = {
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.INTERNAL: SpanKind.INTERNAL,
}


class OtlpSender:
    """Sends spans to one endpoint, from one thread."""

    def __init__(self, endpoint: str, *, version: str) -> None:
        """Connects at the first `send`.

        Args:
            endpoint: URL that takes traces.
            version: of the service.
        """
        self._exporter = OTLPSpanExporter(endpoint=endpoint)
        self._scope = InstrumentationScope(SERVICE_NAME, version)
        given = OTELResourceDetector().detect().attributes
        self._resource = Resource.create(
            {
                "service.name": SERVICE_NAME,
                "service.version": version,
                "service.instance.id": str(uuid.uuid4()),
                **given,
            }
        )
        self._reasons = _Reasons()
        # The library would log each attempt of each batch.
        library = logging.getLogger(_LIBRARY)
        library.addHandler(self._reasons)
        library.propagate = False

    def send(self, spans: Sequence[Span]) -> str:
        """Returns why the spans are lost; empty if they arrived. Blocks."""
        self._reasons.texts.clear()
        result = self._exporter.export([self._readable(span) for span in spans])
        if result is SpanExportResult.SUCCESS:
            return ""
        return next(iter(self._reasons.texts), "the service ends")[:REASON_MAX_CHARS]

    def close(self) -> None:
        """Makes `send` give up soon, also in another thread."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        library = logging.getLogger(_LIBRARY)
        library.removeHandler(self._reasons)
        library.propagate = True

    def _readable(self, span: Span) -> ReadableSpan:
        attributes = {**span.attributes}
        if span.error:
            attributes["error.type"] = span.error
        return ReadableSpan(
            span.name,
            _context(span.context),
            parent=None if span.parent is None else _context(span.parent),
            resource=self._resource,
            attributes=attributes,
            links=[Link(_context(link)) for link in span.links],
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR if span.error else StatusCode.UNSET),
            start_time=span.started_ns,
            end_time=span.ended_ns,
            instrumentation_scope=self._scope,
        )


class _Reasons(logging.Handler):
    """Keeps what the library logs about one batch."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _context(trace: TraceContext) -> SpanContext:
    return SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=False,
        trace_flags=_RECORDED,
        trace_state=TraceState.from_header([trace.state]) if trace.state else None,
    )
