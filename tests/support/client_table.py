"""The table client by case: which clients of gRPC-Web and Connect were seen to pass which case.

Knows the rows and the columns, and how both are printed: as Markdown, as in docs/grpc-web.md.
A test fills the cell that its properties name; what did not run has no cell.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

PROPERTY: Final = "gRPC-Web client and case"
"""The name of the property by which a test says which cell it fills: (client, case)."""

BY_GET: Final = "connect-web by Connect in binary"
"""The client that calls methods without side effects by GET, which no origin is kept from."""
BROWSER_CLIENTS: Final = (
    "connect-web",
    "connect-web by Connect in JSON",
    BY_GET,
    "protobuf-ts binary",
    "protobuf-ts text",
    "grpc-web binary",
    "grpc-web text",
)
CLIENTS: Final = (
    *(f"{client}, {where}" for where in ("Node", "Chromium") for client in BROWSER_CLIENTS),
    "buf curl",
    "buf curl by Connect",
)
CASES: Final = (
    "unary",
    "error with details",
    "deadline",
    "stream of 0",
    "stream of 1",
    "stream of 1,000",
    "error after 3",
    "non-ASCII trailers",
    "cancel",
)

Cells = Mapping[tuple[str, str], str]


def table(cells: Cells) -> list[str]:
    """Its lines; a row for each client that ran, a column for each case that ran."""
    clients = [client for client in CLIENTS if any(row == client for row, _ in cells)]
    cases = [case for case in CASES if any(column == case for _, column in cells)]
    lines = [["client", *cases]]
    lines += [[client, *(cells.get((client, case), "") for case in cases)] for client in clients]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return [f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines]


def cells_of(reports: Mapping[str, Iterable[Any]]) -> dict[tuple[str, str], str]:
    """The cells that pytest's reports fill, given by outcome: "passed", "failed", "error"."""
    cells = {}
    for outcome, word in (("passed", "ok"), ("failed", "FAILED"), ("error", "FAILED")):
        for report in reports.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY:
                    client, case = value
                    cells[client, case] = word
    return cells
