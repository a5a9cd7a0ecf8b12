"""Makes spans of actions that run, and of what they fetch.

Follows the semantic conventions of OpenTelemetry for HTTP clients. The path and the query of a URL
are left out: they may have secrets of scripts.
"""

from collections.abc import Mapping
from typing import Final

from server.runs.counted import outcome_of
from server.scripts.contract import ActionResult, Script
from server.tracing.trace_context import trace_headers
from server.tracing.tracer import Kind, Span, Tracer
from server.triggers import Trigger

ABANDONED: Final = "abandoned"
"""The outcome of an action whose call ended first, or for which there was no process."""

_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
_OTHER: Final = ("HTTP", "_OTHER")
_FIRST_ERROR: Final = 400


class TracedRuns:
    """Watches runs."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def action_begins(self, trigger: Trigger, script: Script) -> "TracedAction":
        """Returns who watches the action, below the current call."""
        span = self._tracer.begin("run", Kind.INTERNAL, self._tracer.current())
        span.attributes = {
            "actions.action_id": script.action_id,
            "actions.flow_type": trigger[0],
            "actions.trigger_type": trigger[1],
        }
        return TracedAction(self._tracer, span)


class TracedAction:
    """Watches one action while it runs."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    def fetch_begins(self, method: str, scheme: str, host: str, port: int | None) -> "TracedFetch":
        name, method = (method, method) if method in _METHODS else _OTHER
        span = self._tracer.begin(name, Kind.CLIENT, self._span.context)
        span.attributes = {
            "http.request.method": method,
            "url.scheme": scheme,
            "server.address": host,
            **({} if port is None else {"server.port": port}),
        }
        return TracedFetch(self._tracer, span)

    def ended(self, result: ActionResult | None) -> None:
        """Takes the result; None if the action did not end by itself."""
        outcome = ABANDONED if result is None else outcome_of(result)
        self._span.attributes["actions.outcome"] = outcome
        self._tracer.end(self._span, error="" if outcome == "ok" else outcome)


class TracedFetch:
    """Watches one request of a script."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def headers(self) -> Mapping[str, str]:
        return trace_headers(self._span.context)

    def ended(self, status: int | None) -> None:
        """Takes the status of the answer; None if the request failed or was cancelled."""
        if status is None:
            self._tracer.end(self._span, error="no answer")
            return
        self._span.attributes["http.response.status_code"] = status
        self._tracer.end(self._span, error=str(status) if status >= _FIRST_ERROR else "")
