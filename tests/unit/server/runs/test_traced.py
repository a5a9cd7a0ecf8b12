"""Spans of actions that run, and of what they fetch."""

from server.runs.traced import TracedRuns
from server.scripts.contract import ActionResult, Failure, Script
from server.tracing.trace_context import TraceContext
from server.tracing.tracer import Span, Tracer
from tests.support.tables import cases

SCRIPT = Script("1", "name", "source")


def runs(ended: list[Span], *, current: TraceContext | None = None) -> TracedRuns:
    return TracedRuns(Tracer(ended.append, ratio=1.0, current=lambda: current))


def test_a_run_outside_of_calls_begins_a_trace() -> None:
    ended: list[Span] = []
    action = runs(ended).action_begins((2, 4), SCRIPT)
    action.fetch_begins("GET", "https", "a.example", 443).ended(200)
    action.ended(ActionResult("1", "name", None, 1, 1))
    fetch, run = ended
    assert (run.name, run.parent, fetch.parent) == ("run", None, run.context)


@cases(
    "result, outcome, error",
    {
        "ok": (ActionResult("1", "name", None, 1, 1), "ok", ""),
        "failed": (ActionResult("1", "name", Failure("no"), 1, 1), "failed", "failed"),
        "cancelled": (None, "abandoned", "abandoned"),
    },
)
def test_a_run_has_its_outcome(result: ActionResult | None, outcome: str, error: str) -> None:
    ended: list[Span] = []
    runs(ended).action_begins((2, 4), SCRIPT).ended(result)
    (span,) = ended
    assert (span.attributes["actions.outcome"], span.error) == (outcome, error)


@cases(
    "method, status, name, error",
    {
        "an answer": ("POST", 201, "POST", ""),
        "an error of the site": ("GET", 404, "GET", "404"),
        "no answer": ("GET", None, "GET", "no answer"),
        "a method that nobody knows": ("BREW", 200, "HTTP", ""),
    },
)
def test_a_fetch_has_its_answer(method: str, status: int | None, name: str, error: str) -> None:
    ended: list[Span] = []
    call = TraceContext("a" * 32, "b" * 16, True)
    action = runs(ended, current=call).action_begins((2, 4), SCRIPT)
    action.fetch_begins(method, "https", "a.example", None).ended(status)
    (span,) = ended
    assert (span.name, span.error) == (name, error)
    assert span.attributes.get("http.response.status_code") == status
    assert "server.port" not in span.attributes
