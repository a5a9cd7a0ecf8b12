"""Twice the calls that a server can run, streams of every form among them: R28.

A call needs what takes its time, and few calls have it at once; calls beyond those that wait for it
are refused. First as many callers as there are places ask one call after the other: that is the
peak. Then calls come at twice its rate, whatever becomes of those before.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from tests.proto.echo_pb2 import EchoRequest
from tests.robustness.grpc_port import p99
from tests.robustness.scenario import Outcome, Scenario, at_most, none_wrong
from tests.robustness.slow import raise_descriptor_limit
from tests.robustness.stream_forms import Form, streams, unary
from tests.robustness.stream_hosts import Hosts, hosted

SECONDS: Final = 60.0
PEAK_S: Final = 10.0
TIMES: Final = 2
PLACES: Final = 16
OPTIONS: Final = ("--calls-max", f"{PLACES}", "--at-once", "8", "--call-s", "0.08")
"""Eight calls at once that take 80 ms each are 100 a second."""
GOODPUT_MIN_SHARE: Final = 0.8
P99_MAX_TIMES: Final = 2.0
MORE_MAX_MIB: Final = 8.0
ANSWER_S: Final = 30.0
_EXHAUSTED: Final = 8
_WEBSOCKET_END: Final = re.compile(rb'\{"status":.*\x88', re.DOTALL)
_ASKED: Final = EchoRequest(name="n", count=3)
UNARY: Final = unary(_ASKED)
STREAMS: Final = streams(_ASKED, pieces=3, is_open=False)
FORMS: Final = [*zip(STREAMS.items(), itertools.cycle(UNARY.items()), strict=False)]


@dataclass(slots=True)
class Seen:
    """The outcome of calls.

    Attributes:
        seconds: from the first to the last answer.
        good: calls that succeeded, by form.
        refused: those that were refused in the words of their protocol, by form.
        unary_s: of each successful call without streams.
        wrong: answers that are neither.
    """

    seconds: float = 0.0
    good: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unary_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        """Returns the successful calls a second."""
        return len(self.good) / self.seconds

    @property
    def both(self) -> set[str]:
        """Returns the forms of which calls succeeded, and others were refused."""
        return set(self.good) & set(self.refused)


async def _ask(address: str, name: str, form: Form, seen: Seen) -> None:
    began = time.monotonic()
    answer = b""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(*address.split(":"))
            writer.write(form.request(closes=True))
            while piece := await reader.read(1 << 16):
                answer += piece
                if form.protocol == "websocket" and _WEBSOCKET_END.search(answer):
                    break
            writer.close()
    except (TimeoutError, ConnectionError) as exc:
        answer += repr(exc).encode()
    if form.has_failed(answer, _EXHAUSTED):
        seen.refused.append(name)
    elif answer.startswith(b"HTTP/1.1 ") and form.ended in answer:
        seen.good.append(name)
        if name in UNARY:
            seen.unary_s.append(time.monotonic() - began)
    else:
        seen.wrong.append(f"{name}: {answer[:200]!r}")


async def peak(address: str, seconds: float) -> Seen:
    """Has as many callers as there are places ask one call after the other."""
    seen, began = Seen(), time.monotonic()
    forms = itertools.cycle(itertools.chain.from_iterable(FORMS))

    async def caller() -> None:
        while time.monotonic() - began < seconds:
            await _ask(address, *next(forms), seen)

    await asyncio.gather(*(caller() for _ in range(PLACES)))
    seen.seconds = time.monotonic() - began
    return seen


async def overload(address: str, rate: float, seconds: float) -> Seen:
    """Begins calls at a rate, whatever becomes of those before."""
    seen, began = Seen(), time.monotonic()
    forms = itertools.cycle(itertools.chain.from_iterable(FORMS))
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(began + number / rate - time.monotonic(), 0))
            group.create_task(_ask(address, *next(forms), seen))
    seen.seconds = time.monotonic() - began
    return seen


def overloaded(
    hosts: Hosts, *, seconds: float = SECONDS, peak_s: float = PEAK_S
) -> tuple[Seen, Seen, float]:
    """Returns the peak, the overload, and the memory in MiB that the server then holds more."""
    at_peak = uvloop.run(peak(hosts.front.address, peak_s))
    uvloop.run(overload(hosts.front.address, TIMES * at_peak.goodput, peak_s / 2))
    before_mib = hosts.front.process.resident_mib()
    seen = uvloop.run(overload(hosts.front.address, TIMES * at_peak.goodput, seconds))
    return at_peak, seen, hosts.front.process.resident_mib() - before_mib


def overloaded_streams(folder: Path) -> Iterator[Outcome]:
    raise_descriptor_limit()
    with hosted(folder, *OPTIONS, is_proxy=False) as hosts:
        at_peak, seen, more_mib = overloaded(hosts)
        lines = hosts.logged()
    share, refused = seen.goodput / at_peak.goodput, len(seen.refused) / seen.seconds
    yield Outcome(
        f"successful calls, of {at_peak.goodput:.0f} a second at the peak",
        f"≥ {GOODPUT_MIN_SHARE:.0%}",
        f"{share:.0%} ({seen.goodput:.0f} a second, {refused:.0f} refused)",
        share >= GOODPUT_MIN_SHARE,
    )
    peak_ms, p99_ms = p99(at_peak.unary_s) * 1e3, p99(seen.unary_s) * 1e3
    yield at_most(
        f"p99 of successful calls without streams ({peak_ms:.0f} ms at the peak)",
        p99_ms,
        round(peak_ms * P99_MAX_TIMES),
        "ms",
    )
    yield at_most("memory", more_mib, MORE_MAX_MIB, "MiB more")
    forms = len(UNARY) + len(STREAMS)
    yield Outcome(
        "forms of which calls succeeded, and were refused in the words of their protocol",
        f"{forms}",
        f"{len(seen.both)}",
        len(seen.both) == forms,
    )
    yield none_wrong("other answers", [*at_peak.wrong, *seen.wrong])
    yield none_wrong("lines in the log", lines)


R28: Final = Scenario("R28", "twice the calls that a server can run", overloaded_streams)
