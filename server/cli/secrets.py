"""Runs `secret`: sets, lists and deletes secrets of scripts, by calls to the service."""

import json
import sys
from typing import Any, Final

import click

from server.cli.call import call
from server.cli.failures import Misused
from server.cli.settings import CALLER_TOKEN, CONFIG, DATA_DIR

_TIMEOUT_S: Final = 10.0
_NAME: Final = click.argument("name")


def _calling(command: Any) -> Any:  # noqa: ANN401  whatever the command takes
    """Adds the options that say which service is called, by whom, and for which organisation."""
    for option in (
        CONFIG,
        DATA_DIR,
        CALLER_TOKEN,
        click.option("--address", metavar="HOST:PORT", help="Address of the service."),
        click.option("--tls", "is_tls", is_flag=True, help="Call over TLS."),
        click.option("--ca", metavar="FILE", help="Certificates to trust, in PEM."),
        click.option("--org", metavar="ID", help="Organisation; the caller's own, if not given."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, as it always does."),
        click.pass_context,
    ):
        command = option(command)
    return command


@click.group("secret")
def secret_commands() -> None:
    """Set, list and delete secrets of scripts."""


@secret_commands.command(
    "set",
    short_help="Set a secret; its value is standard input.",
    epilog="Example: python -m server secret set API_KEY < api-key.txt",
)
@_NAME
@_calling
def set_secret(context: click.Context, name: str, **options: object) -> None:
    """Set the secret NAME to standard input, without one newline at its end."""
    try:
        value = sys.stdin.buffer.read().decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise Misused("standard input: expected UTF-8") from error
    _call(context, "SetSecret", {"name": name, "value": value}, options)


@secret_commands.command("list", short_help="List names and dates of secrets.")
@_calling
def list_secrets(context: click.Context, **options: object) -> None:
    """List names and dates of the secrets of an organisation; no command shows a value."""
    _call(context, "ListSecrets", {}, options)


@secret_commands.command("delete", short_help="Delete a secret.")
@_NAME
@_calling
def delete_secret(context: click.Context, name: str, **options: object) -> None:
    """Delete the secret NAME; actions that read it fail from then on."""
    _call(context, "DeleteSecret", {"name": name}, options)


def _call(
    context: click.Context, method: str, message: dict[str, str], options: dict[str, Any]
) -> None:
    text = json.dumps(message)
    context.invoke(call, method=method, message=text, timeout_s=_TIMEOUT_S, **options)
