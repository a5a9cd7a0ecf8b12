"""Connections that begin with a header of the PROXY protocol, over real sockets."""

import asyncio
import contextlib
import logging
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.proxy_headers import (
    LOCAL,
    PROXY,
    SIGNATURE,
    TCP4,
    UNSPEC,
    binary,
    framed,
    line,
    tlv,
)
from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.http.first_bytes import PREFACE
from transcoder.http.forwarded import TrustedProxies
from transcoder.http.http2_pipes import Http2Pipes
from transcoder.http.request import Request
from transcoder.http.response import Answer
from transcoder.http.server import Listener
from transcoder.options import Limits

PATIENCE_S = 20.0
LIMITS = Limits(header_timeout_s=60.0, drain_timeout_s=5.0)
CLIENT = ("192.0.2.1", 5000)
HELLO = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
IN_PIECES = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
LOOPBACK = ["127.0.0.0/8"]


async def say_peer(request: Request) -> Answer:
    """Answers with the host and the port of who asks."""
    assert isinstance(request.peername, tuple)
    host, port = request.peername[:2]
    return Answer(200, [], f"{host} {port}".encode())


def refuse(error: TranscodeError, _request: Request | None) -> Answer:
    return Answer(error.http_status, [], error.message.encode())


async def turns(number: int) -> None:
    """Lets the listener, which runs on the same loop, read what has been sent."""
    for _ in range(number):
        await asyncio.sleep(0)


class Client:
    """A connection to the listener, from the place of a proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def own_name(self) -> str:
        host, port = self.writer.get_extra_info("sockname")[:2]
        return f"{host} {port}"

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            _, _, rest = head.lower().partition(b"content-length: ")
            return (await self.reader.readexactly(int(rest.partition(b"\r")[0]))).decode()

    async def end(self) -> bytes:
        """Returns all bytes until the listener closes the connection."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
        return b""


class Site:
    """A listener that expects headers of trusted proxies."""

    def __init__(
        self, trusted: list[str], limits: Limits = LIMITS, pipes: Http2Pipes | None = None
    ) -> None:
        proxies = TrustedProxies(trusted)
        self.listener = Listener(say_peer, refuse, limits=limits, http2=pipes, proxies=proxies)
        self.port = 0
        self._clients: list[Client] = []

    async def start(self) -> None:
        self.port = int((await self.listener.start("127.0.0.1:0")).rpartition(":")[2])

    async def connect(self, first: bytes = b"") -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        await client.send(first)
        return client

    async def close(self) -> None:
        for client in self._clients:
            client.writer.transport.abort()
        await self.listener.stop()


