"""`serve`, while the clock of its machine is years ahead, and when it is right again."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.commandline import TIMEOUT_S, Server

pytestmark = pytest.mark.timeout(240)  # two servers, and a dozen commands

AHEAD = timedelta(days=3650)

# Imported by Python at its start, where PYTHONPATH has it.
SITECUSTOMIZE = """
import pathlib, time
_file, _time_ns = pathlib.Path(__file__).with_name("ahead_s"), time.time_ns
time.time_ns = lambda: _time_ns() + int(_file.read_text()) * 10**9
"""


def set_clock(folder: Path, ahead: timedelta) -> None:
    """Sets the clock of the servers in the folder, in one moment."""
    new = folder / "new"
    new.write_text(str(int(ahead.total_seconds())))
    new.rename(folder / "ahead_s")


async def logged(server: Server, text: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while text not in server.log():
        assert time.monotonic() < deadline, server.log()
        await asyncio.sleep(0.05)


def created(server: Server, name: str) -> datetime:
    """Creates an action, and returns its creation time."""
    done = server.call("CreateAction", {"name": name, "script": f"function {name}() {{}}"}, "json")
    assert done.status == 0, done
    return datetime.fromisoformat(json.loads(done.out)["details"]["creationDate"])


async def test_writes_have_the_right_time_once_the_clock_has(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    set_clock(tmp_path, AHEAD)
    environment = {"PYTHONPATH": str(tmp_path)}
    with Server(folder=tmp_path, environment=environment) as server:
        assert created(server, "early") > datetime.now(UTC) + AHEAD / 2
        set_clock(tmp_path, timedelta())
        await logged(server, "the clock was set step_s=-315360000.0")
        assert abs(created(server, "right") - datetime.now(UTC)) < timedelta(minutes=5)
        set_clock(tmp_path, AHEAD)
        await logged(server, "the clock was set step_s=315360000.0")
        created(server, "late")
        server.stop()
    with Server(folder=tmp_path) as server:
        await logged(server, "the clock is behind the last event: it is wrong now, or was then")
        assert abs(created(server, "again") - datetime.now(UTC)) < timedelta(minutes=5)
        listed = json.loads(server.call("ListActions", {}, "json").out)["result"]
        assert [action["name"] for action in listed] == ["early", "right", "late", "again"]
