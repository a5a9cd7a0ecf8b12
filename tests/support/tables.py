"""Tables of cases: the name of each, and its values.

As `pytest.mark.parametrize` does with `pytest.param(..., id=name)`, with the name first.
"""

from collections.abc import Mapping
from typing import Any

import pytest


def cases(names: str, table: Mapping[str, Any]) -> pytest.MarkDecorator:
    """Runs a test once for each row of a table.

    Args:
        names: of the test's arguments, divided by commas.
        table: by the name of a case, its values as a tuple; the bare value for one argument.
    """
    several = "," in names
    rows = [
        pytest.param(*(values if several else (values,)), id=name) for name, values in table.items()
    ]
    return pytest.mark.parametrize(names, rows)


def by_outcome(names: str, table: Mapping[Any, Mapping[str, Any]]) -> pytest.MarkDecorator:
    """Runs a test once for each case of a table, in which cases stand below their outcome.

    Args:
        names: of the test's two arguments: what is given, and its outcome.
        table: by outcome, what is given by the name of a case.
    """
    rows = [
        pytest.param(given, outcome, id=name)
        for outcome, given_by_name in table.items()
        for name, given in given_by_name.items()
    ]
    return pytest.mark.parametrize(names, rows)
