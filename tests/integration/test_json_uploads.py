"""Streams of requests as JSON, over real sockets: forms, both directions, broken bodies."""

import asyncio
import gzip
import json
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.grpcweb_fixture import COUNT, TALK, Echo, Server, serving
from tests.support.tables import cases
from transcoder import Limits

WAIT_S = 30.0
LINES = "application/x-ndjson"
ARRAY = "application/json"
THREE = b'{"name":"a"}\n{"name":"b"}\n{"name":"c"}\n'


class Noting(Echo):
    """Counts the messages of each name, and fails at one that is named so.

    Attributes:
        got: how many messages came, by name.
        may_read: while it is clear, the handler reads no further message.
    """

    def __init__(self) -> None:
        super().__init__()
        self.got: Counter[str] = Counter()
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def Count(self, request_iterator: AsyncIterator[EchoRequest], context: Any) -> EchoReply:
        async with self._noted(EchoRequest(name="count")):
            async for request in request_iterator:
                self.got[request.name] += 1
                await self.may_read.wait()
        return EchoReply(index=self.got.total())


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(Noting()) as running:
        yield running


@pytest.fixture
async def impatient() -> AsyncIterator[Server]:
    limits = Limits(body_timeout_s=0.3, stream_idle_timeout_s=0.4)
    async with serving(Noting(), limits=limits) as running:
        yield running


