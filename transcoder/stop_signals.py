"""Tells of the signals that end a service, while it serves."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def stop_signals(reload: Callable[[], None] | None) -> Iterator[asyncio.Event]:
    """Sets an event on the signals that end a service; restores all handlers afterwards.

    Args:
        reload: what SIGHUP does; None leaves it as it is.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    does: dict[int, Callable[[], None]] = {signal.SIGTERM: asked.set, signal.SIGINT: asked.set}
    if reload is not None:
        does[signal.SIGHUP] = reload
    before = {number: signal.getsignal(number) for number in does}
    for number, action in does.items():
        loop.add_signal_handler(number, action)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # None: it was set outside of Python
                signal.signal(number, handler)
