"""Commits on PostgreSQL that are cut: R3-pg to R5-pg of docs/robustness.md, at the contract.

Each commit writes several events. Whatever cuts it, all of them are stored or none, and all if it
was acknowledged.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

import asyncpg
import uvloop

from server.commands.actions import DeactivateAction, ReactivateAction
from server.commands.queue import CommandQueue
from server.domain.refusals import Refusal
from server.store.engine import Store
from server.store.errors import StorageError
from server.store.opening import open_store
from server.store.postgres import state_tables
from server.store.read_model import ActionsOf
from tests.contract.stores import an_action, commit
from tests.robustness.engines import postgresql
from tests.robustness.scenario import Outcome, Scenario, none_wrong

CUT: Final = 1_000
EVENTS: Final = 5
"""Number of events of one commit."""
AT_A_PLACE: Final = 100
WRITERS: Final = 64
ROUNDS: Final = 100
PROCESSES: Final = 4
_TRIES_MAX: Final = 20 * CUT
_USUAL: Final = 50
_END_ALL: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(slots=True)
class Cuts:
    """The outcome of commits that were cut.

    Attributes:
        acknowledged, cut: the numbers of commits.
        partial: those of which some events are stored, and others are not.
        lost: acknowledged ones that are not stored.
    """

    acknowledged: set[int] = field(default_factory=set)
    cut: set[int] = field(default_factory=set)
    partial: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    kept: int = 0

    async def write(self, store: Store, number: int) -> None:
        commands = (an_action(f"{number}-{each}") for each in range(EVENTS))
        try:
            await commit(store, *commands)
            self.acknowledged.add(number)
        except StorageError:
            self.cut.add(number)

    async def compare(self, store: Store) -> None:
        stored: dict[int, int] = dict.fromkeys(self.acknowledged | self.cut, 0)
        for action in (await store.read(ActionsOf("org"))).items:
            stored[int(action.id.partition("-")[0])] += 1
        self.partial = [f"{number}" for number, of in stored.items() if of not in (0, EVENTS)]
        self.lost = [f"{number}" for number in self.acknowledged if not stored[number]]
        self.kept = sum(stored[number] == EVENTS for number in self.cut)


@contextlib.asynccontextmanager
async def opened(folder: Path, url: str) -> AsyncIterator[Store]:
    store = await open_store(folder, database=url)
    try:
        yield store
    finally:
        await store.close()


# R3


async def cut_at_random(folder: Path, url: str, *, cut: int) -> Cuts:
    """Ends connections at moments spread over a commit, until so many commits were cut."""
    cuts = Cuts()
    chance = random.Random(3)  # noqa: S311  a choice that can be made again
    ending = await asyncpg.connect(url)
    async with opened(folder, url) as store:
        began = time.monotonic()
        for number in range(_USUAL):
            await cuts.write(store, number)
        lasts_s = (time.monotonic() - began) / _USUAL

        async def end_all() -> None:
            # The one before was ended, so this commit begins with connecting.
            await asyncio.sleep(chance.uniform(0, 5 * lasts_s))
            await ending.execute(_END_ALL)

        number = _USUAL
        while len(cuts.cut) < cut and number < _TRIES_MAX:
            number += 1
            await asyncio.gather(cuts.write(store, number), end_all())
        await ending.close()
    async with opened(folder, url) as store:
        await cuts.compare(store)
    return cuts


def cut_commits(folder: Path) -> Iterator[Outcome]:
    with postgresql() as new_database:
        cuts = uvloop.run(cut_at_random(folder / "data", new_database(), cut=CUT))
    yield none_wrong(
        f"{len(cuts.cut):,} commits of {EVENTS} events cut, {cuts.kept} of them stored: in part",
        cuts.partial,
        is_enough=len(cuts.cut) >= CUT,
    )
    yield none_wrong(f"{len(cuts.acknowledged):,} acknowledged: lost", cuts.lost)


# R4


def _before_insert() -> AbstractContextManager[object]:
    write = state_tables.write

    async def cut(connection: Any, *arguments: Any, **named: Any) -> None:
        connection.terminate()
        await write(connection, *arguments, **named)

    return mock.patch.object(state_tables, "write", cut)


def _after_insert() -> AbstractContextManager[object]:
    write = state_tables.write

    async def cut(connection: Any, *arguments: Any, **named: Any) -> None:
        await write(connection, *arguments, **named)
        connection.terminate()

    return mock.patch.object(state_tables, "write", cut)


def _after_commit() -> AbstractContextManager[object]:
    execute = asyncpg.Connection.execute

    async def cut(connection: Any, query: str, *arguments: Any, **named: Any) -> str:
        done: str = await execute(connection, query, *arguments, **named)
        if query == "COMMIT":
            connection.terminate()
            raise ConnectionResetError
        return done

    return mock.patch.object(asyncpg.Connection, "execute", cut)


Place = Callable[[], AbstractContextManager[object]]
PLACES: Final[dict[str, tuple[Place, int]]] = {
    "before its rows are written": (_before_insert, 0),
    "between its rows and its end": (_after_insert, 0),
    "after its end, before the answer": (_after_commit, AT_A_PLACE),
}
"""Where the connection is cut, and how many of the commits are stored."""


async def cut_at(folder: Path, url: str, place: Place, *, times: int) -> Cuts:
    """Cuts each second commit; those between them succeed by the same store."""
    cuts = Cuts()
    async with opened(folder, url) as store:
        for number in range(0, 2 * times, 2):
            with place():
                await cuts.write(store, number)
            await cuts.write(store, number + 1)
        await cuts.compare(store)
    return cuts


def cut_at_places(folder: Path) -> Iterator[Outcome]:
    with postgresql() as new_database:
        for what, (place, due) in PLACES.items():
            url = new_database()
            cuts = uvloop.run(cut_at(folder / "data", url, place, times=AT_A_PLACE))
            yield Outcome(
                f"{AT_A_PLACE} commits cut {what}: stored; in part, acknowledged and lost",
                f"{due}; 0, 0",
                f"{cuts.kept}; {len(cuts.partial)}, {len(cuts.lost)}",
                (cuts.kept, len(cuts.cut), len(cuts.acknowledged)) == (due, AT_A_PLACE, AT_A_PLACE)
                and not cuts.partial
                and not cuts.lost,
            )


# R5


async def race(folder: Path, url: str, *, rounds: int) -> list[int]:
    """Has many writers make the same change at once; returns how many did, of each round."""
    async with contextlib.AsyncExitStack() as stack:
        queues = []
        for number in range(PROCESSES):
            store = await stack.enter_async_context(opened(folder / f"{number}", url))
            queues.append(await stack.enter_async_context(CommandQueue(store)))
        await queues[0].execute(an_action("a"))

        async def change(number: int, kind: Callable[[str, str, str], Any]) -> bool:
            try:
                await queues[number % PROCESSES].execute(kind("org", "a", ""))
            except Refusal:
                return False
            return True

        made = []
        for number in range(rounds):
            kind = ReactivateAction if number % 2 else DeactivateAction
            done = await asyncio.gather(*(change(each, kind) for each in range(WRITERS)))
            made.append(sum(done))
        return made


def race_for_one(folder: Path) -> Iterator[Outcome]:
    with postgresql() as new_database:
        made = uvloop.run(race(folder, new_database(), rounds=ROUNDS))
    good = sum(number == 1 for number in made)
    yield Outcome(
        f"{WRITERS} writers in {PROCESSES} stores make one change at once: one does, the others "
        "are refused",
        f"{ROUNDS} of {ROUNDS} rounds",
        f"{good} of {len(made)}",
        good == ROUNDS,
    )


R3_PG: Final = Scenario("R3-pg", "commits on PostgreSQL that are cut at any moment", cut_commits)
R4_PG: Final = Scenario("R4-pg", "commits on PostgreSQL that are cut at each step", cut_at_places)
R5_PG: Final = Scenario("R5-pg", "writers on PostgreSQL who race for one change", race_for_one)
