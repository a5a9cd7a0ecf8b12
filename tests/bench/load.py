"""Shared by all load generators: callers, counts of acknowledged requests, one measurement.

A caller asks one thing at a time and judges the answer. A wrong answer ends the measurement: a rate
with errors in it says nothing. What is in flight when the clock starts or stops is no matter:
requests and CPU are read at the same two moments, in the middle of the load.

A long answer is measured whole instead: from the request to its last byte, in parts.

Rule 1: the client never sleeps under load. A server whose answers wake a halted core pays for that,
and on a virtual machine it pays most: it is halted itself meanwhile, and finds its caches cold.
Where the time of single calls is asked, it sleeps: the server is to have every core.
Rule 2: no parsing here; that is for http1.py and http2.py.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Protocol

WARM_UP_S: Final = 0.2
DRAIN_S: Final = 10.0
ONCE_S: Final = 60.0
ANSWERS_MIN: Final = 100
PATIENCE: Final = 20
"""Max times that a stretch with too few answers is prolonged: others may use the machine."""


class WrongAnswer(Exception):
    """A caller got something else than it must get."""


class Connection(Protocol):
    """Keeps its callers' requests in flight until the load stops."""

    def start(self) -> None: ...

    def close(self) -> None: ...


class Load:
    """Answers counted, and whether to go on.

    Attributes:
        answered: right answers so far.
        in_flight: requests without an answer.
        has_received: whether something came in this turn of the loop; connections set it.
        resting_s: CPU time of turns in which nothing came.
        is_running: whether a caller that has its answer asks again.
        took_s: of each call that was timed, from its request to its answer.
        waited_s: the longest that one who only stands by waited for an answer.
    """

    __slots__ = (
        "answered",
        "failed",
        "has_received",
        "idle",
        "in_flight",
        "is_running",
        "resting_s",
        "took_s",
        "waited_s",
    )

    def __init__(self) -> None:
        self.answered = 0
        self.in_flight = 0
        self.has_received = False
        self.resting_s = 0.0
        self.is_running = False
        self.took_s: list[float] = []
        self.waited_s = 0.0
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.idle = asyncio.Event()

    def fail(self, reason: str) -> None:
        self.is_running = False
        if not self.failed.done():
            self.failed.set_exception(WrongAnswer(reason))

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Have the loop turn without a pause."""
        loop = asyncio.get_running_loop()
        before = time.process_time()
        is_over = False

        def turn() -> None:
            nonlocal before
            now = time.process_time()
            if self.has_received:
                self.has_received = False
            else:
                self.resting_s += now - before
            before = now
            if not is_over:
                loop.call_soon(turn)

        turn()
        try:
            yield
        finally:
            is_over = True

    async def run_for(self, seconds: float) -> None:
        """Let the load go on.

        Raises:
            WrongAnswer: an answer was wrong, or a connection was closed.
        """
        await asyncio.wait({self.failed}, timeout=seconds)
        if self.failed.done():
            self.failed.result()


@dataclass(frozen=True, slots=True)
class Measured:
    """One stretch of load.

    Attributes:
        waited_s: the longest that one who only stood by waited; 0 where nobody did.
        p50_s: of what single calls took; 0 where they were not timed.
    """

    requests: int
    seconds: float
    server_cpu_s: float
    client_cpu_s: float
    waited_s: float = 0.0
    p50_s: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's CPU a request, all its threads."""
        return self.server_cpu_s / self.requests * 1e6

    @property
    def server_busy(self) -> float:
        return self.server_cpu_s / self.seconds

    @property
    def client_busy(self) -> float:
        return self.client_cpu_s / self.seconds


async def measure(
    load: Load,
    connections: Sequence[Connection],
    *,
    server_cpu_s: Callable[[], float],
    seconds: float,
    answers_min: int = ANSWERS_MIN,
    sleeps: bool = False,
) -> Measured:
    """Keep all callers asking; read counts and clocks once warm, and again at the end.

    Args:
        server_cpu_s: reads the server's CPU time.
        answers_min: less than so many, and it goes on for longer.
        sleeps: the client does, until an answer comes.

    Raises:
        WrongAnswer: an answer was wrong; nothing of the stretch counts.
    """
    load.is_running = True
    load.idle.clear()
    with contextlib.nullcontext() if sleeps else load.awake():
        for connection in connections:
            connection.start()
        await load.run_for(WARM_UP_S)
        before = after = _now(load, server_cpu_s)
        load.waited_s = 0.0
        load.took_s.clear()
        for _ in range(PATIENCE):
            await load.run_for(seconds)
            after = _now(load, server_cpu_s)
            if after[0] - before[0] >= answers_min:
                break
        waited_s = load.waited_s
        p50_s = median(load.took_s) if load.took_s else 0.0
        load.is_running = False
        async with asyncio.timeout(DRAIN_S):
            await load.idle.wait()
    answered, at, server, client = (late - early for late, early in zip(after, before, strict=True))
    if not answered:
        raise WrongAnswer(f"no answer within {at:.1f} s")
    return Measured(int(answered), at, server, client, waited_s, p50_s)


async def measure_once(
    load: Load, connections: Sequence[Connection], *, server_cpu_s: Callable[[], float], parts: int
) -> Measured:
    """Have each caller ask once; read clocks before that, and when the last answer is whole.

    Args:
        server_cpu_s: reads the server's CPU time.
        parts: what an answer counts for.

    Raises:
        WrongAnswer: an answer was wrong.
    """
    load.idle.clear()
    with load.awake():
        before = _now(load, server_cpu_s)
        for connection in connections:
            connection.start()
        async with asyncio.timeout(ONCE_S):
            await load.idle.wait()
        after = _now(load, server_cpu_s)
    if load.failed.done():
        load.failed.result()
    answered, at, server, client = (late - early for late, early in zip(after, before, strict=True))
    return Measured(int(answered) * parts, at, server, client)


def _now(load: Load, server_cpu_s: Callable[[], float]) -> tuple[float, ...]:
    client_cpu_s = time.process_time() - load.resting_s
    return load.answered, time.perf_counter(), server_cpu_s(), client_cpu_s
