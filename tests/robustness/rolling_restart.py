"""Two services on one PostgreSQL are restarted in turn, under callers: R10 of docs/robustness.md.

Each caller asks one of them, and the other one once more if that fails, as a client that retries
UNAVAILABLE.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp
import grpc
import uvloop

from tests.robustness.scenario import Outcome, Scenario, none_wrong
from tests.robustness.two_services import Pair, pair
from tests.support.real_server import ACTIONS, RealServer
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub
from zitadel.object_pb2 import ListQuery

RESTARTS: Final = 6
CALLS_A_SECOND: Final = 200.0
CALLERS: Final = 16
"""Half of them over JSON, half over gRPC."""
PAUSE_S: Final = 1.0
"""Seconds that both serve between two restarts."""
_ANSWER_S: Final = 20.0


@dataclass(slots=True)
class Seen:
    """The outcome for callers.

    Attributes:
        failed: calls that failed at both services.
        retried: calls that failed at the first.
        statuses: of the services that ended.
    """

    calls: int = 0
    retried: int = 0
    failed: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


Ask = Callable[[RealServer, str, bool], Awaitable[str]]
"""Creates an action of a name, or lists actions; returns why that failed, or nothing."""


def over_json(session: aiohttp.ClientSession) -> Ask:
    async def ask(server: RealServer, name: str, is_write: bool) -> str:
        headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
        path = ACTIONS if is_write else f"{ACTIONS}/_search"
        body = json.dumps({"name": name, "script": "s"} if is_write else {"query": {"limit": 1}})
        try:
            async with session.post(
                f"http://{server.http}{path}", data=body, headers=headers
            ) as answer:
                text = await answer.text()
                return "" if answer.status == 200 else f"{answer.status} {text}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return repr(error)

    return ask


def over_grpc(channels: dict[str, grpc.aio.Channel]) -> Ask:
    async def ask(server: RealServer, name: str, is_write: bool) -> str:
        if server.grpc not in channels:
            channels[server.grpc] = grpc.aio.insecure_channel(server.grpc)
        stub: Any = ManagementServiceStub(channels[server.grpc])
        metadata = (("authorization", f"Bearer {server.token}"),)
        try:
            if is_write:
                message = pb.CreateActionRequest(name=name, script="s")
                await stub.CreateAction(message, metadata=metadata, timeout=_ANSWER_S)
            else:
                few = pb.ListActionsRequest(query=ListQuery(limit=1))
                await stub.ListActions(few, metadata=metadata, timeout=_ANSWER_S)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return ""

    return ask


async def call_on(
    caller: int, ask: Ask, servers: list[RealServer], seen: Seen, is_over: asyncio.Event
) -> None:
    chance = random.Random(caller)  # noqa: S311  a choice that can be made again
    began = time.monotonic() + caller / CALLS_A_SECOND
    for number in count():
        at = began + number * CALLERS / CALLS_A_SECOND
        await asyncio.sleep(max(at - time.monotonic(), 0))
        if is_over.is_set():
            return
        seen.calls += 1
        first = chance.randrange(2)
        is_write = number % 2 == 0
        # The attempt that failed may have been written: its name is taken, so it is not the same.
        reason = await ask(servers[first], f"{caller} {number}", is_write)
        if reason:
            seen.retried += 1
            again = await ask(servers[1 - first], f"{caller} {number} again", is_write)
            if again:
                seen.failed.append(f"{reason}; then {again}")


async def restart_in_turn(services: Pair, seen: Seen, stack: ExitStack, restarts: int) -> None:
    """Restarts one after the other while callers ask; each is ready before the next ends."""
    servers = [services.one, services.other]
    is_over = asyncio.Event()
    channels: dict[str, grpc.aio.Channel] = {}
    timeout = aiohttp.ClientTimeout(_ANSWER_S)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        asks = (over_json(session), over_grpc(channels))
        for caller in range(CALLERS):
            group.create_task(call_on(caller, asks[caller % 2], servers, seen, is_over))
        for number in range(restarts):
            await asyncio.sleep(PAUSE_S)
            ended = servers[number % 2]
            seen.statuses.append(await asyncio.to_thread(ended.process.stop))
            servers[number % 2] = stack.enter_context(
                await asyncio.to_thread(
                    RealServer,
                    ended.data,
                    "--no-access-log",
                    database=services.url,
                    token=ended.token,
                )
            )
        await asyncio.sleep(PAUSE_S)
        is_over.set()
    for channel in channels.values():
        await channel.close()


def roll(folder: Path, *, restarts: int) -> Seen:
    seen = Seen()
    with pair(folder) as services, ExitStack() as stack:
        uvloop.run(restart_in_turn(services, seen, stack, restarts))
    return seen


def run(folder: Path) -> Iterator[Outcome]:
    seen = roll(folder, restarts=RESTARTS)
    what = f"{seen.calls:,} calls, {RESTARTS} restarts, {seen.retried} calls asked twice: failed"
    yield none_wrong(what, seen.failed, is_enough=seen.calls > RESTARTS * CALLS_A_SECOND)
    ended = [f"exit {status}" for status in seen.statuses if status]
    yield none_wrong("services that did not end with 0", ended)


R10: Final = Scenario("R10", "a rolling restart of two services on PostgreSQL", run)
