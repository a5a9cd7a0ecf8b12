"""Fetches from hostile web servers, and reads unusual answers."""

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from server.scripts.host import fetch, fetch_connection
from server.scripts.host.fetch import Fetcher
from server.scripts.host.fetch_answer import RESPONSE_MAX_BYTES
from server.scripts.host.fetch_connection import DIRECT_BYTES, RATE_MAX
from tests.support.hostile_sites import DRIPS, FLOODS, hostile_sites
from tests.support.tables import by_outcome, cases
from tests.unit.server.scripts.runner import LOCAL, Runner

TOO_MUCH = f"an answer of more than {RESPONSE_MAX_BYTES} bytes"
FEW_BYTES = 128 << 10
"""Max bytes that may arrive in the costliest form, so that the test is short."""

TOO_MUCH_SENT = f"an answer of more than {FEW_BYTES} bytes as sent"
TOO_MANY = "more than 5 informational answers"
on_the_loop_of_the_runner = pytest.mark.asyncio(loop_scope="module")
BODY = bytes(range(1, 127)) * 8000


@contextlib.asynccontextmanager
async def site(answer: bytes, *, closes: bool = False) -> AsyncIterator[str]:
    """Answers each request of a connection with the octets; yields its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
                if closes:
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@contextlib.asynccontextmanager
async def fetching() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(allow=LOCAL)
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def fetched(fetcher: Fetcher, url: str, **options: Any) -> Any:
    return json.loads(await fetcher.answer("org", json.dumps({"url": url, **options}).encode()))


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("flood", "error"),
    [
        pytest.param("100", TOO_MANY, id="100"),
        pytest.param("103", TOO_MANY, id="103"),
        pytest.param("body", TOO_MUCH, id="body"),
        pytest.param("extension", TOO_MUCH_SENT, id="one chunk extension"),
        pytest.param("extensions", TOO_MUCH_SENT, id="chunk extensions"),
        pytest.param("chunks", TOO_MUCH_SENT, id="small chunks"),
        pytest.param("trailers", "", id="trailers"),
        pytest.param("members", "an answer of more than 16 members of gzip", id="gzip members"),
        pytest.param("headers", "no answer from 127.0.0.1", id="headers"),
        pytest.param("header", "no answer from 127.0.0.1", id="one header"),
        pytest.param("status", "no answer from 127.0.0.1", id="status line"),
        pytest.param("no HTTP", "no answer from 127.0.0.1", id="no HTTP"),
    ],
)
def test_an_answer_without_end_is_an_error(
    run: Any, flood: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if error == TOO_MUCH_SENT:
        monkeypatch.setattr(fetch_connection, "WIRE_MAX_BYTES", FEW_BYTES)

    async def told() -> str:
        async with hostile_sites() as url, fetching() as fetcher:
            return str((await fetched(fetcher, f"{url}/{flood}"))["error"])

    assert run(told()).startswith(error)


def test_every_flood_is_in_the_table_above() -> None:
    (mark,) = (
        mark
        for mark in test_an_answer_without_end_is_an_error.pytestmark
        if mark.args[0] == ("flood", "error")
    )
    assert {param.values[0] for param in mark.args[1]} == FLOODS.keys() - {"answers"}


async def test_an_unrequested_answer_is_not_used_for_the_next_request() -> None:
    async with hostile_sites() as url, fetching() as fetcher:
        for _ in range(3):
            assert (await fetched(fetcher, f"{url}/answers"))["status"] == 204


async def test_a_few_informational_answers_are_passed_over() -> None:
    informational = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 5
    answer = informational + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    async with site(answer) as url, fetching() as fetcher:
        for _ in range(2):  # the second time on the same connection
            assert await fetched(fetcher, url) == {
                "status": 200,
                "headers": {"Content-Length": ["1"]},
                "body": "x",
            }


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@cases(
    "head, body, closes",
    {
        "of a length": (b"Content-Length: %d" % len(BODY), BODY, False),
        "to the end of the connection": (b"Connection: close", BODY, True),
        "in chunks": (
            b"Transfer-Encoding: chunked",
            b"".join(
                b"1f4\r\n%s\r\n" % BODY[at : at + 500].ljust(500) for at in range(0, len(BODY), 500)
            )
            + b"0\r\n\r\n",
            False,
        ),
    },
)
def test_a_large_answer_arrives_whole_and_is_not_read_faster_than_the_limit(
    run: Any, head: bytes, body: bytes, closes: bool
) -> None:
    async def told() -> tuple[Any, float]:
        octets = b"HTTP/1.1 200 OK\r\n%s\r\n\r\n%s" % (head, body)
        async with site(octets, closes=closes) as url, fetching() as fetcher:
            assert (await fetched(fetcher, url))["status"] == 200
            began = time.monotonic()
            return await fetched(fetcher, url), time.monotonic() - began

    answer, took_s = run(told())
    assert answer["body"].encode() == BODY
    assert took_s >= (len(BODY) - DIRECT_BYTES) / RATE_MAX * 0.9


async def test_all_members_of_a_gzip_body_are_inflated() -> None:
    body = b"".join(gzip.compress(part) for part in (b"[1", b"", b",2]"))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with site(head + body) as url, fetching() as fetcher:
        assert (await fetched(fetcher, url))["body"] == "[1,2]"


REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
ODD: dict[str, dict[str, bytes]] = {
    "an answer with other than UTF-8 in header X-Name": {
        "header in Latin-1": b"HTTP/1.1 200 OK\r\nX-Name: Jos\xe9\r\nContent-Length: 0\r\n\r\n"
    },
    "url: expected one of http or https, got 'http://xn--/'": {
        "redirect to no name": REDIRECT % b"http://xn--/"
    },
    "url: expected one of http or https, got ": {
        "redirect in Latin-1": REDIRECT % b"http://a\xe9/"
    },
    "url: expected one of http or https, got 'http://[::1'": {
        "redirect to no address": REDIRECT % b"http://[::1"
    },
}


@on_the_loop_of_the_runner
@by_outcome("answer, error", ODD)
async def test_an_odd_answer_is_an_error_that_a_script_can_catch(
    runner: Runner, answer: bytes, error: str
) -> None:
    async with site(answer) as url:
        source = f"""function f() {{
          try {{ require('zitadel/http').fetch('{url}') }} catch (e) {{ log(e.message) }}
          log('went on');
        }}"""
        said = (await runner.logged(source)).split("\n")
    assert said[0].startswith(error)
    assert said[1:] == ["went on"]


@pytest.mark.parametrize("value", ["Jos\u00e9", "\u20ac", "\U0001f600"])
async def test_a_header_of_a_request_is_sent_in_utf_8(value: str) -> None:
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, fetching() as fetcher:
        assert (await fetched(fetcher, url, headers=[["X-Name", value]]))["status"] == 204
    assert f"X-Name: {value}\r\n".encode() in heard


async def test_an_unexpected_error_is_logged_and_the_script_gets_our_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("secret of the host")

    monkeypatch.setattr(fetch, "read_response", fail)
    async with site(b"HTTP/1.1 204 No Content\r\n\r\n") as url, fetching() as fetcher:
        with capture_logs() as logs:
            assert await fetched(fetcher, url) == {"error": "fetch failed"}
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("fetch of a script failed", "error")
    ]


@on_the_loop_of_the_runner
@pytest.mark.parametrize("name", [*DRIPS, "body", "chunks"])
async def test_the_deadline_of_the_action_ends_the_connection(runner: Runner, name: str) -> None:
    async with hostile_sites() as url:
        source = f"""function f() {{
          for (;;) try {{ require('zitadel/http').fetch('{url}/{name}') }} catch (e) {{}}
        }}"""
        result = await runner.one(source, timeout_ms=500)
    assert result.failure is not None
    assert result.failure.text == "interrupt: the action was not done within 0.5 s"
    assert result.duration_us < 1_000_000


async def test_a_request_that_the_server_does_not_read_ends_with_its_fetch() -> None:
    reads = asyncio.Event()
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reads.wait()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass
        ended.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 10)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, fetching() as fetcher:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await fetched(fetcher, url, method="POST", body="x" * 1_000_000)
        reads.set()
        async with asyncio.timeout(5):
            await ended.wait()
