"""Work leaves the event loop through named pools only; ruff forbids `asyncio.to_thread`."""

import ast
from pathlib import Path

import pytest

from tests.support.tables import cases

ROOT = Path(__file__).parents[2]

MAY_MAKE_THREADS = {
    "server/cli/worker.py",  # one that waits for the end of the supervisor, before there is a loop
    "server/threads.py",
    "server/line_writer.py",  # one of the log's, to wait for whoever reads it
    "server/store/sqlite/worker.py",  # a commit is one hop there and one back
    "server/tracing/export.py",  # one that waits for the collector of spans
    "transcoder/threads.py",
}
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("server", "transcoder")
    for path in (ROOT / package).rglob("*.py")
)


def uses_of_the_default_executor(source: str) -> list[int]:
    """The lines of `loop.run_in_executor(None, …)`."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "run_in_executor"
        and not (node.args and not is_none(node.args[0]))
    ]


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def makes_threads(source: str) -> bool:
    return any(
        isinstance(node, ast.Name | ast.Attribute | ast.alias)
        and {"ThreadPoolExecutor", "Thread"} & set(vars(node).values())
        for node in ast.walk(ast.parse(source))
    )


@cases(
    "source, lines",
    {
        "none": ("loop.run_in_executor(None, f)", [1]),
        "by name": ("get()\nget().run_in_executor(executor=None, func=f)", [2]),
        "a pool": ("loop.run_in_executor(threads, f)", []),
    },
)
def test_the_default_executor_is_seen(source: str, lines: list[int]) -> None:
    assert uses_of_the_default_executor(source) == lines


@cases(
    "source, expected",
    {
        "imported": ("from concurrent.futures import ThreadPoolExecutor as P", True),
        "attribute": ("threading.Thread(target=f)", True),
        "a pool": ("threads.run(f)", False),
    },
)
def test_new_threads_are_seen(source: str, expected: bool) -> None:
    assert makes_threads(source) is expected


@pytest.mark.parametrize("path", SOURCES)
def test_work_leaves_the_loop_through_a_pool_of_its_purpose(path: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    assert uses_of_the_default_executor(source) == []
    if path not in MAY_MAKE_THREADS:
        assert not makes_threads(source)
