"""Gives slots to runs; organisations take turns. Knows nothing of processes or scripts.

Follows docs/execution.md "RunTrigger". A waiting run keeps its context and scripts in memory, so
the number and the bytes of waiting runs are bounded.

Rule 1: an organisation has at most half of the slots, of the places in the queue and of its bytes.
Rule 2: waiting organisations take turns, one run each in a round. An organisation that arrives
during a round has its turn in that round, however many runs of others wait. The runs of one
organisation are served in order.
Rule 3: a run is refused if too many or too large ones wait, or if it waits too long. Between two
actions a run may give its slot away. It is not refused then: it waits as the first of its
organisation, and its bytes still count.
Rule 4: no operation visits all waiting runs or all waiting organisations.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from server.scripts.contract import Overloaded, Unavailable

_Turn: TypeAlias = "asyncio.Future[None]"


@dataclass(slots=True)
class Slot:
    """Describes the slot of a run, which is not held while the run waits for its next turn."""

    org_id: str
    size: int
    is_held: bool = True


class Turns:
    """Gives slots to runs of organisations."""

    def __init__(
        self,
        slots_max: int,
        *,
        queue_max: int,
        timeout_s: float,
        waiting_max_bytes: int,
    ) -> None:
        """Takes the limits; all slots are free.

        Args:
            slots_max: max runs at once.
            queue_max: max runs that wait; one more is refused.
            timeout_s: seconds after which a run that waits for its first action is refused.
            waiting_max_bytes: max bytes that waiting runs keep in memory.
        """
        self._slots_max = slots_max
        self._queue_max = queue_max
        self._timeout_s = timeout_s
        self._max_bytes = waiting_max_bytes
        self._org_slots_max = max(1, slots_max // 2)
        self._org_queue_max = max(1, queue_max // 2)
        self._org_max_bytes = waiting_max_bytes // 2
        self._taken = 0
        self._taken_by: Counter[str] = Counter()
        self._waiting: dict[str, OrderedDict[_Turn, None]] = {}
        self._waiting_count = 0
        self._bytes = 0
        self._bytes_of: Counter[str] = Counter()
        self._round: OrderedDict[str, None] = OrderedDict()
        """Waiting organisations that were not served in this round."""
        self._next_round: OrderedDict[str, None] = OrderedDict()
        """Waiting organisations that were served in this round."""
        self._served: set[str] = set()
        """Organisations that had a slot in this round, whether they wait or not."""
        self._is_closed = False

    @property
    def waiting_count(self) -> int:
        """Returns how many runs wait for a slot."""
        return self._waiting_count

    def close(self) -> None:
        """Refuses all runs from now on, including those that wait."""
        self._is_closed = True
        for turns in self._waiting.values():
            for turn in turns:
                if not turn.done():
                    turn.set_exception(Unavailable("the service is stopping"))
        self._waiting.clear()
        self._round.clear()
        self._next_round.clear()

    @asynccontextmanager
    async def slot(self, org_id: str, size: int) -> AsyncIterator[Slot]:
        """Holds a slot for a run within the block.

        Args:
            org_id: organisation of the run.
            size: bytes that the run keeps in memory while it waits.

        Raises:
            Overloaded: too many or too large runs wait, or this one waited too long.
            Unavailable: the service is stopping.
        """
        self._refuse_when_closed()
        if self._has_room(org_id):  # `_serve` leaves no waiting run that could have it
            self._take(org_id)
        else:
            await self._wait(org_id, size)
        slot = Slot(org_id, size)
        try:
            yield slot
        finally:
            if slot.is_held:
                self._leave(org_id)

    async def pass_on(self, slot: Slot) -> None:
        """Gives the slot to another organisation that waits for one, then waits for the next turn.

        Does nothing if no other organisation could use the slot. The run is not refused, as some of
        its actions have run: it waits for its turn, or until its caller is cancelled.

        Raises:
            Unavailable: the service is stopping.
        """
        if not self._is_wanted(slot.org_id):
            return
        turn = self._queue(slot.org_id, slot.size, is_first=True)
        slot.is_held = False
        self._leave(slot.org_id)
        try:
            await turn
        except asyncio.CancelledError:
            self._forget(slot.org_id, turn)
            raise
        finally:
            self._free(slot.org_id, slot.size)
            del turn  # has the error, which has this frame: a cycle
        slot.is_held = True

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise Unavailable("the service is stopping")

    # --- waiting

    async def _wait(self, org_id: str, size: int) -> None:
        self._refuse_when_full(org_id, size)
        turn = self._queue(org_id, size)
        # Not asyncio.wait_for, which before Python 3.12 loses a cancellation as the turn comes.
        timer = asyncio.get_running_loop().call_later(self._timeout_s, self._expire, turn)
        try:
            await turn
        except (Overloaded, asyncio.CancelledError):
            self._forget(org_id, turn)
            raise
        finally:
            timer.cancel()
            self._free(org_id, size)
            del turn, timer  # have the error, which has this frame: a cycle

    def _expire(self, turn: _Turn) -> None:
        if not turn.done():
            text = f"waited {self._timeout_s:g} s for a process to run scripts in"
            turn.set_exception(Overloaded(text))

    def _refuse_when_full(self, org_id: str, size: int) -> None:
        if self._waiting_count >= self._queue_max:
            raise Overloaded(f"{self._waiting_count} runs wait already, which is the limit")
        of_org = len(self._waiting.get(org_id, ()))
        if of_org >= self._org_queue_max:
            raise Overloaded(f"{of_org} runs of the organisation wait already, which is the limit")
        if self._bytes + size > self._max_bytes:
            raise Overloaded(
                f"the runs that wait keep {self._bytes} bytes, with {size} more than the"
                f" {self._max_bytes} that they may"
            )
        if self._bytes_of[org_id] + size > self._org_max_bytes:
            raise Overloaded(
                f"the organisation's runs that wait keep {self._bytes_of[org_id]} bytes, with"
                f" {size} more than the {self._org_max_bytes} that they may"
            )

    def _queue(self, org_id: str, size: int, *, is_first: bool = False) -> _Turn:
        """Queues a run; returns a future that is done at its turn. Then `_free` must be called."""
        self._bytes += size
        self._bytes_of[org_id] += size
        turn = asyncio.get_running_loop().create_future()
        if org_id not in self._waiting:
            self._waiting[org_id] = OrderedDict()
            (self._next_round if org_id in self._served else self._round)[org_id] = None
        turns = self._waiting[org_id]
        turns[turn] = None
        if is_first:
            turns.move_to_end(turn, last=False)
        self._waiting_count += 1
        return turn

    def _free(self, org_id: str, size: int) -> None:
        self._bytes -= size
        _subtract(self._bytes_of, org_id, size)

    def _forget(self, org_id: str, turn: _Turn) -> None:
        """Removes a run that was cancelled or waited too long."""
        if not turn.cancelled() and turn.exception() is None:
            self._leave(org_id)  # its turn came at the same moment
        elif turn in self._waiting.get(org_id, ()):
            self._remove(org_id, turn)

    def _remove(self, org_id: str, turn: _Turn) -> None:
        turns = self._waiting[org_id]
        del turns[turn]
        self._waiting_count -= 1
        if not turns:
            del self._waiting[org_id]
            self._round.pop(org_id, None)
            self._next_round.pop(org_id, None)

    # --- slots

    def _has_room(self, org_id: str) -> bool:
        return self._taken < self._slots_max and self._is_below_share(org_id)

    def _is_below_share(self, org_id: str) -> bool:
        return self._taken_by[org_id] < self._org_slots_max

    def _take(self, org_id: str) -> None:
        self._taken += 1
        self._taken_by[org_id] += 1
        if org_id in self._served:
            self._begin_round()
        self._served.add(org_id)

    def _leave(self, org_id: str) -> None:
        self._taken -= 1
        _subtract(self._taken_by, org_id, 1)
        self._serve()

    def _serve(self) -> None:
        """Gives free slots to waiting runs until no run that waits could have one."""
        while self._taken < self._slots_max and (org_id := self._next()) is not None:
            turn = next(iter(self._waiting[org_id]))
            self._remove(org_id, turn)
            if turn.done():  # cancelled or expired, which its own task handles
                continue
            self._take(org_id)
            if org_id in self._waiting:
                self._round.pop(org_id, None)
                self._next_round[org_id] = None
            turn.set_result(None)

    def _next(self) -> str | None:
        """Returns the organisation whose turn is next, in this round or the following one.

        Few are skipped: at most two or three organisations can have their share of the slots.
        """
        found = self._first(self._round)
        return self._first(self._next_round) if found is None else found

    def _first(self, orgs: OrderedDict[str, None], *, other_than: str | None = None) -> str | None:
        for org_id in orgs:
            if org_id != other_than and self._is_below_share(org_id):
                return org_id
        return None

    def _is_wanted(self, org_id: str) -> bool:
        """True if an organisation other than this one waits and could have a slot."""
        return any(
            self._first(orgs, other_than=org_id) is not None
            for orgs in (self._round, self._next_round)
        )

    def _begin_round(self) -> None:
        """Begins a round: organisations that were served come after those that were not."""
        for org_id in reversed(
            self._round
        ):  # few: only organisations that have their share of the slots
            self._next_round[org_id] = None
            self._next_round.move_to_end(org_id, last=False)
        self._round, self._next_round = self._next_round, OrderedDict()
        self._served.clear()


def _subtract(counter: Counter[str], org_id: str, count: int) -> None:
    counter[org_id] -= count
    if not counter[org_id]:
        del counter[org_id]
