import asyncio
from collections.abc import Sequence
from typing import TypeAlias

import pytest

from server.commands import queue as queue_module
from server.commands.actions import DeactivateAction, DeleteAction, ReactivateAction
from server.commands.base import Change, Facts
from server.commands.queue import BATCH_MAX, FULL, BatchFailed, CommandQueue
from server.domain.action import Action, ActionState
from server.domain.aggregates import Key, Name, State
from server.domain.events import RecordedEvent
from server.domain.refusals import Kind, Refusal
from server.store.errors import StorageError
from server.store.log import Decide, LoadedFacts, Needs
from tests.support.action_commands import CreateOrglessAction, create_orgless_action, update_action

States: TypeAlias = dict[Key, State | None]


class MemoryStore:
    """Keeps everything in dicts; a commit waits at the gate, or fails as it is told to.

    Attributes:
        late_failure: of a commit whose batch was decided.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.failure: Exception | None = None
        self.late_failure: Exception | None = None
        self.batches: list[list[RecordedEvent]] = []
        self._states: States = {}
        self._sequences: dict[Key, int] = {}
        self._names: dict[Name, str] = {}
        self._position = 0

    async def commit(self, needs: Needs, decide: Decide) -> None:
        self.entered.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        states = {key: self._states.get(key) for key in needs.aggregates}
        names = {name: self._names.get(name) for name in needs.names}
        writes = decide(LoadedFacts(states, self._sequences, names, self._position, 1_000))
        if self.late_failure is not None:
            raise self.late_failure
        self._states.update(writes.states)
        for name in writes.names_released:
            self._names.pop(name, None)
        self._names.update(writes.names_claimed)
        self._position += len(writes.events)
        self.batches.append(list(writes.events))

    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def an_action(action_id: str, name: str = "") -> CreateOrglessAction:
    return create_orgless_action("org", action_id, name or f"name {action_id}", editor="ada")


def outcome_of(task: "asyncio.Task[Action]") -> object:
    """The state after the command, or the id or else the key of what refused it."""
    error = task.exception()
    if isinstance(error, Refusal):
        return error.id or error.key
    return task.result().state


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_command_is_answered_with_the_state_after_it(store: MemoryStore) -> None:
    async with CommandQueue(store) as queue:
        created = await queue.execute(an_action("1"))
        deactivated = await queue.execute(DeactivateAction("org", "1", "ada"))
        await queue.execute(DeleteAction("org", "1", "ada"))
        with pytest.raises(Refusal, match="COMMAND-Aa22g"):
            await queue.execute(ReactivateAction("org", "1", "ada"))
    assert (created.state, created.sequence) == (ActionState.ACTIVE, 1)
    assert (deactivated.state, deactivated.sequence) == (ActionState.INACTIVE, 2)


async def test_commands_that_wait_for_a_commit_share_the_next(store: MemoryStore) -> None:
    async with CommandQueue(store) as queue, asyncio.TaskGroup() as callers:
        store.gate.clear()
        callers.create_task(queue.execute(an_action("first")))
        await store.entered.wait()
        for number in range(5):
            callers.create_task(queue.execute(an_action(str(number))))
        await settled()
        store.gate.set()
    assert store.sizes() == [1, 5]


async def test_command_sees_the_earlier_ones_of_its_batch(store: MemoryStore) -> None:
    async with CommandQueue(store) as queue:
        rows = [
            (an_action("1", "Greet"), ActionState.ACTIVE),
            (ReactivateAction("org", "1", "ada"), "COMMAND-J53zh"),
            (DeactivateAction("org", "1", "ada"), ActionState.INACTIVE),
            (DeactivateAction("org", "1", "ada"), "COMMAND-Dgj92"),
            (ReactivateAction("org", "1", "ada"), ActionState.ACTIVE),
            (an_action("2", "greet"), "V3-DKcYh"),
            (ReactivateAction("org", "nowhere", "ada"), "COMMAND-Aa22g"),
        ]
        tasks = [asyncio.create_task(queue.execute(command)) for command, _ in rows]
        await asyncio.wait(tasks)
    assert [outcome_of(task) for task in tasks] == [outcome for _, outcome in rows]
    assert [[(event.position, event.sequence) for event in batch] for batch in store.batches] == [
        [(1, 1), (2, 2), (3, 3)]
    ]


async def test_command_that_changes_nothing_succeeds_where_the_caller_allows_it(
    store: MemoryStore,
) -> None:
    async with CommandQueue(store) as queue:
        rows = [
            (an_action("1", "Greet"), False, ActionState.ACTIVE),
            (ReactivateAction("org", "1", "ada"), True, ActionState.ACTIVE),
            (DeactivateAction("org", "1", "ada"), True, ActionState.INACTIVE),
            (DeactivateAction("org", "1", "ada"), True, ActionState.INACTIVE),
            (DeactivateAction("org", "1", "ada"), False, "COMMAND-Dgj92"),
            (update_action("org", "1", "Greet", editor="ada"), True, ActionState.INACTIVE),
            (ReactivateAction("org", "nowhere", "ada"), True, "COMMAND-Aa22g"),
            (an_action("2", "greet"), True, "V3-DKcYh"),
        ]
        tasks = [
            asyncio.create_task(queue.execute(command, allow_noop=allowed))
            for command, allowed, _ in rows
        ]
        await asyncio.wait(tasks)
    assert [outcome_of(task) for task in tasks] == [outcome for _, _, outcome in rows]
    assert [tasks[number].result().sequence for number in (1, 3, 5)] == [1, 2, 2]
    assert [[(event.position, event.sequence) for event in batch] for batch in store.batches] == [
        [(1, 1), (2, 2)]
    ]


async def test_name_freed_earlier_in_the_batch_can_be_taken(store: MemoryStore) -> None:
    async with CommandQueue(store) as queue:
        await queue.execute(an_action("1", "Greet"))
        await asyncio.gather(
            queue.execute(DeleteAction("org", "1", "")), queue.execute(an_action("2", "greet"))
        )
    assert store.sizes() == [1, 2]


async def test_no_caller_is_answered_before_the_commit(store: MemoryStore) -> None:
    async with CommandQueue(store) as queue:
        store.gate.clear()
        task = asyncio.create_task(queue.execute(an_action("1")))
        await store.entered.wait()
        await settled()
        assert not task.done()
        store.gate.set()
        await task


@pytest.mark.parametrize(
    ("failure", "told", "line"),
    [
        (StorageError("disk full"), StorageError("disk full"), "batch of 3 failed: disk full"),
        (ZeroDivisionError(), BatchFailed(), "batch of 3 failed"),
    ],
)
async def test_failure_of_storage_fails_its_batch_and_not_the_next_and_is_logged_once(
    store: MemoryStore,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
    told: Exception,
    line: str,
) -> None:
    async with CommandQueue(store) as queue:
        store.failure = failure
        tasks = [asyncio.create_task(queue.execute(an_action(number))) for number in "123"]
        await asyncio.wait(tasks)
        store.failure = None
        await queue.execute(an_action("1"))
    errors = [task.exception() for task in tasks]
    assert [repr(error) for error in errors] == [repr(told)] * 3
    assert len({id(error) for error in errors}) == 3
    assert store.sizes() == [1]
    assert caplog.messages == [line]
    assert ("ZeroDivisionError" in caplog.text) == isinstance(failure, ZeroDivisionError)


class Broken(DeactivateAction):
    def decide(self, facts: Facts) -> Sequence[Change]:
        message = "a fault in a rule"
        raise ZeroDivisionError(message)


async def test_fault_in_a_rule_fails_one_command(store: MemoryStore) -> None:
    async with CommandQueue(store) as queue:
        outcomes = await asyncio.gather(
            queue.execute(an_action("1")),
            queue.execute(Broken("org", "1", "")),
            queue.execute(an_action("2")),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes] == [Action, ZeroDivisionError, Action]


async def test_batch_is_bounded(store: MemoryStore) -> None:
    async with CommandQueue(store) as queue, asyncio.TaskGroup() as callers:
        for number in range(600):
            callers.create_task(queue.execute(an_action(str(number))))
    assert store.sizes()[0] == BATCH_MAX == 256


async def test_all_that_wait_share_a_batch(store: MemoryStore) -> None:
    async with CommandQueue(store) as queue, asyncio.TaskGroup() as callers:
        for number in range(100):
            callers.create_task(queue.execute(an_action(str(number))))
    assert store.sizes() == [100]


async def test_batch_is_bounded_by_its_text(store: MemoryStore) -> None:
    script = "x" * 400_000
    async with CommandQueue(store) as queue, asyncio.TaskGroup() as callers:
        for number in range(5):
            action = create_orgless_action("org", str(number), str(number), script, editor="ada")
            callers.create_task(queue.execute(action))
    assert store.sizes() == [3, 2]


async def test_one_too_many_waiting_is_refused_at_once(store: MemoryStore) -> None:
    async with CommandQueue(store, waiting_max=2) as queue, asyncio.TaskGroup() as callers:
        store.gate.clear()
        callers.create_task(queue.execute(an_action("runs")))
        await store.entered.wait()
        for number in "12":
            callers.create_task(queue.execute(an_action(number)))
        await settled()
        with pytest.raises(Refusal) as refused:
            await queue.execute(an_action("3"))
        store.gate.set()
    assert refused.value.kind is Kind.RESOURCE_EXHAUSTED
    assert store.sizes() == [1, 2]


async def test_caller_that_left_before_its_batch_leaves_nothing(store: MemoryStore) -> None:
    async with CommandQueue(store) as queue, asyncio.TaskGroup() as callers:
        store.gate.clear()
        callers.create_task(queue.execute(an_action("runs")))
        await store.entered.wait()
        left = callers.create_task(queue.execute(an_action("left")))
        callers.create_task(queue.execute(an_action("stays")))
        await settled()
        left.cancel()
        store.gate.set()
    ids = [[event.aggregate_id for event in batch] for batch in store.batches]
    assert ids == [["runs"], ["stays"]]


async def test_caller_that_left_during_its_batch_does_not_disturb_the_others(
    store: MemoryStore,
) -> None:
    async with CommandQueue(store) as queue:
        store.gate.clear()
        tasks = [asyncio.create_task(queue.execute(an_action(number))) for number in "12"]
        await store.entered.wait()
        tasks[0].cancel()
        await settled()
        store.gate.set()
        await asyncio.wait(tasks)
    assert tasks[0].cancelled()
    assert tasks[1].result().id == "2"


async def test_close_finishes_the_batch_and_refuses_waiting_commands(store: MemoryStore) -> None:
    queue = CommandQueue(store)
    await queue.start()
    store.gate.clear()
    runs = asyncio.create_task(queue.execute(an_action("runs")))
    await store.entered.wait()
    waits = asyncio.create_task(queue.execute(an_action("waits")))
    await settled()
    closing = asyncio.create_task(queue.close())
    await settled()
    store.gate.set()
    await closing
    assert (await runs).id == "runs"
    assert outcome_of(waits) == "Errors.Command.Closing"
    with pytest.raises(Refusal) as refused:
        await queue.execute(an_action("late"))
    assert refused.value.kind is Kind.UNAVAILABLE


async def test_events_are_told_before_callers_are_answered(store: MemoryStore) -> None:
    told: list[list[int]] = []
    task: asyncio.Task[Action]

    def on_commit(events: Sequence[RecordedEvent]) -> None:
        assert not task.done()
        told.append([event.position for event in events])

    async with CommandQueue(store, on_commit=on_commit) as queue:
        task = asyncio.create_task(queue.execute(an_action("1")))
        await task
        with pytest.raises(Refusal):
            await queue.execute(ReactivateAction("org", "1", ""))
    assert told == [[1]]


@pytest.mark.parametrize("failure", [StorageError("disk"), ZeroDivisionError()], ids=repr)
async def test_events_that_may_be_stored_are_told_before_callers_hear_of_a_failure(
    store: MemoryStore, failure: Exception
) -> None:
    told: list[list[str]] = []
    task: asyncio.Task[Action]

    def on_commit(events: Sequence[RecordedEvent]) -> None:
        assert not task.done()
        told.append([event.aggregate_id for event in events])

    async with CommandQueue(store, on_commit=on_commit) as queue:
        store.late_failure = failure
        task = asyncio.create_task(queue.execute(an_action("1")))
        await asyncio.wait([task])
    assert isinstance(task.exception(), StorageError | BatchFailed)
    assert told == [["1"]]


async def test_a_failure_after_the_commit_is_logged_and_fails_no_caller(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    def on_commit(_: Sequence[RecordedEvent]) -> None:
        raise ZeroDivisionError

    async with CommandQueue(store, on_commit=on_commit) as queue:
        async with asyncio.TaskGroup() as callers:
            for number in "12":
                callers.create_task(queue.execute(an_action(number)))
        await queue.execute(an_action("3"))
    assert store.sizes() == [2, 1]
    assert caplog.messages == [
        "what follows a commit of 2 events failed",
        "what follows a commit of 1 events failed",
    ]
    assert "ZeroDivisionError" in caplog.text


async def crowd(queue: CommandQueue) -> None:
    await asyncio.gather(queue.execute(an_action("crowd 1")), queue.execute(an_action("crowd 2")))


class HandTime:
    """Time as the queue sees it, which goes on when a test has a pause of the queue end."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses = 0
        self._pause: asyncio.Future[None] | None = None
        self._sleep = asyncio.sleep

    async def sleep(self, delay_s: float) -> None:
        if delay_s == 0:
            await self._sleep(0)
            return
        self.pauses += 1
        self._pause = asyncio.get_running_loop().create_future()
        await self._pause

    async def end_pause(self) -> None:
        await settled()
        assert self._pause is not None
        self.now += queue_module.PAUSE_S
        self._pause.set_result(None)
        self._pause = None
        await settled()


