"""The snippets of docs/clients.md for Python, curl and JavaScript run as they are printed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import Server, run
from tests.support.stand_ins import CURL, stand_ins
from tests.support.web_clients import NODE_CLIENTS, installed_node

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another

PAGE = Path(__file__).parents[2] / "docs/clients.md"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(folder=tmp_path) as started:
        yield started


def snippet(language: str, section: str) -> str:
    _, _, rest = PAGE.read_text("utf-8").partition(f"\n## {section}\n")
    (text,) = re.findall(rf"```{language}\n(.*?)```", rest.partition("\n## ")[0], re.DOTALL)
    return str(text)


def ran(command: list[str], server: Server, *, cwd: Path | None = None, **more: str) -> str:
    token = (server.folder / "data" / "owner.token").read_text("ascii").strip()
    said = {"GRPC": server.grpc_listen, "HTTP": server.listen, "TOKEN": token}
    done = subprocess.run(
        command,
        cwd=cwd or server.folder,
        env={**os.environ, **said, **more},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def owner_key(server: Server) -> str:
    """Makes a machine key of the owner, and returns the path of its file."""
    (owner,) = json.loads(run("user", "list", "--json", folder=server.folder).out)
    path = server.folder / "key.json"
    made = run("key", "create", owner["id"], "--output", str(path), folder=server.folder)
    assert made.status == 0, made.err
    return str(path)


def test_the_python_of_the_page_names_the_organisation(server: Server) -> None:
    given = "import os\nGRPC, TOKEN = os.environ['GRPC'], os.environ['TOKEN']\n"
    assert ran([sys.executable, "-c", given + snippet("python", "Python")], server) == "Default\n"


def test_each_curl_of_the_page_answers_the_organisation(server: Server, tmp_path: Path) -> None:
    path = stand_ins(tmp_path / "bin", {"curl": CURL})
    for line in snippet("sh", "curl").splitlines():
        assert '"Default"' in ran(["/bin/sh", "-euc", line], server, PATH=path), line


@pytest.mark.parametrize(
    "section",
    [
        *("@zitadel/client", "@zitadel/client in a browser", "@zitadel/node"),
        "@zitadel/node with a key file",
    ],
)
def test_the_javascript_of_the_page_makes_each_action_active(server: Server, section: str) -> None:
    def call(method: str, **request: object) -> dict[str, Any]:
        done = run(
            *("call", method, "-", "--address", server.listen),
            folder=server.folder,
            stdin=json.dumps(request),
        )
        assert done.status == 0, done.err
        answer: dict[str, Any] = json.loads(done.out)
        return answer

    call("CreateAction", name="active", script="function active() {}")
    created = call("CreateAction", name="inactive", script="function inactive() {}")
    call("DeactivateAction", id=created["id"])
    given = "const { GRPC, HTTP, TOKEN, KEY_FILE } = process.env;\n"
    command = [installed_node(), "--input-type=module", "--eval", given + snippet("js", section)]
    assert (
        ran(command, server, cwd=NODE_CLIENTS, KEY_FILE=owner_key(server)) == "active\ninactive\n"
    )
    states = [action["state"] for action in call("ListActions")["result"]]
    assert states == ["ACTION_STATE_ACTIVE"] * 2
