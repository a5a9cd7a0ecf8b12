"""Spans: their ids, and which traces are recorded."""

import pytest

from server.tracing.trace_context import TraceContext
from server.tracing.tracer import Kind, Span, Tracer

ROOTS = 1000


def tracer_of(ratio: float, ended: list[Span]) -> Tracer:
    return Tracer(ended.append, ratio=ratio, current=lambda: None)


@pytest.mark.parametrize("is_sampled", [True, False])
def test_a_parent_decides_against_any_ratio(is_sampled: bool) -> None:
    ended: list[Span] = []
    parent = TraceContext("a" * 32, "b" * 16, is_sampled, "k=v")
    tracer = tracer_of(0.0 if is_sampled else 1.0, ended)
    span = tracer.begin("name", Kind.SERVER, parent)
    tracer.end(span)
    assert span.context == ("a" * 32, span.context.span_id, is_sampled, "k=v")
    assert span.context.span_id != parent.span_id
    assert ended == ([span] if is_sampled else [])


def test_a_ratio_records_its_part_of_the_traces_that_begin_here() -> None:
    counts = []
    for ratio in (0.0, 0.25, 1.0):
        ended: list[Span] = []
        tracer = tracer_of(ratio, ended)
        for _ in range(ROOTS):
            tracer.end(tracer.begin("name", Kind.SERVER, None))
        counts.append(len(ended))
    none, some, every = counts
    assert (none, every) == (0, ROOTS)
    assert 100 < some < 400  # eleven standard deviations


def test_a_span_for_several_traces_has_a_trace_of_its_own() -> None:
    ended: list[Span] = []
    links = [TraceContext("a" * 32, "b" * 16, True), TraceContext("c" * 32, "d" * 16, True)]
    tracer_of(0.0, ended).record("commit", took_s=0.5, links=links, attributes={"n": 2})
    (span,) = ended
    assert span.ended_ns - span.started_ns == 500_000_000
    assert (span.parent, span.links) == (None, links)
    assert span.context.trace_id not in {link.trace_id for link in links}
