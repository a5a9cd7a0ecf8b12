"""Every protocol on a unix socket: the library's and the service's."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.app import Started
from server.rpc.connections import end_connections
from tests.support.composition import running
from tests.support.operations import Operations
from transcoder import Limits, Transcoder
from transcoder.http.half_closed import is_open

WAIT_S = 10
REQUEST = b"GET /v1/operations/a HTTP/1.1\r\nHost: a\r\n\r\n"


class Named(Operations):
    """Answers with who calls."""

    async def GetOperation(self, request: Any, context: Any) -> operations_pb2.Operation:
        return operations_pb2.Operation(name=context.peer())


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return "http.sock"


@pytest.fixture
async def transcoder() -> AsyncIterator[Transcoder]:
    made: Any = Transcoder(limits=Limits(connections_max=2, drain_timeout_s=5))
    operations_pb2_grpc.add_OperationsServicer_to_server(Named(), made)
    yield made
    await made.stop()


async def got(path: str, target: str, **headers: str) -> object:
    connector = aiohttp.UnixConnector(path)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"http://localhost{target}", headers=headers) as answer,
    ):
        return await answer.json()


def sockets() -> list[str]:
    """Returns the names of those in the working folder."""
    return sorted(path.name for path in Path().glob("*.sock"))


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return await reader.read()


async def test_a_transcoder_answers_at_a_path(transcoder: Transcoder, path: str) -> None:
    assert await transcoder.start(f"unix:{path}") == f"unix:{path}"
    assert await got(path, "/v1/operations/a") == {"name": "unix:"}
    await transcoder.stop()
    assert sockets() == []


async def test_the_form_of_a_url_is_the_same_path(transcoder: Transcoder, tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert await transcoder.start(f"unix://{path}") == f"unix:{path}"
    assert path.is_socket()


async def test_connections_over_the_limit_are_closed(transcoder: Transcoder, path: str) -> None:
    await transcoder.start(f"unix:{path}")
    held = [await asyncio.open_unix_connection(path) for _ in range(2)]
    for reader, writer in held:
        writer.write(REQUEST)
        await reader.readuntil(b"}")
    more, third = await asyncio.open_unix_connection(path)
    assert await answer_of(more) == b""
    for _, writer in (*held, (more, third)):
        writer.close()


async def test_a_half_closed_client_gets_its_answer(transcoder: Transcoder, path: str) -> None:
    await transcoder.start(f"unix:{path}")
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(REQUEST)
    writer.write_eof()
    assert (await answer_of(reader)).endswith(b'{"name":"unix:"}')
    writer.close()


async def test_a_half_closed_connection_is_distinguished_from_a_closed_one(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            wire, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, sock=listening.accept()[0]
            )
            wire.pause_reading()
            assert is_open(wire)
            client.shutdown(socket.SHUT_WR)
            assert is_open(wire)
        assert not is_open(wire)
        wire.abort()


async def test_a_second_transcoder_does_not_take_the_path(
    transcoder: Transcoder, path: str
) -> None:
    await transcoder.start(f"unix:{path}")
    with pytest.raises(OSError, match="another process listens there"):
        await Transcoder().start(f"unix:{path}")
    assert await got(path, "/v1/operations/a") == {"name": "unix:"}


@pytest.fixture
def service(path: str) -> AbstractAsyncContextManager[Started]:
    paths = {"listen": "unix:http.sock", "grpc_listen": "unix:grpc.sock"}
    return running(Path("data"), **paths)


async def health(path: str) -> int:
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
        return int(answer.status)


async def test_the_service_answers_at_two_paths(
    service: AbstractAsyncContextManager[Started],
) -> None:
    async with service as started:
        assert (started.listen, started.grpc_listen) == ("unix:http.sock", "unix:grpc.sock")
        modes = [stat.S_IMODE(os.lstat(name).st_mode) for name in ("http.sock", "grpc.sock")]
        assert modes == [0o660, 0o660]
        assert await got("http.sock", "/readyz") == {"status": "SERVING"}
        for path in ("grpc.sock", "http.sock"):
            assert await health(path) == health_pb2.HealthCheckResponse.SERVING
    assert sockets() == []


async def test_the_service_replaces_sockets_that_were_left(
    service: AbstractAsyncContextManager[Started],
) -> None:
    for name in ("http.sock", "grpc.sock"):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(name)
    async with service:
        assert await got("http.sock", "/readyz") == {"status": "SERVING"}
        assert await health("grpc.sock") == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("name", ["http.sock", "grpc.sock"])
async def test_the_service_takes_no_path_that_somebody_listens_on(
    service: AbstractAsyncContextManager[Started], name: str
) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(name)
        other.listen()
        with pytest.raises(OSError, match=rf"on unix:{name} .*: Address already in use"):
            async with service:
                pass
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(name)


async def test_the_command_line_calls_at_a_path(
    service: AbstractAsyncContextManager[Started], protocol: str
) -> None:
    async with service:
        address = "unix:grpc.sock" if protocol == "grpc" else "unix:http.sock"
        called = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server", "call", "ListFlowTypes"),
            *("--protocol", protocol, "--address", address),
            stdout=subprocess.PIPE,
        )
        output, _ = await called.communicate()
    assert (called.returncode, b'"result"' in output) == (0, True)


@pytest.fixture
def listening(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)
        made.listen()
        yield made


def test_connections_of_a_path_that_do_not_read_are_ended(
    listening: socket.socket, path: str
) -> None:
    with socket.socket(socket.AF_UNIX) as quick, socket.socket(socket.AF_UNIX) as slow:
        for client in (quick, slow):
            client.connect(path)
            client.settimeout(WAIT_S)
        accepted = [listening.accept()[0] for _ in range(2)]
        for connection in accepted:
            connection.sendall(b"answer")
        assert quick.recv(6) == b"answer"
        assert end_connections("elsewhere", {"unix:"}) == 0
        assert end_connections(path, {"unix:"}) == 1
        assert slow.recv(7) == b"answer"
        assert slow.recv(1) == b""
        accepted[0].sendall(b"more")
        assert quick.recv(4) == b"more"
        for connection in accepted:
            connection.close()
