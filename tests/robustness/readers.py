"""Clients that ask for endless streams and stop reading: R22 of docs/robustness.md.

They look alive to TCP: nothing is closed, their windows are shut. Whoever behaves must not notice.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.proto.echo_pb2 import CASE_ENDLESS, EchoRequest
from tests.robustness.raw import exchange
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.robustness.stream_forms import streams, unary
from tests.robustness.stream_hosts import Hosts, asked, hosted

READERS: Final = 100
WRITE_TIMEOUT_S: Final = 30.0
SLACK_S: Final = 5.0
"""Max seconds until the sockets of all readers are full: they take 250 MB."""
MEMORY_MIB: Final = 64.0
MESSAGE_BYTES: Final = 10_000
EVERY_S: Final = 0.1
PATIENCE_S: Final = 10.0
_ENDLESS: Final = EchoRequest(name="n", case=CASE_ENDLESS, size=MESSAGE_BYTES)
FORMS: Final = [
    form
    for what, form in streams(_ENDLESS, pieces=1_000_000, is_open=False).items()
    if what.startswith("responses") or what == "a download"
]
"""Streams of responses that do not end."""
_GOOD: Final = unary(EchoRequest(name="good"))["unary over gRPC-Web"].request()


@dataclass(frozen=True, slots=True)
class Stopped:
    """The outcome of readers that stopped.

    Attributes:
        more_mib: memory that the server held at most, above what it held before.
        over_s: until the handler of the last was cancelled and over; infinite if one was not.
        good_answers: what a caller who behaves was answered meanwhile: HTTP statuses.
    """

    more_mib: float
    over_s: float
    good_answers: set[int]


def stop_reading(hosts: Hosts, readers: int, patience_s: float) -> Stopped:
    """Open streams, read the head of each, and wait until the server has enough of them."""
    address, process = hosts.front.address, hosts.front.process
    exchange(address, _GOOD)
    before, before_mib, more_mib = hosts.back.census(), process.resident_mib(), 0.0
    good_answers: set[int] = set()
    connections = [asked(address, FORMS[number % len(FORMS)]) for number in range(readers)]
    for connection in connections:
        assert connection.recv(64).startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 101 "))
    stopped_at, over_s, good = time.monotonic(), math.inf, 0
    while over_s == math.inf and time.monotonic() - stopped_at < patience_s:
        more_mib = max(more_mib, process.resident_mib() - before_mib)
        answer = exchange(address, _GOOD)
        good += 1
        good_answers.add(0 if answer is None else answer.status)
        time.sleep(EVERY_S)
        if hosts.back.census().ended - before.ended - good == readers:
            over_s = time.monotonic() - stopped_at
    for connection in connections:
        connection.close()
    return Stopped(more_mib, over_s, good_answers)


def stopped_readers(folder: Path) -> Iterator[Outcome]:
    for is_proxy in (False, True):
        timeout = ("--write-timeout-s", f"{WRITE_TIMEOUT_S}")
        with hosted(folder, *timeout, is_proxy=is_proxy) as hosts:
            stopped = stop_reading(hosts, READERS, WRITE_TIMEOUT_S + PATIENCE_S)
        where = ", forwarded to grpc.aio" if is_proxy else ""
        what = f"memory for {READERS} streams that nobody reads{where}"
        yield at_most(what, stopped.more_mib, MEMORY_MIB, "MiB more")
        yield Outcome(
            "all handlers cancelled and over after",
            f"≤ {WRITE_TIMEOUT_S:g} s",
            f"{stopped.over_s:.1f} s",
            stopped.over_s <= WRITE_TIMEOUT_S + SLACK_S,
        )
        yield Outcome(
            "good callers meanwhile",
            "200",
            ", ".join(map(str, sorted(stopped.good_answers))),
            stopped.good_answers == {200},
        )


R22: Final = Scenario("R22", "readers of streams that stop reading", stopped_readers)
