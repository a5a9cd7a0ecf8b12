"""THREAT_MODEL.md names every limit, and only tests that exist."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from transcoder.options import Limits

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "THREAT_MODEL.md").read_text(encoding="utf-8")
ROWS = [
    line.strip("| \n").split(" | ")
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| limit |", "| threat |"))
]


def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    defined = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, defined)}


@pytest.mark.parametrize("limit", [field.name for field in fields(Limits)])
def test_the_threat_model_names_the_limit(limit: str) -> None:
    assert f"| `{limit}` |" in TEXT


@pytest.mark.parametrize("row", [pytest.param(row, id=row[0]) for row in ROWS])
def test_what_holds_an_answer_is_there(row: list[str]) -> None:
    holders = re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", row[-1])
    assert holders
    assert [
        f"{path}::{name}"
        for path, name in holders
        if not (ROOT / path).is_file() or (name and name not in functions(path))
    ] == []
