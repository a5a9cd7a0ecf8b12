"""The Connect protocol over real sockets: unary calls, GET, streams, and what is refused."""

import asyncio
import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import brotli
import pytest

from tests.proto import echo_pb2
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.connections import opened
from tests.support.grpc_frames import COMPRESSED, framed, split_frame
from tests.support.grpcweb_fixture import (
    COUNT,
    ERROR_MESSAGE,
    REPEAT,
    SAY,
    SECRET,
    TALK,
    Server,
    serving,
)
from tests.support.tables import cases
from transcoder import Limits

WAIT_S = 20
JSON = "application/json"
PROTO = "application/proto"
JSON_STREAM = "application/connect+json"
PROTO_STREAM = "application/connect+proto"
PLAIN = "text/plain; charset=utf-8"
VERSION = {"Connect-Protocol-Version": "1"}
END = 0x02
LIMITS = Limits(message_max_bytes=1000, body_max_bytes=1000)
TRAILERS = {"x-name": ["plain"], "x-name-bin": ["Z3LDtsOfZXI"]}
FAILED = {
    "code": "failed_precondition",
    "message": ERROR_MESSAGE,
    "details": [
        {
            "type": "google.rpc.ErrorInfo",
            "value": "CgRCVVNZEghncsO2w59lcg",
            "debug": {"reason": "BUSY", "domain": "größer"},
        }
    ],
}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(limits=LIMITS) as running:
        yield running


async def ask(
    server: Server,
    verb: str,
    target: str,
    body: bytes | AsyncIterator[bytes] = b"",
    content_type: str = JSON,
    **headers: str,
) -> tuple[aiohttp.ClientResponse, bytes]:
    """Sends a request with Connect's header; a header's name has "_" for "-"."""
    named = VERSION | {name.replace("_", "-"): value for name, value in headers.items()}
    if verb == "POST":
        named["Content-Type"] = content_type
    async with (
        asyncio.timeout(WAIT_S),
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(verb, server.url + target, data=body, headers=named) as answer,
    ):
        return answer, await answer.read()


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


def enveloped(*messages: object) -> bytes:
    return b"".join(framed(json.dumps(message).encode()) for message in messages)


def envelopes(body: bytes) -> tuple[list[Any], Any]:
    """Returns the messages of a JSON stream, and its end."""
    messages: list[Any] = []
    while True:
        flags, payload, body = split_frame(body)
        if flags == END:
            assert body == b""
            return messages, json.loads(payload)
        assert flags == 0
        messages.append(json.loads(payload))


async def test_a_unary_call_in_json(server: Server) -> None:
    answer, body = await ask(server, "POST", SAY, b'{"name":"n","size":2}')
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON)
    assert json.loads(body) == {"name": "n", "index": 1, "payload": "eHg="}
    got = {name.lower(): value for name, value in answer.headers.items()}
    assert (got["x-first"], got["x-first-bin"]) == ("1", "AP8")
    assert (got["trailer-x-name"], got["trailer-x-name-bin"]) == ("plain", "Z3LDtsOfZXI")


async def test_a_unary_call_in_protobuf_needs_no_header(server: Server) -> None:
    asked = EchoRequest(name="n").SerializeToString()
    answer, body = await ask(server, "POST", SAY, asked, PROTO)
    assert (answer.status, answer.headers["Content-Type"]) == (200, PROTO)
    assert EchoReply.FromString(body) == EchoReply(name="n", index=1)
    async with aiohttp.ClientSession() as session:
        headers = {"Content-Type": PROTO}
        async with session.post(server.url + SAY, data=asked, headers=headers) as answer:
            assert (answer.status, await answer.read()) == (200, body)


@cases("content_type, asked", {"JSON": (JSON, b'{"case":1}'), "protobuf": (PROTO, b"\x10\x01")})
async def test_a_failed_call_has_the_status_of_its_code(
    server: Server, content_type: str, asked: bytes
) -> None:
    answer, body = await ask(server, "POST", SAY, asked, content_type)
    assert (answer.status, answer.headers["Content-Type"]) == (400, JSON)
    assert json.loads(body) == FAILED
    assert answer.headers["trailer-x-name"] == "plain"


async def test_an_exception_shows_the_request_id_only(server: Server) -> None:
    answer, body = await ask(server, "POST", SAY, b'{"case":"CASE_RAISE"}')
    message = f"internal error (request id {answer.headers['X-Request-Id']})"
    assert (answer.status, json.loads(body)) == (500, {"code": "internal", "message": message})
    assert SECRET not in str(answer.headers)


async def test_json_without_the_header_is_rests(server: Server) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url + SAY, json={"case": 1}) as answer,
    ):
        body = await answer.json()
    assert (answer.status, body["code"], body["message"]) == (400, 9, ERROR_MESSAGE)
    assert answer.headers["grpc-trailer-x-name"] == "plain"


