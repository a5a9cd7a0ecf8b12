"""Compares callers of all protocols in front of a gRPC server in another language with grpc.aio's.

The servers are go/echo_server.go and java/EchoServer.java, with the cases of
tests/support/echo_kinds.py. The transcoder asks them for their service by reflection. What callers
see has to be what a caller of gRPC sees of the servicer in Python under grpc.aio: so the case is
the same, and nothing is lost between.
"""

import asyncio
import contextlib
import json
import operator
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
import grpc

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import EchoRequest
from tests.support.all_protocols import Asked, Servers, begin, natively
from tests.support.echo_kinds import (
    KINDS,
    STREAMING_REQUESTS,
    Cases,
    Kinds,
    ReadingCases,
    asking,
    noted,
    of,
)
from tests.support.parity import Outcome
from transcoder import Transcoder

WITHIN_S: Final = 120
_NOTED_S: Final = 20
_AT_ONCE: Final = 6
_EARLY: Final = (
    "ends_after_the_first",
    "reads_nothing",
    "aborts_before_reading",
    "aborts_after_the_first",
)
"""Cases that end a call whose caller could send more."""
_MESSAGES: Final = {"sets_a_code_and_raises": "lost"}
"""Messages of errors that grpc.aio has of its own: the text of an exception."""


@dataclass
class Tally:
    """The calls that were compared.

    Attributes:
        calls: how many.
        differences: of each call that differs, its method, case and protocol, and how.
    """

    calls: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, name: str, expected: object, got: object) -> None:
        self.calls += 1
        if got != expected:
            self.differences.append(f"{name}: expected {expected}, got {got}")


def compare_all(command: Sequence[str | Path]) -> Tally:
    """Starts a server, which prints its address, and compares all calls of it."""
    return asyncio.run(asyncio.wait_for(_compare_all(command), WITHIN_S))


async def _compare_all(command: Sequence[str | Path]) -> Tally:
    tally = Tally()
    async with _started(command) as target, _proxied(target) as servers, _model() as model:
        turns = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for kind, case, stays_open in _asked():
                asked = asking(kind, case, stays_open=stays_open)
                group.create_task(_compare(tally, turns, servers, model, kind, asked))
        for kinds, stays_open in ((KINDS, False), (STREAMING_REQUESTS, True)):
            await _compare_deadlines(tally, servers, kinds, stays_open=stays_open)
            await _compare_leaving(tally, servers, kinds, stays_open=stays_open)
    return tally


def _asked() -> list[tuple[str, str, bool]]:
    """Returns each method and case, and if the caller could send more."""
    return [
        *((kind, case, False) for kind in KINDS for case in of(Cases)),
        *((kind, case, False) for kind in STREAMING_REQUESTS for case in of(ReadingCases)),
        *((kind, case, True) for kind in STREAMING_REQUESTS for case in _EARLY),
    ]


async def _compare(
    tally: Tally,
    turns: asyncio.Semaphore,
    servers: Servers,
    model: Servers,
    kind: str,
    asked: Asked,
) -> None:
    case = asked.metadata["x-case"]
    async with turns:
        expected = await natively(model, kind, asked)
        expected.message = _MESSAGES.get(case, expected.message)
        for over, call in begin(servers, kind, asked).items():
            shown = expected
            if over == "JSON":  # which tells nothing of metadata here
                shown = replace(expected, initial=[], trailing=[])
            open_ = ", more could come" if asked.stays_open else ""
            tally.add(f"{kind} {case}{open_} over {over}", shown, _ordered(await call))


def _ordered(outcome: Outcome) -> Outcome:
    """Returns an outcome with metadata by name: grpc-go sends different names in any order."""
    initial, trailing = (
        sorted(metadata, key=operator.itemgetter(0))
        for metadata in (outcome.initial, outcome.trailing)
    )
    return replace(outcome, initial=initial, trailing=trailing)


async def _compare_deadlines(
    tally: Tally, servers: Servers, kinds: Sequence[str], *, stays_open: bool
) -> None:
    await _notes(servers, "forget")
    calls = _waiting(servers, kinds, {"grpc-timeout": "2S"}, stays_open=stays_open)
    for name, call in calls.items():
        got = (await call).code
        if not name.endswith(" gRPC"):  # by grpc alone a server that ends it first has it cancelled
            tally.add(f"{name}: its deadline", grpc.StatusCode.DEADLINE_EXCEEDED, got)
    await _compare_notes(tally, servers, kinds, "its deadline reaches the server")


async def _compare_leaving(
    tally: Tally, servers: Servers, kinds: Sequence[str], *, stays_open: bool
) -> None:
    await _notes(servers, "forget")
    calls = _waiting(servers, kinds, {}, stays_open=stays_open)
    await _until_noted(servers, noted(kinds))
    for call in calls.values():
        call.cancel()
    await _compare_notes(tally, servers, kinds, "that its client left reaches the server")
    await asyncio.gather(*calls.values(), return_exceptions=True)


def _waiting(
    servers: Servers, kinds: Sequence[str], metadata: Mapping[str, str], *, stays_open: bool
) -> dict[str, asyncio.Task[Outcome]]:
    """Begins a call of the case that waits over everything, by method and protocol."""
    return {
        f"{kind} {over}": call
        for kind in kinds
        for over, call in begin(
            servers, kind, asking(kind, "waits", metadata, stays_open=stays_open)
        ).items()
    }


async def _compare_notes(tally: Tally, servers: Servers, kinds: Sequence[str], what: str) -> None:
    expected = noted(kinds, "cancelled", "done")
    got = await _until_noted(servers, expected)
    for name, notes in expected.items():
        tally.add(f"{name}: {what}", notes, got.get(name))


async def _until_noted(
    servers: Servers, expected: Mapping[str, list[str]]
) -> Mapping[str, list[str]]:
    """Returns the notes of the server, once they are as expected or it has had its time."""
    got: dict[str, list[str]] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_NOTED_S):
            while not expected.items() <= got.items():
                got = await _notes(servers, "notes")
                await asyncio.sleep(0.02)
    return got


async def _notes(servers: Servers, case: str) -> dict[str, list[str]]:
    """Asks the server for its notes, or to forget them."""
    say: Any = servers.native.Say
    reply = await asyncio.to_thread(say, EchoRequest(), metadata=(("x-case", case),))
    notes: dict[str, list[str]] = json.loads(reply.name or "{}")
    return notes


@asynccontextmanager
async def _started(command: Sequence[str | Path]) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        address: str = json.loads(await process.stdout.readline())["grpc"]
        yield address
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def _proxied(target: str) -> AsyncIterator[Servers]:
    """Serves a server by the transcoder, which asks it for its service."""
    transcoder = Transcoder.proxy(target)
    url = f"http://{await transcoder.start('127.0.0.1:0')}"
    try:
        async with aiohttp.ClientSession() as session:
            with grpc.insecure_channel(target) as channel:

                async def is_ready() -> bool:
                    return (await session.get(f"{url}/readyz")).status == 200

                while not await is_ready():
                    await asyncio.sleep(0.05)
                yield Servers(echo_pb2_grpc.EchoStub(channel), url, session, is_proxy=True)
    finally:
        await transcoder.stop()


@asynccontextmanager
async def _model() -> AsyncIterator[Servers]:
    """Serves the servicer in Python by grpc.aio alone."""
    server: Any = grpc.aio.server()
    echo_pb2_grpc.add_EchoServicer_to_server(Kinds(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Servers(echo_pb2_grpc.EchoStub(channel), "", session, is_proxy=False)
    finally:
        await server.stop(None)
