"""Ends a process by signals: the first asks it to stop, the second ends it at once."""

import asyncio
import os
import signal
from typing import Final

from server.line_writer import LineWriter

FLUSH_MAX_S: Final = 0.3
"""Max seconds to write the last lines of the log before the process ends."""

AGAIN_S: Final = 0.05
"""Seconds after the first signal in which another does not count: uvloop tells a signal twice that
arrives while it handles one.
"""

_SIGNALLED: Final = 128
"""Added to a signal's number it is the exit status, as shells have it."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def stop_event(log: LineWriter) -> asyncio.Event:
    """Returns an event that the first signal sets; the second ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    first_at = 0.0

    def on_signal(number: int) -> None:
        nonlocal first_at
        if not stop.is_set():
            first_at = loop.time()
            stop.set()
        elif loop.time() > first_at + AGAIN_S:
            log.flush(FLUSH_MAX_S)
            os._exit(_SIGNALLED + number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    return stop
