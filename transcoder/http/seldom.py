"""Limits how often a line is logged that clients can cause."""

import time
from typing import Final

EVERY_S: Final = 60.0
"""Min seconds between two log lines of one kind."""


class Seldom:
    """Lets a line through once in `EVERY_S`."""

    __slots__ = ("_last_at",)

    def __init__(self) -> None:
        self._last_at = -EVERY_S

    def is_due(self) -> bool:
        """Returns True if the line is to be logged now, and counts it as logged."""
        now = time.monotonic()
        if now - self._last_at < EVERY_S:
            return False
        self._last_at = now
        return True
