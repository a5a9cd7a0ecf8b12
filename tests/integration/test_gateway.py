"""The command `transcoder` in front of a gRPC server, as an operator starts it."""

import asyncio
import signal
import ssl
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from aiohttp import TCPConnector

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.certificates import Authority, Pair
from tests.support.processes import ROOT
from tests.support.remote_shop import Shop, serving
from tests.support.tables import cases

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHIN_S = 50


async def started(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "transcoder", *arguments, cwd=ROOT, stdout=PIPE, stderr=PIPE
    )


async def ran(*arguments: str) -> tuple[int | None, str, str]:
    process = await started(*arguments)
    out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    return process.returncode, out.decode(), err.decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target() -> AsyncIterator[str]:
    server, port = await serving(Shop(), reflection="v1alpha")
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_one_command_serves_a_server_that_has_reflection(target: str) -> None:
    process = await started(target, "--listen", "127.0.0.1:0", "--prefix", "/shop", "--strict")
    try:
        async with asyncio.timeout(WITHIN_S):
            logged = await log_until(process, "INFO listening on ")
            async with aiohttp.ClientSession(f"http://{logged}") as client:
                while (await client.get("/readyz")).status != 200:
                    await asyncio.sleep(0.1)
                async with client.get("/shop/v1/items/pen") as answer:
                    assert await answer.json() == {"name": "pen"}
                async with client.get("/shop/v1/items/pen?nope=1") as answer:
                    assert answer.status == 400
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class SlowShop(Shop):
    """Answers when it is told to.

    Attributes:
        is_asked: set by the first call.
        may_answer: what calls wait for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def get(self, request: bytes, context: Any) -> bytes:
        self.is_asked.set()
        await self.may_answer.wait()
        return await super().get(request, context)


async def test_several_servers_are_served_by_tls_until_their_calls_have_ended(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    pair = authority.pair("server")
    own = authority.pair("client")
    shop = SlowShop()
    shops, shop_port = await serving(shop, reflection="v1", tls=pair, clients_of=authority)
    echoes, echo_port = await serving_echo(pair)
    options = [
        *("--route", f"echo.v1.Echo=127.0.0.1:{echo_port}", "--max-body-bytes", "40"),
        *("--server-ca", str(authority.path)),
        *("--server-cert", str(own.certificate), "--server-key", str(own.key)),
        *pair.options,
        *("--tls-client-ca", str(authority.path), "--openapi-title", "Both"),
    ]
    target = f"127.0.0.1:{shop_port}"
    process = await started("tests.proto.echo_pb2", target, "--listen", "127.0.0.1:0", *options)
    trusted = TCPConnector(ssl=authority.client_context(own))
    try:
        async with asyncio.timeout(WITHIN_S):
            url = f"https://{await log_until(process, 'INFO listening on ')}"
            async with aiohttp.ClientSession(url, connector=trusted) as client:
                while (await client.get("/readyz")).status != 200:
                    await asyncio.sleep(0.1)
                async with client.post("/echo.v1.Echo/Say", json={"count": 7}) as answer:
                    assert await answer.json() == {"index": 7}
                async with client.post("/echo.v1.Echo/Say", json={"name": "n" * 40}) as answer:
                    assert answer.status == 413
                async with client.get("/openapi.json") as answer:
                    document = await answer.json()
                    assert document["info"]["title"] == "Both"
                    assert {"/echo.v1.Echo/Say", "/v1/items/{name}"} <= document["paths"].keys()
                renewed = authority.pair("renewed")
                renewed.certificate.replace(pair.certificate)
                renewed.key.replace(pair.key)
                await log_until(process, "certificates are read again")
                assert await common_name(url, authority.client_context(own)) == "renewed"
                call = asyncio.create_task(client.get("/v1/items/pen"))
                await shop.is_asked.wait()
                process.send_signal(signal.SIGTERM)
                await refused(url, authority.client_context(own))
                shop.may_answer.set()
                assert await (await call).json() == {"name": "pen"}
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await shops.stop(None)
        await echoes.stop(None)


async def common_name(url: str, tls: ssl.SSLContext) -> str:
    """Returns the name in the certificate of a server."""
    host, _, port = url.removeprefix("https://").rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=tls)
    certificate = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()
    return str(dict(field for (field,) in certificate["subject"])["commonName"])


async def refused(url: str, tls: ssl.SSLContext) -> None:
    """Waits until connections are refused."""
    while True:
        try:
            async with aiohttp.ClientSession(connector=TCPConnector(ssl=tls)) as client:
                await client.get(f"{url}/healthz")
        except aiohttp.ClientConnectionError:
            return
        await asyncio.sleep(0.05)


class Echo(echo_pb2_grpc.EchoServicer):
    """Answers the count of a request as the index."""

    async def Say(self, request: EchoRequest, context: Any) -> EchoReply:
        return EchoReply(index=request.count)


async def serving_echo(tls: Pair) -> tuple[grpc.aio.Server, int]:
    server: Any = grpc.aio.server()
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(), server)
    pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    return server, port


async def log_until(process: Process, text: str) -> str:
    """Returns what follows a text in the log."""
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode():
        if text in line:
            return line.partition(text)[2].strip()
    raise EOFError(text)


async def test_the_routes_of_a_server_are_printed(target: str) -> None:
    status, out, err = await ran(target, "--routes")
    assert (status, err) == (0, "")
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["HTTP", "PATH", "METHOD"],
        ["POST", "/shop.v1.Shop/Get", "shop.v1.Shop.Get"],
        ["GET", "/v1/items/{name}", "shop.v1.Shop.Get"],
    ]


async def test_a_server_is_called_by_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, port = await serving(Shop(), reflection="v1", tls=authority.pair("server"))
    target = f"127.0.0.1:{port}"
    try:
        status, _, err = await ran(target, "--server-ca", str(authority.path), "--check")
        assert (status, err) == (0, "")
        status, _, _ = await ran(target, "--check", "--server-tls")
        assert status == 1
    finally:
        await server.stop(None)


@cases(
    "arguments, status, text",
    {
        "a server that is down": (
            ["127.0.0.1:1", "--check"],
            1,
            "UNAVAILABLE: …; asked 127.0.0.1:1 for its services",
        ),
        "two servers": (["a:1", "b:1", "--routes"], 2, "expected one server, got a:1 and b:1"),
        "no server": (
            ["tests.proto.echo_pb2", "--listen", "127.0.0.1:0"],
            2,
            "--listen: expected the address of a server too, as localhost:50051",
        ),
        "no certificates": (
            ["a:1", "--server-ca", "nope", "--check"],
            2,
            "--server-ca nope: No such file or directory",
        ),
        "no descriptor set": (
            ["a:1", "--descriptor-set", "nope", "--check"],
            1,
            "descriptor_set 'nope': No such file or directory",
        ),
    },
)
async def test_what_cannot_be_done_is_told(arguments: list[str], status: int, text: str) -> None:
    got, out, err = await ran(*arguments)
    assert (got, out) == (status, "")
    begin, _, end = text.partition("…")
    assert err.startswith(f"error: {begin}")
    assert end in err
    assert "Traceback" not in err
