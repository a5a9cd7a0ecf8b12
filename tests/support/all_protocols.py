"""Calls echo.v1.Echo under grpc.aio and over each protocol of the transcoder, for comparison.

Knows how every protocol writes a call; knows neither servicers nor what they answer.

Rule: nothing of the transcoder is used to write or to read a call.
"""

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import unquote

import aiohttp
import grpc

from tests.proto import echo_pb2, echo_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.asgi_hosts import HOSTS
from tests.support.grpc_frames import TRAILERS, framed, split_frame
from tests.support.parity import Outcome
from transcoder import Transcoder

PATH: Final = "/echo.v1.Echo/"
CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
CONNECT_END: Final = 2
"""The flags of the last envelope of Connect."""


@dataclass(frozen=True)
class Asked:
    """The requests of a call, and what is sent with them.

    Attributes:
        counts: of each request, its only field.
        stays_open: True if the caller never says that there are no more requests.
    """

    counts: Sequence[int]
    metadata: Mapping[str, str]
    stays_open: bool = False


Ask = Callable[["Servers", str, Asked], Coroutine[Any, Any, Outcome]]


@dataclass(frozen=True)
class Servers:
    """One servicer behind the same interceptors, served twice.

    Attributes:
        native: a stub of the server of grpc.aio.
        url: of the transcoder.
        is_proxy: True if the transcoder forwards calls to that server.
    """

    native: echo_pb2_grpc.EchoStub
    url: str
    session: aiohttp.ClientSession
    is_proxy: bool


@asynccontextmanager
async def serving_twice(
    servicer: echo_pb2_grpc.EchoServicer,
    interceptors: Sequence[grpc.aio.ServerInterceptor],
    *,
    is_proxy: bool = False,
    host: str | None = None,
) -> AsyncIterator[Servers]:
    """Serves on free ports.

    Args:
        servicer: answers.
        interceptors: are around it twice.
        is_proxy: True has the transcoder forward calls to the server.
        host: runs the transcoder as an ASGI application; without one it listens itself.
    """
    server: Any = grpc.aio.server(interceptors=interceptors)
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    transcoder: Any
    if is_proxy:
        transcoder = Transcoder.proxy(f"127.0.0.1:{port}", files=[echo_pb2.DESCRIPTOR])
    else:
        transcoder = Transcoder(interceptors=interceptors)
        echo_pb2_grpc.add_EchoServicer_to_server(servicer, transcoder)
    try:
        async with aiohttp.ClientSession() as session, _listening(transcoder, host) as address:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = echo_pb2_grpc.EchoStub(channel)
                yield Servers(stub, f"http://{address}", session, is_proxy)
    finally:
        await server.stop(None)


@asynccontextmanager
async def _listening(transcoder: Any, host: str | None) -> AsyncIterator[str]:
    if host is not None:
        async with HOSTS[host](transcoder.asgi()) as address:
            yield address
        return
    try:
        yield await transcoder.start("127.0.0.1:0")
    finally:
        await transcoder.stop()


async def natively(servers: Servers, method: str, asked: Asked) -> Outcome:
    """Calls over gRPC.

    In a thread, by the client that is not asynchronous: that of grpc.aio loses the status of a
    call that ends while a request is sent.
    """
    begun: list[Any] = []
    ended = threading.Event()
    try:
        return await asyncio.to_thread(_natively, servers.native, method, asked, begun, ended)
    finally:
        ended.set()
        for call in begun:  # has ended, unless this is cancelled
            call.cancel()


def _natively(
    stub: echo_pb2_grpc.EchoStub,
    method: str,
    asked: Asked,
    begun: list[Any],
    ended: threading.Event,
) -> Outcome:
    outcome = Outcome()

    def requests() -> Iterator[EchoRequest]:
        for count in asked.counts:
            yield EchoRequest(count=count)
        if asked.stays_open:
            ended.wait()

    argument = requests() if method in ("Count", "Talk") else next(requests())
    metadata = asked.metadata
    sent = {key: value for key, value in metadata.items() if key != "grpc-timeout"}
    timeout_s = float(metadata.get("grpc-timeout", "60S").removesuffix("S"))
    function: Any = getattr(stub, method)
    is_stream = method in ("Repeat", "Talk")
    call = (function if is_stream else function.future)(
        argument, metadata=tuple(sent.items()), timeout=timeout_s
    )
    begun.append(call)
    try:
        for reply in call if is_stream else [call.result()]:
            outcome.responses.append(reply.index)
    except grpc.RpcError:
        outcome.code, outcome.message = call.code(), call.details() or ""
    outcome.initial = [(key, value) for key, value in call.initial_metadata()]
    outcome.trailing = [(key, value) for key, value in call.trailing_metadata()]
    return outcome


