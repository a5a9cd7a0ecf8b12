"""The two ways of reading a request against each other, on requests made at random, and broken.

The same bytes go to a server that answers whole requests by itself and to one that has aiohttp read
each: in one piece, and again in pieces. Both must write the same answers, but for the date and the
ids of requests, and leave the connection alike, open or closed. Nothing may differ.

Requests are good ones of every protocol, changed by what smuggles requests past a front proxy (RFC
9112 section 11.2), by other odd headers, and by octets at random.
"""

import asyncio
import itertools
import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any, Final, NamedTuple

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import CASE_ERROR, EchoRequest
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import REPEAT, SAY, TALK, Echo
from tests.support.wires import MakeProtocol, Wire, protocols_of
from transcoder import Limits, Transcoder

CHUNK: Final = 500
_AT_ONCE: Final = 50
_ORIGIN: Final = "https://app.example"
_SETTLING_TURNS: Final = 14
_TURNS_BETWEEN: Final = 5
_BY_OCTET_ONE_IN: Final = 10

_VARYING: Final = re.compile(rb"\r\nDate: [^\r]*|\r\nX-Request-Id: [0-9a-f]{20}(?=\r)")
_ID_IN_TEXT: Final = re.compile(rb"request id [0-9a-f]{20}")


class Tally(NamedTuple):
    """Counts requests and their outcomes, and lists what differed."""

    requests: int
    outcomes: Counter[str]
    failures: Sequence[str]


class Transcript(NamedTuple):
    """Holds the octets and the state that a connection was left with."""

    written: bytes
    is_closed: bool


class _StillLoop(asyncio.SelectorEventLoop):
    """A loop whose time stands still: no deadline depends on how busy the machine is."""

    def time(self) -> float:
        return 0.0


def compare(first: int, count: int) -> Tally:
    """Compares requests by their numbers, in this process."""
    with asyncio.Runner(loop_factory=_StillLoop) as runner:
        return runner.run(_compare(range(first, first + count)))


def compare_all(count: int, report: Callable[[Tally], None]) -> Tally:
    """Compares so many requests, in several processes; reports what there is so far."""
    sofar = Tally(0, Counter(), [])
    with ProcessPoolExecutor(initializer=logging.disable) as pool:
        firsts = range(0, count, CHUNK)
        for tally in pool.map(compare, firsts, [CHUNK] * len(firsts)):
            sofar = Tally(
                sofar.requests + tally.requests,
                sofar.outcomes + tally.outcomes,
                [*sofar.failures, *tally.failures],
            )
            report(sofar)
    return sofar


async def _compare(numbers: Sequence[int]) -> Tally:
    ways = [await _server(reads_whole=True), await _server(reads_whole=False)]
    failures: list[str] = []
    outcomes: Counter[str] = Counter()
    for start in range(0, len(numbers), _AT_ONCE):
        batch = numbers[start : start + _AT_ONCE]
        sent = [cut(Random(number)) for number in batch]  # noqa: S311  no secret
        mine, theirs = [await _transcripts(way, sent) for way in ways]
        for number, pieces, ours, other in zip(batch, sent, mine, theirs, strict=True):
            outcomes[_outcome(ours)] += 1
            if ours != other:
                octets = b"|".join(pieces)
                failures.append(f"{number}: {octets!r} by ours {ours}, by aiohttp {other}")
    return Tally(len(numbers), outcomes, failures)


async def _server(*, reads_whole: bool) -> MakeProtocol:
    limits = Limits(body_max_bytes=200, message_max_bytes=200)
    transcoder: Any = Transcoder(cors_origins=[_ORIGIN], limits=limits, compress_min_bytes=None)
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(), transcoder)
    return await protocols_of(transcoder.start, reads_whole=reads_whole)


async def _transcripts(make: MakeProtocol, sent: Sequence[Sequence[bytes]]) -> list[Transcript]:
    """Feeds each connection its pieces, all connections in step."""
    wires = [Wire(make) for _ in sent]
    for index in range(max(map(len, sent))):
        for wire, pieces in zip(wires, sent, strict=True):
            if index < len(pieces):
                wire.feed(pieces[index])
        for _ in range(_TURNS_BETWEEN):
            await asyncio.sleep(0)
    for _ in range(_SETTLING_TURNS):
        await asyncio.sleep(0)
    transcripts = [Transcript(_comparable(wire.written), wire.is_closed) for wire in wires]
    for wire in wires:
        wire.close()
    for _ in range(_SETTLING_TURNS):
        await asyncio.sleep(0)
    return transcripts


def _outcome(transcript: Transcript) -> str:
    if not transcript.written:
        return "not answered"
    status = transcript.written.split(b" ", 2)[1].decode("ascii")
    return f"{status}, and closed" if transcript.is_closed else status


