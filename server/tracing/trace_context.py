"""Reads and writes the headers that carry a trace from service to service.

Follows W3C Trace Context, sections 3.2 (traceparent) and 3.3 (tracestate).
Rule: an invalid traceparent is no trace; an invalid tracestate is left out.
"""

import re
from typing import Final, NamedTuple

TRACE_PARENT: Final = "traceparent"
TRACE_STATE: Final = "tracestate"

STATE_MAX_CHARS: Final = 512
"""Max characters of a tracestate; a longer one is left out."""

_MEMBERS_MAX: Final = 32
_SAMPLED: Final = 1

_PARENT: Final = re.compile(
    r"(?:00|(?!00|ff)[0-9a-f]{2}(?=.{53}(?:-|\Z)))"  # later versions may have more behind it
    r"-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
)
_MEMBER: Final = re.compile(
    r"[ \t]*[a-z0-9][a-z0-9_*/@-]{0,255}="
    r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e][ \t]*"
)


class TraceContext(NamedTuple):
    """Names a span, in this process or another.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        is_sampled: True if its spans are recorded.
        state: the tracestate, which is passed on unchanged.
    """

    trace_id: str
    span_id: str
    is_sampled: bool
    state: str = ""


def read_trace(parent: str, state: str = "") -> TraceContext | None:
    """Returns the span that these headers name; None if the traceparent is invalid."""
    match = _PARENT.match(parent)
    if match is None or (parent.startswith("00") and match.end() != len(parent)):
        return None
    is_sampled = bool(int(match[3], 16) & _SAMPLED)
    return TraceContext(match[1], match[2], is_sampled, state if _is_state(state) else "")


def trace_headers(trace: TraceContext) -> dict[str, str]:
    """Returns the headers that name a span."""
    headers = {TRACE_PARENT: f"00-{trace.trace_id}-{trace.span_id}-{trace.is_sampled:02x}"}
    if trace.state:
        headers[TRACE_STATE] = trace.state
    return headers


def _is_state(text: str) -> bool:
    if len(text) > STATE_MAX_CHARS:
        return False
    members = [member for member in text.split(",") if member.strip(" \t")]
    return len(members) <= _MEMBERS_MAX and all(map(_MEMBER.fullmatch, members))
