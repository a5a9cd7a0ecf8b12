"""One port: connections over HTTP/2 are piped to another server, the others are answered."""

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.http.first_bytes import PREFACE
from transcoder.http.http2_pipes import Http2Pipes
from transcoder.http.request import Request
from transcoder.http.response import Answer, HeaderList
from transcoder.http.server import Listener
from transcoder.options import Limits

PATIENCE_S = 20.0
HELLO = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
MORE = b"what follows the preface"
LIMITS = Limits(drain_timeout_s=5.0)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Site:
    """A listener, and the server behind its pipes.

    Attributes:
        pipes: those of the listener.
        port: of the listener.
        accepted: the connections that the server behind has.
    """

    def __init__(self, folder: str, limits: Limits, connections_max: int) -> None:
        self.path = f"{folder}/grpc.sock"
        self.pipes = Http2Pipes(f"unix:{self.path}", connections_max=connections_max)
        self.listener = Listener(hello, refuse, limits=limits, http2=self.pipes)
        self.port = 0
        self.accepted: asyncio.Queue[Streams] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []
        self._behind: asyncio.Server | None = None

    async def start(self) -> None:
        self.port = int((await self.listener.start("127.0.0.1:0")).rpartition(":")[2])

    async def listen_behind(self) -> None:
        self._behind = await asyncio.start_unix_server(self._accept, self.path)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.accepted.put_nowait((reader, writer))

    async def connect(self, first: bytes = b"") -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        writer.write(first)
        return reader, writer

    async def pipe(self) -> tuple[Streams, Streams]:
        """Returns both ends of a new pipe, at the client and at the server."""
        client = await self.connect(PREFACE)
        server = await self.behind()
        assert await within(server[0].readexactly(len(PREFACE))) == PREFACE
        return client, server

    async def behind(self) -> Streams:
        accepted: Streams = await within(self.accepted.get())
        return accepted

    async def close(self) -> None:
        for writer in self._writers:
            if not writer.is_closing():
                writer.transport.abort()
        await self.listener.stop()
        self.pipes.close()
        if self._behind is not None:
            self._behind.close()


