"""Runs the command line, `python -m server`.

Rule: slow imports (grpc, aiohttp, the store) are made when a command runs, so that `--help` is
quick.
"""

import os
import signal
import sys

import click

from server.cli import accounts, failures
from server.cli.bridge import bridge_commands
from server.cli.call import call
from server.cli.connected import disconnect, status, try_targets
from server.cli.connecting import connect
from server.cli.copies import backup, check, restore
from server.cli.events import events
from server.cli.exports import export, import_
from server.cli.keys import key_commands
from server.cli.migrate import migrate
from server.cli.moving import import_zitadel
from server.cli.orgs import org_commands
from server.cli.rebuild import rebuild
from server.cli.secret_keys import secret_key_commands
from server.cli.secrets import secret_commands
from server.cli.serve import serve

PROGRAM = "python -m server"


def _version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    from server.version import DISTRIBUTION, installed_version

    version = installed_version()
    click.echo(f"{DISTRIBUTION}, not installed" if version is None else f"{DISTRIBUTION} {version}")
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
def commands() -> None:
    """Serve ZITADEL's Actions API as JSON, gRPC and gRPC-Web, and administer it."""


for command in (
    serve,
    call,
    org_commands,
    *accounts.GROUPS,
    key_commands,
    bridge_commands,
    backup,
    restore,
    check,
    export,
    import_,
    events,
    rebuild,
    secret_commands,
    secret_key_commands,
    migrate,
):
    commands.add_command(command)


import_.add_command(import_zitadel)
for command in (connect, status, try_targets, disconnect):
    bridge_commands.add_command(command)


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _open_closed_streams()
    sys.exit(failures.run_command(commands, name=PROGRAM))


def _open_closed_streams() -> None:
    """Opens closed standard streams, so that no socket or database gets their descriptors."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nothing, "r" if name == "stdin" else "w"))
