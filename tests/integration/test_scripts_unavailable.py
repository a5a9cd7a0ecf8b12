"""A service whose scripts cannot be run says so, and serves everything else."""

import asyncio
from pathlib import Path
from unittest import mock

import structlog

from actions.v1 import execution_pb2 as run
from server.app import Application
from server.scripts.host.executor import Executor
from server.scripts.host.process import Process
from tests.support.api_client import GRPC, ApiClient, Caller
from tests.support.composition import config_of, running
from tests.support.tables import cases

UNAVAILABLE = (14, "Scripts cannot be run now, try again (RUN-Ua9kt)")
DEADLINE_S = 20


@cases(
    "owner, name, event",
    {
        "a process": (Process, "start", "script worker failed to start"),
        "the executor": (Executor, "start", "scripts cannot be run; report this"),
    },
)
async def test_a_start_that_fails_in_any_way_is_logged_with_its_traceback(
    tmp_path: Path, owner: type, name: str, event: str
) -> None:
    with (
        structlog.testing.capture_logs() as logs,
        mock.patch.object(owner, name, side_effect=RuntimeError("no")),
    ):
        async with running(tmp_path / "data"), asyncio.timeout(DEADLINE_S):
            while not (found := [one for one in logs if one["event"].startswith(event)]):
                await asyncio.sleep(0.01)
    assert all(one["log_level"] == "error" and one["exc_info"] for one in found)


async def test_a_run_without_processes_is_unavailable_and_tried_again(tmp_path: Path) -> None:
    application = Application(config_of(tmp_path / "data"))
    script = run.Script(name="f", script="function f() {}")
    request = run.TestActionRequest(flow_type="2", trigger_type="4", script=script)
    try:
        with mock.patch.object(Process, "start", side_effect=RuntimeError("no")):
            started = await application.start()
            assert started.owner is not None
            async with ApiClient(http=started.listen, grpc=started.grpc_listen) as api:
                caller = Caller(api, started.owner.token, "")
                answer = await caller.ask(GRPC, request)
                assert (answer.code, answer.message) == UNAVAILABLE
        async with ApiClient(http=started.listen, grpc=started.grpc_listen) as api:
            caller = Caller(api, started.owner.token, "")
            assert (await caller.ask(GRPC, request)).code == 0
    finally:
        await application.stop()
