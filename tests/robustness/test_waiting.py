"""A run that waits for a process keeps its context in one compact form, over any protocol."""

import asyncio
import gc
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

import aiohttp
import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from actions.v1 import execution_pb2 as run
from server.app import Application
from server.scripts.contract import Effects, PackedContext, RunRequest, RunResult
from tests.support.api_client import GRPC, JSON, PROTOCOLS
from tests.support.composition import config_of
from tests.support.grpc_frames import framed

DEADLINE_S: Final = 30
PATIENCE_S: Final = 2
LARGE: Final = 20_000
_METHOD: Final = "/actions.v1.ExecutionService/RunTrigger"


class Engine:
    """Has every run wait, and keeps of it what the real one keeps."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def run(self, request: RunRequest) -> RunResult:
        packed: PackedContext = request.context
        del request
        self.has_begun.set()
        await self.may_end.wait()
        assert packed.size > LARGE
        return RunResult(Effects({}, {}, (), (), ()), (), None)


async def _held_for_good() -> list[str]:
    """Returns what is held, once the thread that read a context has let go of it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_S
    while (found := list(held())) and loop.time() < until:
        await asyncio.sleep(0.01)
    return found


def held() -> Iterator[str]:
    """Yields which requests there are, and who refers to them."""
    for holder in gc.get_objects():
        for found in gc.get_referents(holder):
            if isinstance(found, run.RunTriggerRequest | Struct):
                yield f"{type(found).__name__} of {_name(holder)}"


def _name(holder: object) -> str:
    if isinstance(holder, types.CoroutineType):
        return holder.__qualname__
    if isinstance(holder, types.FrameType):
        return holder.f_code.co_qualname
    return f"{type(holder).__module__}.{type(holder).__qualname__}"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_run_that_waits_lets_its_request_go(tmp_path: Path, protocol: str) -> None:
    engine = Engine()
    application = Application(config_of(tmp_path / "data"))
    with mock.patch.object(Application, "_executor", return_value=engine):
        started = await application.start()
    assert started.owner is not None
    headers = {"authorization": f"Bearer {started.owner.token}"}
    answering = asyncio.create_task(_ask(protocol, started.listen, started.grpc_listen, headers))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await engine.has_begun.wait()
        assert await _held_for_good() == []
    finally:
        engine.may_end.set()
        await answering
        await application.stop()


async def _ask(protocol: str, http: str, native: str, headers: dict[str, str]) -> None:
    if protocol == GRPC:
        async with grpc.aio.insecure_channel(native) as channel:
            call: Any = channel.unary_unary(_METHOD)
            await call(_message(), metadata=tuple(headers.items()))
        return
    path, kind, body = _METHOD, "application/grpc-web+proto", framed(_message())
    if protocol == JSON:
        path, kind = "/v1/flows/2/triggers/4:run", "application/json"
        body = b'{"context":{"claims":{"a":[%b{}]}}}' % (b"{}," * LARGE)
    headers["content-type"] = kind
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{http}{path}", data=body, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()


def _message() -> bytes:
    """Returns a request whose objects the process does not keep."""
    request = run.RunTriggerRequest(flow_type="2", trigger_type="4")
    add = request.context.fields["claims"].struct_value.fields["a"].list_value.values.add
    for _ in range(LARGE):
        add().struct_value.SetInParent()
    return request.SerializeToString()
