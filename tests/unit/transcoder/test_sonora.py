import asyncio
import time
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from sonora.asgi import grpcASGI

from tests.support.asgi import (
    ASKED,
    CHECK,
    OK,
    SERVING,
    Answer,
    StandIn,
    application_of,
    ask,
    router_of,
    serving,
    with_type,
)
from tests.support.tables import cases
from transcoder import Transcoder
from transcoder.call import Call
from transcoder.errors import TranscodeError, malformed
from transcoder.http.aiohttp_request import AiohttpRequest
from transcoder.http.cors import Cors
from transcoder.http.exchange import ExchangeOptions, HttpExchange
from transcoder.http.response import Responses
from transcoder.registry import Route, methods_of
from transcoder.routing.router import Router
from transcoder.sonora import AsgiEvent, AsgiScope, SonoraGrpcWeb

ROUTED = "/v1/health"


def status_line(answer: Answer) -> bytes:
    """The first line of the trailer frame of an answer that has nothing else."""
    assert answer.status == 200
    assert answer.body[:1] == b"\x80"
    return answer.body[5:].split(b"\r\n")[0]


async def test_a_unary_call_is_answered_with_a_message_and_a_trailer_frame() -> None:
    backend = StandIn()
    answer = await ask(backend, ASKED)
    assert answer == Answer(200, [("content-type", "application/grpc-web+proto")], SERVING + OK)
    assert backend.requests == [health_pb2.HealthCheckRequest(service="a")]
    assert backend.calls[0].method.path == CHECK
    assert backend.calls[0].peer == "ipv4:127.0.0.1:5000"


async def test_how_the_body_is_cut_changes_nothing() -> None:
    backend = StandIn()
    pieces = [ASKED[at : at + 1] for at in range(len(ASKED))]
    assert (await ask(backend, *pieces, b"")).body == SERVING + OK
    assert backend.requests == [health_pb2.HealthCheckRequest(service="a")]


def test_it_is_sonoras_application() -> None:
    assert issubclass(SonoraGrpcWeb, grpcASGI)


async def test_a_transcoder_has_it_as_an_application_of_what_is_registered() -> None:
    async def check(request: Any, context: Any) -> Any:
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    handler = grpc.unary_unary_rpc_method_handler(
        check,
        health_pb2.HealthCheckRequest.FromString,
        health_pb2.HealthCheckResponse.SerializeToString,
    )
    transcoder = Transcoder(grpc_web=SonoraGrpcWeb)
    transcoder.add_registered_method_handlers("grpc.health.v1.Health", {"Check": handler})
    application: Any = transcoder.grpc_web
    sent: list[AsgiEvent] = []

    async def receive() -> AsgiEvent:
        return {"type": "http.request", "body": ASKED, "more_body": False}

    async def send(event: AsgiEvent) -> None:
        sent.append(event)

    headers = [(b"content-type", b"application/grpc-web")]
    scope: AsgiScope = {"type": "http", "method": "POST", "path": CHECK, "headers": headers}
    await application(scope, receive, send)
    assert sent[1] == {"type": "http.response.body", "body": SERVING + OK, "more_body": False}


@cases(
    "headers",
    {
        "without a codec": [("content-type", "application/grpc-web")],
        "parameter, case": [("content-type", "APPLICATION/GRPC-WEB+PROTO; a=b")],
        "accept HTML": with_type(("accept", "text/html")),
        "accept anything": with_type(("accept", "*/*")),
        "accept both modes": with_type(
            ("accept", "text/html, application/grpc-web, application/grpc-web-text")
        ),
    },
)
async def test_the_answers_content_type_names_its_codec(headers: list[tuple[str, str]]) -> None:
    answer = await ask(StandIn(), ASKED, headers=headers)
    assert answer.headers == [("content-type", "application/grpc-web+proto")]
    assert answer.body == SERVING + OK


@cases(
    "content_type",
    {
        "JSON messages": "application/grpc-web+json",
        "JSON messages in text mode": "application/grpc-web-text+json",
        "something after it": "application/grpc-web-texts",
        "gRPC": "application/grpc",
        "what a form can send": "text/plain",
    },
)
async def test_another_content_type_is_refused_with_what_to_send(content_type: str) -> None:
    backend = StandIn()
    answer = await ask(backend, ASKED, headers=[("content-type", content_type)])
    assert answer == Answer(
        415,
        [("content-type", "text/plain; charset=utf-8")],
        b"content type '%s': "
        b"expected application/grpc-web+proto or application/grpc-web-text+proto"
        % content_type.encode(),
    )
    assert backend.calls == []


