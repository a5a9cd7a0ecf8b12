"""Streams, and text mode, over gRPC-Web as an ASGI server calls it."""

import asyncio

import pytest
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc import StatusCode
from grpc_health.v1 import health_pb2

from tests.support.asgi import (
    ASKED,
    OK,
    SERVING,
    Answer,
    StandIn,
    Streamed,
    ask,
    ask_stream,
    serving_twice,
    with_type,
)
from transcoder.call import Call
from transcoder.errors import TranscodeError

TEXT = [("content-type", "application/grpc-web-text")]
TEXT_OK = b"gAAAAA9ncnBjLXN0YXR1czowDQo="


def reply(status: int) -> Message:
    return health_pb2.HealthCheckResponse(status=status)


async def failing(call: Call) -> None:
    details = status_pb2.Status(code=9, message="no").SerializeToString()
    call.trailing_metadata = [("x-last", "2"), ("x-bad", "a\r\ngrpc-status:0")]
    raise TranscodeError(StatusCode.FAILED_PRECONDITION, "größer", details=details)


FAILED = (
    b"\x80\x00\x00\x00\x5a"
    b"grpc-status:9\r\n"
    b"grpc-message:gr%C3%B6%C3%9Fer\r\n"
    b"grpc-status-details-bin:CAkSAm5v\r\n"
    b"x-last:2\r\n"
)


async def test_each_message_of_a_stream_is_a_frame_as_it_comes() -> None:
    backend = StandIn()
    assert await ask_stream(backend, ASKED) == Streamed(with_type(), [SERVING, SERVING, OK])
    assert backend.requests == [health_pb2.HealthCheckRequest(service="a")]


async def test_an_empty_stream_is_a_trailer_frame_in_one_piece() -> None:
    async def streaming(call: Call) -> None:
        call.initial_metadata = [("x-first", "1")]
        call.trailing_metadata = [("x-last", "2")]

    answer = await ask_stream(StandIn(streaming=streaming), ASKED)
    assert answer == Streamed(
        with_type(("x-first", "1")), [b"\x80\x00\x00\x00\x19grpc-status:0\r\nx-last:2\r\n"]
    )


async def test_a_stream_that_fails_before_its_first_message_is_a_trailer_frame() -> None:
    answer = await ask_stream(StandIn(streaming=failing), ASKED)
    assert answer == Streamed(with_type(), [FAILED])


async def test_a_stream_that_fails_after_messages_ends_with_the_same_trailer_frame() -> None:
    async def streaming(call: Call) -> None:
        await serving_twice(call)
        await failing(call)

    answer = await ask_stream(StandIn(streaming=streaming), ASKED)
    assert answer == Streamed(with_type(), [SERVING, SERVING, FAILED])


async def test_initial_metadata_goes_out_before_the_first_message_if_it_is_sent_before() -> None:
    async def streaming(call: Call) -> None:
        call.initial_metadata = [("x-first", "1"), ("x-bad", "a\r\nx-injected: 1")]
        await call.start()
        await serving_twice(call)

    answer = await ask_stream(StandIn(streaming=streaming), ASKED)
    assert answer == Streamed(with_type(("x-first", "1")), [b"", SERVING, SERVING, OK])


async def test_a_message_is_encoded_before_it_is_sent() -> None:
    async def streaming(call: Call) -> None:
        message = health_pb2.HealthCheckResponse()
        for status in (1, 2):
            message.status = status
            sending = asyncio.ensure_future(call.send(message))
            await asyncio.sleep(0)
            message.status = 3
            await sending

    answer = await ask_stream(StandIn(streaming=streaming), ASKED)
    assert answer.pieces == [b"\x00\x00\x00\x00\x02\x08\x01", b"\x00\x00\x00\x00\x02\x08\x02", OK]


