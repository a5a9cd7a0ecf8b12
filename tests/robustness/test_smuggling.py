"""No request reaches the server past a front proxy: Envoy sends on each that the server answers.

Each form of odd framing is sent to Envoy, with a second request within what may be its body (RFC
9112 section 11.2). Envoy marks the requests that it sends on. A call without the mark was smuggled,
and an answer that is not the caller's own shows that one was.
"""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conformance.ways import ODD_FRAMING
from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.envoy import start_envoy
from tests.support.grpcweb_fixture import SAY
from transcoder import Transcoder

_AT_ONCE: Final = 16
_QUIET_S: Final = 0.2
_ANSWER_MAX_S: Final = 20.0
_HEAD: Final = f"POST {SAY} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
_FRAMINGS: Final = ("Content-Length: {length}", "Transfer-Encoding: chunked", "")


class Calls(echo_pb2_grpc.EchoServicer):
    """Keeps the names of calls, and of those that Envoy did not mark."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.unmarked: list[str] = []

    async def Say(self, request: EchoRequest, context: Any) -> EchoReply:
        self.names.append(request.name)
        if ("front", "envoy") not in context.invocation_metadata():
            self.unmarked.append(request.name)
        return EchoReply(name=request.name)


def _call(name: str, framing: str = "Content-Length: {length}", lines: Sequence[str] = ()) -> bytes:
    body = json.dumps({"name": name})
    head = "".join(f"{line}\r\n" for line in (framing.format(length=len(body)), *lines) if line)
    return f"{_HEAD}{head}\r\n{body}".encode("latin-1")


def _forms() -> list[bytes]:
    """Returns requests whose end two parsers may see in different places."""
    smuggled = _call("smuggled")
    bodies = (b"0\r\n\r\n" + smuggled, b"2\r\n{}\r\n0\r\n\r\n" + smuggled, b"{}" + smuggled)
    forms: list[bytes] = []
    for framing, odd, is_first in itertools.product(_FRAMINGS, ODD_FRAMING, (True, False)):
        lines = [framing, odd] if is_first else [odd, framing]
        for body in bodies:
            head = "".join(f"{line}\r\n" for line in lines if line).format(length=len(body))
            forms.append(f"{_HEAD}{head}\r\n".encode("latin-1") + body)
    return list(dict.fromkeys(forms))


async def _send(address: str, octets: bytes) -> None:
    """Sends a form, and waits until the other side has nothing more to say to it."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with contextlib.suppress(TimeoutError, OSError):
        writer.write(octets)
        while await asyncio.wait_for(reader.read(1 << 16), _QUIET_S):
            pass
    writer.transport.abort()


async def _ask(address: str, name: str) -> bytes:
    """Returns the body that a well-behaved caller gets."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(_ANSWER_MAX_S):
        writer.write(_call(name))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = head.partition("content-length:")[2].split("\r\n", 1)[0]
        body = await reader.readexactly(int(length))
    writer.close()
    return body


@contextlib.asynccontextmanager
async def _served(calls: Calls) -> AsyncIterator[str]:
    transcoder: Any = Transcoder()
    echo_pb2_grpc.add_EchoServicer_to_server(calls, transcoder)
    address = await transcoder.start("127.0.0.1:0")
    try:
        yield address
    finally:
        await transcoder.stop()


@pytest.fixture(params=["whole", "aiohttp"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "aiohttp":
        monkeypatch.setattr("transcoder.http.server.IS_AVAILABLE", False)


@pytest.mark.usefixtures("_way")
async def test_nothing_is_smuggled_past_envoy(tmp_path: Path) -> None:
    calls, forms = Calls(), _forms()
    assert len(forms) > 500
    with ExitStack() as stack:
        async with _served(calls) as upstream:
            marks = {"grpc-metadata-front": "envoy"}
            _, front = await asyncio.to_thread(
                start_envoy, upstream, folder=tmp_path, stack=stack, added_headers=marks
            )
            for start in range(0, len(forms), _AT_ONCE):
                await asyncio.gather(
                    *(_send(front, form) for form in forms[start : start + _AT_ONCE])
                )
                name = f"caller {start}"
                assert json.loads(await _ask(front, name)) == {"name": name}
    assert calls.unmarked == []
    assert "smuggled" in calls.names  # Envoy took some for a second request, and sent that on


async def test_a_call_past_the_proxy_is_noticed() -> None:
    calls = Calls()
    async with _served(calls) as upstream:
        await _ask(upstream, "smuggled")
    assert calls.unmarked == ["smuggled"]
