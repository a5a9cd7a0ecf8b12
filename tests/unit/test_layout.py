"""Holds where code and tests stand: the pure files, their imports, tests that mirror the code."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.tables import cases

ROOT = Path(__file__).parents[2]

# Every other file of the transcoder is pure, a new one too.
OF_THE_LOOP = {
    "transcoder/app.py",
    "transcoder/backends/channel.py",
    "transcoder/backends/inprocess.py",
    "transcoder/backends/plain_handlers.py",
    "transcoder/backends/reflection.py",
    "transcoder/backends/servicer_context.py",
    "transcoder/dispatch.py",
    "transcoder/gateway.py",
    "transcoder/http/accepting.py",
    "transcoder/http/aiohttp_request.py",
    "transcoder/http/asgi.py",
    "transcoder/http/asgi_request.py",
    "transcoder/http/asgi_websocket.py",
    "transcoder/http/body.py",
    "transcoder/http/certificate_watch.py",
    "transcoder/http/connection.py",
    "transcoder/http/connections.py",
    "transcoder/http/exchange.py",
    "transcoder/http/first_bytes.py",
    "transcoder/http/half_closed.py",
    "transcoder/http/http2_pipes.py",
    "transcoder/http/keep_alive.py",
    "transcoder/http/multipart.py",
    "transcoder/http/parser_errors.py",
    "transcoder/http/proxied.py",
    "transcoder/http/request.py",
    "transcoder/http/response.py",
    "transcoder/http/server.py",
    "transcoder/http/slow_readers.py",
    "transcoder/http/tls.py",
    "transcoder/http/whole_requests.py",
    "transcoder/openapi/page.py",
    "transcoder/openapi/serving.py",
    "transcoder/protocols/rest_streams.py",
    "transcoder/protocols/streams.py",
    "transcoder/protocols/websocket/handler.py",
    "transcoder/protocols/websocket/socket.py",
    "transcoder/stop_signals.py",
    "transcoder/tasks.py",
    "transcoder/threads.py",
    "transcoder/upstreams.py",
}
TRANSCODER = sorted(
    {p.relative_to(ROOT).as_posix() for p in (ROOT / "transcoder").rglob("*.py")} - OF_THE_LOOP
)
DOMAIN = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "server/domain").glob("*.py"))
IMPURE = ("aiohttp", "asyncio", "grpc.aio")

# Tests of the script side as one program, as a script sees it.
OF_ALL_SCRIPT_FILES = {
    "server/scripts/js/test_members.py",
    "server/scripts/js/test_replaced.py",
    "server/scripts/js/test_runtime.py",
}
# What users run or import, what make runs, what the pool of scripts starts.
STARTED_OR_PUBLIC = {
    "server.__main__",
    "server.config.reference",
    "server.scripts.sandbox.worker",
    "transcoder.__main__",
    "transcoder.reference",
    "transcoder.sonora",
}
UNIT_TESTS = sorted(
    path.relative_to(ROOT / "tests/unit").as_posix()
    for package in ("server", "transcoder")
    for path in (ROOT / "tests/unit" / package).rglob("test_*.py")
)


def is_module(path: Path) -> bool:
    """True if the path without an ending is a file, or a package that is one file."""
    if path.is_dir():
        return [file.name for file in path.glob("*.py")] == ["__init__.py"]
    return path.with_suffix(".py").is_file() or path.with_suffix(".js").is_file()


def module_of(test: str) -> str | None:
    """Returns the module that a test's file is named after, None if there is none.

    `test_router_differential.py` is about a subject, differential, of the module `router`.
    """
    path = ROOT / test
    words = path.stem.removeprefix("test_").split("_")
    for count in range(len(words), 0, -1):
        module = path.parent / "_".join(words[:count])
        if is_module(module):
            return module.relative_to(ROOT).as_posix()
    return None


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


@cases(
    "source, expected",
    {
        "module": ("import asyncio", {"asyncio"}),
        "submodule under another name": ("import aiohttp.web as w", {"aiohttp.web"}),
        "submodule as a name": ("from grpc import aio", {"grpc.aio"}),
        "inside a function": ("def f():\n import grpc.aio", {"grpc.aio"}),
        "status codes": ("from grpc import StatusCode", set()),
        "name that only starts alike": ("import asyncio_like", set()),
    },
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


@cases(
    "module, importers",
    {
        "sonora, an extra": ("sonora", {"transcoder/sonora.py"}),
        "signals, which serve alone handles": ("signal", {"transcoder/stop_signals.py"}),
        "the collector": ("gc", set()),
    },
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


@cases(
    "test, expected",
    {
        "module": ("transcoder/codec/test_codec.py", "transcoder/codec/codec"),
        "module and subject": (
            "transcoder/codec/test_codec_differential.py",
            "transcoder/codec/codec",
        ),
        "module of two words": (
            "transcoder/http/test_unix_sockets.py",
            "transcoder/http/unix_sockets",
        ),
        "script": ("server/scripts/js/test_dates.py", "server/scripts/js/dates"),
        "package of one file": ("server/test_locale.py", "server/locale"),
        "package of several files": ("transcoder/test_codec.py", None),
        "module of another folder": ("transcoder/http/test_codec.py", None),
        "folder that does not exist": ("transcoder/gone/test_codec.py", None),
    },
)
def test_a_test_file_is_matched_with_the_module_it_is_named_after(
    test: str, expected: str | None
) -> None:
    assert module_of(test) == expected


@pytest.mark.parametrize("test", sorted({*UNIT_TESTS} - OF_ALL_SCRIPT_FILES))
def test_a_unit_test_stands_where_its_module_does(test: str) -> None:
    assert module_of(test), f"{test}: expected test_<module>.py or test_<module>_<subject>.py"


def test_tests_of_all_script_files_exist() -> None:
    assert set(UNIT_TESTS) >= OF_ALL_SCRIPT_FILES


@pytest.mark.parametrize("package", ["server", "transcoder"])
def test_every_module_is_imported_by_another(package: str) -> None:
    """A protocol that no Transcoder asks, or a store that nothing opens, is such a module."""
    paths = [path for path in (ROOT / package).rglob("*.py") if path.stem != "__init__"]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    sources = [path.read_text("utf-8") for path in (ROOT / package).rglob("*.py")]
    unused = modules.difference(*map(imported, sources))
    assert unused == {name for name in STARTED_OR_PUBLIC if name.startswith(f"{package}.")}


@pytest.mark.parametrize("folder", ["server", "transcoder", "deploy", "examples", "tests"])
def test_a_docstring_says_what_its_code_does(folder: str) -> None:
    """Forbids "What …", "Whether …", "Of …", which leave the verb to the reader."""
    vague = re.compile(r'"""(?:What|Whether|Whose|Who|Of|How) ')
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not {"node_modules", "proto"} & {*path.parts}
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if vague.search(line)
    ]
    assert found == []
