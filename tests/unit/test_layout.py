"""The starred files of the design stay pure: no aiohttp, no asyncio, no grpc.aio."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Every other file of the transcoder is pure, a new one too.
OF_THE_LOOP = {
    "transcoder/__init__.py",
    "transcoder/app.py",
    "transcoder/asgi.py",
    "transcoder/bodies.py",
    "transcoder/calls.py",
    "transcoder/connection.py",
    "transcoder/context.py",
    "transcoder/doors.py",
    "transcoder/half_closed.py",
    "transcoder/inprocess.py",
    "transcoder/listener.py",
    "transcoder/offload.py",
    "transcoder/parser_errors.py",
    "transcoder/plain_handlers.py",
    "transcoder/responses.py",
    "transcoder/schema.py",
    "transcoder/tasks.py",
    "transcoder/threads.py",
    "transcoder/web.py",
}
TRANSCODER = sorted(
    {p.relative_to(ROOT).as_posix() for p in (ROOT / "transcoder").glob("*.py")} - OF_THE_LOOP
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


def test_the_domain_is_among_the_pure_files() -> None:
    assert "server/domain/action.py" in DOMAIN
