"""Compressed bodies, in and out, over real sockets."""

import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import brotli
import pytest

from tests.support.operations import Server, mounted, serving
from tests.support.tables import cases
from transcoder import Limits
from transcoder.http.encodings import zstd

BODY = b'{"name":"operations/a","timeout":"1.5s"}'
WAIT = "/google.longrunning.Operations/WaitOperation"
LONG = "operations/" + "x" * 5000
LARGE = b'{"name":"' + b"x" * 200_000 + b'"}'
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


def asked(session: aiohttp.ClientSession, path: str, accepted: str | None, **more: Any) -> Any:
    """A request that says what it accepts, and whose answer is left as it is."""
    return session.request(
        more.pop("verb", "GET"),
        path,
        headers={} if accepted is None else {"Accept-Encoding": accepted},
        skip_auto_headers=["Accept-Encoding"],
        auto_decompress=False,
        **more,
    )


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["whole", "chunked"])
async def test_a_compressed_body_is_what_it_was(
    server: Server, coding: str, is_chunked: bool
) -> None:
    session, servicer = server
    body = COMPRESS[coding](BODY)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 3):
            yield body[at : at + 3]

    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    data = pieces() if is_chunked else body
    # Else aiohttp takes the header for a wish of ours, and compresses what is compressed.
    async with session.post(WAIT, headers=headers, data=data, compress=False) as answer:
        assert (answer.status, await answer.read()) == (200, b'{"name":"operations/a"}')
    assert servicer.seen.timeout.ToMilliseconds() == 1500


async def test_codings_on_one_another_are_undone_in_turn(server: Server) -> None:
    session, _ = server
    headers = {"Content-Encoding": "gzip, identity, br", "Content-Type": "application/json"}
    body = brotli.compress(gzip.compress(BODY))
    async with session.post(WAIT, headers=headers, data=body) as answer:
        assert await answer.json() == {"name": "operations/a"}


@cases(
    "body, status, message",
    {
        "garbage": (b"{}", 400, "request body, sent as gzip, is not gzip"),
        "truncated": (gzip.compress(BODY)[:-9], 400, "request body, sent as gzip, ends early"),
        "more behind it": (
            gzip.compress(BODY) + b"\n",
            400,
            "request body, sent as gzip, goes on after its end",
        ),
        "large inside": (
            gzip.compress(bytes(2000)),
            413,
            "the request body, inflated, is larger than the limit of 1000 bytes",
        ),
        "no JSON inside": (
            gzip.compress(b"nil"),
            400,
            "body: expected JSON, got 'nil' at line 1, column 1",
        ),
    },
)
async def test_a_body_that_does_not_inflate_is_refused(
    body: bytes, status: int, message: str
) -> None:
    async with serving(limits=Limits(body_max_bytes=1000)) as (session, servicer):
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        async with session.post(WAIT, headers=headers, data=body) as answer:
            assert (answer.status, (await answer.json())["message"]) == (status, message)
        assert servicer.seen is None


async def test_an_empty_body_is_an_empty_message_whatever_its_headers_say(server: Server) -> None:
    session, _ = server

    async def nothing() -> AsyncIterator[bytes]:
        for _ in range(0):
            yield b""

    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    async with session.post(WAIT, headers=headers, data=nothing()) as answer:
        assert (answer.status, await answer.read()) == (200, b"{}")


@pytest.mark.parametrize("coding", COMPRESS)
@cases(
    "path, expected",
    {
        "on the loop": (f"/v1/{LONG}", b'{"name":"%s","done":true}' % LONG.encode()),
        "in a thread": ("/v1/operations/large", LARGE),
    },
)
async def test_a_large_answer_is_compressed_as_its_client_prefers(
    server: Server, coding: str, path: str, expected: bytes
) -> None:
    session, _ = server
    async with asked(session, path, f"{coding}, *;q=0") as answer:
        body = await answer.read()
    assert answer.headers["Content-Encoding"] == coding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Length"] == str(len(body))
    assert DECOMPRESS[coding](body) == expected
    assert len(body) < len(expected) / 10


@pytest.mark.parametrize("accepted", [None, "identity", "gzip;q=0", "deflate"])
async def test_client_that_accepts_no_coding_gets_none_and_caches_know(
    server: Server, accepted: str | None
) -> None:
    session, _ = server
    async with asked(session, "/v1/operations/large", accepted) as answer:
        assert await answer.read() == LARGE
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Vary"] == "Accept-Encoding"


