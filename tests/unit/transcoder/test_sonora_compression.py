"""Compressed messages over gRPC-Web as an ASGI server calls it."""

import base64
import gzip
from hashlib import sha256

import brotli
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from tests.support.asgi import ASKED, OK, SERVING, StandIn, ask, ask_stream, with_type
from tests.support.grpc_frames import COMPRESSED, framed, split_frame
from tests.support.tables import cases
from transcoder.call import Call

GZIP = with_type(("grpc-encoding", "gzip"))
ACCEPTING = with_type(("grpc-accept-encoding", "identity,gzip"))
# HealthCheckRequest(service="a") and HealthCheckResponse() with a field that it does not know.
REQUEST = b"\x0a\x01a"
LARGE = b"\x12\xa0\x1f" + b"x" * 4000 + b"\x12\xa0\x1f" + b"y" * 4000
HUGE = (b"\x12\xa0\x1f" + b"z" * 4000) * 100
DENSE = b"\x12\xc0\x3e" + b"".join(sha256(bytes((at,))).digest() for at in range(250))


def compressed(message: bytes) -> bytes:
    return framed(gzip.compress(message), flags=COMPRESSED)


def answering(payload: bytes) -> StandIn:
    message = health_pb2.HealthCheckResponse.FromString(payload)

    async def streaming(call: Call) -> None:
        await call.send(message)

    return StandIn(lambda call, request: message, streaming)


@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "byte by byte"])
async def test_a_compressed_request_is_inflated(is_cut: bool) -> None:
    backend = StandIn()
    body = compressed(REQUEST)
    pieces = [body[at : at + 1] for at in range(len(body))] if is_cut else [body]
    assert (await ask(backend, *pieces, headers=GZIP)).body == SERVING + OK
    assert backend.requests == [health_pb2.HealthCheckRequest(service="a")]


async def test_a_compressed_request_in_text_mode_is_inflated() -> None:
    backend = StandIn()
    headers = [("content-type", "application/grpc-web-text"), ("grpc-encoding", "gzip")]
    await ask(backend, base64.b64encode(compressed(REQUEST)), headers=headers)
    assert backend.requests == [health_pb2.HealthCheckRequest(service="a")]


@cases(
    "payload, expected",
    {
        "plain bytes": (b"plain", b"grpc-status:13"),
        "cut short": (gzip.compress(REQUEST)[:-1], b"grpc-status:13"),
        "garbage after it": (gzip.compress(REQUEST) + b"x", b"grpc-status:13"),
        "inflates over the limit": (gzip.compress(b"x" * 1001), b"grpc-status:8"),
        "bomb": (gzip.compress(bytes(64 << 20), 9)[:900], b"grpc-status:8"),
        "broken protobuf": (gzip.compress(b"\x0a\x05a"), b"grpc-status:13"),
    },
)
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "byte by byte"])
async def test_a_message_that_does_not_inflate_never_reaches_a_handler(
    payload: bytes, expected: bytes, is_cut: bool
) -> None:
    backend = StandIn()
    body = framed(payload, flags=COMPRESSED)
    pieces = [body[at : at + 1] for at in range(len(body))] if is_cut else [body]
    answer = await ask(backend, *pieces, headers=GZIP)
    assert answer.body[5:].startswith(expected)
    assert backend.calls == []


@pytest.mark.parametrize("payload", [LARGE, HUGE], ids=["at once", "off the loop"])
async def test_a_large_answer_is_compressed_for_a_client_that_accepts_it(payload: bytes) -> None:
    answer = await ask(answering(payload), ASKED, headers=ACCEPTING)
    assert answer.headers == with_type(("grpc-encoding", "gzip"))
    flags, compressed_payload, rest = split_frame(answer.body)
    assert flags == 1
    assert gzip.decompress(compressed_payload) == payload
    assert rest == OK


async def test_a_large_message_of_a_stream_is_compressed_for_a_client_that_accepts_it() -> None:
    answer = await ask_stream(answering(LARGE), ASKED, headers=ACCEPTING)
    assert answer.headers == with_type(("grpc-encoding", "gzip"))
    flags, payload, _ = split_frame(answer.pieces[0])
    assert (flags, gzip.decompress(payload)) == (1, LARGE)
    assert answer.pieces[1] == OK


async def test_an_answer_is_in_the_best_coding_that_the_client_accepts() -> None:
    accepting = with_type(("grpc-accept-encoding", "gzip, br"))
    answer = await ask(answering(LARGE), ASKED, headers=accepting)
    assert answer.headers == with_type(("grpc-encoding", "br"))
    flags, payload, _ = split_frame(answer.body)
    assert (flags, brotli.decompress(payload)) == (1, LARGE)


async def test_a_request_in_br_is_inflated() -> None:
    backend = StandIn()
    body = framed(brotli.compress(REQUEST), flags=COMPRESSED)
    await ask(backend, body, headers=with_type(("grpc-encoding", "br")))
    assert backend.requests == [health_pb2.HealthCheckRequest(service="a")]


async def test_nothing_is_compressed_for_a_client_that_accepts_no_coding() -> None:
    answer = await ask(answering(LARGE), ASKED)
    assert answer.headers == with_type()
    assert split_frame(answer.body) == (0, LARGE, OK)


async def test_a_small_answer_is_not_compressed() -> None:
    answer = await ask(StandIn(), ASKED, headers=ACCEPTING)
    assert answer.body == SERVING + OK


async def test_an_answer_that_does_not_shrink_is_sent_as_it_is() -> None:
    answer = await ask(answering(DENSE), ASKED, headers=ACCEPTING)
    assert split_frame(answer.body) == (0, DENSE, OK)


async def test_the_frame_of_trailers_is_never_compressed() -> None:
    def handle(call: Call, request: Message) -> Message:
        call.trailing_metadata = [("x-last", "z" * 5000)]
        return health_pb2.HealthCheckResponse()

    answer = await ask(StandIn(handle), ASKED, headers=ACCEPTING)
    assert split_frame(answer.body)[2][:1] == b"\x80"