async def test_a_missing_content_type_is_refused_with_what_to_send() -> None:
    answer = await ask(StandIn(), ASKED, headers=[])
    assert answer.status == 415


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_body_is_refused_with_what_to_send(encoding: str) -> None:
    backend = StandIn()
    answer = await ask(backend, ASKED, headers=with_type(("content-encoding", encoding)))
    assert answer.status == 415
    assert ("accept-encoding", "identity") in answer.headers
    assert answer.body == b"content encoding '%s': expected none" % encoding.encode()
    assert backend.calls == []


@cases(
    "verb, path, router",
    {
        "at the method's own path": ("PUT", CHECK, None),
        "HEAD, without a body": ("HEAD", ROUTED, router_of(lambda message: None)),
    },
)
async def test_another_http_method_is_refused_with_allow(
    verb: str, path: str, router: Router[Route] | None
) -> None:
    backend = StandIn()
    answer = await ask(backend, ASKED, verb=verb, path=path, router=router)
    assert (answer.status, answer.headers) == (
        405,
        [("content-type", "text/plain; charset=utf-8"), ("allow", "POST")],
    )
    assert backend.calls == []


@cases(
    "path, expected",
    {
        "unknown method": (
            "/grpc.health.v1.Health/Chekc",
            b"unknown method '/grpc.health.v1.Health/Chekc'",
        ),
        "service": ("/no.Service/Check", b"unknown method '/no.Service/Check'"),
        "root": ("/", b"unknown method '/'"),
    },
)
async def test_a_method_that_is_not_served_is_unimplemented(path: str, expected: bytes) -> None:
    backend = StandIn()
    answer = await ask(backend, ASKED, path=path)
    assert (answer.status, answer.headers) == (
        200,
        [("content-type", "application/grpc-web+proto")],
    )
    assert answer.body[5:] == b"grpc-status:12\r\ngrpc-message:" + expected + b"\r\n"
    assert backend.calls == []


@cases(
    "body, expected",
    {
        "empty": (b"", b"grpc-status:12"),
        "header cut short": (ASKED[:3], b"grpc-status:13"),
        "message cut short": (ASKED[:-1], b"grpc-status:13"),
        "garbage after it": (ASKED + b"\n", b"grpc-status:12"),
        "second message": (ASKED + ASKED, b"grpc-status:12"),
        "flagged as compressed": (b"\x01" + ASKED[1:], b"grpc-status:13"),
        "flagged as trailers": (b"\x80" + ASKED[1:], b"grpc-status:13"),
        "unknown flags": (b"\x7e" + ASKED[1:], b"grpc-status:13"),
        "4 GiB announced": (b"\x00\xff\xff\xff\xff", b"grpc-status:8"),
        "JSON": (b'{"service":"a"}', b"grpc-status:13"),
        "broken protobuf": (b"\x00\x00\x00\x00\x03\x0a\x05a", b"grpc-status:13"),
        "invalid UTF-8": (b"\x00\x00\x00\x00\x03\x0a\x01\xff", b"grpc-status:13"),
    },
)
async def test_a_broken_body_never_reaches_a_handler(body: bytes, expected: bytes) -> None:
    backend = StandIn()
    whole = await ask(backend, body)
    cut = await ask(backend, *[body[at : at + 1] for at in range(len(body))], b"")
    assert status_line(whole) == expected
    assert cut == whole
    assert backend.calls == []


async def test_an_encoding_that_is_not_served_is_answered_with_those_that_are() -> None:
    answer = await ask(
        StandIn(), b"\x01" + ASKED[1:], headers=with_type(("grpc-encoding", "deflate"))
    )
    assert answer.headers == [
        ("content-type", "application/grpc-web+proto"),
        ("grpc-accept-encoding", "identity,zstd,br,gzip"),
    ]
    assert status_line(answer) == b"grpc-status:12"


def refuse(message: Message) -> None:
    raise malformed("path variable service: bad")


