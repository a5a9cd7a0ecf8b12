"""Runs the snippet of docs/clients.md for zitadel-go, by Go, against the service.

Its client and the versions of all that it needs are in tests/conformance/go/go.mod.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Final

from tests.support.golang import GoFolder
from tests.support.processes import ROOT
from tests.support.real_server import ONE_PORT, RealServer

_PAGE: Final = ROOT / "docs/clients.md"
_SOURCES: Final = Path(__file__).parent / "go"
_RUN_S: Final = 30.0


class ClientFailed(Exception):
    """The page has no program, or it does not do what the page says."""


def run() -> None:
    """Builds the snippet, and has it make an inactive action active, at each address of gRPC.

    Raises:
        ClientFailed: it does not.
        GoError: it cannot be built, or fails.
    """
    folder = GoFolder(ROOT / "build" / "zitadel-go", sources=_SOURCES)
    (folder.path / "main.go").write_text(_program(), encoding="utf-8")
    program = folder.build("client", ".")
    for options in ((), ONE_PORT):
        _activate(folder, program, options)


def _activate(folder: GoFolder, program: Path, options: tuple[str, ...]) -> None:
    """Has the program make an inactive action active, at a service with the options.

    Raises:
        ClientFailed: it does not.
        GoError: it fails.
    """
    with (
        tempfile.TemporaryDirectory(prefix="zitadel-go-") as data,
        RealServer(Path(data) / "data", *options) as server,
    ):
        active, inactive = server.new_action("active"), server.new_action("inactive")
        server.ask("POST", f"/management/v1/actions/{inactive}/_deactivate", {})
        host, _, port = server.grpc.rpartition(":")
        said = {"GRPC_HOST": host, "GRPC_PORT": port, "TOKEN": server.token}
        done = folder.run([str(program)], said, timeout_s=_RUN_S)
        listed = server.ask("POST", "/management/v1/actions/_search", {})["result"]
    states = {action["id"]: action["state"] for action in listed}
    expected = dict.fromkeys((active, inactive), "ACTION_STATE_ACTIVE")
    if done != "active\ninactive\n" or states != expected:
        raise ClientFailed(f"zitadel-go printed {done!r} and left {json.dumps(states)}")


def _program() -> str:
    found = re.search(r"\n## zitadel-go\n.*?```go\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
    if found is None:
        raise ClientFailed(f"{_PAGE.name}: expected a program in Go under zitadel-go")
    return found[1]
