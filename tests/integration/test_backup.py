"""The copy that docs/operating.md has SQLite make of a running service is that service."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commandline import Server

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another
PAGE = Path(__file__).parents[2] / "docs/operating.md"
PYTHON = "(umask 077; .venv/bin/python "


def test_a_copy_of_a_running_service_is_served(tmp_path: Path) -> None:
    (command,) = (line for line in PAGE.read_text("utf-8").splitlines() if ".backup(" in line)
    assert command.startswith(PYTHON)
    with Server(folder=tmp_path) as server:
        made = server.call("CreateAction", {"name": "kept", "script": "s"}, "json")
        subprocess.run(
            ["sh", "-euc", f'(umask 077; "$0" {command.removeprefix(PYTHON)}', sys.executable],  # noqa: S607
            cwd=tmp_path,
            check=True,
        )
        server.call("CreateAction", {"name": "later", "script": "s"}, "json")
    assert stat.S_IMODE((tmp_path / "copy.sqlite").stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    (tmp_path / "copy.sqlite").rename(tmp_path / "other" / "events.sqlite")
    token = (tmp_path / "data" / "owner.token").read_text("ascii").strip()
    with Server("--data-dir", "other", folder=tmp_path) as server:
        listed = server.call("ListActions", {}, "json", "--token", token)
    (action,) = json.loads(listed.out)["result"]
    assert (action["id"], action["name"]) == (json.loads(made.out)["id"], "kept")
