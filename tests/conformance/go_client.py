"""Runs the snippet of docs/clients.md for zitadel-go, by Go, against the service.

Its client and the versions of all that it needs are in tests/conformance/go/go.mod.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT
from tests.support.real_server import RealServer

_PAGE: Final = ROOT / "docs/clients.md"
_SOURCES: Final = Path(__file__).parent / "go"
_BUILD: Final = ROOT / "build" / "zitadel-go"
_RUN_S: Final = 30.0


class ClientFailed(Exception):
    """The client cannot be built, or does not do what the page says."""


def run() -> None:
    """Builds the snippet, and has it make an inactive action active.

    Raises:
        ClientFailed: it does not.
    """
    program = _build()
    with (
        tempfile.TemporaryDirectory(prefix="zitadel-go-") as folder,
        RealServer(Path(folder) / "data") as server,
    ):
        active, inactive = server.new_action("active"), server.new_action("inactive")
        server.ask("POST", f"/management/v1/actions/{inactive}/_deactivate", {})
        host, _, port = server.grpc.rpartition(":")
        said = {"GRPC_HOST": host, "GRPC_PORT": port, "TOKEN": server.token}
        done = _run([str(program)], said, timeout_s=_RUN_S)
        listed = server.ask("POST", "/management/v1/actions/_search", {})["result"]
    states = {action["id"]: action["state"] for action in listed}
    expected = dict.fromkeys((active, inactive), "ACTION_STATE_ACTIVE")
    if done != "active\ninactive\n" or states != expected:
        raise ClientFailed(f"zitadel-go printed {done!r} and left {json.dumps(states)}")


def _build() -> Path:
    go = shutil.which("go")
    if go is None:
        raise ClientFailed("go: expected Go 1.25 or newer in PATH")
    found = re.search(r"\n## zitadel-go\n.*?```go\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
    if found is None:
        raise ClientFailed(f"{_PAGE.name}: expected a program in Go under zitadel-go")
    _BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(_SOURCES / name, _BUILD / name)
    (_BUILD / "main.go").write_text(found[1], encoding="utf-8")
    program = _BUILD / "client"
    _run([go, "build", "-mod=readonly", "-o", str(program), "."], {"GOTOOLCHAIN": "local"})
    return program


def _run(command: list[str], said: dict[str, str], *, timeout_s: float | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=_BUILD,
        env={**os.environ, **said},
        capture_output=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
    )
    if done.returncode:
        raise ClientFailed(f"{Path(command[0]).name}: {done.stderr[-2000:]}")
    return done.stdout
