"""The pure files import no aiohttp, no asyncio, no grpc.aio."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Every other file of the transcoder is pure, a new one too.
OF_THE_LOOP = {
    "transcoder/app.py",
    "transcoder/backends/inprocess.py",
    "transcoder/backends/plain_handlers.py",
    "transcoder/backends/servicer_context.py",
    "transcoder/dispatch.py",
    "transcoder/http/accepting.py",
    "transcoder/http/body.py",
    "transcoder/http/connection.py",
    "transcoder/http/exchange.py",
    "transcoder/http/half_closed.py",
    "transcoder/http/parser_errors.py",
    "transcoder/http/response.py",
    "transcoder/http/server.py",
    "transcoder/protocols/grpcweb/handler.py",
    "transcoder/tasks.py",
    "transcoder/threads.py",
}
TRANSCODER = sorted(
    {p.relative_to(ROOT).as_posix() for p in (ROOT / "transcoder").rglob("*.py")} - OF_THE_LOOP
)
DOMAIN = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "server/domain").glob("*.py"))
IMPURE = ("aiohttp", "asyncio", "grpc.aio")


def imported(source: str) -> set[str]:
    """Every name that the source imports, dotted: `from grpc import aio` is grpc and grpc.aio."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def impure(source: str) -> set[str]:
    return {
        name
        for name in imported(source)
        if any(name == bad or name.startswith(f"{bad}.") for bad in IMPURE)
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("import asyncio", {"asyncio"}, id="module"),
        pytest.param("import aiohttp.web as w", {"aiohttp.web"}, id="submodule under another name"),
        pytest.param("from grpc import aio", {"grpc.aio"}, id="submodule as a name"),
        pytest.param("def f():\n import grpc.aio", {"grpc.aio"}, id="inside a function"),
        pytest.param("from grpc import StatusCode", set(), id="status codes"),
        pytest.param("import asyncio_like", set(), id="name that only starts alike"),
    ],
)
def test_an_import_of_the_event_loop_is_seen_in_every_form(source: str, expected: set[str]) -> None:
    assert impure(source) == expected


@pytest.mark.parametrize("path", [*TRANSCODER, *DOMAIN])
def test_a_pure_file_imports_no_event_loop(path: str) -> None:
    assert impure((ROOT / path).read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("folder", ["routing", "codec", "binding"])
def test_all_of_a_pure_folder_is_among_the_pure_files(folder: str) -> None:
    files = {p.relative_to(ROOT).as_posix() for p in (ROOT / "transcoder" / folder).glob("*.py")}
    assert files <= set(TRANSCODER)
    assert files


@pytest.mark.parametrize(
    ("module", "importers"),
    [
        pytest.param("sonora", {"transcoder/sonora.py"}, id="sonora, an extra"),
        pytest.param("signal", {"transcoder/app.py"}, id="signals, which serve alone handles"),
        pytest.param("gc", set(), id="the collector"),
    ],
)
def test_the_transcoder_imports_it_in_one_place(module: str, importers: set[str]) -> None:
    found = set()
    for path in (ROOT / "transcoder").rglob("*.py"):
        names = imported(path.read_text(encoding="utf-8"))
        if any(name == module or name.startswith(f"{module}.") for name in names):
            found.add(path.relative_to(ROOT).as_posix())
    assert found == importers


def test_the_domain_is_among_the_pure_files() -> None:
    assert "server/domain/action.py" in DOMAIN


def test_the_map_of_what_tests_share_is_complete() -> None:
    folder = ROOT / "tests" / "support"
    named = re.findall(r"`(\w+\.py)`", (folder / "README.md").read_text("utf-8"))
    assert sorted(named) == sorted(path.name for path in folder.glob("*.py"))
