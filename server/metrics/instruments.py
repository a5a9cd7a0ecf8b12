"""Counts, on the event loop, at a fraction of a microsecond an observation.

An instrument has a child for each combination of values of its labels. Who counts often keeps the
child. prometheus-client's own instruments take a lock and a look-up each time.

Rule: only the loop counts; a snapshot is taken there, too.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from server.metrics.snapshot import Distribution, Kind, Labels, Merge, Metric, Snapshot

Read: TypeAlias = Callable[[], float]
ReadAll: TypeAlias = Callable[[], Mapping[Labels, float]]


class Number:
    """One value of a counter or of a gauge."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Histogram:
    """One distribution: how many observations are in each bucket, and their sum."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def distribution(self) -> Distribution:
        return Distribution(tuple(self._counts), self._total)


class Numbers:
    """A counter or a gauge, with a child for each combination of labels."""

    def __init__(self, name: str, kind: Kind, text: str, labels: Labels) -> None:
        self._name, self._kind, self._text, self._labels = name, kind, text, labels
        self._children: dict[Labels, Number] = {}

    def of(self, *values: str) -> Number:
        """Returns the child of these values of the labels."""
        return self._children.setdefault(values, Number())

    def metric(self) -> Metric:
        numbers = tuple((labels, child.value) for labels, child in self._children.items())
        return Metric(
            name=self._name,
            kind=self._kind,
            text=self._text,
            labels=self._labels,
            numbers=numbers,
        )


class Histograms:
    """A histogram, with a child for each combination of labels."""

    def __init__(self, name: str, text: str, labels: Labels, bounds: Sequence[float]) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._bounds = tuple(bounds)
        self._children: dict[Labels, Histogram] = {}

    def of(self, *values: str) -> Histogram:
        """Returns the child of these values of the labels."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = Histogram(self._bounds)
        return child

    def metric(self) -> Metric:
        distributions = tuple(
            (labels, child.distribution()) for labels, child in self._children.items()
        )
        return Metric(
            name=self._name,
            kind=Kind.HISTOGRAM,
            text=self._text,
            labels=self._labels,
            distributions=distributions,
            bounds=self._bounds,
        )


class Registry:
    """Makes instruments, and takes snapshots of all of them."""

    def __init__(self) -> None:
        self._metrics: Final[dict[str, Callable[[], Metric]]] = {}

    def counter(self, name: str, text: str, *labels: str) -> Numbers:
        return self._numbers(name, Kind.COUNTER, text, labels)

    def gauge(self, name: str, text: str, *labels: str) -> Numbers:
        return self._numbers(name, Kind.GAUGE, text, labels)

    def histogram(self, name: str, text: str, *labels: str, bounds: Sequence[float]) -> Histograms:
        histograms = Histograms(name, text, labels, bounds)
        self._metrics[name] = histograms.metric
        return histograms

    def read(
        self,
        name: str,
        kind: Kind,
        text: str,
        read: ReadAll,
        *labels: str,
        merge: Merge = Merge.SUM,
    ) -> None:
        """Adds a metric whose values are read when a snapshot is taken."""
        self._metrics[name] = lambda: Metric(
            name=name,
            kind=kind,
            text=text,
            labels=labels,
            numbers=tuple(read().items()),
            merge=merge,
        )

    def snapshot(self) -> Snapshot:
        """Returns all values of now."""
        return tuple(metric() for metric in self._metrics.values())

    def _numbers(self, name: str, kind: Kind, text: str, labels: Labels) -> Numbers:
        numbers = Numbers(name, kind, text, labels)
        self._metrics[name] = numbers.metric
        return numbers


def reading(read: Read) -> ReadAll:
    """Returns the reader of a metric without labels."""
    return lambda: {(): read()}
