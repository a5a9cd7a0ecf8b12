"""Calls of every form that end one by one: how soon the server behind the transcoder knows. R36.

Both processes have the same clock: CLOCK_MONOTONIC is that of the machine.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.robustness.ended_streams import DEADLINE_MS, FORMS
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.robustness.stream_forms import Form
from tests.robustness.stream_hosts import PATIENCE_S, Hosts, asked, hosted
from tests.support.waiting import until

REACHED_MAX_MS: Final = 100.0
TRIES: Final = 5


def left_ms(hosts: Hosts, form: Form) -> float:
    """Returns how long after its client left the handler of a call was over."""
    before = hosts.back.census()
    client = asked(hosts.front.address, form)
    until(lambda: hosts.back.census().begun > before.begun, within_s=PATIENCE_S)
    left_at = time.monotonic()
    client.close()
    return _ended_ms(hosts, before.ended, left_at)


def expired_ms(hosts: Hosts, form: Form) -> float:
    """Returns how long after its deadline the handler of a call was over."""
    before = hosts.back.census()
    asked_at = time.monotonic()
    with asked(hosts.front.address, form, timeout_ms=DEADLINE_MS):
        return _ended_ms(hosts, before.ended, asked_at + DEADLINE_MS / 1e3)


def _ended_ms(hosts: Hosts, ended: int, since: float) -> float:
    until(lambda: hosts.back.census().ended > ended, within_s=PATIENCE_S)
    return (hosts.back.census().ended_at - since) * 1e3


def prompt_endings(folder: Path, *, tries: int = TRIES) -> Iterator[Outcome]:
    with hosted(folder, is_proxy=True) as hosts:
        for measure, title in ((left_ms, "its client left"), (expired_ms, "its deadline")):
            for form in FORMS.values():
                measure(hosts, form)  # makes what the first calls make
            took = {
                name: max(measure(hosts, form) for _ in range(tries))
                for name, form in FORMS.items()
            }
            slowest = max(took, key=lambda name: took[name])
            what = f"handler of a forwarded call over after {title}, {len(FORMS)} forms ({slowest})"
            yield at_most(what, took[slowest], REACHED_MAX_MS, "ms")


R36: Final = Scenario("R36", "forwarded calls that end, one by one", prompt_endings)
