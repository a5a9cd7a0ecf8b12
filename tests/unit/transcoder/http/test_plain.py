"""Plain handlers beside services: by both ways of reading, and in an aiohttp application."""

import asyncio
import re
from typing import Final

import pytest
from aiohttp.test_utils import TestClient, TestServer
from google.longrunning import operations_pb2_grpc

from tests.support.operations import Operations
from tests.support.tables import cases
from tests.support.wires import Wire, protocols_of, settled
from transcoder import Limits, PlainAnswer, PlainRequest, SchemaError, Transcoder
from transcoder.errors import malformed

WAYS: Final = {"whole": True, "by aiohttp": False}
BODY_MAX_BYTES: Final = 64


async def echo(request: PlainRequest) -> PlainAnswer:
    lines = [
        f"{request.method} {request.path} {request.query}",
        *(f"{name}={value}" for name, value in request.variables.items()),
        f"{request.peer} {request.request_id} {request.headers.get('x-one')}",
    ]
    return PlainAnswer(
        202, "\n".join(lines).encode() + b"\n" + request.body, [("Content-Type", "text/plain")]
    )


async def refuse(request: PlainRequest) -> PlainAnswer:
    raise malformed("no such thing")


async def fail(request: PlainRequest) -> PlainAnswer:
    raise RuntimeError("secret")


def transcoder(**options: object) -> Transcoder:
    made = Transcoder(**options)  # type: ignore[arg-type]
    operations_pb2_grpc.add_OperationsServicer_to_server(Operations(), made)
    made.handle("POST", "/targets/{id}", echo, body_max_bytes=BODY_MAX_BYTES)
    made.handle("GET", "/page", echo)
    made.handle("GET", "/v1/{name=operations/**}:show", echo)
    made.handle("POST", "/refused", refuse)
    made.handle("POST", "/failed", fail)
    return made


