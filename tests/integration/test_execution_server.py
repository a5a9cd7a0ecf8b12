"""Runs of actions in a server of their own: its settings, too much at once, and its end."""

import asyncio
import signal
import threading
from pathlib import Path
from typing import Any

from actions.v1 import execution_pb2 as run
from tests.support.api_client import ApiClient, Caller
from tests.support.processes import is_running
from tests.support.real_server import RealServer
from tests.support.tables import cases

RUN = "/v1/flows/2/triggers/4:run"


def set_action(server: RealServer, body: str, **fields: Any) -> str:
    """Have the trigger run one action, f, with this body; its id."""
    return server.set_action(f"function f(ctx, api) {{ {body} }}", **fields)


def works(server: RealServer) -> bool:
    return any(map(is_running, server.process.children()))


def test_runs_outlive_the_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with RealServer(data) as server:
        set_action(server, "api.v1.claims.setClaim('a', 1)")
        ran = [server.ask("POST", RUN, {})["runId"] for _ in range(20)]
        server.process.signal(signal.SIGTERM)
        assert server.process.wait() == 0
    with RealServer(data) as server:
        listed = server.ask("GET", "/v1/runs")["runs"]
        assert [logged["id"] for logged in listed] == ran[::-1]
        (counted,) = server.ask("GET", "/v1/metrics/actions")["actions"]
        assert counted["runs"] == "20"


def test_without_a_log_of_runs_actions_run_all_the_same(tmp_path: Path) -> None:
    with RealServer(tmp_path / "data", "--runs-max-mib", "0") as server:
        set_action(server, "api.v1.claims.setClaim('a', 1)")
        assert server.ask("POST", RUN, {})["runId"]
        assert server.ask("GET", "/v1/runs") == {}


def test_a_run_under_way_is_answered_and_logged_before_the_server_ends(tmp_path: Path) -> None:
    data = tmp_path / "data"
    answers: list[Any] = []
    with RealServer(data) as server:
        set_action(server, "for (;;) {}", timeout="1.5s", allowedToFail=True)
        asking = threading.Thread(target=lambda: answers.append(server.ask("POST", RUN, {})))
        asking.start()
        while not (working := works(server)) and asking.is_alive():
            pass
        assert working
        server.process.signal(signal.SIGTERM)
        assert server.process.wait() == 0
        asking.join()
    (answer,) = answers
    assert answer["actions"][0]["failure"]["timedOut"]
    with RealServer(data) as server:
        (logged,) = server.ask("GET", "/v1/runs")["runs"]
    assert (logged["id"], logged["state"]) == (answer["runId"], "RUN_STATE_SUCCEEDED")


@cases(
    "options, expected",
    {
        "loopback is denied": ((), "host is denied"),
        "unless it is allowed": (("--script-fetch-allow", "127.0.0.1"), "200"),
        "another is allowed": (
            ("--script-fetch-allow", "127.0.0.2", "--script-fetch-deny", "127.0.0.1"),
            "host is denied",
        ),
    },
)
def test_scripts_reach_the_hosts_that_the_settings_allow(
    options: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    with RealServer(tmp_path / "data", *options) as server:
        body = f"""
        let told
        try {{ told = require('zitadel/http').fetch('http://{server.http}/healthz').status }}
        catch (error) {{ told = error.message }}
        api.v1.claims.setClaim('told', String(told))
        """
        set_action(server, body)
        claims = server.ask("POST", RUN, {})["effects"]["claims"]
    assert expected in claims["told"]


# A server for each: callers leave by their own clocks, and their runs end a little later.
async def test_more_runs_than_may_wait_are_refused(protocol: str, tmp_path: Path) -> None:
    few = ("--script-workers", "1", "--script-queue", "1")
    with RealServer(tmp_path / "data", *few) as server:
        set_action(server, "for (;;) {}")
        request = run.RunTriggerRequest(flow_type="2", trigger_type="4")
        async with ApiClient(http=server.http, grpc=server.grpc) as api:
            caller = Caller(api, server.token, "")
            asked = (caller.ask(protocol, request, deadline_s=1) for _ in range(4))
            answers = await asyncio.gather(*asked)
    assert sorted(answer.code for answer in answers) == [4, 4, 8, 8]
    text = "Too many runs are waiting, try again"
    refusals = {answer.refusal for answer in answers if answer.code == 8}
    assert refusals == {(8, f"{text} (RUN-Ov2qz)", (("RUN-Ov2qz", text),))}