async def by_websocket(servers: Servers, method: str, asked: Asked) -> Outcome:
    outcome = Outcome()
    url = servers.url + PATH + method
    async with servers.session.ws_connect(url, headers=asked.metadata) as socket:
        for count in asked.counts:
            await socket.send_json({"count": count})
        if not asked.stays_open:
            await socket.send_str("")
        async for frame in socket:
            said = frame.json()
            if "result" in said:
                outcome.responses.append(said["result"].get("index", 0))
            elif "headers" in said:
                outcome.initial = _pairs(said["headers"])
            else:
                _end(outcome, said["status"])
                outcome.trailing = _pairs(said.get("trailers", {}))
    return outcome


async def by_unary_connect(servers: Servers, method: str, asked: Asked) -> Outcome:
    """Calls a method without streams, in binary; an error is JSON all the same."""
    outcome = Outcome()
    headers = _connect_headers("application/proto", asked)
    body = EchoRequest(count=asked.counts[0]).SerializeToString()
    url = servers.url + PATH + method
    async with servers.session.post(url, data=body, headers=headers) as answer:
        said = await answer.read()
        outcome.initial = _own(answer.headers)
        outcome.trailing = _own(
            {
                name.lower().removeprefix("trailer-"): value
                for name, value in answer.headers.items()
                if name.lower().startswith("trailer-")
            }
        )
    if answer.status == 200:
        outcome.responses.append(EchoReply.FromString(said).index)
    else:
        error = json.loads(said)
        outcome.code = grpc.StatusCode[error["code"].upper()]
        outcome.message = error.get("message", "")
    return outcome


async def by_connect(servers: Servers, method: str, asked: Asked) -> Outcome:
    """Calls a method that streams, in JSON."""
    outcome = Outcome()
    headers = _connect_headers("application/connect+json", asked)
    body = _body(asked, lambda text: framed(text.encode()))
    url = servers.url + PATH + method
    async with servers.session.post(url, data=body, headers=headers) as answer:
        rest = await answer.read()
        outcome.initial = _own(answer.headers)
    while rest:
        flags, payload, rest = split_frame(rest)
        said = json.loads(payload)
        if flags != CONNECT_END:
            outcome.responses.append(said.get("index", 0))
            continue
        outcome.trailing = _pairs(said.get("metadata", {}))
        if "error" in said:
            outcome.code = grpc.StatusCode[said["error"]["code"].upper()]
            outcome.message = said["error"].get("message", "")
    return outcome


async def by_grpcweb(servers: Servers, method: str, asked: Asked) -> Outcome:
    """Calls a method without a stream of requests."""
    outcome = Outcome()
    headers = {"Content-Type": "application/grpc-web+proto", **asked.metadata}
    body = framed(EchoRequest(count=asked.counts[0]).SerializeToString())
    url = servers.url + PATH + method
    async with servers.session.post(url, data=body, headers=headers) as answer:
        rest = await answer.read()
        outcome.initial = _own(answer.headers)
    trailers = dict(answer.headers)
    while rest:
        flags, payload, rest = split_frame(rest)
        if flags == TRAILERS:
            lines = payload.decode().splitlines()
            trailers = dict(line.split(":", 1) for line in lines)
            outcome.trailing = _own(trailers)
        else:
            outcome.responses.append(EchoReply.FromString(payload).index)
    outcome.code = CODES[int(trailers["grpc-status"])]
    outcome.message = unquote(trailers.get("grpc-message", ""))
    return outcome


