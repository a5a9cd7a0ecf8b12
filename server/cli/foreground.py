"""Runs the service in this process until a signal ends it.

Standard output is for the operator; the log goes to standard error.
"""

import asyncio
import io
import os
import signal
import sys
from typing import Final

import structlog
import uvloop

from server import logs
from server.app import Application, Started
from server.cli import welcome
from server.cli.failures import storage_failures
from server.config import VARIABLES, Config
from server.config.misspelt import nearest_settings
from server.line_writer import LineWriter
from server.store.engine import Opening

FLUSH_MAX_S: Final = 0.3
"""Max seconds to write the last lines of the log before the process ends."""

_SIGNALLED: Final = 128
"""Added to a signal's number it is the exit status, as shells have it."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run_service(config: Config, *, opening: Opening) -> None:
    """Serves until a signal, then drains.

    Raises:
        Failed: the data folder is unusable.
        OSError: an address cannot be bound.
    """
    log = logs.set_up(config.log_format, access_log=config.access_log)
    _warn_of_misspelt_variables()
    try:
        with storage_failures(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config, log, opening))
    finally:
        log.flush(FLUSH_MAX_S)


def _warn_of_misspelt_variables() -> None:
    logger = structlog.get_logger()
    for variable, nearest in nearest_settings(os.environ, VARIABLES).items():
        logger.warning(
            "variable is ignored, as no setting has this name", variable=variable, nearest=nearest
        )


async def _serve(config: Config, log: LineWriter, opening: Opening) -> None:
    stop = _stop_event(log)
    application = Application(config, opening=opening)
    try:
        started = await application.start()
        if application.has_tls:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, application.reload)
        _print(started, config)
        await stop.wait()
    finally:
        await application.stop()


def _stop_event(log: LineWriter) -> asyncio.Event:
    """Returns an event that the first signal sets; the second ends the process at once."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            log.flush(FLUSH_MAX_S)
            os._exit(_SIGNALLED + number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    return stop


def _print(started: Started, config: Config) -> None:
    """Prints from a thread, so that a stuck reader does not block the service."""
    is_terminal = config.log_format == "text" and sys.stdout.isatty()
    stream = io.FileIO(sys.stdout.fileno(), "w", closefd=False)
    output = LineWriter(stream, dropped=lambda _: b"")
    for line in welcome.lines(
        started, config.data_dir, is_terminal=is_terminal, has_tls=bool(config.tls_cert)
    ):
        output.write(f"{line}\n".encode(sys.stdout.encoding, "replace"))