@cases(
    "pieces, path, headers, status, message",
    {
        "a message that is not of its type": (
            (b"\x00\x00\x00\x00\x01\x0a",),
            CHECK,
            (),
            13,
            "the request is not a grpc.health.v1.HealthCheckRequest in protobuf's binary format",
        ),
        "a body that is declared too long": (
            (),
            CHECK,
            [("content-length", "1006")],
            8,
            "the request body is larger than the limit of 1005 bytes",
        ),
        "a binary header that is not base64": (
            (ASKED,),
            CHECK,
            [("x-data-bin", "!")],
            3,
            "header x-data-bin: expected base64, got '!'",
        ),
        "what a REST path cannot bind": ((ASKED,), ROUTED, (), 3, "path variable service: bad"),
        **{
            f"timeout {text!r}": (
                (ASKED,),
                CHECK,
                [("grpc-timeout", text)],
                3,
                "header grpc-timeout: expected 1 to 8 digits and a unit (H M S m u n), "
                f"got {text!r}",
            )
            for text in ("", "5", "abcS", "1.5S", "5X", "-5S", "1_0S", "999999999999H")
        },
    },
)
async def test_a_call_refused_before_its_handler_has_its_reason(
    pieces: Sequence[bytes],
    path: str,
    headers: Sequence[tuple[str, str]],
    status: int,
    message: str,
) -> None:
    backend, router = StandIn(), router_of(refuse)
    answer = await ask(backend, *pieces, path=path, headers=with_type(*headers), router=router)
    assert answer.body[5:] == f"grpc-status:{status}\r\ngrpc-message:{message}\r\n".encode()
    assert backend.calls == []


async def test_a_timeout_becomes_the_calls_deadline() -> None:
    backend = StandIn()
    before = time.monotonic()
    await ask(backend, ASKED, headers=with_type(("grpc-timeout", "30S")))
    deadline = backend.calls[0].deadline
    assert deadline is not None
    assert 30 <= deadline - before < 40


async def test_request_headers_are_metadata() -> None:
    backend = StandIn()
    headers = with_type(
        ("Authorization", "Bearer t"), ("x-data-bin", "AP8"), ("x-grpc-web", "1"), ("cookie", "a=b")
    )
    await ask(backend, ASKED, headers=headers)
    assert [tuple(entry) for entry in backend.calls[0].metadata] == [
        ("authorization", "Bearer t"),
        ("x-data-bin", b"\x00\xff"),
        ("x-grpc-web", "1"),
        ("x-request-id", ""),
    ]


async def test_a_header_that_is_not_ascii_fails_nothing() -> None:
    answer = await ask(StandIn(), ASKED, headers=with_type(("x-name", "größer")))
    assert answer.body == SERVING + OK


async def test_metadata_of_a_call_that_succeeded_is_sent() -> None:
    def handle(call: Call, request: Message) -> Message:
        call.initial_metadata = [("x-first", "1"), ("x-bad", "a\r\nx-injected: 1")]
        call.trailing_metadata = [("x-last", "2"), ("x-bad", "a\r\ngrpc-status:13")]
        return serving(call, request)

    answer = await ask(StandIn(handle), ASKED)
    assert answer.headers == [("content-type", "application/grpc-web+proto"), ("x-first", "1")]
    assert answer.body == SERVING + b"\x80\x00\x00\x00\x19grpc-status:0\r\nx-last:2\r\n"


async def test_a_call_that_failed_keeps_its_details_and_metadata() -> None:
    details = status_pb2.Status(code=9, message="no").SerializeToString()

    def handle(call: Call, request: Message) -> Message:
        call.initial_metadata = [("x-first", "1")]
        call.trailing_metadata = [("x-last", "2")]
        raise TranscodeError(StatusCode.FAILED_PRECONDITION, "größer", details=details)

    answer = await ask(StandIn(handle), ASKED)
    assert answer.status == 200
    assert answer.headers == [("content-type", "application/grpc-web+proto"), ("x-first", "1")]
    assert answer.body[:1] == b"\x80"
    assert answer.body[5:] == (
        b"grpc-status:9\r\n"
        b"grpc-message:gr%C3%B6%C3%9Fer\r\n"
        b"grpc-status-details-bin:CAkSAm5v\r\n"
        b"x-last:2\r\n"
    )


def bind_b(message: Message) -> None:
    message.MergeFrom(health_pb2.HealthCheckRequest(service="b"))


