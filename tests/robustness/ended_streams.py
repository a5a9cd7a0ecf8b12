"""Calls of every form that end early: at their deadline, and as their client leaves. R30."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvloop

from tests.proto.echo_pb2 import CASE_WAIT, EchoRequest
from tests.robustness.leaving_streams import FORMS as STREAMS
from tests.robustness.leaving_streams import leave
from tests.robustness.scenario import Outcome, Scenario, at_most, none_wrong
from tests.robustness.slow import raise_descriptor_limit
from tests.robustness.stream_forms import Form, unary
from tests.robustness.stream_hosts import Hosts, hosted
from tests.support.waiting import until

DEADLINE_MS: Final = 100
TOLD_MAX_MS: Final = 200.0
OVER_MAX_S: Final = 1.0
TRIES: Final = 5
LEAVING: Final = 1_000
PATIENCE_S: Final = 30.0
DEADLINE_EXCEEDED: Final = 4
FORMS: Final = {**unary(EchoRequest(name="n", case=CASE_WAIT)), **STREAMS}
"""Calls that do not end."""


async def failure(address: str, form: Form, code: int, *, timeout_ms: int | None = None) -> bytes:
    """Returns what a call was answered until the answer told this status, or ended."""
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(form.request(timeout_ms=timeout_ms, closes=True))
    try:
        return await rest_of(reader, form, code)
    finally:
        writer.transport.abort()


async def rest_of(reader: asyncio.StreamReader, form: Form, code: int) -> bytes:
    """Reads an answer until it tells this status, or ends: only its end tells that it is cut."""
    answer, is_told_by_end = b"", False
    async with asyncio.timeout(PATIENCE_S):
        while piece := await reader.read(1 << 16):
            if not answer:
                is_told_by_end = form.protocol == "cut" and piece.startswith(b"HTTP/1.1 200 ")
            answer = answer[-(1 << 16) :] + piece
            if not is_told_by_end and form.has_failed(answer, code):
                break
    return answer


def expire(hosts: Hosts, tries: int) -> tuple[float, float, list[str]]:
    """Has calls of all forms run into their deadline.

    Returns:
        Max seconds from the request to the end of its answer; max seconds from then until the
        handlers are over; answers that do not tell why.
    """
    told_s = over_s = 0.0
    wrong = []
    for name, form in FORMS.items():
        for _ in range(tries):
            began = time.monotonic()
            answer = uvloop.run(
                failure(hosts.front.address, form, DEADLINE_EXCEEDED, timeout_ms=DEADLINE_MS)
            )
            told_at = time.monotonic()
            until(hosts.are_over, within_s=PATIENCE_S)
            told_s, over_s = max(told_s, told_at - began), max(over_s, time.monotonic() - told_at)
            if not form.has_failed(answer, DEADLINE_EXCEEDED):
                wrong.append(f"{name}: {answer[-200:]!r}")
    return told_s, over_s, wrong


def ended_streams(folder: Path) -> Iterator[Outcome]:
    raise_descriptor_limit()
    for is_proxy in (False, True):
        with hosted(folder, is_proxy=is_proxy) as hosts:
            expire(hosts, 1)  # makes what the first calls make
            told_s, over_s, wrong = expire(hosts, TRIES)
            left = leave(hosts, [*FORMS.values()], streams=LEAVING, wave=LEAVING)
            lines = hosts.logged()
        where = "forwarded to grpc.aio" if is_proxy else "in process"
        what = f"calls of {len(FORMS)} forms with a deadline of {DEADLINE_MS} ms, {where}, answered"
        yield at_most(what, told_s * 1e3, TOLD_MAX_MS, "ms")
        yield none_wrong("answers that tell no DEADLINE_EXCEEDED in their protocol", wrong)
        yield at_most("handlers over after the answer", over_s, OVER_MAX_S, "s")
        yield at_most(f"handlers of {LEAVING:,} clients that left", left.over_s[0], OVER_MAX_S, "s")
        yield Outcome("tasks that stay", "0", f"{left.more_tasks}", left.more_tasks <= 0)
        yield none_wrong("lines in the log", lines)


R30: Final = Scenario("R30", "calls that end at their deadline, or are left", ended_streams)
