"""Two services on one PostgreSQL: P1 and P2 of docs/robustness.md.

P1: a token that one revokes is refused by the other. P2: one is killed under callers, who ask the
other once more.
"""

import asyncio
import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.postgresql import PostgresServer
from tests.support.real_server import ACTIONS, RealServer
from tests.support.waiting import until

REVOCATIONS: Final = 1_000
REFUSED_MAX_S: Final = 1.0
CALLERS: Final = 16
KILLS: Final = 5
SECONDS_A_KILL: Final = 3.0
_ASK_S: Final = 20.0
_MY_ORG: Final = "/management/v1/orgs/me"


class Pair(NamedTuple):
    url: str
    one: RealServer
    other: RealServer


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    """Starts both, with a database that keeps what it acknowledged."""
    with PostgresServer(is_durable=True) as database, ExitStack() as stack:
        url = asyncio.run(database.new_database())
        options = ("--no-access-log",)
        one = stack.enter_context(RealServer(folder / "one", *options, database=url))
        other = stack.enter_context(
            RealServer(folder / "other", *options, database=url, token=one.token)
        )
        yield Pair(url, one, other)


# P1


def refusals_s(services: Pair, revocations: int) -> list[float]:
    """Returns the seconds from each revocation until the other service refuses the token."""
    (user,) = services.one.command("user", "list")
    took: list[float] = []
    for _ in range(revocations):
        made = services.one.ask("POST", f"/v1/users/{user['id']}/tokens", {})
        _wait_for(services.other, made["secret"], 200)
        services.one.ask("DELETE", f"/v1/tokens/{made['token']['id']}")
        began = time.monotonic()
        _wait_for(services.other, made["secret"], 401)
        took.append(time.monotonic() - began)
    return took


def _wait_for(server: RealServer, token: str, status: int) -> None:
    until(lambda: server.answer("GET", _MY_ORG, token=token)[0] == status, within_s=_ASK_S)


def run_revoked(folder: Path) -> Iterator[Outcome]:
    with pair(folder) as services:
        took = sorted(refusals_s(services, REVOCATIONS))
    late = sum(seconds > REFUSED_MAX_S for seconds in took)
    yield Outcome(
        f"{REVOCATIONS:,} tokens revoked by one service: refused by the other within "
        f"{REFUSED_MAX_S:g} s",
        f"{REVOCATIONS:,}",
        f"{REVOCATIONS - late:,}",
        late == 0,
    )
    yield at_most("the longest", took[-1], REFUSED_MAX_S, "s")


# P2


@dataclass(slots=True)
class Written:
    """Holds the ids of acknowledged actions, and what failed at both services."""

    acknowledged: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    retried: int = 0


def write_under_kills(folder: Path, *, kills: int, seconds_a_kill: float) -> Written:
    """Kills one of two services again and again while callers write; reads all back."""
    written = Written()
    with pair(folder) as services:
        killed = services.other
        servers = [services.one, killed]
        is_over = threading.Event()
        callers = [
            threading.Thread(target=_write, args=(n, servers, written, is_over))
            for n in range(CALLERS)
        ]
        for caller in callers:
            caller.start()
        with ExitStack() as stack:
            for _ in range(kills):
                time.sleep(seconds_a_kill)
                killed.process.kill()
                killed = stack.enter_context(
                    RealServer(
                        folder / "other",
                        "--no-access-log",
                        database=services.url,
                        token=services.one.token,
                    )
                )
                servers[1] = killed
            is_over.set()
            for caller in callers:
                caller.join()
            written.failed += [
                f"lost: {action}"
                for action in written.acknowledged
                if services.one.answer("GET", f"{ACTIONS}/{action}")[0] != 200
            ]
    return written


def _write(
    caller: int,
    servers: list[RealServer],
    written: Written,
    is_over: threading.Event,
) -> None:
    chance = random.Random(caller)  # noqa: S311  a choice that can be made again
    number = 0
    while not is_over.is_set():
        number += 1
        first = chance.randrange(2)
        for attempt, which in enumerate((first, 1 - first)):
            # The killed attempt may have been written: its name is taken, so it is not the same.
            body = {"name": f"{caller} {number} {attempt}", "script": "s"}
            try:
                status, answer = servers[which].answer("POST", ACTIONS, body, timeout_s=_ASK_S)
            except (OSError, http.client.HTTPException) as error:
                status, answer = 0, str(error).encode()
            if status == 200:
                written.acknowledged.append(json.loads(answer)["id"])
                break
            if attempt == 0:
                written.retried += 1
            else:
                written.failed.append(f"{status} {answer.decode()}")


def run_killed(folder: Path) -> Iterator[Outcome]:
    written = write_under_kills(folder, kills=KILLS, seconds_a_kill=SECONDS_A_KILL)
    lost = [text for text in written.failed if text.startswith("lost")]
    failed = [text for text in written.failed if not text.startswith("lost")]
    amount = f"{len(written.acknowledged):,} acknowledged writes, one of two killed {KILLS} times"
    yield Outcome(f"{amount}: lost", "0", f"{len(lost)}", not lost and written.retried > 0)
    yield Outcome(
        "calls that failed at the other service, too",
        "0",
        f"{len(failed)} of {written.retried} retried{': ' if failed else ''}{''.join(failed[:1])}",
        not failed,
    )


P1: Final = Scenario("P1", "tokens revoked in one of two services on PostgreSQL", run_revoked)
P2: Final = Scenario(
    "P2", "kill -9 of one of two services on PostgreSQL, under callers", run_killed
)