def _comparable(written: bytes) -> bytes:
    return _ID_IN_TEXT.sub(b"", _VARYING.sub(b"", written))


# The requests.

_JSON_BODIES: Final = (
    b"{}",
    b"",
    b'{"name":"n"}',
    b'{"name":5}',
    b'{"name":"n","case":"CASE_ERROR"}',
    b'{"name":"n","case":"CASE_RAISE"}',
    b'{"name":"n","case":"CASE_WAIT"}',
    b'{"name":"n","case":"CASE_ERROR","count":2}',
    b'[{"name":"n"},{"name":"m"}]',
    b'[{"name":"n"},]',
    b'{"name":"n"',
    b"[" * 40,
    b'{"name":"' + b"x" * 300 + b'"}',
)
_WEB_BODIES: Final = (
    framed(b""),
    framed(EchoRequest(name="n", count=2).SerializeToString()),
    framed(EchoRequest(name="n", case=CASE_ERROR).SerializeToString()),
    framed(EchoRequest(name="n", size=100, count=1).SerializeToString()),
    framed(b"\xff"),
    framed(b"")[:3],
    framed(b"x" * 250),
    b"",
)
_STREAM_BODIES: Final = (
    framed(b"{}"),
    framed(b'{"name":"n","count":2}'),
    framed(b'{"case":"CASE_ERROR","count":1}'),
    framed(b"{}") + framed(b"{}"),
    framed(b"{}", flags=3),
    framed(b"{}")[:3],
    framed(b"x" * 250),
    b"",
)
_LINES_BODIES: Final = (
    b'{"name":"n"}\n{"name":"m"}',
    b'\n{"name":"n","count":2}\n\n',
    b'{"name":"n"}\n{]\n',
    b'{"name":"n","case":"CASE_ERROR","count":1}\n',
    b'{"name":"' + b"x" * 300 + b'"}\n',
    b"",
)
_BODIES: Final = {
    "ndjson": _LINES_BODIES,
    "grpc-web": _WEB_BODIES,
    "proto": _WEB_BODIES,
    "connect": _STREAM_BODIES,
}
"""By a part of the content type."""
_TARGETS: Final = (
    *[SAY] * 60,
    *[REPEAT] * 20,
    *[TALK] * 10,
    "/healthz",
    "/readyz",
    "/nowhere",
    f"{SAY}?name=q",
    f"{SAY}?connect=v1&encoding=json&message=%7B%7D",
    f"{SAY}?encoding=proto&base64=1&message=!",
    f"http://a{SAY}",
    f"HTTP://a:80{SAY}",
    "/a%2fb",
    "/%zz",
    "/\u00e9",
    "*",
    "a",
    "//",
    "/a b",
    "/#x",
    f"{SAY}#x",
)
_VERBS: Final = ("POST",) * 80 + (
    "GET",
    "HEAD",
    "OPTIONS",
    "PUT",
    "DELETE",
    "PATCH",
    "CONNECT",
    "X",
)
_VERSIONS: Final = ("HTTP/1.1",) * 60 + (
    "HTTP/1.0",
    "HTTP/1.0\r\nConnection: keep-alive",
    "HTTP/2.0",
    "HTTP/0.9",
    "HTTP/1.2",
    "http/1.1",
)
_CONTENT_TYPES: Final = ("application/json",) * 4 + (
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/json; charset=utf-8",
    "text/plain",
    "application/x-ndjson",
    "application/x-ndjson",
    "application/grpc",
    "application/proto",
    "application/connect+json",
    "application/connect+json",
    "application/connect+proto",
    "",
)
_CONNECT_LINES: Final = (
    *("Connect-Protocol-Version: 1",) * 3,
    "Connect-Protocol-Version: 2",
    "Connect-Timeout-Ms: x",
    "Connect-Content-Encoding: gzip",
    "Connect-Accept-Encoding: zstd, br",
)
ODD_FRAMING: Final = (
    "Content-Length: 2",
    "Content-Length: 0",
    "Content-Length: +2",
    "Content-Length: -1",
    "Content-Length: 2, 2",
    "Content-Length: 2 2",
    "Content-Length: 0x2",
    "Content-Length: 2\t",
    "Content-Length: 000000000000000000000000000002",
    "Content-Length: 99999999999999999999",
    "Content-Length:",
    "Content-Length : 2",
    "content-length: 5",
    "Content_Length: 2",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
    " Transfer-Encoding: chunked",
    "X: y\r\n Transfer-Encoding: chunked",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "X: \x00",
    "X: \x7f\xff",
    "X",
    ": y",
    "X: " + "y" * 9000,
    "Host: b",
    "Host:",
    "Sec-WebSocket-Key1: x",
)
_OTHER_LINES: Final = (
    "Connection: close",
    "Connection: keep-alive",
    "Connection: close, keep-alive",
    "Connection: Content-Length",
    "Connection: Upgrade\r\nUpgrade: h2c",
    "Connection: Upgrade\r\nUpgrade: websocket",
    "Upgrade: h2c",
    "Expect: 100-continue",
    "Expect: 200-ok",
    "Trailer: X",
    "TE: trailers",
    "X-Request-Id: r1",
    "X-Request-Id: " + "r" * 200,
    f"Origin: {_ORIGIN}",
    "Origin: https://evil.example",
    "Sec-Fetch-Site: cross-site",
    "Access-Control-Request-Method: POST",
    "Accept: text/html",
    *("Accept: application/json", "Accept: text/event-stream") * 2,
    "Accept: application/grpc-web-text",
    "Accept-Encoding: gzip",
    "Content-Encoding: identity",
    "Content-Encoding: deflate",
    "grpc-timeout: soon",
    "grpc-timeout: 0S",
    "grpc-encoding: snappy",
    "x-thing-bin: %%%",
    "x-thing-bin: AAA",
    "Authorization: Bearer \xe4\xff",
    "Cookie: a=b",
)
_BEHIND: Final = (
    b"\r\n",
    b"\r\n\r\n",
    b"x",
    b"\x00",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\n",
    b"G",
    b"0\r\n\r\n",
)
_TOKENS: Final = (
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b"\x00",
    b"\xff",
    b"\r\n\r\n",
    b"0",
    b",",
)