@cases(
    "query",
    {
        "JSON": f"connect=v1&encoding=json&message={quote(json.dumps({'name': 'n'}))}",
        "base64": "connect=v1&encoding=json&base64=1&message=eyJuYW1lIjoibiJ9",
        "without a version": "encoding=json&message=%7B%22name%22:%22n%22%7D",
        "compressed": "connect=v1&encoding=json&compression=br&message="
        + quote(brotli.compress(b'{"name":"n"}')),
    },
)
async def test_a_method_without_side_effects_is_called_by_get(server: Server, query: str) -> None:
    answer, body = await ask(server, "GET", f"{SAY}?{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON)
    assert json.loads(body) == {"name": "n", "index": 1}
    answer, body = await ask(server, "HEAD", f"{SAY}?{query}")
    assert (answer.status, body) == (200, b"")


async def test_a_get_in_protobuf_is_answered_in_protobuf(server: Server) -> None:
    answer, body = await ask(server, "GET", f"{SAY}?encoding=proto&base64=1&message=CgFu")
    assert (answer.status, answer.headers["Content-Type"]) == (200, PROTO)
    assert EchoReply.FromString(body) == EchoReply(name="n", index=1)


async def test_bodies_are_compressed_both_ways(server: Server) -> None:
    asked = gzip.compress(json.dumps({"name": "n", "size": 5000}).encode())
    answer, body = await ask(
        server, "POST", SAY, asked, Content_Encoding="gzip", Accept_Encoding="gzip, br"
    )
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, "br")
    assert json.loads(brotli.decompress(body))["name"] == "n"


LARGE = b'{"name":"' + b"x" * 1000 + b'"}'


@cases(
    "body, headers, status, code, message",
    {
        "not JSON": (b"{", {}, 400, "invalid_argument", "body"),
        "not protobuf": (
            b"\x0a",
            {"content_type": PROTO},
            400,
            "invalid_argument",
            "body: expected a echo.v1.EchoRequest in protobuf's binary format",
        ),
        "too large": (LARGE, {}, 429, "resource_exhausted", "the request body is larger"),
        "too large when inflated": (
            gzip.compress(LARGE),
            {"Content_Encoding": "gzip"},
            429,
            "resource_exhausted",
            "the request body, inflated, is larger",
        ),
        "not gzip": (
            b"{}",
            {"Content_Encoding": "gzip"},
            400,
            "invalid_argument",
            "request body, sent as gzip, is not gzip",
        ),
        "an unknown coding": (
            b"{}",
            {"Content_Encoding": "foo"},
            501,
            "unimplemented",
            "content encoding 'foo': expected",
        ),
        "another version": (
            b"{}",
            {"Connect_Protocol_Version": "2"},
            400,
            "invalid_argument",
            "header Connect-Protocol-Version: expected 1, got '2'",
        ),
        "a timeout of letters": (
            b"{}",
            {"Connect_Timeout_Ms": "soon"},
            400,
            "invalid_argument",
            "header Connect-Timeout-Ms: expected 1 to 10 digits, got 'soon'",
        ),
        "no time left": (
            b"{}",
            {"Connect_Timeout_Ms": "0"},
            504,
            "deadline_exceeded",
            "Deadline Exceeded",
        ),
        "a foreign page": (
            b"{}",
            {"Origin": "https://foreign.example"},
            403,
            "permission_denied",
            "origin 'https://foreign.example': not one of the allowed origins",
        ),
    },
)
async def test_a_bad_unary_request_is_refused_as_connect_does(
    server: Server, body: bytes, headers: dict[str, str], status: int, code: str, message: str
) -> None:
    answer, got = await ask(server, "POST", SAY, body, **headers)
    error = json.loads(got)
    assert (answer.status, error["code"]) == (status, code)
    assert error["message"].startswith(message)
    assert server.servicer.seen == []


@cases(
    "verb, target, content_type, status, named",
    {
        "DELETE": ("DELETE", SAY, JSON, 405, ("Allow", "GET, HEAD, POST")),
        "GET of a stream": ("GET", f"{REPEAT}?connect=v1", JSON, 405, ("Allow", "POST")),
        "another content type": (
            "POST",
            SAY,
            "application/foo",
            415,
            ("Accept-Post", f"{JSON}, {PROTO}"),
        ),
        "a stream's content type": (
            "POST",
            SAY,
            JSON_STREAM,
            415,
            ("Accept-Post", f"{JSON}, {PROTO}"),
        ),
        "one message to a stream": (
            "POST",
            REPEAT,
            JSON,
            415,
            ("Accept-Post", f"{JSON_STREAM}, {PROTO_STREAM}"),
        ),
        "an unknown form": ("GET", f"{SAY}?connect=v1&encoding=x", JSON, 415, None),
        "an unknown method": ("POST", "/echo.v1.Echo/None", JSON, 404, None),
    },
)
async def test_what_connect_has_no_code_for_is_refused_in_plain_text(
    server: Server,
    verb: str,
    target: str,
    content_type: str,
    status: int,
    named: tuple[str, str] | None,
) -> None:
    answer, _ = await ask(server, verb, target, b"{}", content_type)
    assert (answer.status, answer.headers["Content-Type"]) == (status, PLAIN)
    if named is not None:
        assert answer.headers[named[0]] == named[1]
    assert server.servicer.seen == []


