"""Logs the origins of pages that CORS refuses, so that operators see which ones are not listed.

Rule: clients choose origins, so lines and memory are bounded: one line per origin and minute, and
`ORIGINS_MAX` origins a minute.
"""

import logging
import time
from typing import Final

logger = logging.getLogger(__name__)

EVERY_S: Final = 60.0
"""Seconds between two lines about one origin."""
ORIGINS_MAX: Final = 100
"""Max origins that are remembered and logged within `EVERY_S`."""
_CHARS_MAX: Final = 300
"""Max characters of an origin in the log: a scheme, a host name of 253 characters and a port."""


class RefusedPages:
    """The origins that were logged within the last `EVERY_S`."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}  # when, by origin; the oldest first

    def add(self, origin: str) -> None:
        """Logs an origin, unless it, or `ORIGINS_MAX` others, were logged within `EVERY_S`."""
        now = time.monotonic()
        logged, origin = self._logged, origin[:_CHARS_MAX]
        while logged and now - next(iter(logged.values())) >= EVERY_S:
            del logged[next(iter(logged))]
        if origin not in logged and len(logged) < ORIGINS_MAX:
            logged[origin] = now
            logger.warning("refused a page of %s: not one of cors_origins", origin)