Serve = Callable[..., Awaitable[Site]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    sites: list[Site] = []

    async def start(
        trusted: list[str] = LOOPBACK, limits: Limits = LIMITS, pipes: Http2Pipes | None = None
    ) -> Site:
        sites.append(Site(trusted, limits, pipes))
        await sites[-1].start()
        return sites[-1]

    yield start
    for site in sites:
        await site.close()


HEADERS = {
    "version 1": (line(CLIENT), "192.0.2.1 5000"),
    "version 1, IPv6": (line(("2001:db8::1", 1), ("::1", 2)), "2001:db8::1 1"),
    "version 2": (binary(CLIENT), "192.0.2.1 5000"),
    "version 2, IPv6": (binary(("2001:db8::1", 1)), "2001:db8::1 1"),
    "with TLVs": (
        binary(CLIENT, tlvs=tlv(0x02, b"a.example") + tlv(0x04, bytes(1000))),
        "192.0.2.1 5000",
    ),
}


@pytest.mark.parametrize("request_bytes", [HELLO, IN_PIECES], ids=["whole", "chunked"])
@cases("header, expected", HEADERS)
async def test_a_header_names_the_client_of_all_requests(
    serve: Serve, header: bytes, expected: str, request_bytes: bytes
) -> None:
    client = await (await serve()).connect(header + request_bytes)
    assert await client.answer() == expected
    await client.send(request_bytes)
    assert await client.answer() == expected


@cases("header, expected", HEADERS)
async def test_a_header_may_come_byte_by_byte(serve: Serve, header: bytes, expected: str) -> None:
    client = await (await serve()).connect()
    for octet in header + HELLO:
        await client.send(bytes([octet]))
        await turns(1)
    assert await client.answer() == expected


@pytest.mark.parametrize("cut", [5, 11, 12, 13, 15, 16, 20, 27])
@pytest.mark.parametrize("header", [line(CLIENT), binary(CLIENT)], ids=["version 1", "version 2"])
async def test_a_header_may_come_in_two_parts(serve: Serve, header: bytes, cut: int) -> None:
    client = await (await serve()).connect(header[:cut])
    await turns(5)
    await client.send(header[cut:] + HELLO)
    assert await client.answer() == "192.0.2.1 5000"


@cases(
    "header",
    {
        "LOCAL": framed(LOCAL, UNSPEC),
        "UNSPEC": framed(PROXY, UNSPEC, tlv(0x04, b"ab")),
        "unix": framed(PROXY, 0x31, bytes(216)),
        "UNKNOWN": b"PROXY UNKNOWN\r\n",
    },
)
async def test_a_header_without_a_client_leaves_that_of_the_socket(
    serve: Serve, header: bytes
) -> None:
    client = await (await serve()).connect(header + HELLO)
    assert await client.answer() == client.own_name


@cases(
    "header",
    {
        "HTTP": HELLO,
        "HTTP/2": PREFACE,
        "garbage": bytes(range(1, 200)),
        "a line without an end": b"PROXY TCP4 " + b"1" * 200,
        "an end of line alone": b"PROXY UNKNOWN\n" + HELLO,
        "an unknown command": framed(0x2F, TCP4, bytes(12)),
        "an unknown kind": framed(PROXY, 0x44, bytes(12)),
        "too short": framed(PROXY, TCP4, bytes(11)),
        "too long": SIGNATURE + struct.pack("!BBH", PROXY, TCP4, 4097),
        "two headers": line(CLIENT) + line(CLIENT) + HELLO,
    },
)
async def test_a_connection_without_a_header_is_closed(serve: Serve, header: bytes) -> None:
    site = await serve()
    client = await site.connect(header)
    assert b"200" not in await client.end()
    other = await site.connect(line(CLIENT) + HELLO)
    assert await other.answer() == "192.0.2.1 5000"


@pytest.mark.parametrize("header", [line(CLIENT), binary(CLIENT)], ids=["version 1", "version 2"])
async def test_a_header_that_is_cut_off_closes_the_connection(serve: Serve, header: bytes) -> None:
    site = await serve()
    for length in range(len(header)):
        client = await site.connect(header[:length])
        client.writer.write_eof()
        assert await client.end() == b""


async def test_a_client_that_leaves_behind_its_header_is_no_fault(serve: Serve) -> None:
    site = await serve()
    client = await site.connect(binary(CLIENT))
    client.writer.transport.abort()
    other = await site.connect(binary(CLIENT) + HELLO)
    assert await other.answer() == "192.0.2.1 5000"


@cases("first", {"nothing": b"", "half of it": binary(CLIENT)[:20], "of a line": b"PROXY TCP4 1"})
async def test_a_header_has_a_deadline(serve: Serve, first: bytes) -> None:
    site = await serve(limits=Limits(header_timeout_s=0.2, drain_timeout_s=5.0))
    client = await site.connect(first)
    assert await client.end() == b""


async def test_a_connection_without_a_header_counts_as_open(serve: Serve) -> None:
    site = await serve(limits=replace(LIMITS, connections_max=1))
    silent = await site.connect(line(CLIENT)[:12])
    refused = await site.connect(line(CLIENT) + HELLO)
    assert await refused.end() == b""
    await silent.send(line(CLIENT)[12:] + HELLO)
    assert await silent.answer() == "192.0.2.1 5000"


async def test_a_drain_does_not_wait_for_headers(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = await serve(limits=Limits(header_timeout_s=600, drain_timeout_s=600))
    silent = await site.connect(line(CLIENT)[:12])
    second = await site.connect(line(CLIENT) + HELLO)
    await second.answer()  # so the first has been accepted
    second.writer.transport.abort()
    async with asyncio.timeout(PATIENCE_S):
        await site.listener.stop()
    assert await silent.end() == b""
    assert caplog.messages == []


async def test_who_is_not_trusted_is_closed_unread(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = await serve(["192.0.2.0/24", "unix"])
    for _ in range(3):
        client = await site.connect(line(CLIENT) + HELLO)
        assert await client.end() == b""
    (message,) = caplog.messages
    assert message.startswith("closed a connection of ('127.0.0.1', ")
    assert message.endswith("): it is not a trusted proxy's")


@cases(
    "first, reason",
    {
        "no header": (HELLO, "it does not begin with a header of the PROXY protocol"),
        "too late": (b"PROXY ", "its header did not come in time"),
    },
)
async def test_a_missing_header_is_logged_once_a_minute(
    serve: Serve, caplog: pytest.LogCaptureFixture, first: bytes, reason: str
) -> None:
    site = await serve(limits=Limits(header_timeout_s=0.2, drain_timeout_s=5.0))
    for _ in range(2):
        assert await (await site.connect(first)).end() == b""
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages[0].endswith(f": {reason}")


async def test_a_unix_socket_may_be_trusted(tmp_path: Path) -> None:
    listener = Listener(say_peer, refuse, limits=LIMITS, proxies=TrustedProxies(["unix"]))
    path = f"{tmp_path}/a"
    await listener.start(f"unix:{path}")
    client = Client(*await asyncio.open_unix_connection(path))
    await client.send(line(CLIENT) + HELLO)
    assert await client.answer() == "192.0.2.1 5000"
    client.writer.close()
    await listener.stop()


@pytest.mark.parametrize("header", [line(CLIENT), binary(CLIENT)], ids=["version 1", "version 2"])
async def test_a_header_comes_before_the_handshake_of_tls(tmp_path: Path, header: bytes) -> None:
    authority = Authority(tmp_path)
    listener = Listener(
        say_peer,
        refuse,
        limits=LIMITS,
        proxies=TrustedProxies(LOOPBACK),
        tls=authority.pair().server_context(),
    )
    port = int((await listener.start("127.0.0.1:0")).rpartition(":")[2])
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    await client.send(header)
    async with asyncio.timeout(PATIENCE_S):
        await client.writer.start_tls(authority.client_context(), server_hostname="localhost")
    await client.send(HELLO)
    assert await client.answer() == "192.0.2.1 5000"
    client.writer.transport.abort()
    await listener.stop()


async def test_a_header_within_tls_is_none(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.pair().server_context()
    proxies = TrustedProxies(LOOPBACK)
    listener = Listener(say_peer, refuse, limits=LIMITS, proxies=proxies, tls=tls)
    port = int((await listener.start("127.0.0.1:0")).rpartition(":")[2])
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port, ssl=authority.client_context()), PATIENCE_S
        )
    await listener.stop()


async def test_a_piped_connection_has_the_client_of_its_header(
    serve: Serve, tmp_path: Path
) -> None:
    pipes = Http2Pipes(f"unix:{tmp_path}/grpc")
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait((reader, writer))

    behind = await asyncio.start_unix_server(accept, f"{tmp_path}/grpc")
    site = await serve(pipes=pipes)
    await site.connect(binary(CLIENT) + PREFACE)
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await accepted.get()
        assert await reader.readexactly(len(PREFACE)) == PREFACE
    name = writer.get_extra_info("peername").decode().removeprefix("\0")
    assert pipes.client_of(f"unix-abstract:{name}") == "ipv4:192.0.2.1:5000"
    writer.close()
    behind.close()
    pipes.close()