async def test_a_stream_of_responses_in_json(server: Server) -> None:
    asked = enveloped({"name": "n", "count": 2})
    answer, body = await ask(server, "POST", REPEAT, asked, JSON_STREAM)
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON_STREAM)
    assert answer.headers["x-first"] == "1"
    messages = [{"name": "n", "index": 1}, {"name": "n", "index": 2}]
    assert envelopes(body) == (messages, {"metadata": TRAILERS})


async def test_a_stream_of_responses_in_protobuf(server: Server) -> None:
    asked = framed(EchoRequest(name="n", count=1).SerializeToString())
    answer, body = await ask(server, "POST", REPEAT, asked, PROTO_STREAM)
    assert answer.headers["Content-Type"] == PROTO_STREAM
    flags, payload, rest = split_frame(body)
    assert (flags, EchoReply.FromString(payload)) == (0, EchoReply(name="n", index=1))
    assert envelopes(rest) == ([], {"metadata": TRAILERS})


@pytest.mark.parametrize("count", [0, 2])
async def test_a_stream_that_fails_ends_with_the_error(server: Server, count: int) -> None:
    asked = enveloped({"case": "CASE_ERROR", "count": count})
    answer, body = await ask(server, "POST", REPEAT, asked, JSON_STREAM)
    messages, end = envelopes(body)
    assert (answer.status, len(messages)) == (200, count)
    assert end == {"error": FAILED, "metadata": TRAILERS}


@cases(
    "path, expected",
    {
        "one response": (COUNT, [{"index": 3}]),
        "as many": (TALK, [{"name": str(number), "index": 1} for number in range(3)]),
    },
)
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "octet by octet"])
async def test_a_stream_of_requests(
    server: Server, path: str, expected: list[object], is_cut: bool
) -> None:
    asked = enveloped(*({"name": str(number)} for number in range(3)))
    size = 1 if is_cut else len(asked)
    _, body = await ask(server, "POST", path, pieces(asked, size), JSON_STREAM)
    assert envelopes(body) == (expected, {})


async def test_a_client_that_reads_while_it_sends_gets_each_response_as_it_comes(
    server: Server,
) -> None:
    sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def body() -> AsyncIterator[bytes]:
        while piece := await sent.get():
            yield piece

    headers = {"Content-Type": JSON_STREAM}
    sent.put_nowait(enveloped({"name": "0"}))
    async with (
        asyncio.timeout(WAIT_S),
        aiohttp.ClientSession() as session,
        session.post(server.url + TALK, data=body(), headers=headers) as answer,
    ):
        for number in range(1, 4):
            size = int.from_bytes((await answer.content.readexactly(5))[1:], "big")
            reply = json.loads(await answer.content.readexactly(size))
            assert reply == {"name": str(number - 1), "index": 1}
            sent.put_nowait(enveloped({"name": str(number)}) if number < 3 else b"")
        assert envelopes(await answer.content.read()) == ([], {})


async def test_messages_of_a_stream_are_compressed_both_ways(server: Server) -> None:
    asked = framed(gzip.compress(b'{"name":"n","count":1,"size":5000}'), flags=COMPRESSED)
    answer, body = await ask(
        server,
        "POST",
        REPEAT,
        asked,
        JSON_STREAM,
        Connect_Content_Encoding="gzip",
        Connect_Accept_Encoding="gzip,br",
    )
    assert answer.headers["connect-content-encoding"] == "br"
    assert "Content-Encoding" not in answer.headers
    flags, payload, rest = split_frame(body)
    assert (flags, json.loads(brotli.decompress(payload))["index"]) == (1, 1)
    assert envelopes(rest) == ([], {"metadata": TRAILERS})


