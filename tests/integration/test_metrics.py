"""The service counts its calls, batches and runs, at --metrics-listen."""

import asyncio
import json
import re
from pathlib import Path
from typing import Final

import aiohttp
import grpc
import pytest

from server.app import Application
from server.metrics.exposition import text_of
from server.metrics.workers import WorkersFigures
from tests.support.composition import config_of, running
from tests.support.documents import ROOT
from tests.support.metrics_page import metrics_of
from zitadel import management_pb2
from zitadel.management_pb2_grpc import ManagementServiceStub

FREE: Final = "127.0.0.1:0"
SERVICE: Final = "zitadel.management.v1.ManagementService"
ROW: Final = re.compile(
    r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \| ([a-z, ]*?) ?\| (.+) \|$", re.M
)


async def post(address: str, path: str, body: object, token: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.post(f"http://{address}{path}", json=body) as response,
    ):
        return response.status, await response.text()


def calls(method: str, door: str, code: str) -> str:
    labels = f'code="{code}",door="{door}",method="{SERVICE}/{method}"'
    return f"actions_calls_total{{{labels}}}"


async def test_calls_are_counted_by_method_door_and_code(tmp_path: Path) -> None:
    async with running(tmp_path, metrics_listen=FREE) as started:
        assert started.owner is not None
        token = started.owner.token
        status, text = await post(
            started.listen,
            "/management/v1/actions",
            {"name": "a", "script": "function a() {}"},
            token,
        )
        assert status == 200, text
        id = json.loads(text)["id"]
        await post(started.listen, "/management/v1/actions/1/_deactivate", {}, token)
        await post(started.listen, "/management/v1/actions/_search", {}, "wrong")
        async with grpc.aio.insecure_channel(started.grpc_listen) as channel:
            await ManagementServiceStub(channel).GetAction(
                management_pb2.GetActionRequest(id=id),
                metadata=(("authorization", f"Bearer {token}"),),
            )
            counted = await metrics_of(started.metrics_listen)
    assert counted[calls("CreateAction", "json", "OK")] == 1
    assert counted[calls("DeactivateAction", "json", "NOT_FOUND")] == 1
    assert counted[calls("ListActions", "json", "UNAUTHENTICATED")] == 1
    assert counted[calls("GetAction", "grpc", "OK")] == 1
    labels = f'door="grpc",method="{SERVICE}/GetAction"'
    assert counted[f"actions_call_seconds_count{{{labels}}}"] == 1
    assert counted["actions_calls_in_flight"] == 0
    assert counted['actions_connections{protocol="grpc"}'] == 1
    assert counted["actions_batch_commands_count"] >= 2
    assert counted["actions_batches_failed_total"] == 0
    assert counted["actions_ready"] == 1


async def test_a_service_that_drains_is_not_ready(tmp_path: Path) -> None:
    application = Application(config_of(tmp_path, metrics_listen=FREE))
    started = await application.start()
    assert started.owner is not None
    script = {"name": "a", "script": "function a() { while (true); }", "timeout": "5s"}
    body = {"flowType": "1", "triggerType": "1", "script": script}
    call = post(started.listen, "/v1/actions:test", body, started.owner.token)
    running_call = asyncio.create_task(call)
    while (counted := await metrics_of(started.metrics_listen))["actions_calls_in_flight"] < 1:
        assert not running_call.done()
    assert counted["actions_ready"] == 1
    stopping = asyncio.create_task(application.stop())
    while (await metrics_of(started.metrics_listen))["actions_ready"] == 1:
        assert not stopping.done()
    await running_call
    await stopping


async def test_grpc_web_is_a_door_of_its_own(tmp_path: Path) -> None:
    async with running(tmp_path, metrics_listen=FREE) as started:
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"http://{started.listen}/{SERVICE}/Healthz",
                data=b"\0\0\0\0\0",
                headers={"Content-Type": "application/grpc-web+proto"},
            ) as response,
        ):
            await response.read()
        counted = await metrics_of(started.metrics_listen)
    assert counted[calls("Healthz", "grpc-web", "OK")] == 1


async def test_unknown_methods_make_no_values_of_labels(tmp_path: Path) -> None:
    async with running(tmp_path, metrics_listen=FREE) as started:
        await post(started.listen, f"/{SERVICE}/Nothing1", {}, "")
        await post(started.listen, "/management/v1/nothing1", {}, "")
        async with grpc.aio.insecure_channel(started.grpc_listen) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary(f"/{SERVICE}/Nothing1")(b"")  # type: ignore[arg-type]
        counted = await metrics_of(started.metrics_listen)
    assert [sample for sample in counted if "othing" in sample] == []


async def test_runs_are_counted_by_outcome(tmp_path: Path) -> None:
    scripts = {
        "function a() {}": "20s",
        "function a() { throw new Error() }": "20s",
        "function a() { while (true); }": "0.2s",
    }
    async with running(tmp_path, metrics_listen=FREE) as started:
        assert started.owner is not None
        for script, timeout in scripts.items():
            status, text = await post(
                started.listen,
                "/v1/actions:test",
                {
                    "flowType": "1",
                    "triggerType": "1",
                    "script": {"name": "a", "script": script, "timeout": timeout},
                },
                started.owner.token,
            )
            assert status == 200, text
        counted = await metrics_of(started.metrics_listen)
    outcomes = {
        outcome: counted[f'actions_script_runs_total{{outcome="{outcome}"}}']
        for outcome in ("ok", "failed", "timeout", "killed")
    }
    assert outcomes == {"ok": 1, "failed": 1, "timeout": 1, "killed": 0}
    assert counted["actions_script_run_seconds_count"] == 3
    assert counted["actions_script_workers"] >= 1


async def test_by_default_there_is_no_page(tmp_path: Path) -> None:
    async with running(tmp_path) as started:
        assert started.metrics_listen == ""


async def test_an_address_in_use_stops_the_start(tmp_path: Path) -> None:
    async with running(tmp_path / "a", metrics_listen=FREE) as started:
        with pytest.raises(OSError, match="--metrics-listen"):
            async with running(tmp_path / "b", metrics_listen=started.metrics_listen):
                pass


async def test_the_document_has_each_metric_and_no_other(tmp_path: Path) -> None:
    async with (
        running(tmp_path, metrics_listen=FREE) as started,
        aiohttp.ClientSession() as session,
        session.get(f"http://{started.metrics_listen}/metrics") as response,
    ):
        page = await response.text()
    page += text_of(await WorkersFigures().collect()).decode()
    texts = dict(re.findall(r"^# HELP (\S+) (.+)$", page, re.M))
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M))
    rows = ROW.findall((ROOT / "docs/metrics.md").read_text("utf-8"))
    assert {name: (kind, text) for name, kind, _, text in rows} == {
        name: (kinds[name], text) for name, text in texts.items()
    }
