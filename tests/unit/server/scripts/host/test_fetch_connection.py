"""Gives turns of parsing without any connection."""

import asyncio
from typing import Any

from server.scripts.host.fetch_connection import Connection, OrgConnections, ParsingTurns

WAIT_S = 10


class Faulty(Connection):
    def take_turn(self) -> bool:
        raise RuntimeError("a fault of ours")


class Noting(Connection):
    has_had_turn = False

    def take_turn(self) -> bool:
        self.has_had_turn = True
        return False


async def test_a_fault_with_one_connection_ends_the_turns_of_no_other() -> None:
    loop, turns, faults = asyncio.get_running_loop(), ParsingTurns(), list[Any]()
    loop.set_exception_handler(lambda _, context: faults.append(context.get("exception")))
    other = Noting(loop, turns=turns, share=OrgConnections())
    turns.enter(Faulty(loop, turns=turns, share=OrgConnections()))
    turns.enter(other)
    async with asyncio.timeout(WAIT_S):
        while not other.has_had_turn:
            await asyncio.sleep(0.001)
    assert [str(fault) for fault in faults] == ["a fault of ours"]
