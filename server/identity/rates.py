"""Limits how often something happens for each of many keys, by the generic cell rate algorithm.

Follows ITU-T I.371 annex A.2: a key has one number, the time at which its next event is due.
Rule: no more than `keys_max` keys are kept; the oldest is forgotten first.
"""

from server.clock import Clock, wall_clock

_US = 1_000_000


class Rates:
    """Admits a burst of events for each key, then so many a second."""

    def __init__(
        self, *, per_s: float, burst: int, keys_max: int = 10_000, clock: Clock = wall_clock
    ) -> None:
        self._interval_us = int(_US / per_s)
        self._tolerance_us = self._interval_us * (burst - 1)
        self._keys_max = keys_max
        self._clock = clock
        self._due: dict[str, int] = {}

    def admits(self, key: str) -> bool:
        """Returns True, and counts the event; or False if it comes too early."""
        now = self._clock()
        due = self._due.pop(key, now)
        # A clock that was set back must not keep a key out for longer than its whole burst.
        due = max(now, min(due, now + self._tolerance_us + self._interval_us))
        is_admitted = due - now <= self._tolerance_us
        if len(self._due) >= self._keys_max:
            del self._due[next(iter(self._due))]
        self._due[key] = due + self._interval_us if is_admitted else due
        return is_admitted
