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