async def as_lines(servers: Servers, method: str, asked: Asked) -> Outcome:
    """Calls over JSON, streams in lines; tells nothing of metadata."""
    outcome = Outcome()
    is_stream = method in ("Count", "Talk")
    headers = {
        "Content-Type": "application/x-ndjson" if is_stream else "application/json",
        **asked.metadata,
    }
    body = _body(asked, lambda text: f"{text}\n".encode())
    url = servers.url + PATH + method
    async with servers.session.post(url, data=body, headers=headers) as answer:
        lines = [json.loads(line) for line in (await answer.read()).splitlines()]
    for said in lines:
        if "error" in said or answer.status != 200:
            _end(outcome, said.get("error", said))
        else:
            outcome.responses.append(said.get("result", said).get("index", 0))
    return outcome


ASKS: Final[Mapping[str, Mapping[str, Ask]]] = {
    "Say": {
        "gRPC": natively,
        "WebSocket": by_websocket,
        "gRPC-Web": by_grpcweb,
        "Connect": by_unary_connect,
        "JSON": as_lines,
    },
    "Repeat": {
        "gRPC": natively,
        "WebSocket": by_websocket,
        "gRPC-Web": by_grpcweb,
        "Connect": by_connect,
        "JSON": as_lines,
    },
    "Count": {
        "gRPC": natively,
        "WebSocket": by_websocket,
        "Connect": by_connect,
        "JSON": as_lines,
    },
    "Talk": {
        "gRPC": natively,
        "WebSocket": by_websocket,
        "Connect": by_connect,
        "JSON": as_lines,
    },
}
"""The ways to call each method, by the name of the protocol."""


def begin(servers: Servers, method: str, asked: Asked) -> dict[str, asyncio.Task[Outcome]]:
    """Begins a call over everything that has its method, gRPC first.

    The metadata `x-over` tells the servicer the method and the protocol.
    """
    calls = {}
    for over, ask in ASKS[method].items():
        named = replace(asked, metadata={**asked.metadata, "x-over": f"{method} {over}"})
        calls[over] = asyncio.create_task(ask(servers, method, named))
    return calls


async def compare(
    servers: Servers, method: str, asked: Asked, *, message: str | None = None
) -> Outcome:
    """Calls over everything; fails unless all see the same, which it returns.

    Args:
        servers: what is called.
        method: "Say", "Repeat", "Count" or "Talk".
        asked: what is sent.
        message: the error's, where gRPC has a text of its own.
    """
    outcomes = {over: await call for over, call in begin(servers, method, asked).items()}
    expected = outcomes.pop("gRPC")
    if message is not None:
        expected.message = message
    without_metadata = replace(expected, initial=[], trailing=[])
    assert outcomes == {over: without_metadata if over == "JSON" else expected for over in outcomes}
    return expected


async def _body(asked: Asked, write: Callable[[str], bytes]) -> AsyncIterator[bytes]:
    for count in asked.counts:
        yield write(json.dumps({"count": count}))
    if asked.stays_open:
        await asyncio.Event().wait()


def _connect_headers(content_type: str, asked: Asked) -> dict[str, str]:
    headers = {"Content-Type": content_type, **asked.metadata}
    if "grpc-timeout" in headers:
        headers["Connect-Timeout-Ms"] = headers.pop("grpc-timeout").replace("S", "000")
    return headers


def _end(outcome: Outcome, status: Mapping[str, Any]) -> None:
    outcome.code = CODES[status["code"]]
    outcome.message = status.get("message", "")


def _pairs(metadata: Mapping[str, Sequence[str]]) -> list[tuple[str, str | bytes]]:
    return [(key, _value(key, value)) for key, values in metadata.items() for value in values]


def _own(headers: Mapping[str, str]) -> list[tuple[str, str | bytes]]:
    """Returns the metadata that a servicer set, which begins with x-."""
    named = ((name.lower(), value) for name, value in headers.items())
    return [
        (name, _value(name, value))
        for name, value in named
        if name.startswith("x-") and name != "x-request-id"
    ]


def _value(key: str, value: str) -> str | bytes:
    if not key.endswith("-bin"):
        return value
    return base64.b64decode(value + "=" * (-len(value) % 4))