async def test_a_small_answer_is_never_compressed(server: Server) -> None:
    session, _ = server
    async with asked(session, "/v1/operations/a", "gzip") as answer:
        assert await answer.read() == b'{"name":"operations/a","done":true}'
    assert answer.headers.keys().isdisjoint({"Content-Encoding", "Vary"})


async def test_an_answer_that_does_not_shrink_is_sent_as_it_is() -> None:
    async with (
        serving(compress_min_bytes=1) as (session, _),
        asked(session, "/v1/operations/a", "gzip") as answer,
    ):
        assert await answer.read() == b'{"name":"operations/a","done":true}'
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Vary"] == "Accept-Encoding"


async def test_a_large_error_is_compressed_too() -> None:
    async with (
        serving(compress_min_bytes=100) as (session, _),
        asked(session, "/v1/operations/rich", "gzip") as answer,
    ):
        body = gzip.decompress(await answer.read())
    assert answer.status == 400
    assert body.startswith(b'{"code":9,"message":"busy","details":[')


async def test_head_says_what_get_would(server: Server) -> None:
    session, _ = server
    said = []
    for verb in ("GET", "HEAD"):
        async with asked(session, "/v1/operations/large", "gzip", verb=verb) as answer:
            assert bool(await answer.read()) is (verb == "GET")
            names = ("Content-Encoding", "Content-Length", "Content-Type", "Vary")
            said.append([answer.headers[name] for name in names])
    assert said[0] == said[1]


async def test_compression_can_be_switched_off() -> None:
    async with serving(compress_min_bytes=None) as (session, _):
        async with asked(session, "/v1/operations/large", "gzip") as answer:
            assert await answer.read() == LARGE
        assert answer.headers.keys().isdisjoint({"Content-Encoding", "Vary"})
        headers = {"Content-Type": "application/grpc-web+proto", "Grpc-Accept-Encoding": "gzip"}
        name = LONG.encode()
        message = b"\x0a" + (len(name) & 0x7F | 0x80).to_bytes(1) + (len(name) >> 7).to_bytes(1)
        frame = b"\0" + (len(name) + 3).to_bytes(4) + message + name
        async with session.post(WAIT, headers=headers, data=frame) as answer:
            assert (await answer.read())[:8] == frame[:8]


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_an_answer_without_content_has_no_body(server: Server, status: int) -> None:
    session, _ = server
    async with session.get(f"/v1/operations/{status}") as answer:
        assert (answer.status, await answer.read()) == (status, b"")
        assert "Content-Type" not in answer.headers
        assert answer.headers.get("Content-Length") == ("0" if status == 205 else None)
    async with session.get("/v1/operations/a") as answer:  # the connection is still in step
        assert (answer.status, await answer.json()) == (200, {"name": "operations/a", "done": True})


@pytest.mark.parametrize("is_mounted", [False, True], ids=["run", "mounted in another"])
@cases(
    "body, coding, status",
    {
        "gzip": (gzip.compress(BODY), "gzip", 200),
        "zstd": (zstd.compress(BODY), "zstd", 200),
        "bomb": (gzip.compress(bytes(32 << 20)), "gzip", 413),
        "garbage": (b"{}", "gzip", 400),
        "unknown": (BODY, "unknown", 415),
    },
)
async def test_an_application_takes_the_same_codings(
    is_mounted: bool, body: bytes, coding: str, status: int
) -> None:
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    prefix = "/api" if is_mounted else ""
    async with (
        mounted(prefix) as (session, _),
        session.post(prefix + WAIT, headers=headers, data=body) as answer,
    ):
        assert answer.status == status, await answer.text()


async def test_garbage_that_the_application_inflates_is_named() -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with (
        mounted("/api") as (session, _),
        session.post(f"/api{WAIT}", headers=headers, data=b"{}") as answer,
    ):
        message = "request body: it is not what its Content-Encoding says"
        assert await answer.json() == {"code": 3, "message": message}


async def test_a_body_that_the_application_inflates_is_not_inflated_again() -> None:
    headers = {"Content-Encoding": "deflate", "Content-Type": "application/json"}
    async with (
        mounted("/api") as (session, _),
        session.post(f"/api{WAIT}", headers=headers, data=zlib.compress(BODY)) as answer,
    ):
        assert await answer.json() == {"name": "operations/a"}
