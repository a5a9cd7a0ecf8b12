"""Counts rows of the API's tables that were asked and answered as documented, by protocol.

Knows the subjects of the API, which are headings of docs/api.md and the store that has been asked,
and the three protocols. A test counts itself by its properties.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.support.api_client import PROTOCOLS

PROPERTY: Final = "row of the Actions API"
"""The name of the property by which a test says what it asks: (subject, protocol)."""

Counts = Mapping[tuple[str, str], tuple[int, int]]
"""By (subject, protocol): how many were answered as documented, and how many were asked."""


def counts_of(reports: Mapping[str, Iterable[Any]]) -> Counts:
    """Count pytest's reports, given by outcome: "passed", "failed", "error"."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in reports.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY and (outcome != "passed" or report.when == "call"):
                    subject, protocol = value
                    right, asked = counts.get((subject, protocol), (0, 0))
                    counts[subject, protocol] = (right + (outcome == "passed"), asked + 1)
    return counts


def lines_of(counts: Counts) -> list[str]:
    lines = []
    for subject in sorted({subject for subject, _ in counts}):
        protocols = [
            (protocol, *counts[subject, protocol])
            for protocol in PROTOCOLS
            if (subject, protocol) in counts
        ]
        each = ", ".join(f"{protocol} {right} of {asked}" for protocol, right, asked in protocols)
        total = sum(right for _, right, _ in protocols)
        lines.append(f"{subject}: {total} rows answered as documented ({each})")
    return lines
