"""Writes a snapshot as text for Prometheus, and reads the figures of this process.

The format is Prometheus' text, version 0.0.4, as prometheus-client writes it.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Shown,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from server.metrics.snapshot import Kind, Merge, Metric, Snapshot

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

_START: Final = "process_start_time_seconds"


def text_of(snapshot: Snapshot) -> bytes:
    """Returns the page of a snapshot; takes milliseconds where there are many values."""
    return generate_latest(_Snapshot(snapshot))


def process_metrics() -> Snapshot:
    """Returns CPU seconds, memory and open files of this process; reads files of /proc."""
    return tuple(
        Metric(
            name=shown.name,
            kind=Kind(shown.type),
            text=shown.documentation,
            labels=(),
            numbers=tuple(((), sample.value) for sample in shown.samples),
            merge=Merge.MAX if shown.name == _START else Merge.SUM,
        )
        for shown in ProcessCollector(registry=None).collect()
    )


class _Snapshot(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Shown]:
        return map(_shown, self._snapshot)


def _shown(metric: Metric) -> Shown:
    if metric.kind is Kind.HISTOGRAM:
        return _histogram(metric)
    make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    shown = make(metric.name, metric.text, labels=metric.labels)
    for labels, number in metric.numbers:
        shown.add_metric(labels, number)
    return shown


def _histogram(metric: Metric) -> Shown:
    shown = HistogramMetricFamily(metric.name, metric.text, labels=metric.labels)
    bounds = [*map(str, metric.bounds), "+Inf"]
    for labels, distribution in metric.distributions:
        counts = accumulate(map(float, distribution.counts))
        shown.add_metric(labels, list(zip(bounds, counts, strict=True)), distribution.total)
    return shown
