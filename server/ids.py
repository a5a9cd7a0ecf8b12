"""Makes ids: 18 digits, in order of time, unique across processes.

Follows docs/api.md "Ids": 39 bits of 10 ms units since 2019-04-29T00:00:00Z, 8 bits of counter,
16 bits of machine id, printed as a decimal string (18 digits until 2038). A process claims a new
machine id in the store at each start, so it never repeats ids that an earlier process made ahead of
the clock.
"""

from typing import Final

from server.clock import Clock, elapsed_clock, wall_clock
from server.domain.refusals import Kind, Refusal

EPOCH_US: Final = 1_556_496_000_000_000
"""2019-04-29T00:00:00Z"""

UNIT_US: Final = 10_000
"""Microseconds of one unit."""
COUNTER_BITS: Final = 8
MACHINE_BITS: Final = 16
"""Bits of an id for the counter, and below them for the machine id."""

LEAD_MAX_UNITS: Final = 6_000
"""Max lead over the clock: a minute, or 1.5 million ids beyond the 25,600 a second that fit."""


class IdGenerator:
    """Makes ids that increase within a process, also when the clock steps back.

    If the clock is set back, time goes on from the latest one, at the pace of `elapsed_clock`. Ids
    beyond 256 in 10 ms use the next units of time, and do not wait for them.
    """

    def __init__(
        self, machine_id: int, *, clock: Clock = wall_clock, elapsed: Clock = elapsed_clock
    ) -> None:
        if not 0 <= machine_id < 1 << MACHINE_BITS:
            message = f"machine id: expected 0 to 65535, got {machine_id}"
            raise ValueError(message)
        self._machine_id = machine_id
        self._clock = clock
        self._elapsed = elapsed
        self._latest = 0
        self._looked_at = elapsed() // UNIT_US
        self._unit = 0
        self._counter = 0

    def next(self) -> str:
        """Returns a new id.

        Raises:
            Refusal: RESOURCE_EXHAUSTED, when the ids made are a minute ahead of the clock.
        """
        looked_at, self._looked_at = self._looked_at, self._elapsed() // UNIT_US
        continued = self._latest + self._looked_at - looked_at
        self._latest = max(continued, (self._clock() - EPOCH_US) // UNIT_US)
        unit, counter = self._unit, self._counter + 1
        if unit < self._latest:
            unit, counter = self._latest, 0
        elif counter >> COUNTER_BITS:
            unit, counter = unit + 1, 0
        if unit - self._latest > LEAD_MAX_UNITS:
            raise Refusal(Kind.RESOURCE_EXHAUSTED, "Errors.Id.TooMany")
        self._unit, self._counter = unit, counter
        made = unit << (COUNTER_BITS + MACHINE_BITS) | counter << MACHINE_BITS | self._machine_id
        return str(made)


def made_at(id: str) -> int | None:
    """Returns the time at which an id was made, to 10 ms; None if it is none of this form."""
    if len(id) != 18 or not (id.isascii() and id.isdecimal()):
        return None
    return EPOCH_US + (int(id) >> COUNTER_BITS + MACHINE_BITS) * UNIT_US
