"""Declares the metrics of the service; a test compares them with the table in docs/metrics.md.

Follows docs/metrics.md: names have a prefix, base units, and `_total` behind counters.
Rule: values of labels are bounded: no text of a client is one.
"""

from collections.abc import Callable, Sized
from typing import Final

from server.metrics.instruments import Number, Registry, reading
from server.metrics.snapshot import Kind, Labels, Merge

CALL_BOUNDS_S: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0
)  # fmt: skip
"""Seconds: a read takes less than the first, the longest run has 20."""

COMMIT_BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
BATCH_BOUNDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class CallMetrics:
    """Counts calls of methods."""

    def __init__(self, registry: Registry) -> None:
        self.ended: Final = registry.counter(
            "actions_calls", "Calls that ended, by gRPC code.", "method", "door", "code"
        )
        self.seconds: Final = registry.histogram(
            "actions_call_seconds",
            "Seconds from the first interceptor to the answer.",
            "method",
            "door",
            bounds=CALL_BOUNDS_S,
        )
        self.in_flight: Final = registry.gauge("actions_calls_in_flight", "Calls in flight.").of()


class BatchMetrics:
    """Counts batches of commands."""

    def __init__(self, registry: Registry, refusals: Number) -> None:
        self._refusals = refusals
        self._commands = registry.histogram(
            "actions_batch_commands", "Commands of a batch.", bounds=BATCH_BOUNDS
        ).of()
        self._seconds = registry.histogram(
            "actions_batch_seconds",
            "Seconds from loading a batch's facts until it is durable.",
            bounds=COMMIT_BOUNDS_S,
        ).of()
        self._failed = registry.counter(
            "actions_batches_failed", "Batches that were not written."
        ).of()

    def refused(self) -> None:
        self._refusals.value += 1

    def batch_ended(self, commands: Sized, seconds: float, *, is_written: bool) -> None:
        self._commands.observe(len(commands))
        self._seconds.observe(seconds)
        if not is_written:
            self._failed.value += 1


class RunMetrics:
    """Counts runs of scripts, an action at a time."""

    def __init__(self, registry: Registry, refusals: Number) -> None:
        self._refusals = refusals
        self._ended = registry.counter(
            "actions_script_runs",
            "Actions that ran, tests included: ok, failed, timeout or killed.",
            "outcome",
        )
        self._queued = registry.histogram(
            "actions_script_queue_seconds",
            "Seconds that an action waited for a worker process.",
            bounds=CALL_BOUNDS_S,
        ).of()
        self._ran = registry.histogram(
            "actions_script_run_seconds", "Seconds that an action ran.", bounds=CALL_BOUNDS_S
        ).of()
        for outcome in ("ok", "failed", "timeout", "killed"):
            self._ended.of(outcome)

    def refused(self) -> None:
        self._refusals.value += 1

    def action_ended(self, outcome: str, *, queue_s: float, run_s: float) -> None:
        self._ended.of(outcome).value += 1
        self._queued.observe(queue_s)
        self._ran.observe(run_s)


class TargetMetrics:
    """Counts calls of targets."""

    def __init__(self, registry: Registry) -> None:
        self._ended = registry.counter(
            "actions_target_calls", "Calls of targets that ended.", "outcome"
        )
        self._seconds = registry.histogram(
            "actions_target_call_seconds",
            "Seconds from the call of a target to its answer.",
            bounds=CALL_BOUNDS_S,
        ).of()
        for outcome in ("ok", "failed", "unproved"):
            self._ended.of(outcome)

    def call_ended(self, outcome: str, seconds: float) -> None:
        self._ended.of(outcome).value += 1
        self._seconds.observe(seconds)


class ServiceMetrics:
    """Holds all metrics of the process."""

    def __init__(self) -> None:
        registry = Registry()
        self.registry: Final = registry
        self.calls: Final = CallMetrics(registry)
        refusals = registry.counter(
            "actions_refusals", "What was refused as too much was waiting or in flight.", "limit"
        )
        self._refusals = {limit: refusals.of(limit) for limit in ("calls", "streams")}
        self.batches: Final = BatchMetrics(registry, refusals.of("commands"))
        self.runs: Final = RunMetrics(registry, refusals.of("script_runs"))
        self.targets: Final = TargetMetrics(registry)
        self.is_ready = False
        registry.read(
            "actions_ready",
            Kind.GAUGE,
            "1 if the service is ready.",
            reading(lambda: int(self.is_ready)),
            merge=Merge.MIN,
        )

    def refused(self, limit: str) -> None:
        self._refusals[limit].value += 1

    def reads(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Adds a gauge that is read when the page is made."""
        self.registry.read(name, Kind.GAUGE, text, reading(read))

    def counts(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Adds a counter that is read when the page is made."""
        self.registry.read(name, Kind.COUNTER, text, reading(read))

    def reads_by(
        self, name: str, text: str, label: str, values: dict[str, Callable[[], float]]
    ) -> None:
        """Adds a gauge with one label, which is read when the page is made."""

        def read() -> dict[Labels, float]:
            return {(value,): read_one() for value, read_one in values.items()}

        self.registry.read(name, Kind.GAUGE, text, read, label)

    def built(self, version: str, python: str) -> None:
        """Adds the versions of the service and of Python."""
        self.registry.read(
            "actions_build_info",
            Kind.GAUGE,
            "1, with the versions of the service and of Python.",
            lambda: {(version, python): 1},
            "version",
            "python",
            merge=Merge.MAX,
        )
