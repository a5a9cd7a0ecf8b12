"""A failed call leaves nothing to the garbage collector, over any protocol, however it fails."""

import asyncio
import functools
import gc
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from aiohttp import web

from server.rpc import pacing
from tests.proto import echo_pb2, echo_pb2_grpc
from tests.proto.echo_pb2 import EchoRequest
from tests.support.composition import running
from tests.support.connections import opened, reset
from tests.support.garbage import garbage_of
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import REPEAT, SAY, TALK, Echo
from transcoder import PlainAnswer, PlainRequest, Transcoder
from transcoder.errors import malformed

DEADLINE_S: Final = 30
MANAGEMENT: Final = "/zitadel.management.v1.ManagementService"
ACTIONS: Final = "/management/v1/actions"
RUN: Final = "/v1/flows/2/triggers/4:run"
JSON: Final = "Content-Type: application/json\r\n"
WEB: Final = "Content-Type: application/grpc-web+proto\r\n"
CONNECT_STREAM: Final = "Content-Type: application/connect+json\r\n"
FORM: Final = "Content-Type: application/x-www-form-urlencoded\r\n"
ASSERTION: Final = b"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=e30.e30.x"


def http(path: str, headers: str = "", body: bytes = b"", verb: str = "POST") -> bytes:
    head = (
        f"{verb} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


async def whole_answer(address: str, request: bytes) -> bytes:
    async with opened(address) as (reader, writer), asyncio.timeout(DEADLINE_S):
        writer.write(request)
        return await reader.read()


# The library: a service of the tests, on a listener of its own and mounted in an application.


class Plain(Echo):
    """Raises in a plain function, which runs in a thread."""

    def Say(self, request: EchoRequest, context: Any) -> Any:
        if request.case == echo_pb2.CASE_RAISE:
            raise ValueError
        context.abort(grpc.StatusCode.ABORTED, "no")


async def plain(request: PlainRequest) -> PlainAnswer:
    if request.body == b"raise":
        raise ValueError
    raise malformed("no")


@asynccontextmanager
async def echo(servicer: Echo, *, is_mounted: bool) -> AsyncIterator[str]:
    transcoder: Any = Transcoder()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, transcoder)
    transcoder.handle("POST", "/plain", plain)
    if not is_mounted:
        try:
            yield await transcoder.start("127.0.0.1:0")
        finally:
            await transcoder.stop()
        return
    application = web.Application()
    application.add_subapp("/mounted", transcoder.app())
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


def say(case: int, headers: str = "") -> Callable[[str], bytes]:
    body = EchoRequest(case=case).SerializeToString()  # type: ignore[arg-type]
    return lambda at: http(at + SAY, WEB + headers, framed(body))


def say_json(text: str, headers: str = "") -> Callable[[str], bytes]:
    return lambda at: http(at + SAY, JSON + headers, text.encode())


def repeat(case: int, headers: str = "") -> Callable[[str], bytes]:
    body = EchoRequest(case=case, count=2).SerializeToString()  # type: ignore[arg-type]
    return lambda at: http(at + REPEAT, WEB + headers, framed(body))


def repeat_json(text: str, headers: str = "") -> Callable[[str], bytes]:
    return lambda at: http(at + REPEAT, JSON + headers, text.encode())


def talk_lines(lines: bytes) -> Callable[[str], bytes]:
    return lambda at: http(at + TALK, "Content-Type: application/x-ndjson\r\n", lines)


def connect(text: str, headers: str = "", path: str = SAY) -> Callable[[str], bytes]:
    headers += "Connect-Protocol-Version: 1\r\n"
    if path == SAY:
        return lambda at: http(at + path, JSON + headers, text.encode())
    return lambda at: http(at + path, CONNECT_STREAM + headers, framed(text.encode()))