async def test_a_field_bound_by_the_path_wins_over_the_message() -> None:
    backend = StandIn()
    answer = await ask(backend, ASKED, verb="PUT", path=ROUTED, router=router_of(bind_b))
    assert answer.body == SERVING + OK
    assert backend.requests == [health_pb2.HealthCheckRequest(service="b")]


async def test_a_client_that_leaves_before_its_body_is_whole_reaches_no_handler() -> None:
    backend = StandIn()
    first: AsgiEvent = {"type": "http.request", "body": ASKED[:6], "more_body": True}
    answer = await ask(backend, first, {"type": "http.disconnect"})
    assert status_line(answer) == b"grpc-status:1"
    assert backend.calls == []


async def test_cancellation_is_not_swallowed() -> None:
    def handle(call: Call, request: Message) -> Message:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await ask(StandIn(handle), ASKED)


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_another_kind_of_scope_is_refused_by_name(kind: str) -> None:
    async def receive() -> AsgiEvent:
        raise AssertionError

    async def send(event: AsgiEvent) -> None:
        raise AssertionError

    application = application_of(StandIn(), {})
    scope: AsgiScope = {"type": kind, "method": "", "path": "", "headers": []}
    with pytest.raises(RuntimeError, match=f"ASGI scope: expected type 'http', got '{kind}'"):
        await application(scope, receive, send)


async def bridged(*pieces: bytes, fault: Exception | None = None) -> Answer:
    """Answer an aiohttp request whose body comes in the pieces given, and then fails or ends."""
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), 1 << 16, loop=loop)
    for piece in pieces:
        content.feed_data(piece)
    if fault is None:
        content.feed_eof()
    else:
        content.set_exception(fault)
    exchange = exchange_of("application/grpc-web", payload=content)
    application = application_of(StandIn(), methods_of("grpc.health.v1.Health"))
    answer = await application.answer(exchange)
    assert answer is not None
    status, body = answer
    headers = [(name.lower(), value) for name, value in exchange.answer_headers]
    return Answer(status, headers[1:], body)


def exchange_of(content_type: str, payload: StreamReader | None = None) -> HttpExchange:
    headers = {"Content-Type": content_type}
    given: Any = payload
    request = make_mocked_request("POST", CHECK, headers, payload=given)
    options = ExchangeOptions(Cors(()), Responses([]), forward_cookies=False, body_timeout_s=10)
    return HttpExchange(AiohttpRequest(request), CHECK, "r1", options)


async def test_an_aiohttp_request_is_answered() -> None:
    assert await bridged(ASKED[:2], ASKED[2:]) == Answer(
        200, [("content-type", "application/grpc-web+proto")], SERVING + OK
    )


async def test_a_body_of_malformed_chunks_is_refused() -> None:
    answer = await bridged(fault=web.RequestPayloadError("garbage"))
    assert answer.headers == [
        ("content-type", "application/grpc-web+proto"),
        ("connection", "close"),
    ]
    assert answer.body[5:] == (
        b"grpc-status:3\r\ngrpc-message:request body: its chunks are malformed\r\n"
    )


async def test_a_connection_lost_before_the_body_is_whole_reaches_no_handler() -> None:
    assert status_line(await bridged(fault=ConnectionResetError())) == b"grpc-status:1"


async def test_a_failure_outside_a_call_is_answered_in_grpc_web() -> None:
    error = TranscodeError(StatusCode.UNAVAILABLE, "draining", headers=(("retry-after", "1"),))
    exchange = exchange_of("application/grpc-web")
    assert application_of(StandIn(), {}).failure(exchange, error) == (
        200,
        b"\x80\x00\x00\x00\x27grpc-status:14\r\ngrpc-message:draining\r\n",
    )
    assert exchange.answer_headers == [
        ("X-Request-Id", "r1"),
        ("Content-Type", "application/grpc-web+proto"),
        ("retry-after", "1"),
    ]


async def test_a_failure_outside_a_call_is_answered_in_the_mode_asked_for() -> None:
    error = TranscodeError(StatusCode.UNAVAILABLE, "draining")
    exchange = exchange_of("application/grpc-web-text")
    assert application_of(StandIn(), {}).failure(exchange, error) == (
        200,
        b"gAAAACdncnBjLXN0YXR1czoxNA0KZ3JwYy1tZXNzYWdlOmRyYWluaW5nDQo=",
    )
    assert exchange.answer_headers[1:] == [("Content-Type", "application/grpc-web-text+proto")]
