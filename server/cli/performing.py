"""Shares options, requests and output among commands on accounts."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from server.cli import output
from server.cli.failures import Misused, storage_failures
from server.cli.output import OutputRow
from server.cli.settings import CONFIG, DATA_DIR, DATABASE, SECRET_KEY, SECRET_KEY_FILE, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from server.config import Config
    from server.sealing.keys import SecretKey
    from server.store.engine import Engine

F = TypeVar("F", bound=Callable[..., Any])

AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ORG: Final = click.option(
    "--org",
    "org_id",
    default="",
    metavar="ID",
    help="Organisation; may be left out if there is only one.",
)


def stored(command: F) -> F:
    """Adds the options of the database, and fails where it cannot be used.

    Refuses arguments that are not UTF-8.
    """

    @functools.wraps(command)
    def checked(*args: Any, **named: Any) -> Any:  # noqa: ANN401  whatever the command takes
        try:
            with storage_failures():
                return command(*args, **named)
        except UnicodeEncodeError as error:  # raised by the message that has the text
            text = error.object[:40].encode(errors="surrogateescape")
            raise Misused(f"expected UTF-8, got {text!r}") from error

    return DATA_DIR(DATABASE(CONFIG(checked)))  # type: ignore[return-value]  # wraps one of the same kind


def store_of(flags: dict[str, object]) -> "tuple[Engine, Config]":
    """Returns the engine of the database that the settings name, and the settings."""
    from server.store.opening import engine_of

    config = settings(flags).config
    return engine_of(config.database), config


def keyed(command: F) -> F:
    """Adds the options of the keys that seal values."""
    return SECRET_KEY(SECRET_KEY_FILE(command))


def keys_of(config: "Config") -> "Sequence[SecretKey]":
    """Returns the keys that the settings, or the data folder, have; may be none."""
    from server.sealing.key_ring import find_keys

    return find_keys(
        text=config.secret_key,
        file=config.secret_key_file,
        folder=config.data_dir,
        has_own=not config.database,
    )


def perform(request: "Message", flags: dict[str, object]) -> list[OutputRow]:
    """Sends a request to AdminService, and returns the answer as rows.

    Args:
        request: its type names the method.
        flags: name the data folder.
    """
    from server.cli import store
    from server.cli.rows import rows_of

    return rows_of(store.send(settings(flags).config, request))


def created(request: "Message", as_json: bool, flags: dict[str, object]) -> None:
    for row in perform(request, flags):
        show(row, as_json)


def show(row: OutputRow, as_json: bool) -> None:
    (output.as_json if as_json else output.record)(row)


def ended(what: str, id: str, as_json: bool) -> None:
    if as_json:
        output.as_json({"id": id})
    else:
        click.echo(f"{what} {id}")


def listed(request: "Message", as_json: bool, flags: dict[str, object], *columns: str) -> None:
    rows = perform(request, flags)
    if as_json:
        output.as_json(rows)
    else:
        output.table(rows, *columns)
