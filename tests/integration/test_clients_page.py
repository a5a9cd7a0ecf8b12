"""The snippets of docs/clients.md that need nothing but Python or curl run as they are printed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commandline import Server
from tests.stand_ins import CURL, stand_ins

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another

PAGE = Path(__file__).parents[2] / "docs/clients.md"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(folder=tmp_path) as started:
        yield started


def snippet(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(text)


def ran(command: list[str], server: Server, **more: str) -> str:
    token = (server.folder / "data" / "owner.token").read_text("ascii").strip()
    said = {"GRPC": server.grpc_listen, "HTTP": server.listen, "TOKEN": token}
    done = subprocess.run(
        command,
        cwd=server.folder,
        env={**os.environ, **said, **more},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def test_the_python_of_the_page_names_the_organisation(server: Server) -> None:
    given = "import os\nGRPC, TOKEN = os.environ['GRPC'], os.environ['TOKEN']\n"
    assert ran([sys.executable, "-c", given + snippet("python")], server) == "Default\n"


def test_each_curl_of_the_page_answers_the_organisation(server: Server, tmp_path: Path) -> None:
    path = stand_ins(tmp_path / "bin", {"curl": CURL})
    for line in snippet("sh").splitlines():
        assert '"Default"' in ran(["/bin/sh", "-euc", line], server, PATH=path), line
