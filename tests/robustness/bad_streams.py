"""Streams that are malformed, too large or without end, in every form: R35 of docs/robustness.md.

Follows docs/streams.md, docs/websocket.md, docs/connect.md, docs/grpc-web.md and docs/files.md.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from tests.robustness.scenario import Outcome, Scenario, at_most, none_wrong
from tests.robustness.stream_forms import CONNECT, GRPC_WEB, JSON, NDJSON, handshake
from tests.robustness.stream_hosts import PATIENCE_S, Hosts, hosted
from tests.support.grpc_frames import COMPRESSED, TRAILERS, framed
from tests.support.grpcweb_fixture import COUNT, REPEAT, SAY, TALK
from tests.support.waiting import until
from tests.support.websocket_by_hand import BINARY, CLOSE, PING, TEXT, masked

AT_ONCE: Final = 20
TIMES: Final = 5
MORE_MAX_MIB: Final = 16.0
ANSWER_S: Final = 10.0
MIB: Final = 1 << 20
_MESSAGE: Final = b'{"name":"n"}'
_BOM: Final = b"\xef\xbb\xbf"
_LONG: Final = b'{"name":"' + b"x" * (2 * MIB)
_INVALID: Final = (b"HTTP/1.1 400 ", b'{"code":3,')
_LARGE: Final = (b"HTTP/1.1 413 ", b'{"code":8,')
_FORM: Final = "multipart/form-data; boundary=b"
_PART: Final = b'--b\r\nContent-Disposition: form-data; name="tags"\r\n\r\nx\r\n'


@dataclass(frozen=True, slots=True)
class Bad:
    """A request, and octets that its answer has to have, all of them."""

    octets: bytes
    told: tuple[bytes, ...]


def _body(path: str, content_type: str, *pieces: bytes, ends: bool = True, said: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n{said}"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    end = b"0\r\n\r\n" if ends else b""
    return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + end


def _lines(body: bytes, told: tuple[bytes, ...], *, ends: bool = True, said: str = "") -> Bad:
    return Bad(_body(COUNT, NDJSON, body, ends=ends, said=said), told)


def _array(body: bytes, told: tuple[bytes, ...], *, ends: bool = True) -> Bad:
    return Bad(_body(COUNT, JSON, body, ends=ends), told)


def _frames(code: int, *frames: bytes) -> Bad:
    return Bad(handshake(TALK) + b"".join(frames), (b'{"status":{"code":%d,' % code,))


def _connect(code: bytes, body: bytes, *, path: str = COUNT, said: str = "") -> Bad:
    told = (b"HTTP/1.1 200 ", b'{"error":{"code":"%b"' % code)
    return Bad(_body(path, CONNECT, body, said=said), told)


def _grpc_web(code: int, body: bytes) -> Bad:
    told = (b"HTTP/1.1 200 ", b"grpc-status:%d\r\n" % code)
    return Bad(_body(REPEAT, GRPC_WEB, body), told)


def _form(body: bytes, told: tuple[bytes, ...]) -> Bad:
    return Bad(_body("/v1/forms/x", _FORM, body), told)


CASES: Final[Mapping[str, Bad]] = {
    "a line of 2 MiB": _lines(_LONG + b'"}\n', _LARGE),
    "a line without end": _lines(_LONG, _LARGE, ends=False),
    "lines behind a byte order mark": _lines(_BOM + _MESSAGE + b"\n", _INVALID),
    "garbage behind the last line": _lines(_MESSAGE + b"\nxyz", _INVALID),
    "a line that is not UTF-8": _lines(b'{"name":"\xff"}\n', _INVALID),
    "a line with a NUL": _lines(b"\0\n", _INVALID),
    "a line with a number": _lines(b"1\n", _INVALID),
    "empty lines alone": _lines(b"\n" * MIB, (b"HTTP/1.1 200 ",)),
    "lines that are not gzip": _lines(b"garbage", _INVALID, said="Content-Encoding: gzip\r\n"),
    "lines by an unknown coding": _lines(
        b"garbage", (b"HTTP/1.1 415 ",), said="Content-Encoding: br\r\n"
    ),
    "chunks that are none": Bad(
        _body(COUNT, NDJSON, _MESSAGE + b"\n", ends=False) + b"zz\r\n", _INVALID
    ),
    "an element of 2 MiB": _array(b"[" + _LONG + b'"}]', _LARGE),
    "an array without end": _array(b"[" + _MESSAGE, _INVALID),
    "an array in an array, 100,000 times": _array(b"[" * 100_000, _INVALID),
    "an array with a comma too many": _array(b"[" + _MESSAGE + b",]", _INVALID),
    "garbage behind an array": _array(b"[" + _MESSAGE + b"]xyz", _INVALID),
    "an array behind a byte order mark": _array(_BOM + b"[" + _MESSAGE + b"]", _INVALID),
    "a frame that is not masked": _frames(3, masked(TEXT, _MESSAGE, mask=None)),
    "a frame with a reserved bit": _frames(3, masked(TEXT, _MESSAGE, first=0xC0)),
    "a frame of 2^63 bytes": _frames(3, b"\x81\xff" + (1 << 63).to_bytes(8)),
    "a frame of 2^40 bytes": _frames(8, b"\x81\xff" + (1 << 40).to_bytes(8)),
    "a control frame in fragments": _frames(3, masked(PING, b"x", first=0)),
    "a control frame of 126 bytes": _frames(3, masked(PING, b"x" * 126)),
    "a fragment of nothing": _frames(3, masked(0, _MESSAGE)),
    "fragments without end": _frames(
        8, masked(TEXT, b'"', first=0), *[masked(0, b"x" * 60_000, first=0)] * 20
    ),
    "a close frame with half a code": _frames(3, masked(CLOSE, b"\x03")),
    "a close frame in the middle of a message": Bad(
        handshake(TALK) + masked(TEXT, b"{", first=0) + masked(CLOSE, b"\x03\xe8"),
        (b"\x88\x02\x03\xe8",),
    ),
    "a text that is not UTF-8": _frames(3, masked(TEXT, b"\xff")),
    "a binary message that is none": _frames(3, masked(BINARY, b"\xff\xff")),
    "an envelope with both flags": _connect(b"internal", framed(_MESSAGE, flags=3)),
    "an envelope of 4 GiB": _connect(b"resource_exhausted", b"\0\xff\xff\xff\xff"),
    "an envelope that is cut": _connect(b"internal", framed(_MESSAGE)[:-2]),
    "two envelopes for one message": _connect(b"unimplemented", framed(_MESSAGE) * 2, path=REPEAT),
    "an envelope that is not gzip": _connect(
        b"internal", framed(b"z", flags=COMPRESSED), said="Connect-Content-Encoding: gzip\r\n"
    ),
    "a message of a GET that is no base64": Bad(
        f"GET {SAY}?encoding=json&base64=1&message=!!! HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        (b"HTTP/1.1 400 ", b'{"code":"invalid_argument"'),
    ),
    "a frame with both flags": _grpc_web(13, framed(b"", flags=3)),
    "a frame of trailers": _grpc_web(13, framed(b"x", flags=TRAILERS)),
    "two frames for one message": _grpc_web(12, framed(b"") * 2),
    "a form without end": _form(_PART + b"--b\r\nContent-Dispo", _INVALID),
    "a form of 10,000 parts": _form(_PART * 10_000 + b"--b--\r\n", _INVALID),
    "a part with a head of 1 MiB": _form(b"--b\r\nX: " + b"y" * MIB, _LARGE),
    "a form that is none": _form(b"\xff" * 1000, _INVALID),
}


async def _answer(address: str, bad: Bad) -> bytes:
    """Returns what came until the answer has all that it has to have, or ended."""
    reader, writer = await asyncio.open_connection(*address.split(":"))
    answer = b""
    try:
        writer.write(bad.octets)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(ANSWER_S):
                while not all(each in answer for each in bad.told):
                    piece = await reader.read(1 << 16)
                    if not piece:
                        break
                    answer += piece
    finally:
        writer.transport.abort()
    return answer


async def send(address: str, at_once: int) -> list[str]:
    """Sends each case as many times at once; returns the answers that are wrong."""
    wrong = []
    for name, bad in CASES.items():
        answers = await asyncio.gather(*(_answer(address, bad) for _ in range(at_once)))
        wrong += [
            f"{name}: {answer[:300]!r}"
            for answer in answers
            if not all(each in answer for each in bad.told)
        ]
    return wrong


def sent(hosts: Hosts, *, at_once: int, times: int) -> tuple[list[str], float]:
    """Returns answers that are wrong, and the memory in MiB that stays; waits for all handlers.

    Raises:
        TimeoutError: a handler goes on.
    """
    wrong = uvloop.run(send(hosts.front.address, at_once))
    before_mib = hosts.front.process.resident_mib()
    for _ in range(times):
        wrong += uvloop.run(send(hosts.front.address, at_once))
    until(hosts.are_over, within_s=PATIENCE_S)
    return wrong, hosts.front.process.resident_mib() - before_mib


def bad_streams(folder: Path) -> Iterator[Outcome]:
    for is_proxy in (False, True):
        where = "forwarded to grpc.aio" if is_proxy else "in process"
        with hosted(folder, is_proxy=is_proxy) as hosts:
            wrong, more_mib = sent(hosts, at_once=AT_ONCE, times=TIMES)
            lines = hosts.logged()
        yield none_wrong(f"of {len(CASES)} requests, {where}, answers in other words", wrong)
        yield at_most("memory once all handlers are over", more_mib, MORE_MAX_MIB, "MiB more")
        yield none_wrong("lines in the log", lines)


R35: Final = Scenario("R35", "streams that are malformed, too large or without end", bad_streams)
