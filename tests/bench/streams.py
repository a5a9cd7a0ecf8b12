"""Measures streams as JSON, in each form and over Connect, against bare aiohttp and Envoy.

The bare server writes the same bytes, message by message. Envoy's transcoder makes them of
a stream of grpc.aio, as an array.
"""

import base64
import functools
from collections.abc import Sequence
from typing import Final

from tests.bench.callers import (
    STREAM_MESSAGES,
    STREAM_NAME,
    STREAM_PAYLOAD_BYTES,
    connect_stream_request,
    http_request,
)
from tests.bench.ratios import cpu, times_less_cpu
from tests.bench.servers import Servers
from tests.bench.work import Open, Ratio, Work, http
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import REPEAT

BARE_PATH: Final = "/streams/"
CONNECT: Final = "connect"
_ACCEPT: Final = {
    "lines": "application/x-ndjson",
    "array": "application/json",
    "events": "text/event-stream",
}
FORMS: Final = (*_ACCEPT, CONNECT)
ASKED: Final = 2.0

_PAYLOAD: Final = base64.b64encode(b"x" * STREAM_PAYLOAD_BYTES)
_END: Final = b'{"metadata":{"x-name":["plain"],"x-name-bin":["Z3LDtsOfZXI"]}}'
_MESSAGES: Final = [
    b'{"name":"%b","index":%d,"payload":"%b"}' % (STREAM_NAME.encode(), at, _PAYLOAD)
    for at in range(1, STREAM_MESSAGES + 1)
]


@functools.cache
def pieces(form: str) -> Sequence[bytes]:
    """Returns the body of a stream in a form, piece by piece."""
    if form == "lines":
        return [b'{"result":%b}\n' % message for message in _MESSAGES]
    if form == "events":
        events = [b"data: %b\n\n" % message for message in _MESSAGES]
        return [b"retry: 3000\n\n", *events, b"event: end\ndata: {}\n\n"]
    if form == CONNECT:
        return [*map(framed, _MESSAGES), framed(_END, flags=2)]
    first, *others = _MESSAGES
    return [b"[" + first, *(b"," + message for message in others), b"]"]


class StreamJson:
    """Asks for a stream as JSON, of which each byte must be there."""

    def __init__(self, token: str, form: str, path: str) -> None:
        asked = '{"name":"%s","count":%d,"size":%d}'
        body = (asked % (STREAM_NAME, STREAM_MESSAGES, STREAM_PAYLOAD_BYTES)).encode()
        if form == CONNECT:
            self._request = connect_stream_request(path, token=token, body=body)
        else:
            accept = f"Accept: {_ACCEPT[form]}\r\n"
            self._request = http_request(path, token=token, body=body, headers=accept)
        self._body = b"".join(pieces(form))

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return body == self._body


def _ours(servers: Servers, name: str, *, form: str) -> Open:
    target = servers.target(name)
    return http(target.http, [StreamJson(target.token, form, REPEAT)])


def _bare(servers: Servers, name: str, *, form: str) -> Open:
    target = servers.target(name)
    return http(target.http, [StreamJson(target.token, form, BARE_PATH + form)])


_ROWS: Final = tuple(
    work
    for form in FORMS
    for work in (
        Work(
            f"stream-{form}",
            f"JSON stream, {form}, all interceptors (each message)",
            "constant",
            functools.partial(_ours, form=form),
            STREAM_MESSAGES,
        ),
        Work(
            f"stream-{form}-bare",
            f"... bare aiohttp, the same bytes, {form} (each message)",
            "bare",
            functools.partial(_bare, form=form),
            STREAM_MESSAGES,
        ),
    )
)
_ENVOY: Final = Work(
    "stream-array-envoy",
    "... Envoy's transcoder and grpc.aio, array (each message)",
    "envoy-json-stream",
    functools.partial(_ours, form="array"),
    STREAM_MESSAGES,
)

STREAMS: Final = (*_ROWS, _ENVOY)

RATIOS: Final = (
    *(
        cpu(
            f"stream-{form}",
            f"CPU, a JSON stream to bare, {form}",
            f"stream-{form}",
            f"stream-{form}-bare",
            asked=ASKED,
        )
        for form in FORMS
    ),
    times_less_cpu(
        "stream-array-envoy-cpu",
        "CPU, Envoy and grpc.aio to a JSON stream, array",
        "stream-array",
        _ENVOY.name,
    ),
    Ratio(
        name=_ENVOY.name,
        title=f"time, {STREAM_MESSAGES:,} messages as an array to Envoy and grpc.aio",
        needs=frozenset({"stream-array", _ENVOY.name}),
        of=lambda works: works["stream-array"].seconds / works[_ENVOY.name].seconds,
    ),
)