@dataclass
class Upload:
    """A connection on which the head of a request was sent, and its body is sent in chunks."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, piece: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def finish(self) -> None:
        self.writer.write(b"0\r\n\r\n")

    async def answer(self) -> tuple[int, dict[str, str]]:
        """Returns the status and the headers, by names in lower case."""
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(status.split()[1]), headers

    async def whole(self) -> tuple[int, Any]:
        """Returns the status and the JSON of an answer in one piece."""
        status, headers = await self.answer()
        return status, json.loads(await self.reader.readexactly(int(headers["content-length"])))

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]


@asynccontextmanager
async def uploading(
    server: Server, path: str = COUNT, *headers: str, content_type: str = LINES
) -> AsyncIterator[Upload]:
    reader, writer = await asyncio.open_connection(*server.address.split(":"))
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x",
        f"Content-Type: {content_type}",
        "Transfer-Encoding: chunked",
        *headers,
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        async with asyncio.timeout(WAIT_S):
            yield Upload(reader, writer)
    finally:
        writer.transport.abort()


def refusal(message: str, code: int = 3) -> dict[str, object]:
    return {"code": code, "message": message}


@pytest.mark.parametrize("size", [1, 5, 1000])
@cases(
    "content_type, body, count",
    {
        "lines": (LINES, THREE, 3),
        "lines of another name": ("application/jsonl; charset=utf-8", THREE, 3),
        "an array": (ARRAY, b'[{"name":"a"}, {"name":"b"}]', 2),
        "an array of none": (ARRAY, b"[]", 0),
        "nothing": (LINES, b"\n", 0),
    },
)
async def test_messages_are_read_as_they_come(
    server: Server, content_type: str, body: bytes, count: int, size: int
) -> None:
    async with uploading(server, content_type=content_type) as upload:
        for at in range(0, len(body), size):
            upload.send(body[at : at + size])
        upload.finish()
        assert await upload.whole() == (200, {"index": count} if count else {})


async def test_a_body_that_arrives_whole_is_read_alike(server: Server) -> None:
    reader, writer = await asyncio.open_connection(*server.address.split(":"))
    head = f"POST {COUNT} HTTP/1.1\r\nHost: x\r\nContent-Type: {LINES}\r\n"
    writer.write(f"{head}Content-Length: {len(THREE)}\r\n\r\n".encode() + THREE)
    async with asyncio.timeout(WAIT_S):
        assert await Upload(reader, writer).whole() == (200, {"index": 3})
    writer.transport.abort()


async def test_each_message_is_answered_while_the_next_is_not_sent(server: Server) -> None:
    async with uploading(server, TALK) as upload:
        for number in range(3):
            upload.send(b'{"name":"%d"}\n' % number)
            if number == 0:
                assert (await upload.answer())[0] == 200
            assert await upload.chunk() == b'{"result":{"name":"%d","index":1}}\n' % number
        upload.finish()
        assert await upload.chunk() == b""


async def test_a_client_that_leaves_in_the_middle_cancels_its_call(server: Server) -> None:
    servicer = server.servicer
    assert isinstance(servicer, Noting)
    servicer.may_read.clear()
    async with uploading(server) as upload:
        upload.send(THREE)
        await servicer.started["count"].wait()
    async with asyncio.timeout(WAIT_S):
        await servicer.cancelled["count"].wait()


@cases(
    "content_type, body, message",
    {
        "no JSON": (LINES, b"{}\nx\n", "message 2: body: expected JSON, got 'x' at line 1"),
        "no such value": (ARRAY, b'[{"count":"x"}]', "message 1: count: expected int32, got 'x'"),
        "a byte order mark": (
            LINES,
            b"\xef\xbb\xbf{}\n",
            "message 1: body: expected JSON, got '\\ufeff{}' at line 1, column 1",
        ),
        "an object": (ARRAY, b'{"name":"a"}', "body: expected an array of messages, got"),
        "more behind an array": (ARRAY, b"[{}]x", "body: expected nothing behind the array"),
    },
)
async def test_a_broken_message_ends_the_call(
    server: Server, content_type: str, body: bytes, message: str
) -> None:
    async with uploading(server, content_type=content_type) as upload:
        upload.send(body)
        status, said = await upload.whole()
    assert (status, said["code"]) == (400, 3)
    assert said["message"].startswith(message)


async def test_a_body_that_ends_in_an_array_is_refused(server: Server) -> None:
    async with uploading(server, content_type=ARRAY) as upload:
        upload.send(b'[{"name":"a"}')
        upload.finish()
        expected = "body: expected the rest of the array, got the end of the body"
        assert await upload.whole() == (400, refusal(expected))


async def test_a_line_of_two_mebibytes_is_refused(server: Server) -> None:
    async with uploading(server) as upload:
        for _ in range(32):
            upload.send(b"x" * (64 << 10))
        expected = "a message of the request body is larger than the limit of 1048576 bytes"
        assert await upload.whole() == (413, refusal(expected, 8))


async def test_a_failure_after_an_answer_has_begun_is_the_last_line(server: Server) -> None:
    async with uploading(server, TALK) as upload:
        upload.send(b'{"name":"a"}\n')
        assert (await upload.answer())[0] == 200
        assert await upload.chunk() == b'{"result":{"name":"a","index":1}}\n'
        upload.send(b"{]\n")
        line = json.loads(await upload.chunk())
        assert line["error"]["message"].startswith("message 2: body: expected JSON, got ']'")
        assert await upload.chunk() == b""


@cases(
    "sent, message",
    {
        "within a message": (b'{"name":', "the rest of a message did not arrive within 0.3 s"),
        "between messages": (THREE, "the next message did not arrive within 0.4 s"),
    },
)
async def test_a_client_that_stops_is_given_up(
    impatient: Server, sent: bytes, message: str
) -> None:
    async with uploading(impatient) as upload:
        upload.send(sent)
        assert await upload.whole() == (408, refusal(message, 4))
        assert await upload.reader.read() == b""


async def test_a_client_that_drips_has_no_more_time_for_a_message(impatient: Server) -> None:
    async with uploading(impatient) as upload:

        async def drip() -> None:
            while True:
                upload.send(b" x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        try:
            expected = "the rest of a message did not arrive within 0.3 s"
            assert await upload.whole() == (408, refusal(expected, 4))
        finally:
            dripping.cancel()


@cases(
    "headers, message, accept",
    {
        "a form": (
            ("application/x-www-form-urlencoded",),
            "content type 'application/x-www-form-urlencoded': expected application/x-ndjson or "
            "application/json",
            ("accept", "application/x-ndjson, application/json"),
        ),
        "a content coding": (
            (LINES, "Content-Encoding: br"),
            "content encoding 'br': expected gzip or none for a stream of requests",
            ("accept-encoding", "gzip, identity"),
        ),
    },
)
async def test_a_body_in_another_form_is_refused_with_what_to_send(
    server: Server, headers: tuple[str, ...], message: str, accept: tuple[str, str]
) -> None:
    content_type, *others = headers
    async with uploading(server, COUNT, *others, content_type=content_type) as upload:
        upload.send(THREE)
        status, said = await upload.answer()
        assert (status, said[accept[0]]) == (415, accept[1])
        body = await upload.reader.readexactly(int(said["content-length"]))
        assert body.decode() == message  # plain text, as clients of other protocols ask there, too


@pytest.mark.parametrize("size", [1, 1000])
async def test_a_stream_in_gzip_is_inflated_as_it_comes(server: Server, size: int) -> None:
    body = gzip.compress(THREE)
    async with uploading(server, COUNT, "Content-Encoding: gzip") as upload:
        for at in range(0, len(body), size):
            upload.send(body[at : at + size])
        upload.finish()
        assert await upload.whole() == (200, {"index": 3})


async def test_each_message_in_gzip_is_answered_before_the_next_is_sent(server: Server) -> None:
    deflater = zlib.compressobj(wbits=31)
    async with uploading(server, TALK, "Content-Encoding: gzip") as upload:
        for number in range(3):
            line = b'{"name":"%d"}\n' % number
            upload.send(deflater.compress(line) + deflater.flush(zlib.Z_SYNC_FLUSH))
            if number == 0:
                assert (await upload.answer())[0] == 200
            assert await upload.chunk() == b'{"result":{"name":"%d","index":1}}\n' % number
        upload.send(deflater.flush())
        upload.finish()
        assert await upload.chunk() == b""


@cases(
    "body, problem",
    {
        "not gzip": (THREE, "is not gzip"),
        "cut": (gzip.compress(THREE)[:-3], "ends early"),
        "two members": (gzip.compress(THREE) * 2, "goes on after its end"),
    },
)
async def test_a_stream_that_is_no_gzip_is_refused(
    server: Server, body: bytes, problem: str
) -> None:
    async with uploading(server, COUNT, "Content-Encoding: gzip") as upload:
        upload.send(body)
        upload.finish()
        assert await upload.whole() == (400, refusal(f"request body, sent as gzip, {problem}"))


async def test_a_line_that_inflates_beyond_the_limit_is_refused(server: Server) -> None:
    async with uploading(server, COUNT, "Content-Encoding: gzip") as upload:
        upload.send(gzip.compress(b"x" * (64 << 20)))
        expected = "a message of the request body is larger than the limit of 1048576 bytes"
        assert await upload.whole() == (413, refusal(expected, 8))