FAILURES = [
    pytest.param(lambda at: http(f"{at}/none", JSON), id="no route"),
    pytest.param(lambda at: http(at + SAY, "Content-Type: text/plain\r\n", b"x"), id="415"),
    pytest.param(lambda at: http(f"{at}/plain", JSON, b"refuse"), id="plain, a refusal"),
    pytest.param(lambda at: http(f"{at}/plain", JSON, b"raise"), id="plain, an exception"),
    pytest.param(lambda at: http(f"{at}/plain", JSON, verb="PUT"), id="plain, 405"),
    pytest.param(say_json('{"name":'), id="malformed JSON"),
    pytest.param(say_json('{"name":' + "[" * 40_000), id="malformed JSON, large"),
    pytest.param(say_json("{}", "Content-Encoding: gzip\r\n"), id="not gzip"),
    pytest.param(say_json('{"case":"CASE_ERROR"}'), id="an abort"),
    pytest.param(say_json('{"case":"CASE_RAISE"}'), id="an exception"),
    pytest.param(say_json('{"case":"CASE_WAIT"}', "grpc-timeout: 9m\r\n"), id="a deadline"),
    pytest.param(say(echo_pb2.CASE_ERROR), id="gRPC-Web, an abort"),
    pytest.param(say(echo_pb2.CASE_RAISE), id="gRPC-Web, an exception"),
    pytest.param(say(echo_pb2.CASE_WAIT, "grpc-timeout: 9m\r\n"), id="gRPC-Web, a deadline"),
    pytest.param(lambda at: http(at + SAY, WEB, framed(b"\xff")), id="gRPC-Web, malformed"),
    pytest.param(lambda at: http(at + SAY, WEB, b"\x05"), id="gRPC-Web, malformed frame"),
    pytest.param(connect("{}", "Connect-Timeout-Ms: x\r\n"), id="Connect, malformed"),
    pytest.param(connect('{"name":'), id="Connect, malformed JSON"),
    pytest.param(connect("{}", "Content-Encoding: foo\r\n"), id="Connect, an unknown coding"),
    pytest.param(connect('{"case":"CASE_ERROR"}'), id="Connect, an abort"),
    pytest.param(connect('{"case":"CASE_RAISE"}'), id="Connect, an exception"),
    pytest.param(
        connect('{"case":"CASE_WAIT"}', "Connect-Timeout-Ms: 9\r\n"), id="Connect, a deadline"
    ),
    pytest.param(lambda at: http(f"{at}{SAY}?connect=v1", verb="GET"), id="Connect, a bad GET"),
    pytest.param(connect("[", path=REPEAT), id="Connect's stream, malformed JSON"),
    pytest.param(
        lambda at: http(at + REPEAT, CONNECT_STREAM, framed(b"", flags=3)),
        id="Connect's stream, bad flags",
    ),
    pytest.param(connect('{"case":"CASE_ERROR"}', path=REPEAT), id="Connect's stream, an abort"),
    pytest.param(
        connect('{"case":"CASE_WAIT"}', "Connect-Timeout-Ms: 9\r\n", path=REPEAT),
        id="Connect's stream, a deadline",
    ),
    pytest.param(repeat(echo_pb2.CASE_ERROR), id="stream, an abort"),
    pytest.param(repeat(echo_pb2.CASE_RAISE), id="stream, an exception"),
    pytest.param(repeat(echo_pb2.CASE_WAIT, "grpc-timeout: 9m\r\n"), id="stream, a deadline"),
    pytest.param(repeat_json('{"count":2,"case":"CASE_ERROR"}'), id="lines, an abort"),
    pytest.param(
        repeat_json('{"count":2,"case":"CASE_ERROR"}', "Accept: application/json\r\n"),
        id="an array, an abort",
    ),
    pytest.param(
        repeat_json('{"count":1,"case":"CASE_WAIT"}', "grpc-timeout: 9m\r\n"),
        id="lines, a deadline",
    ),
    pytest.param(talk_lines(b"{}\n{]\n"), id="lines, malformed"),
]


@pytest.mark.parametrize("servicer", [Echo, Plain], ids=["coroutines", "plain functions"])
@pytest.mark.parametrize("at", ["", "/mounted"], ids=["listener", "mounted"])
@pytest.mark.parametrize("request_at", FAILURES)
async def test_a_call_that_fails_leaves_no_cycle(
    request_at: Callable[[str], bytes], at: str, servicer: type[Echo]
) -> None:
    octets = request_at(at)
    async with echo(servicer(), is_mounted=bool(at)) as address:
        assert await garbage_of(functools.partial(whole_answer, address, octets)) == {}


WAITING: Final = framed(EchoRequest(name="a", case=echo_pb2.CASE_WAIT, count=1).SerializeToString())


