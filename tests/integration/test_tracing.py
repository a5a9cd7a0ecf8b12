"""Traces: what a collector gets of real calls, and what a collector that fails costs them."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from actions.v1.bridge_pb2 import CreateTargetRequest
from server.app import Started
from tests.support.api_client import GRPC, JSON, PROTOCOLS, WEB, ApiClient, Caller
from tests.support.collector import Collector, attributes, collecting
from tests.support.composition import running
from tests.support.postgresql import shared_server
from tests.support.prepared import action, set_trigger
from tests.support.real_server import ACTIONS, RealServer
from tests.support.runs import run_request
from tests.support.tables import cases
from tests.support.waiting import until, until_async
from tests.support.zitadel import Login, signed
from zitadel import management_pb2 as pb

MANAGEMENT = "zitadel.management.v1.ManagementService"
EXECUTION = "actions.v1.ExecutionService"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=1,other=2"}
UNSAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
PIPED = "grpc through the port of JSON"


@dataclass
class Traced:
    started: Started
    caller: Caller
    collector: Collector


@asynccontextmanager
async def traced(tmp_path: Path, collector: Collector, **settings: object) -> AsyncIterator[Traced]:
    """Runs a service that sends traces to the collector."""
    allowed = ("127.0.0.1",)
    async with running(
        tmp_path / "data",
        **{"traces_endpoint": f"{collector.url}/v1/traces", "script_fetch_allow": allowed}
        | settings,
    ) as started:
        assert started.owner is not None
        owner = started.owner
        async with ApiClient(http=started.listen, grpc=started.grpc_listen) as api:
            yield Traced(started, Caller(api, owner.token, owner.org_id), collector)


@asynccontextmanager
async def a_server(
    tmp_path: Path, collector: Collector, *options: str, database: str = ""
) -> AsyncIterator[RealServer]:
    """Runs a service in a process of its own that sends traces to the collector."""
    given = ("--traces-endpoint", collector.url, *options)
    start = partial(RealServer, tmp_path / "data", *given, database=database)
    server = await asyncio.to_thread(start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.process.close)


@asynccontextmanager
async def a_site(heard: list[Mapping[str, str]], *, status: int = 200) -> AsyncIterator[str]:
    """Runs a web server that scripts fetch from; keeps the headers of each request."""

    async def answer(request: web.Request) -> web.Response:
        heard.append(request.headers.copy())
        return web.json_response({}, status=status)

    app = web.Application()
    app.router.add_get("/secret", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def fetching(url: str, options: str = "{}") -> str:
    return (
        "const { fetch } = require('zitadel/http');"
        f"function greet(ctx, api) {{ fetch('{url}', {options}) }}"
    )


@pytest.mark.parametrize("door", [*PROTOCOLS, PIPED])
async def test_a_call_goes_on_with_the_trace_of_its_caller(door: str, tmp_path: Path) -> None:
    settings = {"grpc_listen": "none"} if door == PIPED else {}
    protocol = GRPC if door == PIPED else door
    async with collecting() as collector, traced(tmp_path, collector, **settings) as it:
        answer = await it.caller.ask(protocol, pb.ListActionsRequest(), metadata=SAMPLED)
        assert answer.code == 0, answer
        span = await collector.span(f"{MANAGEMENT}/ListActions", trace_id=TRACE)
    assert span.parent_span_id.hex() == CALLER
    assert span.trace_state == SAMPLED["tracestate"]
    assert span.kind == Span.SPAN_KIND_SERVER
    assert attributes(span) == {
        "rpc.system": "grpc",
        "rpc.service": MANAGEMENT,
        "rpc.method": "ListActions",
        "rpc.grpc.status_code": 0,
        "actions.door": protocol,
    }
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert span.end_time_unix_nano > span.start_time_unix_nano


async def test_a_run_and_its_fetch_are_below_the_call(tmp_path: Path) -> None:
    heard: list[Mapping[str, str]] = []
    async with (
        collecting() as collector,
        a_site(heard) as site,
        traced(tmp_path, collector) as it,
    ):
        id = await action(it.caller, script=fetching(f"{site}/secret?key=1"))
        await set_trigger(it.caller, id)
        answer = await it.caller.ask(JSON, run_request(), metadata=SAMPLED)
        assert answer.code == 0, answer
        call = await collector.span(f"{EXECUTION}/RunTrigger")
        run_span = await collector.span("run")
        fetch = await collector.span("GET")
    port = int(site.rpartition(":")[2])
    assert {span.trace_id.hex() for span in (call, run_span, fetch)} == {TRACE}
    assert run_span.parent_span_id == call.span_id
    assert fetch.parent_span_id == run_span.span_id
    assert attributes(run_span) == {
        "actions.action_id": id,
        "actions.flow_type": 2,
        "actions.trigger_type": 4,
        "actions.outcome": "ok",
    }
    assert fetch.kind == Span.SPAN_KIND_CLIENT
    assert attributes(fetch) == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": 200,
    }
    (headers,) = heard
    assert headers["traceparent"] == f"00-{TRACE}-{fetch.span_id.hex()}-01"
    assert headers["tracestate"] == SAMPLED["tracestate"]
    assert headers["Accept"] == "application/json"


async def test_a_run_for_a_target_is_below_the_request_of_its_zitadel(tmp_path: Path) -> None:
    async with (
        collecting() as collector,
        traced(tmp_path, collector) as it,
        aiohttp.ClientSession() as session,
    ):
        await set_trigger(it.caller, await action(it.caller, script="function greet() {}"))
        created = CreateTargetRequest(name="a", signing_key="k", orgs={"900": it.caller.org_id})
        target = (await it.caller.get(created)).target
        body = json.dumps(Login(user={"id": "1", "resource_owner": "900"}).payload("preuserinfo"))
        url = f"http://{it.started.listen}/targets/{target.id}"
        headers = {"ZITADEL-Signature": signed(body.encode(), "k"), **SAMPLED}
        for sent in (headers, SAMPLED):
            async with session.post(url, data=body, headers=sent) as answer:
                await answer.read()
        run_span = await collector.span("run")
        name = "POST /targets/{target_id}"
        await until_async(lambda: sum(span.name == name for span in collector.spans) == 2)
    spans = [span for span in collector.spans if span.name == name]
    answered, refused = sorted(spans, key=lambda span: span.start_time_unix_nano)
    assert {span.trace_id.hex() for span in (answered, refused, run_span)} == {TRACE}
    assert answered.parent_span_id.hex() == CALLER
    assert answered.kind == Span.SPAN_KIND_SERVER
    assert run_span.parent_span_id == answered.span_id
    assert attributes(answered) == {
        "http.request.method": "POST",
        "http.route": "/targets/{target_id}",
        "http.response.status_code": 200,
    }
    assert attributes(refused)["http.response.status_code"] == 401
    assert refused.status.code == Status.STATUS_CODE_UNSET


async def test_a_request_for_a_token_is_a_span(tmp_path: Path) -> None:
    async with (
        collecting() as collector,
        traced(tmp_path, collector) as it,
        aiohttp.ClientSession() as session,
    ):
        url = f"http://{it.started.listen}/oauth/v2/token"
        async with session.post(url, data={"grant_type": "password"}, headers=SAMPLED) as answer:
            assert answer.status == 400
        span = await collector.span("POST /oauth/v2/token", trace_id=TRACE)
    assert attributes(span)["http.response.status_code"] == 400


async def test_a_command_is_below_the_call_and_its_commit_links_to_it(tmp_path: Path) -> None:
    async with collecting() as collector, traced(tmp_path, collector) as it:
        request = pb.CreateActionRequest(name="a", script="s")
        answer = await it.caller.ask(JSON, request, metadata=SAMPLED)
        assert answer.code == 0, answer
        call = await collector.span(f"{MANAGEMENT}/CreateAction")
        command = await collector.span("command CreateAction")
        commit = await collector.span("commit")
    assert command.parent_span_id == call.span_id
    assert command.trace_id.hex() == TRACE
    assert attributes(command) == {"actions.command": "CreateAction"}
    assert [(link.trace_id, link.span_id) for link in commit.links] == [
        (command.trace_id, command.span_id)
    ]
    assert commit.trace_id != command.trace_id
    assert commit.parent_span_id == b""
    assert attributes(commit) == {"actions.batch.commands": 1}


async def test_a_commit_links_to_each_command_of_its_batch(tmp_path: Path) -> None:
    async with collecting() as collector, traced(tmp_path, collector) as it:
        asked = [
            it.caller.ask(GRPC, pb.CreateActionRequest(name=f"a{n}", script="s")) for n in range(20)
        ]
        answers = await asyncio.gather(*asked)
        assert {answer.code for answer in answers} == {0}

        def linked() -> list[bytes]:
            commits = [span for span in collector.spans if span.name == "commit"]
            return [link.span_id for span in commits for link in span.links]

        await until_async(lambda: len(linked()) == 20)
        commands = [span for span in collector.spans if span.name == "command CreateAction"]
    assert {*linked()} == {span.span_id for span in commands}


async def test_a_refusal_is_no_error_and_a_fault_is_one(tmp_path: Path) -> None:
    heard: list[Mapping[str, str]] = []
    async with (
        collecting() as collector,
        a_site(heard, status=503) as site,
        traced(tmp_path, collector) as it,
    ):
        missing = await it.caller.ask(WEB, pb.DeactivateActionRequest(id="1"), metadata=SAMPLED)
        assert missing.code == 5
        id = await action(it.caller, script=f"{fetching(f'{site}/secret')}; greet()")
        await set_trigger(it.caller, id)
        await it.caller.ask(JSON, run_request())
        call = await collector.span(f"{MANAGEMENT}/DeactivateAction")
        command = await collector.span("command DeactivateAction")
        fetch = await collector.span("GET")
    assert attributes(call)["rpc.grpc.status_code"] == 5
    assert call.status.code == command.status.code == Status.STATUS_CODE_UNSET
    assert attributes(command)["actions.refusal"] == "NOT_FOUND"
    assert attributes(fetch)["http.response.status_code"] == 503
    assert attributes(fetch)["error.type"] == "503"
    assert fetch.status.code == Status.STATUS_CODE_ERROR


async def test_a_call_that_is_refused_at_the_gate_is_traced(tmp_path: Path) -> None:
    async with collecting() as collector, traced(tmp_path, collector) as it:
        answer = await it.caller.api.call(
            JSON, pb.ListActionsRequest(), token="wrong", metadata=SAMPLED
        )
        assert answer.code == 16
        span = await collector.span(f"{MANAGEMENT}/ListActions", trace_id=TRACE)
    assert attributes(span)["rpc.grpc.status_code"] == 16


async def test_a_script_that_sets_traceparent_keeps_its_own(tmp_path: Path) -> None:
    heard: list[Mapping[str, str]] = []
    own = "{headers: {traceparent: 'own'}}"
    async with (
        collecting() as collector,
        a_site(heard) as site,
        traced(tmp_path, collector) as it,
    ):
        await set_trigger(
            it.caller, await action(it.caller, script=fetching(f"{site}/secret", own))
        )
        answer = await it.caller.ask(JSON, run_request(), metadata=SAMPLED)
        assert answer.code == 0, answer
    assert [(headers["traceparent"], headers.get("tracestate")) for headers in heard] == [
        ("own", None)
    ]


async def test_a_trace_that_its_caller_does_not_record_goes_on_without_spans(
    tmp_path: Path,
) -> None:
    heard: list[Mapping[str, str]] = []
    async with (
        collecting() as collector,
        a_site(heard) as site,
        traced(tmp_path, collector) as it,
    ):
        await set_trigger(it.caller, await action(it.caller, script=fetching(f"{site}/secret")))
        answer = await it.caller.ask(JSON, run_request(), metadata=UNSAMPLED)
        assert answer.code == 0, answer
        await it.caller.ask(JSON, pb.ListActionsRequest())
        await collector.span(f"{MANAGEMENT}/ListActions")
    (headers,) = heard
    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert headers["traceparent"].endswith("-00")
    assert [span.name for span in collector.spans if span.trace_id.hex() == TRACE] == []


async def test_the_ratio_decides_where_the_caller_does_not(tmp_path: Path) -> None:
    async with (
        collecting() as collector,
        traced(tmp_path, collector, traces_sample_ratio=0.0) as it,
    ):
        for _ in range(10):
            await it.caller.ask(JSON, pb.ListActionsRequest())
        await it.caller.ask(JSON, pb.ListActionsRequest(), metadata=SAMPLED)
        await collector.span(f"{MANAGEMENT}/ListActions")
    assert [span.trace_id.hex() for span in collector.spans] == [TRACE]


async def test_lines_of_the_log_have_the_ids_of_the_calls_own_span(tmp_path: Path) -> None:
    async with (
        collecting() as collector,
        a_server(tmp_path, collector, "--log-format", "json") as server,
        ApiClient(http=server.http, grpc=server.grpc) as api,
    ):
        await api.call(GRPC, pb.ListActionsRequest(), token=server.token, metadata=SAMPLED)
        await api.call(JSON, pb.ListFlowTypesRequest(), token=server.token)
        given = await collector.span(f"{MANAGEMENT}/ListActions")
        own = await collector.span(f"{MANAGEMENT}/ListFlowTypes")
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert [(line["trace_id"], line["span_id"]) for line in lines if line["event"] == "call"] == [
        (span.trace_id.hex(), span.span_id.hex()) for span in (given, own)
    ]


async def test_the_service_names_itself_and_headers_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    async with collecting() as collector, traced(tmp_path, collector) as it:
        await it.caller.ask(JSON, pb.ListActionsRequest())
        await collector.span(f"{MANAGEMENT}/ListActions")
    (resource, *_), (headers, *_) = collector.resources, collector.headers
    assert resource["service.name"] == "actions-service"
    assert resource["deployment.environment.name"] == "test"
    assert len(resource["service.instance.id"]) == 36
    assert headers["x-key"] == "abc"


# --- a collector that fails


def lines_about_traces(server: RealServer) -> list[str]:
    return [line for line in server.log().splitlines() if "traces are lost" in line]


@cases("status, answers", {"answers 500": (500, True), "answers nothing": (200, False)})
async def test_a_collector_that_fails_fails_no_call(
    status: int, answers: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    async with (
        collecting(answers=answers) as collector,
        a_server(tmp_path, collector) as server,
        ApiClient(http=server.http, grpc=server.grpc) as api,
    ):
        collector.status = status
        for requests in range(4):
            answer = await api.call(JSON, pb.ListActionsRequest(), token=server.token)
            assert answer.code == 0
            # The next request begins once the last has failed.
            await until_async(lambda seen=requests: len(collector.headers) > seen)  # type: ignore[misc]
        assert len(lines_about_traces(server)) == 1
    assert collector.spans == []


async def test_without_a_collector_calls_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    async with collecting() as collector:
        pass
    async with (
        a_server(tmp_path, collector) as server,
        ApiClient(http=server.http, grpc=server.grpc) as api,
    ):
        answer = await api.call(JSON, pb.ListActionsRequest(), token=server.token)
        assert answer.code == 0
        await until_async(lambda: lines_about_traces(server) != [])
        answer = await api.call(JSON, pb.ListActionsRequest(), token=server.token)
        assert answer.code == 0


async def test_at_sigterm_the_spans_that_wait_are_sent(tmp_path: Path) -> None:
    async with collecting() as collector, a_server(tmp_path, collector) as server:
        await asyncio.to_thread(server.ask, "POST", f"{ACTIONS}/_search", {})
        server.process.signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 60) == 0
        assert [span.name for span in collector.spans] == [f"{MANAGEMENT}/ListActions"]


async def test_at_sigterm_a_collector_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
    async with collecting(answers=False) as collector, a_server(tmp_path, collector) as server:
        await asyncio.to_thread(server.ask, "POST", f"{ACTIONS}/_search", {})
        server.process.signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 60) == 0
        assert "traces were lost at the end" in server.log()


@pytest.mark.timeout(180)
async def test_every_worker_sends_with_an_id_of_its_own(tmp_path: Path) -> None:
    url = await shared_server().new_database()
    async with (
        collecting() as collector,
        a_server(tmp_path, collector, "--workers", "2", database=url) as server,
    ):

        def all_have_sent() -> bool:
            server.ask("POST", f"{ACTIONS}/_search", {})
            return len({each["service.instance.id"] for each in collector.resources}) == 2

        await asyncio.to_thread(until, all_have_sent, within_s=120)


# --- settings


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "opentelemetry" or name.startswith("opentelemetry."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
from server.__main__ import main
sys.exit(main())
"""
NO_EXTRA = (
    "error: --traces-endpoint, ACTIONS_TRACES_ENDPOINT: expected the packages of the extra otel, "
    "got none; install them: pip install 'actions-service[otel]'\n"
)


async def without_extra(tmp_path: Path, *options: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BLOCKED, "serve", "--data-dir", str(tmp_path / "data"), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    return process.returncode, errors.decode()


@cases("workers", {"one process": (), "several": ("--workers", "2")})
async def test_without_the_extra_the_start_is_refused(
    workers: tuple[str, ...], tmp_path: Path
) -> None:
    database = ("--database", "postgresql://u@127.0.0.1:1/x") if workers else ()
    options = ("--traces-endpoint", "http://127.0.0.1:4318", *workers, *database)
    assert await without_extra(tmp_path, *options) == (1, NO_EXTRA)


async def test_without_traces_the_service_imports_nothing_of_opentelemetry(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "importtime", "-c", BLOCKED, "serve", "--listen"),
            *("127.0.0.1:0", "--grpc-listen", "none", "--data-dir", str(tmp_path / "data")),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 50)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert line.startswith(b"JSON and gRPC-Web")
    assert process.returncode == 0
    assert "opentelemetry" not in (tmp_path / "log").read_text()
