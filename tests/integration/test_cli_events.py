"""events, as an operator has it, beside a service that runs."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.commandline import Outcome, Server, run

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def printed(*options: str, folder: Path) -> list[dict[str, Any]]:
    done = run("events", *options, folder=folder)
    assert (done.status, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_events_are_printed_as_lines_while_the_service_runs(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        before = printed(folder=tmp_path)
        made = json.loads(server.call("CreateAction", {"name": "grün", "script": "s"}, "json").out)
        org_id = made["details"]["resourceOwner"]
        (event,) = printed("--from", str(len(before) + 1), folder=tmp_path)
        assert [event["position"] for event in before] == [1, 2, 3, 4]
        assert MOMENT.fullmatch(event.pop("createdAt"))
        assert event.pop("editor")
        assert event == {
            "position": 5,
            "orgId": org_id,
            "aggregateType": "action",
            "aggregateId": made["id"],
            "sequence": 1,
            "type": "action.added",
            "payload": {"name": "grün", "script": "s", "allowedToFail": False},
        }
        assert printed("--org", "none", folder=tmp_path) == []
        assert {event["orgId"] for event in printed("--org", org_id, folder=tmp_path)} == {org_id}


def test_new_events_follow_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "server", "events", "--from", "5", "--follow"]
    with (
        Server(folder=tmp_path) as server,
        subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, encoding="utf-8"
        ) as following,
    ):
        assert following.stdout is not None
        for name in ("one", "two"):
            server.call("CreateAction", {"name": name, "script": "s"}, "json")
            assert json.loads(following.stdout.readline())["payload"]["name"] == name
        following.send_signal(signal.SIGINT)
        assert following.wait() == 130


def test_nothing_is_made_without_a_database(tmp_path: Path) -> None:
    assert run("events", folder=tmp_path) == Outcome(
        1, "", "error: data has no database yet; run `serve` or `org create` first\n"
    )
    assert [*tmp_path.iterdir()] == []
