"""docs/log-lines.md has each line that the service logs as a warning or an error, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.documents import ROOT

PAGE: Final = ROOT / "docs/log-lines.md"
LEVELS: Final = {"warning", "error", "exception", "critical"}
LOGGERS: Final = {"log", "_log", "logger"}
AT_REGISTRATION: Final = ROOT / "transcoder/routing"
"""Its warnings are for the author of a service, who runs it to see them: ours has none."""


NAMED_FIRST: Final = {
    "server/store/sqlite/store.py": r'^_EXCLUSIVE: Final = "(.+)"$',
    "server/logs.py": r'^    event = "(.+)"$',
}


def modules() -> Iterator[Path]:
    for folder in ("server", "transcoder"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if AT_REGISTRATION not in path.parents:
                yield path


def logged(source: str) -> Iterator[ast.expr]:
    """The first argument of each call that logs a warning or an error."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in LOGGERS
        ):
            yield node.args[0]


def shown(text: str) -> str:
    """The text with `…` for each value."""
    return re.sub(r"%[srd]", "…", text)


def documented() -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)


def test_each_line_for_a_person_is_on_the_page() -> None:
    texts = {
        shown(found.value)
        for path in modules()
        for found in logged(path.read_text("utf-8"))
        if isinstance(found, ast.Constant) and isinstance(found.value, str)
    }
    assert set(documented()) == texts | set(map(named, NAMED_FIRST))


def named(file: str) -> str:
    """The text that a module gives a name before it is logged."""
    found = re.search(NAMED_FIRST[file], (ROOT / file).read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_text_of_a_line_is_written_where_it_is_logged() -> None:
    others = [
        (path.relative_to(ROOT).as_posix(), ast.unparse(found))
        for path in modules()
        for found in logged(path.read_text("utf-8"))
        if not isinstance(found, ast.Constant)
    ]
    assert others == [("server/app.py", "warning")]  # of the store, which has one


def test_no_line_is_on_the_page_twice() -> None:
    assert len(documented()) == len(set(documented()))
