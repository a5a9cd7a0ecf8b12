"""Connections over TLS: handshakes, ALPN, certificates that change, deadlines, drain."""

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.tables import cases
from transcoder.http.body import read_body
from transcoder.http.first_bytes import PREFACE
from transcoder.http.forwarded import TrustedProxies
from transcoder.http.http2_pipes import Http2Pipes
from transcoder.http.request import Request
from transcoder.http.response import Answer
from transcoder.http.server import Listener
from transcoder.http.tls import TlsContext
from transcoder.options import Limits

PATIENCE_S = 20.0
LIMITS = Limits(drain_timeout_s=PATIENCE_S)
HELLO = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def authority() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        yield Authority(Path(folder))


async def within(waiting: Awaitable[Any]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        return await waiting


async def echo(request: Request) -> Answer:
    return Answer(200, [], await read_body(request, LIMITS, None))


def refuse(error: Exception, _request: Request | None = None) -> Answer:
    return Answer(400, [("Connection", "close")], str(error).encode())


class Site:
    """A listener with TLS, and perhaps a server behind pipes, which keeps what it accepts."""

    def __init__(
        self, tls: TlsContext, limits: Limits, http2: Http2Pipes | None, answer: Any, **more: Any
    ) -> None:
        self.listener = Listener(answer, refuse, limits=limits, http2=http2, tls=tls, **more)
        self.port = 0
        self.accepted: asyncio.Queue[Streams] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.accepted.put_nowait((reader, writer))

    def close_all(self) -> None:
        for writer in self.writers:
            writer.close()

    async def connect(self, tls: ssl.SSLContext | None) -> Streams:
        streams: Streams = await within(
            asyncio.open_connection("localhost", self.port, ssl=tls, ssl_handshake_timeout=None)
            if tls is None
            else asyncio.open_connection("localhost", self.port, ssl=tls)
        )
        self.writers.append(streams[1])
        return streams


Serve = Callable[..., Awaitable[Site]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with contextlib.AsyncExitStack() as running:

        async def start(
            tls: TlsContext,
            *,
            limits: Limits = LIMITS,
            is_piped: bool = False,
            answer: Any = echo,
            **more: Any,
        ) -> Site:
            http2 = None
            if is_piped:
                path = f"{running.enter_context(tempfile.TemporaryDirectory())}/grpc.sock"
                http2 = Http2Pipes(f"unix:{path}")
                running.callback(http2.close)
            site = Site(tls, limits, http2, answer, **more)
            if http2 is not None:
                behind = await asyncio.start_unix_server(site.accept, http2.path)
                running.callback(behind.close)
            site.port = int((await site.listener.start("localhost:0")).rpartition(":")[2])
            running.push_async_callback(site.listener.stop)
            running.callback(site.close_all)
            return site

        yield start


async def answer_of(streams: Streams) -> bytes:
    """Sends a request, and returns the body of the answer."""
    reader, writer = streams
    writer.write(HELLO)
    head = await within(reader.readuntil(b"\r\n\r\n"))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    body: bytes = await within(reader.readexactly(5))
    return body


async def is_closed(streams: Streams) -> bool:
    """True if the server closes the connection without an octet."""
    try:
        return bool(await within(streams[0].read()) == b"")
    except (ConnectionError, ssl.SSLError):
        return True


async def test_requests_are_answered_over_tls(serve: Serve, authority: Authority) -> None:
    site = await serve(authority.pair().server_context())
    streams = await site.connect(authority.client_context())
    assert [await answer_of(streams) for _ in range(3)] == [b"hello"] * 3


async def test_a_request_in_pieces_is_answered_over_tls(serve: Serve, authority: Authority) -> None:
    site = await serve(authority.pair().server_context())
    reader, writer = await site.connect(authority.client_context())
    for octet in HELLO:
        writer.write(bytes([octet]))
        await writer.drain()
    assert (await within(reader.readuntil(b"hello"))).startswith(b"HTTP/1.1 200 OK\r\n")


@cases(
    "is_piped, offered, agreed",
    {
        "both, as a browser": (True, ["h2", "http/1.1"], "http/1.1"),
        "h2 alone, as gRPC": (True, ["h2"], "h2"),
        "http/1.1 alone": (True, ["http/1.1"], "http/1.1"),
        "none": (True, [], None),
        "both, without pipes": (False, ["h2", "http/1.1"], "http/1.1"),
        "h2 alone, without pipes": (False, ["h2"], None),
    },
)
async def test_http1_is_preferred_and_h2_agreed_on_if_it_is_served(
    *, serve: Serve, authority: Authority, is_piped: bool, offered: list[str], agreed: str | None
) -> None:
    site = await serve(authority.pair().server_context(), is_piped=is_piped)
    context = authority.client_context()
    if offered:
        context.set_alpn_protocols(offered)
    streams = await site.connect(context)
    assert streams[1].get_extra_info("ssl_object").selected_alpn_protocol() == agreed
    if agreed == "h2":
        streams[1].write(PREFACE)
        reader, writer = await within(site.accepted.get())
        assert await within(reader.readexactly(len(PREFACE))) == PREFACE
        writer.write(b"an answer")
        assert await within(streams[0].readexactly(9)) == b"an answer"
    else:
        assert await answer_of(streams) == b"hello"


async def test_a_million_octets_pass_a_pipe_over_tls_each_way(
    serve: Serve, authority: Authority
) -> None:
    site = await serve(authority.pair().server_context(), is_piped=True)
    reader, writer = await site.connect(authority.client_context())
    sent = PREFACE + bytes(1 << 20)
    writer.write(sent)
    behind_reads, behind_writes = await within(site.accepted.get())
    assert await within(behind_reads.readexactly(len(sent))) == sent
    behind_writes.write(sent)
    behind_writes.close()
    assert await within(reader.read()) == sent


async def test_a_preface_may_come_an_octet_at_a_time_over_tls(
    serve: Serve, authority: Authority
) -> None:
    site = await serve(authority.pair().server_context(), is_piped=True)
    _, writer = await site.connect(authority.client_context())
    for octet in PREFACE:
        writer.write(bytes([octet]))
        await writer.drain()
    reader, _ = await within(site.accepted.get())
    assert await within(reader.readexactly(len(PREFACE))) == PREFACE


@cases(
    "limits, sent",
    {
        "half of it": (Limits(header_timeout_s=0.3), PREFACE[:12]),
        "nothing": (Limits(keepalive_timeout_s=0.3), b""),
    },
)
async def test_a_preface_that_does_not_go_on_is_cut_over_tls(
    serve: Serve, authority: Authority, limits: Limits, sent: bytes
) -> None:
    site = await serve(authority.pair().server_context(), limits=limits, is_piped=True)
    context = authority.client_context()
    context.set_alpn_protocols(["h2"])
    streams = await site.connect(context)
    streams[1].write(sent)
    assert await is_closed(streams)
    assert site.accepted.empty()


@cases(
    "sent",
    {"nothing": b"", "a part of a hello": b"\x16\x03\x01\x00\xc5\x01\x00"},
)
async def test_a_handshake_that_does_not_go_on_is_cut(
    serve: Serve, authority: Authority, sent: bytes
) -> None:
    limits = Limits(header_timeout_s=0.3)
    site = await serve(authority.pair().server_context(), limits=limits)
    streams = await site.connect(None)
    streams[1].write(sent)
    assert await is_closed(streams)


async def test_handshakes_count_as_open_connections(serve: Serve, authority: Authority) -> None:
    limits = Limits(connections_max=1, header_timeout_s=PATIENCE_S)
    site = await serve(authority.pair().server_context(), limits=limits)
    _, silent = await site.connect(None)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await answer_of(await site.connect(authority.client_context()))
    silent.transport.abort()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                assert await answer_of(await site.connect(authority.client_context())) == b"hello"
                return


async def test_what_is_not_tls_is_closed_and_others_are_served(
    serve: Serve, authority: Authority
) -> None:
    site = await serve(authority.pair().server_context())
    plain = await site.connect(None)
    plain[1].write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await within(plain[0].read())).find(b"HTTP") == -1
    assert await answer_of(await site.connect(authority.client_context())) == b"hello"


async def test_each_connection_has_the_context_of_its_time(
    serve: Serve, authority: Authority
) -> None:
    contexts = [authority.pair(name).server_context() for name in ("first", "second")]
    site = await serve(lambda: contexts[0])
    seen = []
    for _ in range(2):
        streams = await site.connect(authority.client_context())
        ((_, name),) = streams[1].get_extra_info("peercert")["subject"][0]
        seen.append(name)
        assert await answer_of(streams) == b"hello"
        contexts.reverse()
    assert seen == ["first", "second"]


@cases("has_certificate", {"with one": True, "without": False})
async def test_a_client_needs_a_certificate_if_the_context_says_so(
    *, serve: Serve, authority: Authority, has_certificate: bool
) -> None:
    context = authority.pair().server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.path)
    site = await serve(context)
    client = authority.client_context(authority.pair("client") if has_certificate else None)
    if has_certificate:
        assert await answer_of(await site.connect(client)) == b"hello"
    else:
        with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
            await answer_of(await site.connect(client))


