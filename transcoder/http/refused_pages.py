"""Logs which pages CORS keeps out, for whoever wonders why theirs is.

Rule: who sends requests chooses the origins. Each has a line a minute at most, all together
`ORIGINS_MAX` lines, and no more of them are remembered.
"""

import logging
import time
from typing import Final

logger = logging.getLogger(__name__)

EVERY_S: Final = 60.0
ORIGINS_MAX: Final = 100
_CHARS_MAX: Final = 300
"""Max characters of an origin that is remembered: a scheme, a host name of 253 and a port."""


class RefusedPages:
    """The origins that were logged within the last minute."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}  # when, by origin; the oldest first

    def add(self, origin: str) -> None:
        """Logs an origin as browsers send it, unless it or too many were logged in this minute."""
        now = time.monotonic()
        logged, origin = self._logged, origin[:_CHARS_MAX]
        while logged and now - next(iter(logged.values())) >= EVERY_S:
            del logged[next(iter(logged))]
        if origin not in logged and len(logged) < ORIGINS_MAX:
            logged[origin] = now
            logger.warning("refused a page of %s: not one of cors_origins", origin)
