"""Lets one of several writers that accept one sequence win, on every event store."""

import asyncio
from collections.abc import Sequence
from typing import Final

import pytest

from server.commands.actions import DeactivateAction, DeleteAction
from server.commands.base import Command
from server.commands.flows import SetTriggerActions
from server.commands.orgs import CreateOrg
from server.commands.queue import CommandQueue
from server.domain.refusals import Kind, Refusal
from server.store.engine import Store
from server.store.read_model import ActionById, FlowOf
from server.triggers import FlowType, TriggerType
from tests.contract.stores import an_action, commit
from tests.support.action_commands import update_action

WRITERS: Final = 64
FIRST: Final = frozenset({1})
TOKEN, PRE_USERINFO = FlowType.CUSTOMISE_TOKEN, TriggerType.PRE_USERINFO_CREATION


async def winners_of(store: Store, commands: Sequence[Command[object]]) -> list[int]:
    """Returns the numbers of the commands that succeed; all others have to be ABORTED."""

    async def outcome(command: Command[object]) -> Kind | None:
        try:
            await queue.execute(command)
        except Refusal as refusal:
            return refusal.kind
        return None

    async with CommandQueue(store) as queue:
        outcomes = await asyncio.gather(*map(outcome, commands))
    assert set(outcomes) == {None, Kind.ABORTED}
    return [number for number, kind in enumerate(outcomes) if kind is None]


class TestConditions:
    async def test_one_of_64_updates_of_one_sequence_wins(self, store: Store) -> None:
        await commit(store, an_action("1"))
        (winner,) = await winners_of(
            store,
            [update_action("org", "1", f"n{n}", if_sequence=FIRST) for n in range(WRITERS)],
        )
        action = await store.read(ActionById("org", "1"))
        assert action is not None
        assert (action.name, action.sequence) == (f"n{winner}", 2)

    async def test_one_of_64_different_writes_wins(self, store: Store) -> None:
        await commit(store, CreateOrg("org", "Acme", ""), an_action("1"))
        commands: list[Command[object]] = []
        for number in range(WRITERS // 2):
            commands += (
                update_action("org", "1", f"n{number}", if_sequence=FIRST),
                DeactivateAction("org", "1", "", FIRST),
            )
        await winners_of(store, commands)
        with pytest.raises(Refusal, match="Sq8ch"):
            await commit(store, DeleteAction("org", "1", "", FIRST))
        await commit(store, DeleteAction("org", "1", "", frozenset({2})))

    async def test_one_of_64_first_settings_of_a_flow_wins(self, store: Store) -> None:
        await commit(store, CreateOrg("org", "Acme", ""), *(an_action(id) for id in "12"))
        never_set = frozenset({0})
        (winner,) = await winners_of(
            store,
            [
                SetTriggerActions("org", TOKEN, PRE_USERINFO, tuple("12"[n % 2]), "", never_set)
                for n in range(WRITERS)
            ],
        )
        read = await store.read(FlowOf("org", TOKEN))
        assert read.flow is not None
        assert read.flow.actions_of(PRE_USERINFO) == ("12"[winner % 2],)
