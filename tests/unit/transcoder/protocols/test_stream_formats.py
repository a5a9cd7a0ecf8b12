"""Which format an Accept header asks for, and the text of each format."""

import pytest

from tests.support.tables import cases
from transcoder.options import EventOptions
from transcoder.protocols.stream_formats import ARRAY, EVENTS, NDJSON, StreamFormats, event_id

FORMATS = StreamFormats(EventOptions(retry_ms=7), has_error_envelope=False)


@cases(
    "accept, expected",
    {
        "none": ((), NDJSON),
        "anything": (("*/*",), NDJSON),
        "lines": (("application/x-ndjson",), NDJSON),
        "array": (("application/json",), ARRAY),
        "events": (("text/event-stream",), EVENTS),
        "any case, with parameters": (("Application/JSON; charset=utf-8",), ARRAY),
        "only what is not served": (("application/xml",), NDJSON),
        "any application": (("application/*",), NDJSON),
        "any text": (("text/*",), EVENTS),
        "a type before anything": (("application/json, text/plain, */*",), ARRAY),
        "a browser's page": (("text/html,application/xml;q=0.9,*/*;q=0.8",), NDJSON),
        "of equals the first": (("text/event-stream, application/json",), EVENTS),
        "the larger weight": (("application/json;q=0.5, text/event-stream;q=0.9",), EVENTS),
        "less than anything": (("application/json;q=0.5, */*",), NDJSON),
        "weight 0": (("application/json;q=0, text/event-stream;q=0.1",), EVENTS),
        "several headers": (("text/html", "text/event-stream"), EVENTS),
        "no media range": ((";;,,q=1",), NDJSON),
    },
)
def test_the_format_is_the_one_that_accept_prefers(accept: tuple[str, ...], expected: str) -> None:
    assert FORMATS.of(accept).content_type == expected


@cases(
    "accept, expected",
    {
        "lines": (NDJSON, b'{"result":1}\n{"result":2}\n'),
        "array": (ARRAY, b"[1,2]"),
        "events": (EVENTS, b"retry: 7\n\ndata: 1\n\ndata: 2\n\nevent: end\ndata: {}\n\n"),
    },
)
def test_a_format_is_what_stands_around_messages(accept: str, expected: bytes) -> None:
    form = FORMATS.of((accept,))
    first = form.opening + form.before + b"1" + form.after
    assert first + form.between + b"2" + form.after + form.closing == expected


@cases(
    "accept, plain, in_envelope",
    {
        "lines": (NDJSON, b'{"error":{"code":5}}\n', b'{"code":5}\n'),
        "array": (ARRAY, None, None),
        "events": (
            EVENTS,
            b'event: error\ndata: {"code":5}\n\n',
            b'event: error\ndata: {"code":5}\n\n',
        ),
    },
)
def test_a_failure_is_told_where_the_format_can(
    accept: str, plain: bytes | None, in_envelope: bytes | None
) -> None:
    assert FORMATS.of((accept,)).failure(b'{"code":5}') == plain
    enveloped = StreamFormats(EventOptions(), has_error_envelope=True)
    assert enveloped.of((accept,)).failure(b'{"code":5}') == in_envelope


@pytest.mark.parametrize("text", ["", "a\nb", "a\rb", "a\0b"])
def test_an_id_that_events_cannot_have_is_left_out(text: str) -> None:
    assert event_id(text) == b""
    assert event_id("größer 7") == "\nid: größer 7".encode()
