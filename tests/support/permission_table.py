"""The table method by caller: what each method answers to each role, as docs/permissions.md has it.

Knows the rows, the columns, and how a table is printed. A test prints the tables that it saw.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.support.api_client import METHODS

PROPERTY: Final = "permissions"
"""The name of the property by which a test says what it saw: the lines of a table."""

ROLES: Final = (
    "IAM_OWNER",
    "IAM_ORG_MANAGER",
    "IAM_OWNER_VIEWER",
    "ORG_OWNER",
    "ORG_OWNER_VIEWER",
    "ORG_ACTION_RUNNER",
)
NO_MEMBER: Final = "no membership"
ANONYMOUS: Final = "no token"
CALLERS: Final = (*ROLES, NO_MEMBER, ANONYMOUS)
METHOD_NAMES: Final = tuple(METHODS)

Cells = Mapping[tuple[str, str], str]
"""The answers, by (method, caller)."""


def table(cells: Cells) -> list[str]:
    """Its lines; a row for each method that was asked."""
    methods = [method for method in METHOD_NAMES if any(row == method for row, _ in cells)]
    lines = [["method", *CALLERS]]
    lines += [[method, *(cells[method, caller] for caller in CALLERS)] for method in methods]
    lines.insert(1, ["---"] * len(lines[0]))
    return [f"| {' | '.join(line)} |" for line in lines]


def lines_of(reports: Mapping[str, Iterable[Any]]) -> list[str]:
    """The tables that pytest's reports carry, whatever came of the tests; each once."""
    seen: dict[str, list[str]] = {}
    for outcome in ("passed", "failed"):
        for report in reports.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY:
                    title, lines = value
                    seen[title] = ["", title, *lines]
    return [line for lines in seen.values() for line in lines]
