"""Counts rows of logins that gave what actions of a ZITADEL gave, by function.

A test counts its rows by its properties: each claim, attribute, entry of metadata, line of a log.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

PROPERTY: Final = "rows of a login"
"""The name of the property by which a test says its rows: (function, number)."""


def lines_of(reports: Mapping[str, Iterable[Any]]) -> list[str]:
    """Returns a line for each function, from pytest's reports that passed."""
    counts: dict[str, int] = {}
    for report in reports.get("passed", ()):
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY and report.when == "call":
                function, rows = value
                counts[function] = counts.get(function, 0) + rows
    return [f"{function}: {rows} rows as there" for function, rows in sorted(counts.items())]