@cases(
    "body, headers, code, message",
    {
        "no message": (
            b"",
            {},
            "unimplemented",
            "Connect framing: expected exactly one message, but the body is empty",
        ),
        "two messages": (
            enveloped({}, {}),
            {},
            "unimplemented",
            "Connect framing: expected exactly one message, but the body goes on",
        ),
        "cut short": (
            enveloped({})[:-1],
            {},
            "internal",
            "Connect framing: the body ends after 1 of a message's 2 bytes",
        ),
        "cut within the header": (
            b"\0\0\0",
            {},
            "internal",
            "Connect framing: the body ends after 3 of a frame header's 5 bytes",
        ),
        "both flags": (
            framed(b"{}", flags=3),
            {},
            "internal",
            "Connect framing: frame flags: expected 0x00 or 0x01, got 0x03",
        ),
        "an end, which requests have not": (
            framed(b"{}", flags=END),
            {},
            "internal",
            "Connect framing: frame flags: expected 0x00 or 0x01, got 0x02",
        ),
        "compressed, nobody says how": (
            framed(b"{}", flags=COMPRESSED),
            {},
            "internal",
            "Connect framing: a frame is flagged as compressed, but connect-content-encoding names",
        ),
        "not gzip": (
            framed(b"{}", flags=COMPRESSED),
            {"Connect_Content_Encoding": "gzip"},
            "internal",
            "Connect framing: a compressed message is not gzip",
        ),
        "an unknown encoding": (
            enveloped({}),
            {"Connect_Content_Encoding": "foo"},
            "unimplemented",
            "connect-content-encoding: expected one of identity,zstd,br,gzip, got 'foo'",
        ),
        "too large": (
            b"\0\0\0\xff\xff",
            {},
            "resource_exhausted",
            "a message of 65535 bytes is larger than the limit of 1000 bytes",
        ),
        "not JSON": (framed(b"{"), {}, "invalid_argument", "body"),
        "a timeout of letters": (
            enveloped({}),
            {"Connect_Timeout_Ms": "soon"},
            "invalid_argument",
            "header Connect-Timeout-Ms: expected 1 to 10 digits, got 'soon'",
        ),
    },
)
async def test_a_bad_stream_is_refused_by_its_end(
    server: Server, body: bytes, headers: dict[str, str], code: str, message: str
) -> None:
    answer, got = await ask(server, "POST", REPEAT, body, JSON_STREAM, **headers)
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON_STREAM)
    messages, end = envelopes(got)
    assert (messages, end["error"]["code"]) == ([], code)
    assert end["error"]["message"].startswith(message)
    assert server.servicer.seen == []


async def test_what_inflates_to_too_much_is_refused_in_a_query_and_an_envelope(
    server: Server,
) -> None:
    bomb = brotli.compress(bytes(1 << 20))
    query = f"{SAY}?encoding=proto&compression=br&message={quote(bomb)}"
    answer, body = await ask(server, "GET", query)
    assert (answer.status, json.loads(body)["code"]) == (429, "resource_exhausted")
    asked = framed(bomb, flags=COMPRESSED)
    _, body = await ask(server, "POST", COUNT, asked, JSON_STREAM, Connect_Content_Encoding="br")
    assert envelopes(body)[1]["error"] == {
        "code": "resource_exhausted",
        "message": "a message, inflated, is larger than the limit of 1000 bytes",
    }


@cases(
    "path, content_type, asked",
    {
        "unary": (SAY, JSON, b'{"name":"late","case":"CASE_WAIT"}'),
        "a stream": (REPEAT, JSON_STREAM, enveloped({"name": "late", "case": "CASE_WAIT"})),
    },
)
async def test_a_deadline_ends_the_call(
    server: Server, path: str, content_type: str, asked: bytes
) -> None:
    answer, body = await ask(server, "POST", path, asked, content_type, Connect_Timeout_Ms="100")
    error = json.loads(body) if path == SAY else envelopes(body)[1]["error"]
    assert answer.status == (504 if path == SAY else 200)
    assert error == {"code": "deadline_exceeded", "message": "Deadline Exceeded"}
    async with asyncio.timeout(WAIT_S):
        await server.servicer.cancelled["late"].wait()


async def test_a_large_message_is_written_whole_in_json() -> None:
    async with serving() as server:
        for path, content_type, asked in (
            (SAY, JSON, b'{"size":100000}'),
            (REPEAT, JSON_STREAM, enveloped({"size": 100_000, "count": 1})),
        ):
            _, body = await ask(
                server, "POST", path, asked, content_type, Accept_Encoding="identity"
            )
            message = json.loads(body) if path == SAY else envelopes(body)[0][0]
            assert message["payload"] == b64encode(b"x" * 100_000).decode()


async def test_a_client_that_leaves_a_stream_cancels_its_handler(server: Server) -> None:
    asked = framed(EchoRequest(name="n", case=echo_pb2.CASE_ENDLESS).SerializeToString())
    head = f"POST {REPEAT} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTO_STREAM}\r\n"
    async with opened(server.address) as (reader, writer), asyncio.timeout(WAIT_S):
        writer.write(f"{head}Content-Length: {len(asked)}\r\n\r\n".encode() + asked)
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        await server.servicer.cancelled["n"].wait()
        await server.servicer.ended["n"].wait()