def octets(verb: str, path: str, *headers: str, body: str = "") -> bytes:
    lines = [f"{verb} {path} HTTP/1.1", "Host: a", "X-Request-Id: r1", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", body]).encode()


async def asked(
    request: bytes, *, reads_whole: bool, at_once: bool = True, **options: object
) -> str:
    """Returns what a connection answers, without its dates."""
    served = transcoder(**options)
    wire = Wire(await protocols_of(served.start, reads_whole=reads_whole))
    for piece in (request,) if at_once else [bytes([octet]) for octet in request]:
        wire.feed(piece)
        await settled()
    wire.close()
    await served.stop()
    return re.sub(r"Date: [^\r]+\r\n", "", wire.written.decode())


def answer(status: str, body: str, *headers: str) -> str:
    lines = [f"HTTP/1.1 {status}", "X-Request-Id: r1", *headers]
    if body or not status.startswith("204"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", body])


TEXT: Final = "Content-Type: text/plain"
JSON: Final = "Content-Type: application/json"
FORM: Final = "Content-Type: application/x-www-form-urlencoded"
REST: Final = "ipv4:127.0.0.1:5000 r1"

ANSWERS: Final = {
    "a body of any type": (
        octets("POST", "/targets/a%2Fb?c=d", FORM, "X-One: 1", body="grant=x"),
        answer("202 Accepted", f"POST /targets/a%2Fb c=d\nid=a/b\n{REST} 1\ngrant=x", TEXT),
    ),
    "no body": (
        octets("POST", "/targets/a"),
        answer("202 Accepted", f"POST /targets/a \nid=a\n{REST} None\n", TEXT),
    ),
    "GET": (
        octets("GET", "/page?a=b"),
        answer("202 Accepted", f"GET /page a=b\n{REST} None\n", TEXT),
    ),
    "a path that a service has, too": (
        octets("GET", "/v1/operations/a:show"),
        answer("200 OK", '{"name":"operations/a:show","done":true}', JSON),
    ),
    "a method of a service": (
        octets("GET", "/v1/operations/a"),
        answer("200 OK", '{"name":"operations/a","done":true}', JSON),
    ),
    "the wrong method": (
        octets("PUT", "/targets/a"),
        answer(
            "405 Method Not Allowed",
            '{"code":12,"message":"Method Not Allowed"}',
            "Allow: POST",
            JSON,
        ),
    ),
    "OPTIONS": (octets("OPTIONS", "/page"), answer("204 No Content", "", "Allow: GET, HEAD")),
    "another path": (
        octets("POST", "/targets/a/b"),
        answer("404 Not Found", '{"code":5,"message":"Not Found"}', JSON),
    ),
    "a body of the max": (
        octets("POST", "/targets/a", body="x" * BODY_MAX_BYTES),
        answer(
            "202 Accepted", f"POST /targets/a \nid=a\n{REST} None\n{'x' * BODY_MAX_BYTES}", TEXT
        ),
    ),
    "a larger body": (
        octets("POST", "/targets/a", body="x" * (BODY_MAX_BYTES + 1)),
        answer(
            "413 Request Entity Too Large",
            '{"code":8,"message":"the request body is larger than the limit of 64 bytes"}',
            JSON,
        ),
    ),
    "a compressed body": (
        octets("POST", "/targets/a", "Content-Encoding: gzip", body="x"),
        answer(
            "415 Unsupported Media Type",
            '{"code":3,"message":"content encoding \'gzip\': expected none"}',
            "Accept-Encoding: identity",
            JSON,
        ),
    ),
    "a refusal": (
        octets("POST", "/refused"),
        answer("400 Bad Request", '{"code":3,"message":"no such thing"}', JSON),
    ),
    "a failure": (
        octets("POST", "/failed"),
        answer(
            "500 Internal Server Error",
            '{"code":13,"message":"internal error (request id r1)"}',
            JSON,
        ),
    ),
    "a page of another site": (
        octets("POST", "/targets/a", "Origin: https://a.example"),
        answer(
            "403 Forbidden",
            '{"code":7,"message":"origin \'https://a.example\': not one of the allowed origins"}',
            JSON,
        ),
    ),
}


@cases("reads_whole", WAYS)
@cases("request_octets, expected", ANSWERS)
async def test_a_plain_handler_is_served_alike_by_both_ways(
    request_octets: bytes, expected: str, reads_whole: bool
) -> None:
    assert await asked(request_octets, reads_whole=reads_whole) == expected


async def test_a_request_that_comes_octet_by_octet_is_answered_alike() -> None:
    request_octets, expected = ANSWERS["a body of any type"]
    assert await asked(request_octets, reads_whole=True, at_once=False) == expected


@cases("reads_whole", WAYS)
@cases(
    "request_octets, expected",
    {
        "a call": (octets("POST", "/targets/a", "Origin: https://app.example"), "202 Accepted"),
        "a preflight": (
            octets(
                *("OPTIONS", "/targets/a", "Origin: https://app.example"),
                "Access-Control-Request-Method: POST",
            ),
            "204 No Content",
        ),
    },
)
async def test_pages_of_allowed_origins_may_call(
    request_octets: bytes, expected: str, reads_whole: bool
) -> None:
    origins = ["https://app.example"]
    answered = await asked(request_octets, reads_whole=reads_whole, cors_origins=origins)
    assert answered.startswith(f"HTTP/1.1 {expected}\r\n")
    assert "\r\nAccess-Control-Allow-Origin: https://app.example\r\n" in answered


@cases("reads_whole", WAYS)
async def test_a_slow_body_is_refused_before_the_handler(reads_whole: bool) -> None:
    served = transcoder(limits=Limits(body_timeout_s=0.05))
    wire = Wire(await protocols_of(served.start, reads_whole=reads_whole))
    wire.feed(octets("POST", "/targets/a", "Content-Length: 2"))
    async with asyncio.timeout(20):
        while not wire.written:
            await asyncio.sleep(0.01)
    wire.close()
    await served.stop()
    assert wire.written.startswith(b"HTTP/1.1 408 ")


@cases("reads_whole", WAYS)
async def test_a_client_that_leaves_cancels_its_handler(reads_whole: bool) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait(request: PlainRequest) -> PlainAnswer:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return PlainAnswer(200)

    served = transcoder()
    served.handle("POST", "/wait", wait)
    wire = Wire(await protocols_of(served.start, reads_whole=reads_whole))
    wire.feed(octets("POST", "/wait"))
    async with asyncio.timeout(20):
        await started.wait()
        wire.close()
        await ended.wait()
    await served.stop()


@cases("reads_whole", WAYS)
async def test_a_drain_answers_what_outlasts_it(reads_whole: bool) -> None:
    started = asyncio.Event()

    async def wait(request: PlainRequest) -> PlainAnswer:
        started.set()
        await asyncio.Event().wait()
        return PlainAnswer(200)

    served = transcoder(limits=Limits(drain_timeout_s=0.05))
    served.handle("POST", "/wait", wait)
    wire = Wire(await protocols_of(served.start, reads_whole=reads_whole))
    wire.feed(octets("POST", "/wait"))
    async with asyncio.timeout(20):
        await started.wait()
        await served.stop()
    assert wire.written.startswith(b"HTTP/1.1 503 ")


async def test_an_application_serves_plain_handlers_too() -> None:
    headers = {"X-Request-Id": "r1"}
    async with (
        TestClient(TestServer(transcoder().app())) as client,
        client.post("/targets/a", data=b"x", headers=headers) as answered,
    ):
        text = await answered.text()
    assert (answered.status, answered.headers["Content-Type"]) == (202, "text/plain")
    assert re.sub(r"127.0.0.1:\d+", "peer", text) == "POST /targets/a \nid=a\nipv4:peer r1 None\nx"


@cases(
    "path, options, expected",
    {
        "no template": (
            "targets",
            {},
            "path template 'targets', column 1: expected \"/\", got 't'",
        ),
        "a second handler": (
            "/targets/{other}",
            {},
            "a plain handler: POST /targets/{other} is the same route as "
            "a plain handler: POST /targets/{id}",
        ),
        "a maximum beyond that of all bodies": (
            "/large",
            {"body_max_bytes": 1048577},
            "POST /large: expected body_max_bytes of at most 1048576, got 1048577",
        ),
    },
)
def test_a_handler_that_cannot_be_served_is_refused(
    path: str, options: dict[str, int], expected: str
) -> None:
    with pytest.raises(SchemaError) as refused:
        transcoder().handle("POST", path, echo, **options)
    assert str(refused.value) == expected
