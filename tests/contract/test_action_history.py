"""Versions of an action are its past states, on every event store, and cost little to read."""

from collections.abc import Sequence
from random import Random
from typing import Final

import pytest

from server.commands.actions import DeactivateAction, ReactivateAction
from server.commands.base import Command
from server.domain.action import Action, evolve
from server.domain.events import RecordedEvent
from server.services.action_history import EVENTS_AT_ONCE, SPAN, ActionHistory
from server.store.engine import Store
from server.store.log import EventsOf
from server.store.read_model import ActionById
from tests.contract.stores import an_action, commit
from tests.support.action_commands import create_orgless_action, update_action

EVENTS: Final = 10_000
AT_ONCE: Final = 500
"""Commands of one commit."""
PAGE: Final = 100


class CountedLog:
    """Reads from a store, and keeps what was asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: list[EventsOf] = []

    async def events_of(self, asked: EventsOf) -> Sequence[RecordedEvent]:
        self.asked.append(asked)
        return await self._store.events_of(asked)


async def action_now(store: Store) -> Action:
    action = await store.read(ActionById("org", "1"))
    assert action is not None
    return action


async def folded(store: Store) -> list[Action]:
    """Returns the state of the action after each of its events, the first first."""
    states: list[Action] = []
    for event in await store.events():
        if event.aggregate_id == "1":
            state = evolve(states[-1] if states else None, event)
            assert state is not None
            states.append(state)
    return states


def switches(count: int) -> list[Command[object]]:
    """Returns commands that turn the active action off and on."""
    return [
        (ReactivateAction if number % 2 else DeactivateAction)("org", "1", "ada")
        for number in range(count)
    ]


def random_changes(seed: int, count: int) -> list[Command[object]]:
    random = Random(seed)  # noqa: S311  the same ones each time are wanted
    commands: list[Command[object]] = []
    is_active = True
    for number in range(count):
        if random.random() < 0.5:
            switch = DeactivateAction if is_active else ReactivateAction
            commands.append(switch("org", "1", f"user {number}"))
            is_active = not is_active
        else:
            name, script = f"n{random.randrange(2)}", f"s{number}"
            timeout_ns = random.randrange(3)
            commands.append(update_action("org", "1", name, script, timeout_ns=timeout_ns))
    return commands


class TestActionHistory:
    @pytest.mark.parametrize("limit", [1, 7, PAGE])
    async def test_pages_have_every_state_from_the_last_to_the_first(
        self, store: Store, limit: int
    ) -> None:
        await commit(store, an_action("1"), an_action("2"))
        await commit(store, *random_changes(limit, 120), *[an_action("3")])
        history, now = ActionHistory(store), await action_now(store)
        found: list[Action] = []
        while page := await history.page(
            now, before=found[-1].sequence if found else 2**63, limit=limit
        ):
            assert len(page) <= limit
            found += (version.action for version in page)
        assert found == (await folded(store))[::-1]
        assert found[0] == now

    async def test_a_version_has_its_state_and_its_event(self, store: Store) -> None:
        await commit(store, an_action("1"))
        await commit(store, *random_changes(1, 60))
        history, now = ActionHistory(store), await action_now(store)
        events = [event for event in await store.events() if event.aggregate_id == "1"]
        for event, state in zip(events, await folded(store), strict=True):
            version = await history.version(now, event.sequence)
            assert version == (state, event.type, event.editor)
        for sequence in (0, now.sequence + 1, 2**64 - 1):
            assert await history.version(now, sequence) is None

    async def test_of_10000_events_few_are_read_at_once(self, store: Store) -> None:
        first = create_orgless_action("org", "1", "Greet", "script", timeout_ns=7, editor="ada")
        await commit(store, first)
        for start in range(1, EVENTS, AT_ONCE):
            await commit(store, *switches(min(AT_ONCE, EVENTS - start)))
        now = await action_now(store)
        log = CountedLog(store)
        page = await ActionHistory(log).page(now, before=2**63, limit=PAGE)
        assert [version.action.sequence for version in page] == [*range(EVENTS, EVENTS - PAGE, -1)]
        assert {(version.action.script, version.action.timeout_ns) for version in page} == {
            ("script", 7)
        }
        assert len(log.asked) <= EVENTS // SPAN + 2
        assert all(asked.last - asked.first < SPAN for asked in log.asked)
        assert [asked.limit for asked in log.asked] == [
            PAGE,
            *[EVENTS_AT_ONCE] * (len(log.asked) - 1),
        ]
