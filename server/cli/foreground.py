"""Runs the service in this process until a signal ends it.

Standard output is for the operator; the log goes to standard error.
"""

import asyncio
import io
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
import uvloop

from server import logs
from server.app import Application, Started
from server.cli import welcome
from server.cli.failures import storage_failures
from server.cli.signals import FLUSH_MAX_S, stop_event
from server.config import VARIABLES, Config
from server.config.misspelt import nearest_settings
from server.line_writer import LineWriter
from server.store.engine import Opening


@dataclass(frozen=True, slots=True)
class Role:
    """Says which part of the service a process has.

    Attributes:
        worker: its number among those that share the addresses; 0 if it is the only one.
        welcomes: prints what to try once it serves.
        ready: called once it serves.
        figures: gives its metrics to the process that has their page; None if it has it itself.
    """

    worker: int = 0
    welcomes: bool = True
    ready: Callable[[], None] = lambda: None
    figures: socket.socket | None = None


ALONE: Final = Role()


def run_service(config: Config, *, opening: Opening, role: Role = ALONE) -> None:
    """Serves until a signal, then drains.

    Raises:
        Failed: the data folder is unusable.
        OSError: an address cannot be bound.
    """
    log = logs.set_up(config.log_format, access_log=config.access_log, worker=role.worker)
    if role.welcomes:
        _warn_of_misspelt_variables()
    try:
        with storage_failures(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config, log, opening, role))
    finally:
        log.flush(FLUSH_MAX_S)


def _warn_of_misspelt_variables() -> None:
    logger = structlog.get_logger()
    for variable, nearest in nearest_settings(os.environ, VARIABLES).items():
        logger.warning(
            "variable is ignored, as no setting has this name", variable=variable, nearest=nearest
        )


async def _serve(config: Config, log: LineWriter, opening: Opening, role: Role) -> None:
    stop = stop_event(log)
    application = Application(
        config, opening=opening, worker=role.worker, log=log, figures=role.figures
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, application.reload)
    try:
        started = await application.start()
        if role.welcomes:
            _print(started, config)
        role.ready()
        await stop.wait()
    finally:
        await application.stop()


def _print(started: Started, config: Config) -> None:
    """Prints from a thread, so that a stuck reader does not block the service."""
    is_terminal = config.log_format == "text" and sys.stdout.isatty()
    stream = io.FileIO(sys.stdout.fileno(), "w", closefd=False)
    output = LineWriter(stream, dropped=lambda _: b"")
    for line in welcome.lines(
        started,
        config.data_dir,
        is_terminal=is_terminal,
        has_tls=bool(config.tls_cert),
        has_openapi=config.openapi,
    ):
        output.write(f"{line}\n".encode(sys.stdout.encoding, "replace"))
