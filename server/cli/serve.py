"""serve: the service in the foreground, until SIGTERM or SIGINT.

What is for the operator goes to standard output; the log goes to standard error.
"""

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

import click

from server.cli import welcome
from server.cli.failures import Failed
from server.cli.settings import CONFIG, DATA_DIR, settings
from server.config import Config, as_toml

if TYPE_CHECKING:
    from server.app import Started

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@click.command(epilog="Example: python -m server serve --listen 0.0.0.0:8080 --log-format json")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="JSON and gRPC-Web; port 0 takes a free one.  [ACTIONS_LISTEN; 127.0.0.1:8080]",
)
@click.option(
    "--grpc-listen", metavar="HOST:PORT", help="gRPC.  [ACTIONS_GRPC_LISTEN; 127.0.0.1:50051]"
)
@DATA_DIR
@click.option(
    "--cors-origins",
    metavar="ORIGINS",
    help='Who may call from a browser: origins, separated by commas, or "*" for any.  '
    "[ACTIONS_CORS_ORIGINS; none]",
)
@click.option("--log-format", metavar="FORMAT", help="text or json.  [ACTIONS_LOG_FORMAT; text]")
@click.option(
    "--access-log/--no-access-log",
    default=None,
    help="Log each call.  [ACTIONS_ACCESS_LOG; true]",
)
@CONFIG
@click.option("--check-config", is_flag=True, help="Check the settings, print them, and stop.")
def serve(check_config: bool, **flags: object) -> None:
    """Serve JSON, gRPC-Web and gRPC, until SIGTERM or Ctrl-C.

    Settings are flags, else environment variables, else what the TOML file of --config says under
    the same names. The first start on an empty data folder makes an organisation and an owner
    token, and prints both, with commands to paste.
    """
    loaded = settings(flags)
    if check_config:
        click.echo(as_toml(loaded))
        return
    import uvloop

    from server import logs
    from server.eventstore.contract import StorageError

    logs.set_up(loaded.config.log_format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(loaded.config))
    except (StorageError, OSError) as error:
        raise Failed(str(error)) from error


async def _serve(config: Config) -> None:
    from server.app import Application

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


def _print(started: "Started", config: Config) -> None:
    # Whether anyone reads it is not the service's concern.
    with contextlib.suppress(OSError):
        for line in welcome.lines(started, config.data_dir):
            click.echo(line)
