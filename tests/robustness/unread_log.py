"""A log that nobody reads: S8 of docs/robustness.md.

Standard error is a pipe, as under most supervisors. While nobody reads it, calls go on; once it is
read again, every line is there or counted.
"""

import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Final

from tests.robustness.raw import Client, request
from tests.robustness.scenario import Outcome, Scenario, at_most, ended
from tests.support.real_server import ACTIONS, RealServer

CALLS: Final = 6000
"""Twice what a full pipe and the service's queue hold, with lines this long."""

HEALTH_EVERY: Final = 20
SLOWER_MAX: Final = 1.5
HEALTH_MAX_S: Final = 0.05
STOP_MAX_S: Final = 11.0
WAIT_S: Final = 20.0

_LONG_ID: Final = "r" * 128
_DROPPED: Final = re.compile(rb'"event":"log lines were dropped[^"]*","lines":(\d+)')


class Log:
    """The reading end of a pipe, read by a thread only while told to."""

    def __init__(self, reading: int) -> None:
        self.text = b""
        self._descriptor = reading
        self._may_read = threading.Event()
        self._may_read.set()
        threading.Thread(target=self._read, daemon=True).start()

    def stop_reading(self) -> None:
        self._may_read.clear()

    def read_on(self) -> None:
        self._may_read.set()

    def calls(self) -> int:
        return self.text.count(b'"event":"call"')

    def dropped(self) -> int:
        return sum(map(int, _DROPPED.findall(self.text)))

    def _read(self) -> None:
        with open(self._descriptor, "rb", buffering=0) as pipe:  # noqa: PTH123  a descriptor
            while self._may_read.wait() and (octets := pipe.read(1 << 16)):
                self.text += octets


@dataclass(slots=True)
class Seen:
    """The measurements of the scenario.

    Attributes:
        read_s, unread_s: how long each call took, while the log is read, and while it is not.
        health_s: how long /healthz took meanwhile.
        wrong: statuses other than 200.
        calls, logged, dropped: calls made, lines of calls, lines that the log says are missing.
        status, stop_s: of the process, and how long it took after SIGTERM, unread again.
    """

    read_s: list[float] = field(default_factory=list)
    unread_s: list[float] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    calls: int = 0
    logged: int = 0
    dropped: int = 0
    status: int = -1
    stop_s: float = 0.0


def leave_unread(data: Path, *, calls: int) -> Seen:
    """Call a server whose log is read, then not, then read again; stop it unread."""
    seen = Seen()
    reading, writing = os.pipe()
    with (
        open(writing, "wb", buffering=0) as errors,  # noqa: PTH123  a descriptor
        RealServer(data, "--log-format", "json", errors=errors) as server,
    ):
        log = Log(reading)
        action = server.new_action()
        seen.calls += 1
        _call(server, action, calls // 4, seen, seen.read_s)
        log.stop_reading()
        _call(server, action, calls, seen, seen.unread_s)
        log.read_on()
        until = time.monotonic() + WAIT_S
        while log.calls() + log.dropped() < seen.calls and time.monotonic() < until:
            time.sleep(0.01)
        seen.logged, seen.dropped = log.calls(), log.dropped()
        log.stop_reading()
        _call(server, action, calls, seen, [])
        asked_at = time.monotonic()
        seen.status = server.process.stop()
        seen.stop_s = time.monotonic() - asked_at
    log.read_on()  # to its end
    return seen


def _call(server: RealServer, action: str, calls: int, seen: Seen, took_s: list[float]) -> None:
    headers = {"x-request-id": _LONG_ID}
    get = request("GET", f"{ACTIONS}/{action}", token=server.token, headers=headers)
    health = request("GET", "/healthz")
    with Client(server.http) as client:
        for number in range(calls):
            seen.calls += 1
            took_s.append(_answered(client, get, seen))
            if number % HEALTH_EVERY == 0:
                seen.health_s.append(_answered(client, health, seen))


def _answered(client: Client, octets: bytes, seen: Seen) -> float:
    asked_at = time.monotonic()
    client.send(octets)
    answer = client.answer()
    if answer is None or answer.status != 200:
        seen.wrong.append(0 if answer is None else answer.status)
    return time.monotonic() - asked_at


def run_unread(folder: Path) -> Iterator[Outcome]:
    seen = leave_unread(folder / "data", calls=CALLS)
    yield Outcome(
        f"{CALLS:,} calls unread: not answered", "0", f"{len(seen.wrong)}", not seen.wrong
    )
    read_s, unread_s = (quantiles(took, n=100)[49] for took in (seen.read_s, seen.unread_s))
    yield Outcome(
        "p50 of a call, log read and unread",
        f"≤ {SLOWER_MAX}x",
        f"{read_s * 1000:.2f}, {unread_s * 1000:.2f} ms",
        unread_s <= SLOWER_MAX * read_s,
    )
    health_s = quantiles(seen.health_s, n=100)[98]
    yield at_most("/healthz, p99", health_s * 1e3, HEALTH_MAX_S * 1e3, "ms")
    missing = seen.calls - CALLS - seen.logged - seen.dropped
    yield Outcome(
        "lines neither written nor counted as dropped, once the log is read again",
        "0, and some dropped",
        f"{missing}, {seen.dropped:,} dropped",
        missing == 0 and seen.dropped > 0,
    )
    yield ended("SIGTERM, unread again", seen.status, seen.stop_s, most_s=STOP_MAX_S)


S8: Final = Scenario("S8", "a log that nobody reads", run_unread)