async def within(waiting: Awaitable[Any]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        return await waiting


async def true_soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Returns what comes until the connection is closed."""
    with contextlib.suppress(ConnectionError):
        return bytes(await within(reader.read()))
    return b""


async def hello(_request: Request) -> Answer:
    return Answer(200, [], b"hello")


def refuse(error: Exception, _request: Request | None = None) -> Answer:
    headers: HeaderList = [("Connection", "close")]
    return Answer(400, headers, str(error).encode())


Serve = Callable[..., Awaitable[Site]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with contextlib.AsyncExitStack() as running:

        async def start(
            limits: Limits = LIMITS, connections_max: int = 100, *, is_behind: bool = True
        ) -> Site:
            folder = running.enter_context(tempfile.TemporaryDirectory())
            site = Site(folder, limits, connections_max)
            running.push_async_callback(site.close)
            await site.start()
            if is_behind:
                await site.listen_behind()
            return site

        yield start


@cases(
    "sent",
    {
        "whole": [PREFACE + MORE],
        "the preface alone, then more": [PREFACE, MORE],
        "in two parts": [PREFACE[:3], PREFACE[3:] + MORE],
        "an octet at a time": [bytes([octet]) for octet in PREFACE + MORE],
    },
)
async def test_http2_reaches_the_server_behind_and_back(serve: Serve, sent: list[bytes]) -> None:
    site = await serve()
    client_reads, client_writes = await site.connect()
    for part in sent:
        client_writes.write(part)
        await client_writes.drain()
        await asyncio.sleep(0.002)  # lets the parts arrive apart; any other way passes, too
    reads, writes = await site.behind()
    assert await within(reads.readexactly(len(PREFACE + MORE))) == PREFACE + MORE
    writes.write(b"an answer")
    assert await within(client_reads.readexactly(9)) == b"an answer"


@cases(
    "sent",
    {
        "a GET": [HELLO],
        "a POST, an octet at a time": [bytes([octet]) for octet in HELLO.replace(b"GET", b"POST")],
        "a PUT behind its P": [b"P", HELLO.replace(b"GET", b"UT")],
    },
)
async def test_http1_is_answered_on_the_same_port(serve: Serve, sent: list[bytes]) -> None:
    site = await serve()
    reader, writer = await site.connect()
    for part in sent:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.002)
    answer = await end_of(reader)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"hello")


@cases(
    "sent",
    {
        "another version": PREFACE.replace(b"2.0", b"2.1"),
        "another last octet": PREFACE[:-1] + b"x",
        "a part, then the end of input": PREFACE[:10],
    },
)
async def test_what_is_neither_is_refused_as_without_pipes(serve: Serve, sent: bytes) -> None:
    site = await serve()
    reader, writer = await site.connect(sent)
    writer.write_eof()
    answer = await end_of(reader)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert site.accepted.empty()


@cases(
    "limits, sent",
    {
        "half a preface": (Limits(header_timeout_s=0.2), PREFACE[:12]),
        "nothing": (Limits(keepalive_timeout_s=0.2), b""),
    },
)
async def test_who_never_sends_the_rest_is_cut(serve: Serve, limits: Limits, sent: bytes) -> None:
    site = await serve(limits)
    reader, _ = await site.connect(sent)
    assert await end_of(reader) == b""


async def test_open_pipes_count_as_connections_of_the_listener(serve: Serve) -> None:
    site = await serve(Limits(connections_max=2))
    (_, first), _ = await site.pipe()
    await site.pipe()
    reader, _ = await site.connect(HELLO)
    assert await end_of(reader) == b""
    first.close()
    await true_soon(lambda: len(site.pipes.connections()) == 1)
    reader, _ = await site.connect(HELLO)
    assert (await end_of(reader)).endswith(b"hello")


async def test_pipes_above_their_own_limit_are_closed(serve: Serve) -> None:
    site = await serve(connections_max=1)
    await site.pipe()
    reader, _ = await site.connect(PREFACE)
    assert await end_of(reader) == b""
    reader, _ = await site.connect(HELLO)
    assert (await end_of(reader)).endswith(b"hello")


async def test_without_a_server_behind_clients_are_closed_and_one_warning_is_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = await serve(is_behind=False)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            reader, _ = await site.connect(PREFACE)
            assert await end_of(reader) == b""
    assert caplog.messages == [
        "cannot pipe a connection to the gRPC server: no such file or directory"
    ]
    await site.listen_behind()
    await site.pipe()


async def test_the_client_reads_all_that_the_server_sent_before_it_closed(serve: Serve) -> None:
    (reader, _), (_, server) = await (await serve()).pipe()
    server.write(b"x" * 1_000_000)
    server.close()
    assert await end_of(reader) == b"x" * 1_000_000


async def test_the_server_sees_a_client_that_leaves(serve: Serve) -> None:
    site = await serve()
    (_, client), (reader, _) = await site.pipe()
    client.close()
    assert await end_of(reader) == b""
    await true_soon(lambda: site.pipes.connections() == [])


async def test_a_client_that_left_while_it_was_connected_leaves_nothing(serve: Serve) -> None:
    site = await serve()
    for _ in range(30):
        _, client = await site.connect(PREFACE)
        client.transport.abort()
    reader, _ = await site.connect(HELLO)  # accepted behind them all
    await end_of(reader)
    await true_soon(lambda: site.pipes.connections() == [])
    while not site.accepted.empty():
        assert await end_of((await site.behind())[0]) in {b"", PREFACE}


async def test_who_does_not_read_an_answer_is_aborted_and_its_server_waits_meanwhile(
    serve: Serve,
) -> None:
    site = await serve(Limits(write_timeout_s=0.5))
    (reader, client), (_, server) = await site.pipe()
    client.transport.pause_reading()  # type: ignore[attr-defined]  # of sockets
    sent = 0
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            while sent < 1 << 30:
                server.write(b"x" * 65536)
                sent += 65536
                await server.drain()
    assert sent < 64 << 20
    await true_soon(lambda: site.pipes.connections() == [])
    del reader


async def test_what_a_server_does_not_read_stays_with_the_client(serve: Serve) -> None:
    (_, client), (server_reads, server) = await (await serve()).pipe()
    server.transport.pause_reading()  # type: ignore[attr-defined]  # of sockets
    total, sent = 32 << 20, 0
    blocked = asyncio.Event()

    async def send() -> None:
        nonlocal sent
        while sent < total:
            client.write(b"y" * 65536)
            sent += 65536
            if client.transport.get_write_buffer_size() > 65536:
                blocked.set()
            await client.drain()

    sending = asyncio.create_task(send())
    await within(blocked.wait())
    assert sent < total
    server.transport.resume_reading()  # type: ignore[attr-defined]  # of sockets
    received = 0
    while received < total:
        received += len(await within(server_reads.read(1 << 20)))
    await within(sending)
    assert received == total


async def test_a_drain_of_the_listener_leaves_pipes_to_their_server(serve: Serve) -> None:
    site = await serve()
    (reader, client), (server_reads, server) = await site.pipe()
    await within(site.listener.stop())
    client.write(MORE)
    assert await within(server_reads.readexactly(len(MORE))) == MORE
    server.write(b"the last answer")
    server.close()
    assert await end_of(reader) == b"the last answer"


async def test_close_aborts_what_is_left(serve: Serve) -> None:
    site = await serve()
    (reader, _), (server_reads, _) = await site.pipe()
    site.pipes.close()
    assert await end_of(reader) == b""
    assert await end_of(server_reads) == b""


async def test_connections_are_listed_and_ended_by_peer(serve: Serve) -> None:
    site = await serve()
    (first, client), (server_reads, _) = await site.pipe()
    client.write(MORE)
    await within(server_reads.readexactly(len(MORE)))
    (second, _), _ = await site.pipe()
    used, unused = site.pipes.connections()
    assert (used.received_bytes, unused.received_bytes) == (len(PREFACE + MORE), len(PREFACE))
    assert site.pipes.end([unused.peer, "ipv4:192.0.2.1:1"]) == ["ipv4:192.0.2.1:1"]
    assert await end_of(second) == b""
    assert [each.peer for each in site.pipes.connections()] == [used.peer]
    assert not first.at_eof()


async def test_a_server_of_grpc_learns_the_address_of_its_client(serve: Serve) -> None:
    site = await serve(is_behind=False)
    peers: list[str] = []

    async def handle(_request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        peers.append(context.peer())
        return b""

    handlers: dict[str, Any] = {"Get": grpc.unary_unary_rpc_method_handler(handle)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", handlers),))
    server.add_insecure_port(f"unix:{site.path}")
    await server.start()
    addresses: list[str] = []
    for _ in range(2):
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{site.port}", options) as channel:
            method: Any = channel.unary_unary("/a.B/Get")
            await within(method(b""))
        addresses.append(site.pipes.client_of(peers[-1]))
    await server.stop(0)
    assert len({*peers}) == len({*addresses}) == 2
    assert all(address.startswith("ipv4:127.0.0.1:") for address in addresses)
    assert site.pipes.client_of("ipv4:192.0.2.1:1") == "ipv4:192.0.2.1:1"


@cases(
    "address, connections_max, expected",
    {
        "host and port": ("localhost:1", 1, "address 'localhost:1': expected unix:path"),
        "no path": ("unix:", 1, "address 'unix:': expected a path of 1 to 107 bytes behind unix:"),
        "no connections": ("unix:a", 0, "connections_max: expected 1 or more, got 0"),
    },
)
def test_invalid_arguments_are_refused(address: str, connections_max: int, expected: str) -> None:
    with misconfigured(expected):
        Http2Pipes(address, connections_max=connections_max)


def test_a_socket_is_left_to_its_server(tmp_path: Path) -> None:
    Http2Pipes(f"unix:{tmp_path}/a")
    assert [*tmp_path.iterdir()] == []