async def test_a_client_that_reads_slowly_gets_all_of_a_last_answer(
    serve: Serve, authority: Authority
) -> None:
    size = 8 << 20

    async def large(_request: Request) -> Answer:
        return Answer(200, [("Connection", "close")], bytes(size))

    site = await serve(authority.pair().server_context(), answer=large)
    reader, writer = await site.connect(authority.client_context())
    writer.write(HELLO)
    await within(reader.readuntil(b"\r\n\r\n"))
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # of sockets
    await asyncio.sleep(1.5)  # the answer waits for its reader, longer than a client lingers
    writer.transport.resume_reading()  # type: ignore[attr-defined]  # of sockets
    assert len(await within(reader.read())) == size


async def test_the_proxy_protocol_comes_before_tls(serve: Serve, authority: Authority) -> None:
    seen: list[object] = []

    async def note(request: Request) -> Answer:
        seen.append(request.peername)
        return await echo(request)

    proxies = TrustedProxies(["127.0.0.0/8"])
    site = await serve(authority.pair().server_context(), answer=note, proxies=proxies)
    reader, writer = await site.connect(None)
    writer.write(b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 443\r\n")
    await writer.start_tls(authority.client_context(), server_hostname="localhost")
    assert await answer_of((reader, writer)) == b"hello"
    assert seen == [("192.0.2.7", 4000)]


async def test_a_drain_sends_the_answer_in_flight_and_closes_handshakes(
    serve: Serve, authority: Authority
) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> Answer:
        begun.set()
        await released.wait()
        return await echo(request)

    limits = Limits(header_timeout_s=0.5, drain_timeout_s=PATIENCE_S)
    site = await serve(authority.pair().server_context(), limits=limits, answer=wait)
    await site.connect(None)
    answering = asyncio.create_task(answer_of(await site.connect(authority.client_context())))
    await within(begun.wait())
    stopping = asyncio.create_task(site.listener.stop())
    await asyncio.sleep(0)
    released.set()
    assert await within(answering) == b"hello"
    await within(stopping)


async def test_a_client_that_reads_nothing_is_cut_over_tls(
    serve: Serve, authority: Authority
) -> None:
    ended = asyncio.Event()

    async def endless(request: Request) -> None:
        await request.begin(200, [])
        try:
            while True:
                await request.write(bytes(65536))
        finally:
            ended.set()

    limits = Limits(write_timeout_s=0.5)
    site = await serve(authority.pair().server_context(), limits=limits, answer=endless)
    _, writer = await site.connect(authority.client_context())
    writer.write(HELLO)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # of sockets
    await within(ended.wait())
