"""Runs `serve`: the service in the foreground, until SIGTERM or SIGINT."""

import os

import click

from server.cli.failures import Failed
from server.cli.settings import CONFIG, every_setting, settings
from server.config import VARIABLES, as_toml
from server.config.misspelt import nearest_settings


@click.command(epilog="Example: python -m server serve --listen 0.0.0.0:8080 --log-format json")
@every_setting
@CONFIG
@click.option("--check-config", is_flag=True, help="Check the settings, print them, and stop.")
@click.option(
    "--check-database",
    is_flag=True,
    help="Check all of the database before serving, which may take minutes.",
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Serve an older copy of the database, or one that has lost its last events.",
)
def serve(check_config: bool, check_database: bool, accept_loss: bool, **flags: object) -> int:
    """Serve JSON, gRPC-Web and gRPC, until SIGTERM or Ctrl-C.

    A setting is a flag, else an environment variable, else a key of the TOML file of --config, with
    the same name. The first start on an empty data folder makes an organisation and an owner
    token, left in owner.token there. A terminal also shows the token, and commands to paste.
    """
    loaded = settings(flags)
    if check_config:
        for variable, nearest in nearest_settings(os.environ, VARIABLES).items():
            click.echo(
                f"warning: {variable} is ignored, the nearest setting is {nearest}", err=True
            )
        click.echo(as_toml(loaded))
        return 0
    if loaded.config.traces_endpoint:
        _require_traces()
    from server.store.engine import Opening

    opening = Opening(checks_whole=check_database, accepts_loss=accept_loss)
    if loaded.config.workers > 1:
        from server.cli.supervisor import run_workers

        return run_workers(loaded.config)
    from server.cli.foreground import run_service

    run_service(loaded.config, opening=opening)
    return 0


def _require_traces() -> None:
    from server.tracing.extra import MissingExtra, require_extra

    try:
        require_extra()
    except MissingExtra as error:
        raise Failed(str(error)) from error
