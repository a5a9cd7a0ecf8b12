"""The service in this process, until a signal ends it.

What is for the operator goes to standard output; the log goes to standard error.
"""

import asyncio
import os
import signal
import sys
from typing import Final

import click
import uvloop

from server import logs
from server.app import Application, Started
from server.cli import welcome
from server.cli.failures import Failed, drop_output
from server.config import Config
from server.eventstore.contract import StorageError

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run(config: Config) -> None:
    """Serve until asked to stop, and drain.

    Raises:
        Failed: the data folder cannot be had.
        OSError: an address cannot be had.
    """
    logs.set_up(config.log_format, access_log=config.access_log)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config))
    except StorageError as error:
        raise Failed(str(error)) from error


async def _serve(config: Config) -> None:
    asked = _asked_to_stop()
    application = Application(config)
    try:
        _print(await application.start(), config)
        await asked.wait()
    finally:
        await application.stop()


def _asked_to_stop() -> asyncio.Event:
    """Set by the first signal; the second ends the process where it stands."""
    asked = asyncio.Event()

    def on_signal(number: int) -> None:
        if asked.is_set():
            os._exit(128 + number)
        asked.set()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    return asked


def _print(started: Started, config: Config) -> None:
    is_terminal = config.log_format == "text" and sys.stdout is not None and sys.stdout.isatty()
    try:
        for line in welcome.lines(started, config.data_dir, is_terminal=is_terminal):
            click.echo(line)
    except OSError:
        drop_output()  # Whether anyone reads it is not the service's concern.
