"""The headers of W3C Trace Context: which name a span, and how a span is named."""

from server.tracing.trace_context import TraceContext, read_trace, trace_headers
from tests.support.tables import cases

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@cases(
    "parent, expected",
    {
        "recorded": (f"00-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN, True)),
        "not recorded": (f"00-{TRACE}-{SPAN}-00", TraceContext(TRACE, SPAN, False)),
        "other flags": (f"00-{TRACE}-{SPAN}-03", TraceContext(TRACE, SPAN, True)),
        "a later version": (f"cc-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN, True)),
        "a later version with more": (
            f"cc-{TRACE}-{SPAN}-01-what-comes",
            TraceContext(TRACE, SPAN, True),
        ),
    },
)
def test_a_traceparent_names_a_span(parent: str, expected: TraceContext) -> None:
    assert read_trace(parent) == expected


@cases(
    "parent",
    {
        "empty": "",
        "no trace": f"00-{'0' * 32}-{SPAN}-01",
        "no span": f"00-{TRACE}-{'0' * 16}-01",
        "capitals": f"00-{TRACE.upper()}-{SPAN}-01",
        "a short trace": f"00-{TRACE[1:]}-{SPAN}-01",
        "the first version with more": f"00-{TRACE}-{SPAN}-01-more",
        "a line break": f"00-{TRACE}-{SPAN}-01\n",
        "a later version that goes on": f"cc-{TRACE}-{SPAN}-01.x",
        "the forbidden version": f"ff-{TRACE}-{SPAN}-01",
        "flags of one digit": f"00-{TRACE}-{SPAN}-1",
    },
)
def test_an_invalid_traceparent_is_no_trace(parent: str) -> None:
    assert read_trace(parent, "a=1") is None


@cases(
    "state, expected",
    {
        "one": ("a=1", "a=1"),
        "two, and an empty one": ("a=1, t@v=x y,", "a=1, t@v=x y,"),
        "a member without a value": ("a", ""),
        "an empty value": ("a=", ""),
        "a capital": ("A=1", ""),
        "a line break": ("a=1\n", ""),
        "33 members": (",".join(f"a{n}=1" for n in range(33)), ""),
        "513 characters": (f"a={'1' * 254},b={'1' * 254}", ""),
    },
)
def test_an_invalid_tracestate_is_left_out(state: str, expected: str) -> None:
    trace = read_trace(f"00-{TRACE}-{SPAN}-01", state)
    assert trace is not None
    assert trace.state == expected


@cases(
    "trace, expected",
    {
        "recorded": (
            TraceContext(TRACE, SPAN, True, "a=1"),
            {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=1"},
        ),
        "not recorded": (
            TraceContext(TRACE, SPAN, False),
            {"traceparent": f"00-{TRACE}-{SPAN}-00"},
        ),
    },
)
def test_headers_name_a_span(trace: TraceContext, expected: dict[str, str]) -> None:
    assert trace_headers(trace) == expected
