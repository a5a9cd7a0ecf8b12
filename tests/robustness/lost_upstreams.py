"""A gRPC server that a transcoder forwards calls to, killed and started again: R29."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import uvloop

from tests.robustness.ended_streams import FORMS, failure, rest_of
from tests.robustness.raw import exchange, request
from tests.robustness.scenario import Outcome, Scenario, at_most, none_wrong
from tests.robustness.stream_forms import Form
from tests.robustness.stream_hosts import Host, Hosts, hosted
from tests.support.grpcweb_fixture import SAY
from tests.support.waiting import until, until_async

DOWN_S: Final = 20.0
"""Seconds that the server is down: grpc waits longer and longer before it connects again."""
TOLD_MAX_S: Final = 1.0
BACK_MAX_S: Final = 3.0
PATIENCE_S: Final = 60.0
UNAVAILABLE: Final = 14
_EVERY_S: Final = 0.05
_GOOD: Final = request("POST", SAY, b'{"name":"good"}')
_EXPECTED: Final = "cannot reach"
"""In the line of the log for each call that was refused meanwhile."""


@dataclass(slots=True)
class Lost:
    """The outcome of calls.

    Attributes:
        cut_s: max seconds until calls under way were told.
        refused_s: max seconds until a call was told while the server was down.
        back_s: seconds from its start until a call succeeded.
        wrong: answers that tell no UNAVAILABLE in their protocol.
        logged: lines of the log other than those of calls that were refused.
    """

    cut_s: float = 0.0
    refused_s: float = 0.0
    back_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def note(self, name: str, form: Form, answer: bytes) -> None:
        if not form.has_failed(answer, UNAVAILABLE):
            self.wrong.append(f"{name}: {answer[-200:]!r}")


async def _cut(hosts: Hosts, lost: Lost) -> None:
    """Begins a call of each form, kills the server, and reads the answers to their end."""
    begun = hosts.back.census().begun
    opened = []
    for form in FORMS.values():
        reader, writer = await asyncio.open_connection(*hosts.front.address.split(":"))
        writer.write(form.request())
        opened.append((reader, writer))
    await until_async(lambda: hosts.back.census().begun - begun == len(FORMS))
    await asyncio.to_thread(hosts.back.process.kill)
    killed_at = time.monotonic()
    for (name, form), (reader, writer) in zip(FORMS.items(), opened, strict=True):
        answer = await rest_of(reader, form, UNAVAILABLE)
        lost.cut_s = max(lost.cut_s, time.monotonic() - killed_at)
        lost.note(name, form, answer)
        writer.transport.abort()


async def _refused(hosts: Hosts, lost: Lost, down_s: float) -> None:
    """Makes calls of all forms while the server is down."""
    began = time.monotonic()
    while time.monotonic() - began < down_s:
        for name, form in FORMS.items():
            asked_at = time.monotonic()
            answer = await failure(hosts.front.address, form, UNAVAILABLE)
            lost.refused_s = max(lost.refused_s, time.monotonic() - asked_at)
            lost.note(name, form, answer)
        await asyncio.sleep(_EVERY_S)


def lose(hosts: Hosts, *, down_s: float) -> Lost:
    """Kills the server behind a transcoder, and starts it again after a time."""
    lost = Lost()
    uvloop.run(_cut(hosts, lost))
    uvloop.run(_refused(hosts, lost, down_s))
    port = hosts.back.address.rpartition(":")[2]
    with Host("grpc", "--port", port):
        began = time.monotonic()
        until(lambda: _status(hosts.front.address) == HTTPStatus.OK, within_s=PATIENCE_S)
        lost.back_s = time.monotonic() - began
    lost.logged = [line for line in hosts.logged() if _EXPECTED not in line]
    return lost


def _status(address: str) -> int:
    answer = exchange(address, _GOOD)
    return 0 if answer is None else answer.status


def lost_upstreams(folder: Path) -> Iterator[Outcome]:
    with hosted(folder, is_proxy=True) as hosts:
        lost = lose(hosts, down_s=DOWN_S)
    what = f"calls of {len(FORMS)} forms that are under way when the server is killed, told after"
    yield at_most(what, lost.cut_s, TOLD_MAX_S, "s")
    yield at_most("calls while it is down, told after", lost.refused_s, TOLD_MAX_S, "s")
    yield none_wrong("answers that tell no UNAVAILABLE in their protocol", lost.wrong)
    what = f"a call succeeds, {DOWN_S:g} s later, once the server is back for"
    yield at_most(what, lost.back_s, BACK_MAX_S, "s")
    yield none_wrong("other lines in the log", lost.logged)


R29: Final = Scenario("R29", "a server behind the transcoder is down, and back", lost_upstreams)
