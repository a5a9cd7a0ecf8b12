"""Reads the texts below the fields of a class of options, from its source."""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator


def documented_fields(declaring: type) -> Iterator[tuple[ast.AnnAssign, str | None]]:
    """Yields each field of a class with the text below it, as it stands; None if it has none."""
    [body] = ast.parse(textwrap.dedent(inspect.getsource(declaring))).body
    for statement, below in itertools.pairwise((*getattr(body, "body", ()), None)):
        if isinstance(statement, ast.AnnAssign):
            yield statement, _text_of(below)


def _text_of(statement: ast.stmt | None) -> str | None:
    """Returns the text that a statement is, if it is one."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return str(statement.value.value)
    return None
