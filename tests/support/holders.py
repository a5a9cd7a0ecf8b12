"""The tests that a table of the docs names: `tests/…/test_x.py`, or `tests/…/test_x.py::test_y`."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def missing(text: str) -> list[str]:
    """Those named in the text that are not there; it must name one."""
    holders = re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", text)
    assert holders, text
    return [
        f"{path}::{name}"
        for path, name in holders
        if not (ROOT / path).is_file() or (name and name not in _functions(path))
    ]


def _functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    defined = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, defined)}
