"""Begins and ends spans, and decides which traces are recorded.

Follows the OpenTelemetry specification, "Sampling": a caller that names a trace has decided
already; other traces are recorded by a ratio of their ids.
Rule: a span that is not recorded costs its ids alone.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeAlias

from server.tracing.trace_context import TraceContext

_ID_BYTES: Final = 8
_TRACE_ID_BYTES: Final = 16
_RANDOM_DIGITS: Final = 16
_NS: Final = 1_000_000_000

Attributes: TypeAlias = dict[str, str | int]


class Kind(Enum):
    """Says which end of a call a span is."""

    SERVER = auto()
    CLIENT = auto()
    INTERNAL = auto()


@dataclass(slots=True)
class Span:
    """Describes a piece of work of one trace.

    Attributes:
        context: its own ids.
        parent: the span that it is part of; None if the trace begins here.
        started_ns: Unix time in nanoseconds; so is `ended_ns`.
        links: other spans that it worked for.
        error: the type of the error that it ended with; empty without one.
    """

    name: str
    kind: Kind
    context: TraceContext
    parent: TraceContext | None
    started_ns: int
    attributes: Attributes = field(default_factory=dict)
    links: Sequence[TraceContext] = ()
    ended_ns: int = 0
    error: str = ""


class Tracer:
    """Makes the spans of this process."""

    def __init__(
        self,
        ended: Callable[[Span], None],
        *,
        ratio: float,
        current: Callable[[], TraceContext | None],
    ) -> None:
        """Makes a tracer.

        Args:
            ended: takes each recorded span once it has ended.
            ratio: of the traces that begin here, how many are recorded; 0 to 1.
            current: returns the span of the current call.
        """
        self.current: Final = current
        self._ended = ended
        self._recorded_below = round(ratio * (1 << 4 * _RANDOM_DIGITS))

    def begin(self, name: str, kind: Kind, parent: TraceContext | None) -> Span:
        """Returns a span that begins now; `end` it."""
        span_id = os.urandom(_ID_BYTES).hex()
        if parent is None:
            trace_id = os.urandom(_TRACE_ID_BYTES).hex()
            is_sampled = int(trace_id[-_RANDOM_DIGITS:], 16) < self._recorded_below
            context = TraceContext(trace_id, span_id, is_sampled)
        else:
            context = TraceContext(parent.trace_id, span_id, parent.is_sampled, parent.state)
        return Span(name, kind, context, parent, time.time_ns())

    def end(self, span: Span, *, error: str = "") -> None:
        """Ends a span; passes it on if it is recorded."""
        if span.context.is_sampled:
            span.ended_ns = time.time_ns()
            span.error = error
            self._ended(span)

    def record(
        self,
        name: str,
        *,
        took_s: float,
        links: Sequence[TraceContext],
        attributes: Attributes,
        error: str = "",
    ) -> None:
        """Records a span that ends now, of a trace of its own, for work of several traces."""
        ids = os.urandom(_TRACE_ID_BYTES + _ID_BYTES).hex()
        context = TraceContext(ids[: 2 * _TRACE_ID_BYTES], ids[2 * _TRACE_ID_BYTES :], True)
        now = time.time_ns()
        started = now - int(took_s * _NS)
        span = Span(name, Kind.INTERNAL, context, None, started, attributes, links, now, error)
        self._ended(span)
