"""Streams of every form whose clients leave at once: R34 of docs/robustness.md.

All streams of a wave are under way; then their connections are closed, without a word.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.proto.echo_pb2 import CASE_WAIT, EchoRequest
from tests.robustness.scenario import Outcome, Scenario, at_most, none_wrong
from tests.robustness.slow import raise_descriptor_limit
from tests.robustness.stream_forms import Form
from tests.robustness.stream_forms import streams as streams_of
from tests.robustness.stream_hosts import PATIENCE_S, Hosts, asked, hosted
from tests.support.waiting import until

STREAMS_IN_ALL: Final = 10_000
WAVE: Final = 2_500
MORE_MAX_MIB: Final = 24.0
"""Max memory after all waves, above that after the first, which fills the pools."""
OVER_MAX_S: Final = 5.0
"""Max seconds until the handlers of a wave are cancelled and over."""
FORMS: Final = streams_of(
    EchoRequest(name="n", count=1, case=CASE_WAIT), pieces=1_000_000, is_open=True
)
"""Calls that have one response at most, and do not end."""


@dataclass(frozen=True, slots=True)
class Left:
    """The outcome of streams that left.

    Attributes:
        ended: handlers that are over.
        cancelled: those that were cancelled; of a server of grpc.aio fewer, as it ends a stream of
            requests whose client left.
        over_s: of each wave, from the first that left until all handlers were over.
        resident_mib: memory of the transcoder before, and after each wave.
        more_tasks: tasks of the transcoder and of the server behind it, above those before.
    """

    ended: int
    cancelled: int
    over_s: Sequence[float]
    resident_mib: Sequence[float]
    more_tasks: int


def leave(hosts: Hosts, forms: Sequence[Form], *, streams: int, wave: int) -> Left:
    """Begins streams of all forms in turn, in waves, and leaves them.

    Raises:
        TimeoutError: not all begin, or not all end.
    """
    _leave(hosts, forms)  # makes what the first calls make
    before, tasks = hosts.back.census(), hosts.tasks()
    over_s, resident_mib = [], [hosts.front.process.resident_mib()]
    for first in range(0, streams, wave):
        numbers = range(first, min(first + wave, streams))
        over_s.append(_leave(hosts, [forms[number % len(forms)] for number in numbers]))
        with contextlib.suppress(TimeoutError):
            until(lambda: hosts.tasks() <= tasks, within_s=OVER_MAX_S)
        resident_mib.append(hosts.front.process.resident_mib())
    after = hosts.back.census()
    return Left(
        after.ended - before.ended,
        after.cancelled - before.cancelled,
        over_s,
        resident_mib,
        hosts.tasks() - tasks,
    )


def _leave(hosts: Hosts, forms: Sequence[Form]) -> float:
    """Returns the seconds from the first that left until all handlers were over."""
    before = hosts.back.census()
    clients = [asked(hosts.front.address, form) for form in forms]
    due = len(forms)
    until(lambda: hosts.back.census().begun - before.begun >= due, within_s=PATIENCE_S)
    left_at = time.monotonic()
    for client in clients:
        client.close()
    until(lambda: hosts.back.census().ended - before.ended >= due, within_s=PATIENCE_S)
    return time.monotonic() - left_at


def leaving_streams(
    folder: Path, *, streams: int = STREAMS_IN_ALL, wave: int = WAVE
) -> Iterator[Outcome]:
    raise_descriptor_limit()
    for is_proxy in (False, True):
        where = "forwarded to grpc.aio" if is_proxy else "in process"
        with hosted(folder, is_proxy=is_proxy) as hosts:
            left = leave(hosts, [*FORMS.values()], streams=streams, wave=wave)
            lines = hosts.logged()
        stopped, what = (left.ended, "over") if is_proxy else (left.cancelled, "cancelled")
        yield Outcome(
            f"of {streams:,} streams, {where}, handlers {what}",
            f"{streams:,}",
            f"{stopped:,} of {left.ended:,}",
            stopped == left.ended == streams,
        )
        yield at_most(f"all handlers of {wave:,} over after", max(left.over_s), OVER_MAX_S, "s")
        yield Outcome("tasks that stay", "0", f"{left.more_tasks}", left.more_tasks <= 0)
        held = ", ".join(f"{mib:.0f}" for mib in left.resident_mib)
        more_mib = left.resident_mib[-1] - left.resident_mib[1]
        yield at_most(f"memory ({held} MiB after each wave)", more_mib, MORE_MAX_MIB, "MiB more")
        yield none_wrong("lines in the log", lines)


R34: Final = Scenario("R34", "10,000 streams that leave at once", leaving_streams)
