"""Ids: 18 digits, in the order of time, different in every process.

Follows the sonyflake layout: 39 bits of 10 ms units since 2019-04-29T00:00:00Z, 8 bits of counter,
16 bits of machine id, printed as a decimal string. A process claims its machine id in the store.
"""

from server.clock import Clock, wall_clock


class IdGenerator:
    """Strictly increasing within a process, also when the clock steps back.

    More than 256 ids in 10 ms run ahead of the clock, up to `LEAD_MAX_UNITS`.
    """

    def __init__(self, machine_id: int, *, clock: Clock = wall_clock) -> None: ...

    def next(self) -> str:
        raise NotImplementedError
