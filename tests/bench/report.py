"""Writes the measurements as a table for people and as JSON for programs.

Rule: a ratio is formed within one round, between neighbours in time; what is reported is the median
of the rounds, with the smallest and the largest beside it. Single figures drift by 30 %.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final, TypeAlias

JSON: TypeAlias = "Mapping[str, JSON] | Sequence[JSON] | str | float | int | bool | None"

_NAME_CHARS: Final = 62
BUSY_MIN: Final = 0.9


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over all rounds."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> "Spread":
        values = sorted(figures)
        return cls(median(values), values[0], values[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRow:
    """The cost of one kind of work.

    Attributes:
        is_busy: whether the server was to have no pause.
    """

    name: str
    title: str
    cpu_us: Spread
    rate: Spread
    server_busy: Spread
    client_busy: Spread
    is_busy: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure that is asked for, or of interest.

    Attributes:
        asked, stretch: the bounds; None where nothing is asked.
        is_at_most: whether the bounds are upper ones.
    """

    name: str
    title: str
    unit: str
    reached: Spread
    asked: float | None = None
    stretch: float | None = None
    is_at_most: bool = True

    @property
    def verdict(self) -> str:
        """ "stretch", "reached" or "short"; empty where nothing is asked."""
        for word, bound in (("stretch", self.stretch), ("reached", self.asked)):
            if bound is not None and (
                self.reached.median <= bound if self.is_at_most else self.reached.median >= bound
            ):
                return word
        return "" if self.asked is None else "short"


def table(works: Sequence[WorkRow], figures: Sequence[Figure]) -> str:
    lines = [
        f"{'work':{_NAME_CHARS}} {'CPU µs a request':>22} {'requests/s':>22} "
        f"{'busy: server, client':>21}"
    ]
    lines += [
        f"{row.title:{_NAME_CHARS}} {_spread(row.cpu_us, 1):>22} {_spread(row.rate, 0):>22} "
        f"{row.server_busy.median:>13.0%}, {row.client_busy.median:>6.0%}"
        for row in works
    ]
    lines += ["", f"{'figure':{_NAME_CHARS}} {'asked':>10} {'stretch':>10} {'reached':>24}"]
    for figure in figures:
        sign = "≤" if figure.is_at_most else "≥"
        asked, stretch = (
            "" if bound is None else f"{sign} {bound:g}{figure.unit}"
            for bound in (figure.asked, figure.stretch)
        )
        digits = 2 if figure.unit in ("x", "") else 1
        reached = _spread(figure.reached, digits, figure.unit)
        lines.append(
            f"{figure.title:{_NAME_CHARS}} {asked:>10} {stretch:>10} {reached:>24}  "
            f"{figure.verdict}"
        )
    busy = [row for row in works if row.is_busy]
    starved = [row.title for row in busy if row.server_busy.median < BUSY_MIN]
    if starved:
        lines += [
            "",
            f"Indicative only: the server had less than {BUSY_MIN:.0%} of its core in "
            f"{len(starved)} of {len(busy)} rows: something else ran there, or the disk is slow.",
        ]
    return "\n".join(line.rstrip() for line in lines)


def as_json(
    works: Sequence[WorkRow], figures: Sequence[Figure], *, machine: Mapping[str, JSON]
) -> str:
    document = {
        "machine": machine,
        "works": [asdict(row) for row in works],
        "figures": [asdict(figure) | {"verdict": figure.verdict} for figure in figures],
    }
    return json.dumps(document, indent=2) + "\n"


def _spread(spread: Spread, digits: int, unit: str = "") -> str:
    return f"{spread.median:.{digits}f}{unit} ({spread.min:.{digits}f}-{spread.max:.{digits}f})"
