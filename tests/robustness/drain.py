"""SIGTERM with calls in flight: R8 of docs/robustness.md.

The server is slow_service.py: the real composition, with a servicer that takes its time. It says
when all calls are in flight; then it is asked to end.
"""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import grpc
import uvloop

from tests.robustness.raw import request
from tests.robustness.scenario import Outcome, Scenario
from tests.support.connections import opened
from tests.support.processes import Process
from zitadel import management_pb2, management_pb2_grpc

CALLS: Final = 500
CALL_S: Final = 2.0
SLACK_S: Final = 1.0
IN_FLIGHT_S: Final = 30.0
STREAMS: Final = 50  # calls in flight on one gRPC connection; the server takes 100

Listener: TypeAlias = Literal["http", "grpc", "grpc at the port of http"]


@dataclass(frozen=True, slots=True)
class Drained:
    """The outcome of a drain.

    Attributes:
        answered: calls that got their answer.
        status: of the process.
        seconds: from the signal to the end of the process.
    """

    answered: int
    status: int
    seconds: float


async def _over_http(address: str, token: str, calls: int) -> int:
    octets = request("POST", "/management/v1/actions/1/_reactivate", b"{}", token=token)

    async def call() -> bool:
        try:
            async with opened(address) as (reader, writer):
                writer.write(octets)
                answer = await reader.read()  # the server ends the connection, as it is draining
        except ConnectionError:
            return False
        return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"sequence":"3"}}')

    return sum(await asyncio.gather(*(call() for _ in range(calls))))


async def _over_grpc(address: str, token: str, calls: int) -> int:
    # Each channel a connection of its own, which grpc would otherwise share.
    options = [("grpc.use_local_subchannel_pool", 1)]
    message = management_pb2.ReactivateActionRequest(id="1")
    metadata = (("authorization", f"Bearer {token}"),)

    async def call(stub: "management_pb2_grpc.ManagementServiceAsyncStub") -> bool:
        try:
            answer = await stub.ReactivateAction(message, metadata=metadata, timeout=30)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.details.sequence == 3)

    channels = [
        grpc.aio.insecure_channel(address, options=options) for _ in range(-(-calls // STREAMS))
    ]
    stubs = [management_pb2_grpc.ManagementServiceStub(channel) for channel in channels]
    answered = sum(
        await asyncio.gather(*(call(stubs[number // STREAMS]) for number in range(calls)))
    )
    for channel in channels:
        await channel.close()
    return answered


async def _drain(process: Process, listener: Listener, calls: int) -> Drained:
    given = json.loads(process.line())
    over = _over_http if listener == "http" else _over_grpc
    address = given["grpc" if listener == "grpc" else "http"]
    answers = asyncio.create_task(over(address, given["token"], calls))
    line = asyncio.create_task(asyncio.to_thread(process.line))
    await asyncio.wait({answers, line}, timeout=IN_FLIGHT_S, return_when=asyncio.FIRST_COMPLETED)
    if not line.done():
        process.kill()  # which ends the wait for its line as well
    assert await line == "all in flight\n", answers
    signalled_at = time.monotonic()
    process.signal(signal.SIGTERM)
    status = await asyncio.to_thread(process.wait)
    seconds = time.monotonic() - signalled_at
    return Drained(await answers, status, seconds)


def drain(folder: Path, listener: Listener, *, calls: int, call_s: float) -> Drained:
    """Signal the service while it answers as many calls."""
    arguments = ["-m", "tests.robustness.slow_service", str(folder), str(calls), str(call_s)]
    log = folder.with_name(f"{folder.name}.log")
    with log.open("wb") as errors, Process(arguments, errors=errors) as process:
        return uvloop.run(_drain(process, listener, calls))


def sigterm(folder: Path) -> Iterator[Outcome]:
    listeners: tuple[Listener, ...] = ("http", "grpc", "grpc at the port of http")
    for listener in listeners:
        drained = drain(folder / listener.replace(" ", "-"), listener, calls=CALLS, call_s=CALL_S)
        yield Outcome(
            f"{CALLS} calls of {CALL_S:g} s over {listener}, SIGTERM",
            f"{CALLS} answered, exit 0, ≤ {CALL_S + SLACK_S:g} s after it",
            f"{drained.answered} answered, exit {drained.status}, {drained.seconds:.1f} s after it",
            drained.answered == CALLS
            and drained.status == 0
            and drained.seconds <= CALL_S + SLACK_S,
        )


R8: Final = Scenario("R8", "SIGTERM with calls in flight", sigterm)
