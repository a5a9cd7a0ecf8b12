"""How many rows of the API's tables were asked at which door, and were answered as documented.

Knows the subjects of the API, which are headings of docs/api.md, and the three doors. A test counts
itself by its properties.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.support.doors import DOORS

PROPERTY: Final = "row of the Actions API"
"""The name of the property by which a test says what it asks: (subject, door)."""

Counts = Mapping[tuple[str, str], tuple[int, int]]
"""By (subject, door): how many were answered as documented, and how many were asked."""


def counts_of(reports: Mapping[str, Iterable[Any]]) -> Counts:
    """Count pytest's reports, given by outcome: "passed", "failed", "error"."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in reports.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY and (outcome != "passed" or report.when == "call"):
                    subject, door = value
                    right, asked = counts.get((subject, door), (0, 0))
                    counts[subject, door] = (right + (outcome == "passed"), asked + 1)
    return counts


def lines_of(counts: Counts) -> list[str]:
    lines = []
    for subject in sorted({subject for subject, _ in counts}):
        doors = [(door, *counts[subject, door]) for door in DOORS if (subject, door) in counts]
        each = ", ".join(f"{door} {right} of {asked}" for door, right, asked in doors)
        total = sum(right for _, right, _ in doors)
        lines.append(f"{subject}: {total} rows answered as documented ({each})")
    return lines
