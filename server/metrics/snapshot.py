"""Holds the values of metrics at one moment, and adds up those of several processes.

Rule: plain data, so that a process can send its values to another one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import add
from typing import Final, TypeAlias

Labels: TypeAlias = tuple[str, ...]


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(StrEnum):
    """Says how the values of several processes become one."""

    SUM = "sum"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Holds the values of a histogram.

    Attributes:
        counts: observations in each bucket, not cumulative; the last is that without a bound.
        total: the sum of all observations.
    """

    counts: tuple[int, ...]
    total: float

    def __add__(self, other: "Distribution") -> "Distribution":
        counts = tuple(map(sum, zip(self.counts, other.counts, strict=True)))
        return Distribution(counts, self.total + other.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Holds the values of one metric, by the values of its labels.

    Attributes:
        name: without the suffix `_total` that a counter is shown with.
        numbers: of a counter or a gauge.
        distributions: of a histogram.
        bounds: upper bounds of a histogram's buckets, without the infinite one.
    """

    name: str
    kind: Kind
    text: str
    labels: Labels
    numbers: tuple[tuple[Labels, float], ...] = ()
    distributions: tuple[tuple[Labels, Distribution], ...] = ()
    bounds: tuple[float, ...] = ()
    merge: Merge = Merge.SUM


Snapshot: TypeAlias = tuple[Metric, ...]


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Returns the values of all processes together; metrics keep the order of the first."""
    found: dict[str, Metric] = {}
    for snapshot in snapshots:
        for metric in snapshot:
            known = found.get(metric.name)
            found[metric.name] = metric if known is None else _together(known, metric)
    return tuple(found.values())


def _together(first: Metric, second: Metric) -> Metric:
    numbers = dict(first.numbers)
    for labels, number in second.numbers:
        numbers[labels] = _one(numbers, labels, number, first.merge)
    distributions = dict(first.distributions)
    for labels, distribution in second.distributions:
        known = distributions.get(labels)
        distributions[labels] = distribution if known is None else known + distribution
    return replace(
        first, numbers=tuple(numbers.items()), distributions=tuple(distributions.items())
    )


def _one(numbers: Mapping[Labels, float], labels: Labels, number: float, merge: Merge) -> float:
    if labels not in numbers:
        return number
    return _MERGES[merge](numbers[labels], number)


_MERGES: Final[Mapping[Merge, Callable[[float, float], float]]] = {
    Merge.SUM: add,
    Merge.MIN: min,
    Merge.MAX: max,
}