@pytest.mark.parametrize("at", ["", "/mounted"], ids=["listener", "mounted"])
@pytest.mark.parametrize(
    "request_at",
    [
        pytest.param(say_json('{"name":"a","case":"CASE_WAIT"}'), id="JSON"),
        pytest.param(lambda at: http(at + SAY, WEB, WAITING), id="gRPC-Web"),
        pytest.param(lambda at: http(at + REPEAT, WEB, WAITING), id="stream"),
        pytest.param(connect('{"name":"a","case":"CASE_WAIT"}'), id="Connect"),
        pytest.param(
            connect('{"name":"a","case":"CASE_WAIT","count":1}', path=REPEAT),
            id="Connect's stream",
        ),
    ],
)
async def test_a_call_whose_client_leaves_leaves_no_cycle(
    request_at: Callable[[str], bytes], at: str
) -> None:
    servicer = Echo()

    async def leave() -> None:
        servicer.started.clear()
        servicer.ended.clear()
        servicer.cancelled.clear()
        async with opened(address) as (_, writer), asyncio.timeout(DEADLINE_S):
            writer.write(request_at(at))
            await servicer.started["a"].wait()
            reset(writer.get_extra_info("socket"))
            writer.close()
            await servicer.ended["a"].wait()

    async with echo(servicer, is_mounted=bool(at)) as address:
        assert await garbage_of(leave) == {}


# The service, over its three protocols.


async def grpc_code(address: str, method: str, body: bytes, *, token: str = "") -> str:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(f"{MANAGEMENT}/{method}")
        try:
            await call(body, metadata=metadata, timeout=DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return "OK"


async def test_a_call_that_the_service_refuses_leaves_no_cycle(tmp_path: Path) -> None:
    left: dict[str, Any] = {}
    async with running(tmp_path / "data") as started:
        assert started.owner is not None
        token = started.owner.token
        good = f"Authorization: Bearer {token}\r\n"
        octets = {
            "401": http(ACTIONS, JSON, b"{}"),
            "400 by a rule": http(ACTIONS, JSON + good, b"{}"),
            "404 of a read": http(f"{ACTIONS}/1", good, verb="GET"),
            "404 of a command": http(f"{ACTIONS}/1/_reactivate", JSON + good, b"{}"),
            "a token of a wrong assertion": http(
                *("/oauth/v2/token", FORM, ASSERTION),
            ),
            "a token of a wrong secret": http(
                *("/oauth/v2/token", FORM + "Authorization: Basic YTpi\r\n"),
                b"grant_type=client_credentials",
            ),
            "405 of a plain path": http("/oauth/v2/token", verb="GET"),
            "gRPC-Web 16": http(f"{MANAGEMENT}/ReactivateAction", WEB, framed(b"")),
            "gRPC-Web 5": http(f"{MANAGEMENT}/ReactivateAction", WEB + good, framed(b"\n\x011")),
        }
        for name, request in octets.items():
            left[name] = await garbage_of(functools.partial(whole_answer, started.listen, request))
        calls = {
            "gRPC 16": ("ReactivateAction", b"", ""),
            "gRPC 5": ("ReactivateAction", b"\n\x011", token),
            "gRPC 3": ("CreateAction", b"", token),
            "gRPC 13": ("CreateAction", b"\xff", token),
            "gRPC 12": ("ListUsers", b"", ""),
        }
        for name, (method, body, secret) in calls.items():
            call = functools.partial(grpc_code, started.grpc_listen, method, body, token=secret)
            left[name] = await garbage_of(call)
    assert {name: found for name, found in left.items() if found} == {}


GROWTH_MAX_MIB: Final = 50


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / (1 << 20)


async def grown_mib(work: Callable[[], Awaitable[object]], *, times: int) -> float:
    """Returns what the process has grown by, with the collector off."""
    for _ in range(5):
        await work()
    gc.collect()
    gc.disable()
    try:
        before = resident_mib()
        for _ in range(times):
            await work()
        return resident_mib() - before
    finally:
        gc.enable()


async def test_a_thousand_refused_calls_hold_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "RATE", 1_000_000)  # it is memory that is asked for, not time
    dense = b'{"context":{"claims":{"a":[' + b"{}," * 340_000 + b"{}]}}}"
    zipped = http(
        "/v1/flows/2/triggers/4:run", f"{JSON}Content-Encoding: gzip\r\n", gzip.compress(dense)
    )
    malformed = dense[:-1]
    async with running(tmp_path / "data") as started:
        assert started.owner is not None
        good = f"{JSON}Authorization: Bearer {started.owner.token}\r\n"
        answered = {
            "gzip, no token": (zipped, b"401", 1000),
            "no token": (http(ACTIONS, JSON, dense), b"401", 1000),
            "malformed": (http(RUN, good, malformed), b"400", 20),
        }
        for octets, status, times in answered.values():
            answer = await whole_answer(started.listen, octets)
            assert answer.split(b" ", 2)[1] == status
            ask = functools.partial(whole_answer, started.listen, octets)
            assert await grown_mib(ask, times=times) <= GROWTH_MAX_MIB