@pytest.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> HandTime:
    time = HandTime()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: time.now)
    monkeypatch.setattr(asyncio, "sleep", time.sleep)
    monkeypatch.setattr(queue_module, "PAUSE_S", 1.0)
    monkeypatch.setattr(queue_module, "GATHER_MAX_S", 10.0)
    return time


def saturated() -> float:
    return queue_module.SATURATED


def with_time_to_spare() -> float:
    return queue_module.SPARE_UNTIL


def nearly_busy() -> float:
    between = queue_module.SATURATED - queue_module.SPARE_UNTIL
    return queue_module.SPARE_UNTIL + 0.45 * between


async def test_commands_that_arrive_one_by_one_share_a_batch(
    store: MemoryStore, time: HandTime
) -> None:
    async with CommandQueue(store, load=saturated) as queue, asyncio.TaskGroup() as callers:
        await crowd(queue)
        callers.create_task(queue.execute(an_action("1")))
        await settled()
        for number in "2345":
            callers.create_task(queue.execute(an_action(number)))
            await time.end_pause()
        assert store.sizes() == [2]
        await time.end_pause()
        assert store.sizes() == [2, 5]


async def test_a_batch_waits_for_half_as_many_as_were_in_the_last(
    store: MemoryStore, time: HandTime
) -> None:
    async with CommandQueue(store, load=saturated) as queue, asyncio.TaskGroup() as callers:
        await asyncio.gather(*(queue.execute(an_action(f"crowd {n}")) for n in range(20)))
        callers.create_task(queue.execute(an_action("1")))
        for _ in range(5):
            await time.end_pause()
        assert store.sizes() == [20]
        for number in range(2, 11):
            callers.create_task(queue.execute(an_action(str(number))))
        for _ in range(2):
            await time.end_pause()
        assert store.sizes() == [20, 10]


