"""serve: the service in the foreground, until SIGTERM or SIGINT."""

import os

import click

from server.cli.settings import CONFIG, DATA_DIR, settings
from server.config import VARIABLES, as_toml
from server.misspelt import nearest_settings


@click.command(epilog="Example: python -m server serve --listen 0.0.0.0:8080 --log-format json")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="JSON and gRPC-Web, or unix:PATH; port 0 takes a free one.  "
    "[ACTIONS_LISTEN; 127.0.0.1:8080]",
)
@click.option(
    "--grpc-listen",
    metavar="HOST:PORT",
    help="gRPC, or unix:PATH.  [ACTIONS_GRPC_LISTEN; 127.0.0.1:50051]",
)
@DATA_DIR
@click.option(
    "--jwt-issuer",
    metavar="TEXT",
    help="Whose JWTs are access tokens, as their iss says it.  [ACTIONS_JWT_ISSUER; nobody's]",
)
@click.option(
    "--jwt-audience",
    metavar="NAMES",
    help="Of which a JWT names one in its aud, separated by commas.  [ACTIONS_JWT_AUDIENCE]",
)
@click.option(
    "--jwt-jwks-url",
    metavar="URL",
    help="Where the issuer's keys are.  [ACTIONS_JWT_JWKS_URL; by discovery]",
)
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
    help="Log each call, and each run.  [ACTIONS_ACCESS_LOG; true]",
)
@click.option(
    "--script-workers",
    metavar="NUMBER",
    help="Processes that run scripts, at most.  [ACTIONS_SCRIPT_WORKERS; four for each core]",
)
@click.option(
    "--script-queue",
    metavar="NUMBER",
    help="Runs that wait for one of them.  [ACTIONS_SCRIPT_QUEUE; 512]",
)
@click.option(
    "--script-fetch-deny",
    metavar="HOSTS",
    help="Addresses, networks and names that scripts may not reach, beside those that are not "
    "public; separated by commas.  [ACTIONS_SCRIPT_FETCH_DENY; none]",
)
@click.option(
    "--script-fetch-allow",
    metavar="HOSTS",
    help="Those that they may reach all the same.  [ACTIONS_SCRIPT_FETCH_ALLOW; none]",
)
@click.option(
    "--script-dns-servers",
    metavar="ADDRESSES",
    help="Name servers that look up what scripts fetch from; separated by commas.  "
    "[ACTIONS_SCRIPT_DNS_SERVERS; the system's]",
)
@click.option(
    "--runs-keep-days",
    metavar="DAYS",
    help="How long a run is in the log of runs.  [ACTIONS_RUNS_KEEP_DAYS; 7]",
)
@click.option(
    "--runs-max-mib",
    metavar="MIB",
    help="How large that is at most; 0 for none.  [ACTIONS_RUNS_MAX_MIB; 64]",
)
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
def serve(check_config: bool, check_database: bool, accept_loss: bool, **flags: object) -> None:
    """Serve JSON, gRPC-Web and gRPC, until SIGTERM or Ctrl-C.

    Settings are flags, else environment variables, else what the TOML file of --config says under
    the same names. The first start on an empty data folder makes an organisation and an owner
    token, left in owner.token there. A terminal also shows the token, and commands to paste.
    """
    loaded = settings(flags)
    if check_config:
        for variable, nearest in nearest_settings(os.environ, VARIABLES).items():
            click.echo(
                f"warning: {variable} is ignored, the nearest setting is {nearest}", err=True
            )
        click.echo(as_toml(loaded))
        return
    from server.cli.foreground import run
    from server.eventstore.sqlite import Opening

    run(loaded.config, opening=Opening(checks_whole=check_database, accepts_loss=accept_loss))