def cut(random: Random) -> Sequence[bytes]:
    """Makes the pieces in which one connection is sent its requests."""
    octets = request(random)
    if random.random() < 0.15:
        octets += random.choice(_BEHIND)
    if random.random() < 0.1:
        octets += request(random)
    if random.random() < 0.03:
        octets = random.choice(_BEHIND) + octets
    way = random.random()
    if way < 0.5:
        return [octets]
    if way < 0.5 + 0.5 / _BY_OCTET_ONE_IN:
        return [octets[place : place + 1] for place in range(min(len(octets), 400))]
    if way < 0.75:
        head = octets.find(b"\r\n\r\n") + 4
        places = {head}
    else:
        places = {random.randrange(len(octets) + 1) for _ in range(random.randint(1, 3))}
    ends = [0, *sorted(places), len(octets)]
    return [octets[a:b] for a, b in itertools.pairwise(ends) if a < b]


def request(random: Random) -> bytes:
    """Makes one request, good or broken."""
    content_type = random.choice(_CONTENT_TYPES)
    bodies = next((_BODIES[part] for part in _BODIES if part in content_type), _JSON_BODIES)
    body = random.choice(bodies)
    verb, target = random.choice(_VERBS), random.choice(_TARGETS)
    lines = [f"{verb} {target} {random.choice(_VERSIONS)}"]
    if random.random() < 0.99:
        lines.append("Host: a")
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    framing = random.random()
    if framing < 0.75:
        lines.append(f"Content-Length: {len(body)}")
    elif framing < 0.9:
        lines.append("Transfer-Encoding: chunked")
        body = _in_chunks(body, random)
    if random.random() < 0.12:
        lines.append(random.choice(ODD_FRAMING))
    if random.random() < 0.15:
        lines.append(random.choice(_CONNECT_LINES))
    if random.random() < 0.5:
        lines += random.choices(_OTHER_LINES, k=random.randint(1, 2))
    head, *fields = lines
    random.shuffle(fields)
    octets = "\r\n".join([head, *fields, "", ""]).encode("latin-1", "replace") + body
    if random.random() < 0.15:
        octets = _broken(octets, random)
    return octets


def _in_chunks(body: bytes, random: Random) -> bytes:
    middle = random.randrange(len(body) + 1)
    pieces = [piece for piece in (body[:middle], body[middle:]) if piece]
    extension = random.choice((b"", b"", b";a=b", b" ", b"\x00"))
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return chunks + random.choice(
        (b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\n", b"-1\r\n")
    )


def _broken(octets: bytes, random: Random) -> bytes:
    """Changes some octets: takes some away, puts tokens in, or repeats a part."""
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(octets) + 1)
        way = random.randrange(4)
        if way == 0:
            octets = octets[:place] + octets[place + random.randint(1, 4) :]
        elif way == 1:
            octets = octets[:place] + random.choice(_TOKENS) + octets[place:]
        elif way == 2:
            octets = octets[:place] + bytes([random.randrange(256)]) + octets[place + 1 :]
        else:
            octets = octets[:place] + octets[place : place + 20] + octets[place:]
    return octets