@pytest.mark.parametrize("fails_at", [0, 1, 2, 3], ids=["start", "first", "second", "trailers"])
async def test_a_client_that_has_gone_ends_the_stream(fails_at: int) -> None:
    ended: list[StatusCode] = []

    async def streaming(call: Call) -> None:
        try:
            await serving_twice(call)
        except TranscodeError as error:
            ended.append(error.code)
            raise

    if fails_at == 0:
        with pytest.raises(ValueError, match="not enough values"):
            await ask_stream(StandIn(streaming=streaming), ASKED, fails_at=fails_at)
    else:
        answer = await ask_stream(StandIn(streaming=streaming), ASKED, fails_at=fails_at)
        assert answer.pieces == [SERVING, SERVING][: fails_at - 1]
    assert ended == ([StatusCode.CANCELLED] if fails_at < 3 else [])


async def test_a_stream_that_never_waits_lets_others_have_their_turn() -> None:
    had_a_turn = asyncio.Event()

    async def streaming(call: Call) -> None:
        asyncio.get_running_loop().call_soon(had_a_turn.set)
        while not had_a_turn.is_set():
            await call.send(reply(1))

    async with asyncio.timeout(10):
        answer = await ask_stream(StandIn(streaming=streaming), ASKED)
    assert answer.pieces[-1] == OK


# Text mode


@pytest.mark.parametrize(
    "content_type",
    [
        "application/grpc-web-text",
        "application/grpc-web-text+proto",
        "Application/gRPC-Web-Text; charset=utf-8",
    ],
)
async def test_a_unary_call_in_text_mode(content_type: str) -> None:
    backend = StandIn()
    answer = await ask(backend, b"AAAAAAMKAWE=", headers=[("content-type", content_type)])
    assert answer == Answer(
        200, [("content-type", "application/grpc-web-text+proto")], b"AAAAAAIIAQ==" + TEXT_OK
    )
    assert backend.requests == [health_pb2.HealthCheckRequest(service="a")]


async def test_a_stream_in_text_mode_has_each_frame_padded() -> None:
    answer = await ask_stream(StandIn(), b"AAAAAAMKAWE=", headers=TEXT)
    assert answer == Streamed(
        [("content-type", "application/grpc-web-text+proto")],
        [b"AAAAAAIIAQ==", b"AAAAAAIIAQ==", TEXT_OK],
    )


async def test_a_failure_in_text_mode_is_base64_too() -> None:
    answer = await ask(StandIn(), b"!!!!", headers=TEXT)
    assert answer == Answer(
        200,
        [("content-type", "application/grpc-web-text+proto")],
        b"gAAAAExncnBjLXN0YXR1czoxMw0KZ3JwYy1tZXNzYWdlOmdSUEMtV2ViIGZyYW1pbmc6IGV4cGVjdGVk"
        b"IGJhc2U2NCwgZ290ICchISEhJw0K",
    )


async def test_the_answer_is_in_the_mode_that_accept_names() -> None:
    headers = with_type(("accept", "application/grpc-web-text"))
    assert await ask(StandIn(), ASKED, headers=headers) == Answer(
        200, [("content-type", "application/grpc-web-text+proto")], b"AAAAAAIIAQ==" + TEXT_OK
    )
    headers = [*TEXT, ("accept", "application/grpc-web+proto")]
    assert await ask(StandIn(), b"AAAAAAMKAWE=", headers=headers) == Answer(
        200, with_type(), SERVING + OK
    )


@pytest.mark.parametrize(
    ("declared", "expected"),
    [("4020", b"grpc-status:13"), ("4021", b"grpc-status:8")],
    ids=["each byte may be padded alone", "more than that"],
)
async def test_a_text_body_declared_too_long_is_refused_unread(
    declared: str, expected: bytes
) -> None:
    headers = [*TEXT, ("accept", "application/grpc-web"), ("content-length", declared)]
    answer = await ask(StandIn(), b"AA==", headers=headers)
    assert answer.body[5:].startswith(expected)
