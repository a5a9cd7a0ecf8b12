"""Each example as its reader has it: copied out of the repository, generated, started, called.

Whatever its README shows is run, and answers what the README says.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from textwrap import indent

import pytest

from tests.support.processes import ROOT, Process
from tests.support.stand_ins import CURL, stand_ins
from tests.support.tables import cases
from tests.support.transcripts import blocks, steps, value_of
from tests.support.waiting import until

EXAMPLES = ROOT / "examples"
LIBRARY = EXAMPLES / "library"
ASGI = EXAMPLES / "asgi"
MOUNTED = EXAMPLES / "mounted"
STREAMS = EXAMPLES / "streams"
FREE = "127.0.0.1:0"
README = ROOT / "README.md"
FIVE_LINES = """
import asyncio, logging, sys
from library_pb2_grpc import add_LibraryServicer_to_server
from serve import Library

async def main():
{lines}

logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
asyncio.run(main())
"""


def copied(example: Path, tmp_path: Path) -> Path:
    """The folder without what is generated."""
    made = shutil.ignore_patterns("*_pb2*", "*.binpb", "__pycache__")
    return shutil.copytree(example, tmp_path / example.name, ignore=made)


def run(command: str, folder: Path, path: str) -> str:
    done = subprocess.run(
        ["sh", "-eu", "-c", command],  # noqa: S607  the system's
        cwd=folder,
        env={**os.environ, "PATH": path, "HOME": str(folder)},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with what the READMEs use."""
    return stand_ins(tmp_path / "bin", {"curl": CURL})


def generate(readme: str, folder: Path, path: str) -> None:
    (command,) = (block for block in blocks(readme, "sh") if "protoc" in block)
    run(command, folder, path)


def run_all(readme: str, folder: Path, path: str, addresses: Mapping[str, str]) -> None:
    """Run every call.

    Args:
        readme: its text.
        folder: where.
        path: for programs.
        addresses: where they listen, by where the README says.
    """
    shown = list(steps(readme))
    assert shown
    for step in shown:
        command = step.command
        for told, actual in addresses.items():
            command = command.replace(told, actual)
        printed = run(command, folder, path)
        assert value_of(printed) == value_of(step.printed), step.command


def started(stack: ExitStack, arguments: Sequence[str], folder: Path) -> Process:
    unbuffered = {"PYTHONUNBUFFERED": "1"}  # aiohttp prints its address and does not flush
    return stack.enter_context(
        Process([str(folder / arguments[0]), *arguments[1:]], environment=unbuffered)
    )


def after(process: Process, begin: str) -> str:
    """The next line that it prints, less how it must begin."""
    line = process.line().strip()
    assert line.startswith(begin), line
    return line.removeprefix(begin)


@pytest.mark.parametrize("example", [ASGI, LIBRARY, MOUNTED, STREAMS], ids=lambda path: path.name)
def test_its_generated_code_is_what_its_command_makes(
    example: Path, path: str, tmp_path: Path
) -> None:
    folder = copied(example, tmp_path)
    generate((example / "README.md").read_text("utf-8"), folder, path)
    here = {file.name: file.read_text("utf-8") for file in example.glob("*_pb2*")}
    assert here == {file.name: file.read_text("utf-8") for file in folder.glob("*_pb2*")}
    assert here


def test_the_library_answers_what_its_readme_shows(path: str, tmp_path: Path) -> None:
    readme = (LIBRARY / "README.md").read_text("utf-8")
    folder = copied(LIBRARY, tmp_path)
    generate(readme, folder, path)
    with ExitStack() as stack:
        free = "127.0.0.1:0"
        library = started(stack, ["serve.py", "--http", free, "--grpc", free], folder)
        public = started(stack, ["public.py", "--http", free], folder)
        native = after(library, "gRPC on port ")
        addresses = {
            "127.0.0.1:50051": f"127.0.0.1:{native}",
            "127.0.0.1:8080": after(library, "listening on "),
            "127.0.0.1:8082": after(public, "listening on "),
        }
        run_all(readme, folder, path, addresses)
        assert [library.stop(), public.stop()] == [0, 0]


