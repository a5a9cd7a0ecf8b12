"""Instruments count; a snapshot has what was counted, and snapshots of processes add up."""

import msgspec

from server.metrics.exposition import text_of
from server.metrics.instruments import Registry, reading
from server.metrics.snapshot import Kind, Merge, Snapshot, merged


def counted(amount: int, *, started: int) -> Snapshot:
    registry = Registry()
    registry.counter("jobs", "Jobs.", "kind").of("big").value += amount
    histogram = registry.histogram("job_seconds", "Seconds.", bounds=(0.5, 1.0)).of()
    for _ in range(amount):
        histogram.observe(0.5)
    histogram.observe(3.0)
    registry.read("start", Kind.GAUGE, "Start.", reading(lambda: started), merge=Merge.MAX)
    return registry.snapshot()


PAGE = b"""\
# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{kind="big"} 2.0
# HELP job_seconds Seconds.
# TYPE job_seconds histogram
job_seconds_bucket{le="0.5"} 2.0
job_seconds_bucket{le="1.0"} 2.0
job_seconds_bucket{le="+Inf"} 3.0
job_seconds_count 3.0
job_seconds_sum 4.0
# HELP start Start.
# TYPE start gauge
start 7.0
"""


def test_a_snapshot_is_written_in_the_format_of_prometheus() -> None:
    assert text_of(counted(2, started=7)) == PAGE


def test_snapshots_of_processes_add_up() -> None:
    both = text_of(merged([counted(2, started=7), counted(3, started=5)]))
    assert b'jobs_total{kind="big"} 5.0\n' in both
    assert b'job_seconds_bucket{le="0.5"} 5.0\n' in both
    assert b"job_seconds_count 7.0\n" in both
    assert b"job_seconds_sum 8.5\n" in both
    assert b"start 7.0\n" in both


def test_labels_that_one_process_alone_has_stay() -> None:
    registry = Registry()
    registry.counter("jobs", "Jobs.", "kind").of("small").value += 1
    page = text_of(merged([counted(2, started=7), registry.snapshot()]))
    assert b'jobs_total{kind="big"} 2.0\njobs_total{kind="small"} 1.0\n' in page


def test_a_snapshot_can_be_sent_to_another_process() -> None:
    snapshot = counted(2, started=7)
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot) == snapshot


def test_a_snapshot_does_not_change_while_counting_goes_on() -> None:
    registry = Registry()
    histogram = registry.histogram("job_seconds", "Seconds.", bounds=(1.0,)).of()
    before = registry.snapshot()
    histogram.observe(0.1)
    assert before != registry.snapshot()
    assert b"job_seconds_count 0.0\n" in text_of(before)


def test_a_bound_is_in_its_bucket() -> None:
    registry = Registry()
    registry.histogram("size", "Size.", bounds=(1.0, 2.0)).of().observe(2.0)
    (metric,) = registry.snapshot()
    assert metric.distributions[0][1].counts == (0, 1, 0)