async def test_callers_of_turns_that_follow_each_other_share_a_batch(
    store: MemoryStore, time: HandTime
) -> None:
    async with CommandQueue(store, load=with_time_to_spare) as queue:

        async def execute_later(turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await queue.execute(an_action(str(turns)))

        await asyncio.gather(*(execute_later(turns) for turns in (0, 1, 2, 3, 10)))
    assert (store.sizes(), time.pauses) == ([4, 1], 0)


async def test_answers_leave_before_the_next_batch_begins(store: MemoryStore) -> None:
    begun_at_answer: list[int] = []

    async def execute(number: str) -> None:
        await queue.execute(an_action(number))
        begun_at_answer.append(len(store.batches))

    async with CommandQueue(store) as queue, asyncio.TaskGroup() as callers:
        store.gate.clear()
        callers.create_task(execute("1"))
        await store.entered.wait()
        callers.create_task(execute("2"))
        await settled()
        store.gate.set()
    assert begun_at_answer == [1, 2]


async def test_a_full_batch_does_not_wait_for_more_commands(
    store: MemoryStore, time: HandTime
) -> None:
    async with CommandQueue(store, load=saturated) as queue, asyncio.TaskGroup() as callers:
        await crowd(queue)
        for number in range(FULL):
            callers.create_task(queue.execute(an_action(str(number))))
    assert (store.sizes(), time.pauses) == ([2, FULL], 0)


async def test_gathering_ends_though_more_come(store: MemoryStore, time: HandTime) -> None:
    async with CommandQueue(store, load=saturated) as queue, asyncio.TaskGroup() as callers:
        await crowd(queue)
        callers.create_task(queue.execute(an_action("0")))
        await settled()
        for number in range(1, 10):
            callers.create_task(queue.execute(an_action(str(number))))
            await time.end_pause()
        assert store.sizes() == [2]
        callers.create_task(queue.execute(an_action("10")))
        await time.end_pause()
        assert store.sizes() == [2, 11]


async def test_a_single_caller_does_not_wait_for_others(store: MemoryStore, time: HandTime) -> None:
    async with CommandQueue(store, load=saturated) as queue:
        for number in "123":
            await queue.execute(an_action(number))
    assert (store.sizes(), time.pauses) == ([1, 1, 1], 0)


async def test_the_first_command_after_a_lull_does_not_wait(
    store: MemoryStore, time: HandTime
) -> None:
    async with CommandQueue(store, load=saturated) as queue:
        await crowd(queue)
        await settled()
        time.now += 10.0
        await queue.execute(an_action("1"))
    assert (store.sizes(), time.pauses) == ([2, 1], 0)


async def test_no_caller_waits_while_the_process_is_idle(
    store: MemoryStore, time: HandTime
) -> None:
    queue = CommandQueue(store, load=with_time_to_spare)
    async with queue, asyncio.TaskGroup() as callers:
        await crowd(queue)
        for number in "123":
            callers.create_task(queue.execute(an_action(number)))
            await settled()
    assert (store.sizes(), time.pauses) == ([2, 1, 1, 1], 0)


async def test_a_process_that_is_nearly_busy_waits_for_a_part_of_the_time(
    store: MemoryStore, time: HandTime
) -> None:
    async with CommandQueue(store, load=nearly_busy) as queue, asyncio.TaskGroup() as callers:
        await crowd(queue)
        callers.create_task(queue.execute(an_action("0")))
        await settled()
        for number in range(1, 6):
            callers.create_task(queue.execute(an_action(str(number))))
            await time.end_pause()
        assert store.sizes() == [2, 6]