def test_the_five_lines_of_the_projects_readme_serve(path: str, tmp_path: Path) -> None:
    (lines,) = (block for block in blocks(README.read_text("utf-8"), "python"))
    folder = copied(LIBRARY, tmp_path)
    generate((LIBRARY / "README.md").read_text("utf-8"), folder, path)
    program = FIVE_LINES.format(
        lines=indent(lines.replace("127.0.0.1:8080", "127.0.0.1:0"), "    ")
    )
    (folder / "five.py").write_text(program, "utf-8")
    with ExitStack() as stack:
        five = started(stack, ["five.py"], folder)
        address = after(five, "listening on ")
        assert run(f"curl -sS http://{address}/v1/books", folder, path) == "{}"
        assert five.stop() == 0


def test_the_mounted_service_answers_what_its_readme_shows(path: str, tmp_path: Path) -> None:
    readme = (MOUNTED / "README.md").read_text("utf-8")
    folder = copied(MOUNTED, tmp_path)
    generate(readme, folder, path)
    with ExitStack() as stack:
        site = started(stack, ["app.py", "--port", "0"], folder)
        address = after(site, "======== Running on http://").split()[0]
        run_all(readme, folder, path, {"127.0.0.1:8081": address})
        assert site.stop() == 0


@cases(
    "command, ends_with",
    {
        # uvicorn drains, then ends by the signal that it got.
        "uvicorn": ("uvicorn dashboard:application --port 8084", -signal.SIGTERM),
        "hypercorn": ("hypercorn dashboard:application --bind 127.0.0.1:8084", 0),
        "granian": ("granian --interface asgi dashboard:application --port 8084", 0),
    },
)
def test_fastapi_with_the_service_answers_what_its_readme_shows(
    command: str, ends_with: int, path: str, tmp_path: Path
) -> None:
    readme = (ASGI / "README.md").read_text("utf-8")
    assert command in readme
    folder = shutil.copytree(ASGI, tmp_path / "asgi")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host = command.replace("8084", address.partition(":")[2]).split()
    with ExitStack() as stack:
        errors = stack.enter_context((tmp_path / "errors").open("wb"))
        site = stack.enter_context(Process(["-m", *host], errors=errors, folder=folder))
        until(lambda: answers(address))
        if host[0] == "uvicorn":
            run_all(readme, folder, path, {"127.0.0.1:8084": address})
        assert site.stop() == ends_with


def answers(address: str) -> bool:
    """True if a request gets an answer, which is after the application has started."""
    try:
        with urllib.request.urlopen(f"http://{address}/api/readyz"):
            return True
    except OSError:
        return False


def test_the_streams_answer_what_their_readme_shows(path: str, tmp_path: Path) -> None:
    readme = (STREAMS / "README.md").read_text("utf-8")
    folder = copied(STREAMS, tmp_path)
    generate(readme, folder, path)
    with ExitStack() as stack:
        board = started(stack, ["board.py", "--port", "0", "--grpc", FREE], folder)
        after(board, "gRPC on port ")
        address = after(board, "======== Running on http://").split()[0]
        run_all(readme, folder, path, {"127.0.0.1:8083": address})
        assert board.stop() == 0


@cases(
    "program, options",
    {
        "library": ("library/serve.py", ["--http", "TAKEN", "--grpc", FREE]),
        "library's gRPC": ("library/serve.py", ["--http", FREE, "--grpc", "TAKEN"]),
        "library with options": ("library/public.py", ["--http", "TAKEN"]),
        "no address": ("library/public.py", ["--http", "nowhere"]),
        "mounted": ("mounted/app.py", ["--port", "PORT"]),
        "streams": ("streams/board.py", ["--port", "PORT", "--grpc", FREE]),
        "streams' gRPC": ("streams/board.py", ["--port", "0", "--grpc", "TAKEN"]),
        "no port": ("mounted/app.py", ["--port", "99999"]),
        "browser": ("browser/serve.py", ["--port", "PORT"]),
    },
)
def test_an_address_that_cannot_be_had_is_one_line(program: str, options: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        actual = {"TAKEN": f"127.0.0.1:{port}", "PORT": port}
        arguments = [actual.get(option, option) for option in options]
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / program), *arguments],
            capture_output=True,
            encoding="utf-8",
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    *of_grpc, line = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert all("add_port.cc" in told for told in of_grpc)


def test_two_libraries_do_not_share_a_grpc_port() -> None:
    with ExitStack() as stack:
        options = ["--http", FREE, "--grpc", FREE]
        first = started(stack, ["serve.py", *options], LIBRARY)
        port = after(first, "gRPC on port ")
        second = started(
            stack, ["serve.py", "--http", FREE, "--grpc", f"127.0.0.1:{port}"], LIBRARY
        )
        assert second.wait() == 1
        assert first.stop() == 0
